"""Which run a person means: by its id, by the end of one, or by the word latest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlab.core import event_log, events
from mlab.core.errors import ConfigError
from mlab.core.records import Experiment
from mlab.core.state import LATEST, State
from mlab.store import Store


@contextmanager
def opened() -> Iterator[tuple[State, Store]]:
    """The state folder of here and its database.

    Raises:
        ConfigError: nothing is stored there.
    """
    state = State.here()
    if not state.database.exists():
        raise ConfigError("environment", "MLAB_STATE_DIR", f"no runs are stored in {state.root}")
    with Store.open(state.database) as store:
        yield state, store


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
        must = f"must be the id of one run, the end of one, or latest; {len(found)} fit, mlab ls lists them"
        raise ConfigError("command line", "RUN", must, name)
    return found[0]


@contextmanager
def reading(name: str) -> Iterator[tuple[State, Store, Experiment]]:
    """A run to read, every row as it was written; what the block tells goes to the log of the commands.

    Raises:
        ConfigError: no run, or several, have that name.
        StoreError: it is damaged.
    """
    with opened() as (state, store):
        run = chosen(store, name)
        store.check_run(run.exp_id)
        event_log.limit(state.commands)
        events.recorder.open(state.commands)
        try:
            with events.bound(run_id=run.run_id, exp_id=run.exp_id):
                yield state, store, run
        finally:
            events.recorder.close()
