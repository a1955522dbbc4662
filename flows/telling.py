"""What Prefect shows of a run while it goes on: a task a cell, a progress artifact, and the events in its log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from threading import Event as Signal
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import ObjectNotFound
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Crashed

from mlab import events
from mlab.config import Config
from mlab.events import Event
from mlab.records import Cell, CellResult

PERIOD_S = 2.0
"""Seconds between two updates of the progress artifact: each costs some 20 ms."""


class Telling:
    """Watches a run for Prefect; a context within a flow. Cells may take turns."""

    def __init__(self, config: Config, run_id: str) -> None:
        self._batches, self._cells, self._run_id = config.search.max_batches, len(config.cells()), run_id
        self._done: dict[int, int] = {}  # batches by cell; a cell that stopped early counts as full
        self._tasks: dict[int, Turn] = {}
        self._updated = 0.0
        self._artifact: UUID | None = None

    def __enter__(self) -> Telling:
        """Show that the run begins."""
        artifact = create_progress_artifact(progress=0.0, key="search-progress", description=f"Run {self._run_id}")
        self._artifact = artifact if isinstance(artifact, UUID) else None
        return self

    def __exit__(self, *_error: object) -> None:
        """End the tasks of cells that are not finished; Prefect waits for them."""
        for turn in self._tasks.values():
            turn.over.set()
        for turn in self._tasks.values():
            turn.task.wait(timeout=PERIOD_S)

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Show how far the search is, now and then."""
        del best_score, evaluations
        self._turn(cell)
        self._done[cell.index] = index + 1
        if time.monotonic() - self._updated >= PERIOD_S:
            self.update()

    def cell_done(self, result: CellResult) -> None:
        """Show that a cell is done."""
        turn = self._turn(result.cell)
        turn.finished.set()
        turn.over.set()
        self._done[result.cell.index] = self._batches

    def update(self) -> None:
        """Move the progress artifact."""
        self._updated = time.monotonic()
        if self._artifact is not None:
            done = sum(self._done.values())
            update_progress_artifact(self._artifact, progress=100.0 * done / (self._batches * self._cells))

    def _turn(self, cell: Cell) -> Turn:
        """The task of a cell, begun where there is none."""
        if cell.index not in self._tasks:
            self._tasks[cell.index] = Turn(cell)
        return self._tasks[cell.index]


class Turn:
    """One cell's search as a task of Prefect's, which lasts as long."""

    def __init__(self, cell: Cell) -> None:
        self.over, self.finished = Signal(), Signal()
        of_cell = search.with_options(task_run_name=cell.label)
        self.task: PrefectFuture[Any] = of_cell.submit(self.over, self.finished)


@task(cache_policy=NO_CACHE, persist_result=False)
def search(over: Signal, finished: Signal) -> Any:
    """Wait until the search of one cell has ended."""
    over.wait()
    return None if finished.is_set() else Cancelled(message="not searched to its end")


def log(news: Iterable[Event]) -> None:
    """Show events in the flow run's log, at the times at which they were emitted."""
    adapter: Any = get_run_logger()
    levels = logging.getLevelNamesMapping()
    for event in news:
        if events.debugging() or event["event"] not in events.QUIET:
            name, text = adapter.logger.name, f"{event['event']} {event['msg']}"
            level = levels.get(event["lvl"], logging.INFO)
            record = adapter.logger.makeRecord(name, level, __file__, 0, text, (), None, extra=adapter.extra)
            record.created = datetime.fromisoformat(event["ts"]).timestamp()
            record.msecs = record.created % 1 * 1000.0
            adapter.logger.handle(record)


def bury(flow_runs: Sequence[str]) -> None:
    """Have Prefect know that these flow runs are over, because the processes of their runs are gone."""
    message = "The process that executed this run is gone; what it had saved is kept, and --resume goes on from there."
    try:
        with get_client(sync_client=True) as client:
            for name in map(UUID, flow_runs):
                with suppress(ObjectNotFound):  # another Prefect's
                    state = client.read_flow_run(name).state
                    if state is not None and not state.is_final():
                        client.set_flow_run_state(name, Crashed(message=message), force=True)
    except Exception as fault:  # noqa: BLE001 - one of Prefect's, and no affair of the run that begins
        print(f"orphans: {type(fault).__name__}: {fault}", file=sys.stderr)
