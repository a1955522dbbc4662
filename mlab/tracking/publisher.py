"""The publisher: delivers one run while it goes on, then what is pending of others. No fault of MLflow ends it.

What was delivered to an MLflow that has been replaced since, or to a run that somebody deleted there, is struck off
and gone: what is delivered later makes a new run, which holds the numbers from then on, the results and the ending.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from mlab.core.errors import StoreError
from mlab.core.lock import LOCK_WAIT_S, alone
from mlab.core.probe import wait_until
from mlab.core.records import Experiment, Status
from mlab.core.state import State
from mlab.store import Store
from mlab.tracking.backlog import Attempt, Backlog
from mlab.tracking.client import Client
from mlab.tracking.delivery import Delivery, stored_run
from mlab.tracking.faults import Faults, worded

PERIOD_S = 2.0  # between two deliveries; more often would take from the search the half of its core that it shares
LONGEST_PAUSE_S = 60.0  # longest pause after faults: each doubles it
GLANCE_S = 0.2  # seconds between two looks at whether anything has changed

Stage: TypeAlias = tuple[Status, str | None, str | None]


def follow(state: State, run_id: str, over: Callable[[], bool] = lambda: True) -> str:
    """Deliver a run while it goes on, and its end; after a fault try again, and once more when it is over.

    ``over`` tells whether nobody executes it any longer on whose behalf it is followed. The answer is why something
    is not yet delivered; empty where all is.
    """
    faults, pause_s, why = Faults(), PERIOD_S, ""
    with Store.open(state.database) as store, ExitStack() as stack:
        follower = Follower(state, store, run_id, stack)
        while True:
            last = over()
            try:
                follower.deliver(last=last)
                pause_s, why = PERIOD_S, ""
            except Exception as fault:  # noqa: BLE001 - whatever MLflow and what is below it may raise
                why = faults.note(f"run {run_id}", fault)
                pause_s = min(2.0 * pause_s, LONGEST_PAUSE_S)
            if last:
                return why
            wait_until(lambda: over() or follower.news, pause_s, GLANCE_S)


class Follower:
    """One run, delivered again and again."""

    def __init__(self, state: State, store: Store, run_id: str, stack: ExitStack) -> None:
        self._state, self._store, self._run_id, self._stack = state, store, run_id, stack
        self._locked = False
        self._client: Client | None = None
        self._delivery: Delivery | None = None
        self._seen: Stage | None = None
        self._ended: Stage | None = None

    @property
    def news(self) -> bool:
        """Whether the run has begun or ended since the last delivery."""
        try:
            return _stage(stored_run(self._store, self._run_id)) != self._seen
        except StoreError:
            return False  # the next delivery says so

    def deliver(self, *, last: bool) -> None:
        """Deliver what there is; of a run that has not begun nothing, of one that has ended all.

        ``last`` says that the process that executed the run, if it still runs, has left it behind.
        """
        if last:
            wait_until(self._ended_or_abandoned, 5 * GLANCE_S, GLANCE_S)  # one that dies takes a moment to be gone
        run = stored_run(self._store, self._run_id)
        self._seen = _stage(run)
        try:
            self._client = self._client or Client.open(self._state)
            if run.status == "PENDING" or self._seen == self._ended:
                return
            if not self._locked:
                self._stack.enter_context(alone(lock(self._state), run.exp_id, LOCK_WAIT_S if last else 0.0))
                self._locked = True
            if self._delivery is None:
                self._delivery = Delivery(self._state, self._store, self._client, self._run_id)
            self._delivery.progress()
            if run.finished_at is not None:
                self._delivery.end()
                self._delivery, self._ended = None, self._seen
        except Exception:
            self._client = self._delivery = None  # found anew next time, whatever became of it
            raise

    def _ended_or_abandoned(self) -> bool:
        """Whether the run is not RUNNING; it is stopped where its process is gone."""
        self._store.reconcile()
        return stored_run(self._store, self._run_id).status != "RUNNING"


def publish_pending(state: State, store: Store) -> Iterator[Attempt]:
    """Deliver what is pending of runs that have ended, the oldest first, one at a time.

    A run whose delivery fails does not keep the next from its own. Where MLflow is out of reach, none is tried.
    """
    pending = store.owing()
    client, why = None, ""
    if pending:
        try:
            client = Client.open(state)
        except Exception as fault:  # noqa: BLE001 - as above
            why = worded(fault)
    for run in pending:
        before = Backlog.of(store, run)
        if not before:
            continue  # another process was faster
        if client is not None:
            why = _publish(state, store, client, run)
        yield Attempt(run.run_id, before, Backlog.of(store, run), why)


def _publish(state: State, store: Store, client: Client, run: Experiment) -> str:
    """Deliver what is pending of one run; what went wrong, if anything did."""
    try:
        with alone(lock(state), run.exp_id, 0.0):
            Delivery(state, store, client, run.run_id).end()
    except Exception as fault:  # noqa: BLE001 - as above
        return worded(fault)
    return ""


def lock(state: State) -> Path:
    """The file that is locked, a byte for each run, by who delivers it."""
    return state.root / "tracking.lock"


def _stage(run: Experiment) -> Stage:
    """What changes when a run begins, ends, or ends again, and when Prefect, which may start late, has it too."""
    return run.status, run.finished_at, run.flow_run_id
