"""Who tells Prefect of a run while it goes on: a thread beside the search, which reads database and event log.

The search never waits for that; its end does, for some seconds.
"""

from __future__ import annotations

import contextvars
import os
import signal
import threading
import time
from collections.abc import Sequence

from prefect import get_run_logger
from prefect.runtime import flow_run

from flows.heartbeat import catch_up
from flows.shown import Progress, Shown
from mlab.config import Config
from mlab.core.event_log import EventLog
from mlab.core.records import Cell, CellResult, Experiment
from mlab.core.redaction import redacted
from mlab.core.state import State
from mlab.search.watcher import Watcher
from mlab.store import Store

LOOK_S = 1.0
"""Seconds between two looks at what is new."""

PERIOD_S = 2.0
"""Seconds between two updates of the artifacts: both together cost some 20 ms."""

PATIENCE_S = 8.0
"""Longest time that the end of a search waits for Prefect to be told of it; the end of the delivery to MLflow too."""

STOPPED_PATIENCE_S = 2.0
"""The same for a run that was stopped by a signal."""

LONGEST = 160
"""Letters of a fault that are shown."""


class Mirror(Watcher):
    """Shows a run in Prefect, from a thread of its own.

    Args:
        state: where the run lies.
        store: its database.
        orphans: flow runs whose processes are gone, which Prefect does not know yet.
        cancels: whether a cancel in Prefect has to be passed on to this process: no runner does it.

    Attributes:
        run_id: the run, None before there is one.
        fault: what Prefect failed with last.
    """

    def __init__(self, state: State, store: Store, orphans: Sequence[str], *, cancels: bool) -> None:
        self._state, self._store, self._orphans, self._cancels = state, store, orphans, cancels
        self._flow_run = str(flow_run.id)
        self._progress = Progress()
        self.run_id: str | None = None
        self._over, self._told, self._delivered = threading.Event(), threading.Event(), threading.Event()
        self._complete = threading.Event()
        self._updated, self._patience_s = 0.0, PATIENCE_S
        self.fault: Exception | None = None

    # What the search tells, which takes no time

    def begun(self, run: Experiment, config: Config) -> None:
        """Show from now on that the run goes on."""
        self.run_id = run.run_id
        path = self._state.events(run.run_id)
        log = EventLog(path, 0 if run.status == "PENDING" else EventLog.size(path))
        self._shown = Shown(self._state, self._store, run, config, log, get_run_logger())
        self._max_batches = config.search.max_batches
        self._store.set_flow_run(run.exp_id, self._flow_run)
        context = contextvars.copy_context()  # Prefect finds the flow run in it
        self._thread = threading.Thread(target=context.run, args=(self._mirror,), daemon=True)
        self._thread.start()

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Know that a batch is saved."""
        del best_score, evaluations
        self._progress.last, self._progress.done[cell.index] = cell, index + 1

    def cell_done(self, result: CellResult) -> None:
        """Know that a cell is done."""
        self._progress.done[result.cell.index] = self._max_batches

    def replaying(self, name: str, done: int, steps: int) -> None:
        """Know how far a replay of the winners is."""
        self._progress.replayed = name, 100.0 * done / steps

    def searched(self) -> None:
        """Have Prefect told how the search ended, for as long as anybody waits for that."""
        run = self._store.experiment(self._shown.run.run_id)
        if run is not None and run.status == "STOPPED":
            self._patience_s = STOPPED_PATIENCE_S
        self._over.set()
        self._told.wait(self._patience_s)

    def published(self) -> None:
        """Have it shown what lies in MLflow by now."""
        self._delivered.set()
        if self._told.is_set():
            self._thread.join(self._patience_s)

    @property
    def untold(self) -> str:
        """Why Prefect does not know all of the run; empty where it does."""
        return "" if self._complete.is_set() else worded(self.fault) or "it does not answer"

    # What the thread does

    def _mirror(self) -> None:
        """Tell Prefect what is new until the search is over, then how it ended, and what lies elsewhere."""
        opened = False
        while not opened or not self._over.wait(LOOK_S):
            try:
                if not opened:
                    self._open()
                    opened = True
                self._tell()
            except Exception as fault:  # noqa: BLE001 - Prefect's, and no affair of the search
                self.fault = fault
                if self._over.wait(PERIOD_S) and not opened:
                    self._told.set()  # nothing, and nobody needs to wait for more
                    return
        try:
            self._shown.tell_events()
            self._shown.end(self._progress)
            self._told.set()
            if self._shown.run.status == "COMPLETED":
                self._shown.front()
            if self._shown.run.status in {"COMPLETED", "STOPPED"}:  # of others nothing is published
                self._delivered.wait()
                self._shown.update(self._progress)
            self._complete.set()
        except Exception as fault:  # noqa: BLE001 - as above
            self.fault = fault
            self._told.set()

    def _open(self) -> None:
        """Show that the run begins, and have Prefect know of those that have ended meanwhile."""
        self._shown.open()
        catch_up(self._store, self._orphans, self._flow_run)

    def _tell(self) -> None:
        """Tell what is new; pass on that somebody has cancelled the flow run, once."""
        self._shown.tell_events()
        if time.monotonic() - self._updated >= PERIOD_S:
            self._updated = time.monotonic()
            self._shown.update(self._progress)
        if self._cancels and self._shown.cancelled():
            self._cancels = False
            os.kill(os.getpid(), signal.SIGTERM)


def worded(fault: BaseException | None) -> str:
    """What Prefect failed with, in one line without secrets; empty for nothing."""
    line = " ".join(str(fault or "").split()) or type(fault).__name__
    return redacted(line)[:LONGEST] if fault else ""
