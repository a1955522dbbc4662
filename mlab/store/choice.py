"""Which run a person means: by its id, by the end of one, or by the word latest."""

from __future__ import annotations

from mlab.core.errors import ConfigError
from mlab.core.records import Experiment
from mlab.core.state import LATEST
from mlab.store.store import Store


def chosen(store: Store, name: str, *, deleted: bool = False) -> Experiment:
    """The one run that a name stands for.

    Args:
        store: where it is stored.
        name: the id of a run, the end of one, or ``latest``.
        deleted: look among those that are deleted.

    Raises:
        ConfigError: none, or several.
    """
    runs = store.experiments(deleted=deleted)
    if name == LATEST and runs:
        return runs[0]
    found = [run for run in runs if name and run.run_id.endswith(name)]
    if len(found) != 1:
        must = f"must be the id of one run, the end of one, or latest; {len(found)} fit, .venv/bin/mlab ls lists them"
        raise ConfigError("command line", "RUN", must, name)
    return found[0]
