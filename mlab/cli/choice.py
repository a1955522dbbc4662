"""What a person names on a command line: a run of the state folder of here, a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import click

from mlab.core import decimals, event_log, events
from mlab.core.errors import ConfigError
from mlab.core.records import Candidate, Experiment
from mlab.core.state import CANDIDATE_ID, State
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


def is_candidate(name: str) -> bool:
    """Whether a name is that of one candidate, and so names its run as well."""
    return CANDIDATE_ID.fullmatch(name) is not None


def run_of(name: str) -> str:
    """The run that is named, by itself or by one of its candidates."""
    return name[:22] if is_candidate(name) else name


def kept(store: Store, run: Experiment, name: str) -> Candidate:
    """A candidate of a run, by its id.

    Raises:
        ConfigError: it is not kept.
    """
    candidate = store.kept(run.exp_id, name)
    if candidate is None:
        raise ConfigError("command line", "RUN", "must be a candidate that is kept, see .venv/bin/mlab show", name)
    return candidate


class Number(click.ParamType[Decimal]):
    """A number within bounds, exactly as it is typed."""

    name = "number"

    def __init__(self, must: str, within: Callable[[Decimal], bool]) -> None:
        self.must, self.within = must, within

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The decimal of a text."""
        number = decimals.decimal(value)
        if number is None or not self.within(number):
            self.fail(f"must be a number {self.must}, was {value!r}", param, ctx)
        return number


PRICE = Number(decimals.PRICE, lambda price: decimals.LEAST_PRICE <= price <= decimals.MOST_PRICE)
