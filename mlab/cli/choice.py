"""The state folder of here, and the run in it that a person means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlab.core import event_log, events
from mlab.core.errors import ConfigError
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.store import Store
from mlab.store.choice import chosen


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
