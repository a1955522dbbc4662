"""What Prefect shows of a run while it goes on: a task a cell, how far it is, the best ladders, and the events."""

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
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Cancelled, Crashed, Running

from mlab.config import Config
from mlab.core import events
from mlab.core.events import Event
from mlab.core.records import Cell, CellResult, Experiment
from mlab.core.urls import Pages
from mlab.report.markdown import watch_note

ENDINGS = frozenset({"COMPLETED", "FAILED", "STOPPED"})
"""Tags that say how a run ended."""

PERIOD_S = 2.0
"""Seconds between two updates of the artifacts: both together cost some 20 ms."""

EVENTS = "../../events?resource=mlab.{}&resource=prefect.flow-run.{}&events=mlab.*&events=prefect.flow-run.*"
"""Prefect's page of the events of a run, as seen from that of an artifact. The newer of its two versions
wants lists, so two of each: what befell the run under any flow run, and what befell this flow run."""


class Telling:
    """Shows a run in Prefect; a context within a flow. Cells may take turns.

    Args:
        config: what is searched.
        run: as it is stored at the beginning.
        pages: where MLflow shows it.
    """

    def __init__(self, config: Config, run: Experiment, pages: Pages) -> None:
        self._config, self._run, self._pages = config, run, pages
        self._batches, self._cells = config.search.max_batches, len(config.cells())
        self._done: dict[int, int] = {}  # batches by cell; a cell that stopped early counts as full
        self._tasks: dict[int, Turn] = {}
        self._last: Cell | None = None
        self._updated = 0.0

    def __enter__(self) -> Telling:
        """Show that the run begins, under a name and tags that tell it from others."""
        self._flow_run = UUID(str(flow_run.id))
        self._client = get_client(sync_client=True)  # the flow's own
        self._tags = [tag for tag in flow_run.tags if tag not in ENDINGS]
        if (tag := f"config:{self._config.name}") not in self._tags:
            self._tags.append(tag)
        name = name_of(self._config, self._run.run_id)
        self._client.update_flow_run(self._flow_run, name=name, tags=self._tags)
        self._progress = self._artifact("search-progress", "progress", 0.0)
        self._ladders = self._artifact("ladders", "markdown", self._note([]))
        return self

    def __exit__(self, *_error: object) -> None:
        """End the tasks of cells that are not finished; Prefect waits for them."""
        for turn in self._tasks.values():
            turn.over.set()
        for turn in self._tasks.values():
            turn.task.wait(timeout=PERIOD_S)

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Know that a batch is saved."""
        del best_score, evaluations
        self._turn(cell)
        self._last = cell
        self._done[cell.index] = index + 1

    def cell_done(self, result: CellResult) -> None:
        """Show that a cell is done."""
        turn = self._turn(result.cell)
        turn.finished.set()
        turn.over.set()
        self._done[result.cell.index] = self._batches

    def news(self, news: Iterable[Event]) -> None:
        """Show events: in the log of the flow run, and among Prefect's own, where they can be filtered."""
        for event in news:
            quiet = event["event"] in events.QUIET
            if not quiet or events.debugging():
                _log(event)
            if not quiet:
                emit_event(**as_prefect_has_it(event, self._run.run_id, str(self._flow_run)))

    def now_and_then(self, run: Experiment, cells: Sequence[CellResult]) -> None:
        """Show how far the search is, unless that was done just now."""
        if time.monotonic() - self._updated >= PERIOD_S:
            self.update(run, cells)

    def update(self, run: Experiment, cells: Sequence[CellResult]) -> None:
        """Show how far the search is."""
        self._updated, self._run = time.monotonic(), run
        progress = 100.0 * sum(self._done.values()) / (self._batches * self._cells)
        self._client.update_artifact(self._progress, ArtifactUpdate(data=progress))
        self._client.update_artifact(self._ladders, ArtifactUpdate(data=self._note(cells)))

    def end(self, run: Experiment, cells: Sequence[CellResult]) -> None:
        """Show how the run ended, in a tag, too, so that the list of flow runs can be filtered by it."""
        self.update(run, cells)
        self._client.update_flow_run(self._flow_run, tags=[*self._tags, run.status])
        if run.status != "STOPPED" and cancelled():
            # The run had ended before it could be stopped. Prefect takes no other ending of what is being cancelled.
            self._client.set_flow_run_state(self._flow_run, Running(), force=True)

    def _artifact(self, key: str, kind: str, data: float | str) -> UUID:
        about = f"Run {self._run.run_id}"
        new = ArtifactCreate(key=key, type=kind, data=data, description=about, flow_run_id=self._flow_run)
        return self._client.create_artifact(new).id

    def _note(self, cells: Sequence[CellResult]) -> str:
        links = {"its events, to be filtered": EVENTS.format(self._run.run_id, self._flow_run)}
        if self._run.mlflow_run_id:
            links["its results in MLflow"] = self._pages.mlflow_run(self._run.mlflow_run_id)
            if self._run.status in ENDINGS:
                links["its report"] = self._pages.report(self._run.mlflow_run_id)
        return watch_note(self._run, cells, self._batches, links, self._last)

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


def _log(event: Event) -> None:
    """Show an event in the flow run's log, at the time at which it was emitted."""
    adapter: Any = get_run_logger()
    name, text = adapter.logger.name, f"{event['event']} {event['msg']}"
    level = logging.getLevelNamesMapping().get(event["lvl"], logging.INFO)
    record = adapter.logger.makeRecord(name, level, __file__, 0, text, (), None, extra=adapter.extra)
    record.created = datetime.fromisoformat(event["ts"]).timestamp()
    record.msecs = record.created % 1 * 1000.0
    adapter.logger.handle(record)


def as_prefect_has_it(event: Event, run_id: str, flow_run_id: str) -> dict[str, Any]:
    """An event as one of Prefect's: named ``mlab.ORCH.SAVE_OK``, of the flow run, related to its cell or the run.

    Of an event Prefect's page shows the name of its resource, which is therefore what the event says.
    """
    said, related = event["msg"], {"prefect.resource.id": f"mlab.{run_id}", "prefect.resource.role": "run"}
    if {"overlap", "orders"} <= set(event):
        cell = Cell(-1, event["overlap"], event["orders"])
        said = said if said.startswith(cell.label) else f"{cell.label}: {said}"
        related = {"prefect.resource.id": f"mlab.{run_id}.{cell.key}", "prefect.resource.role": "cell"}
    return {
        "event": f"mlab.{event['event']}",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{flow_run_id}", "prefect.resource.name": said},
        "related": [related],
        "occurred": datetime.fromisoformat(event["ts"]),
        "payload": dict(event),
    }


def name_of(config: Config, run_id: str) -> str:
    """What the flow run of a run is called: ``nightly, 28 cells, 0a1b2c``."""
    return f"{config.name}, {len(config.cells())} cells, {run_id[-6:]}"


def cancelled() -> bool:
    """Whether somebody has cancelled this flow run; no, where Prefect does not answer."""
    with suppress(Exception):
        state = get_client(sync_client=True).read_flow_run(UUID(str(flow_run.id))).state
        return state is not None and (state.is_cancelling() or state.is_cancelled())
    return False


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
