"""What Prefect shows of a run while it goes on: its name and tags, how far it is, the best ladders, and the events.

A thread beside the search tells it, from the database and the event log. The search never waits for that; its end
does, for some seconds.
"""

from __future__ import annotations

import contextvars
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.events import emit_event
from prefect.runtime import flow_run
from prefect.states import Running

from flows.heartbeat import catch_up
from mlab.config import Config
from mlab.core import events
from mlab.core.event_log import EventLog
from mlab.core.events import Event
from mlab.core.records import Cell, CellResult, Experiment
from mlab.core.redaction import redacted
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.report import markdown
from mlab.report.markdown import watch_note
from mlab.search.watcher import Watcher
from mlab.store import Store

ENDINGS = frozenset({"COMPLETED", "FAILED", "STOPPED"})
"""Tags that say how a run ended."""

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

EVENTS = "../../events?resource=mlab.{}&resource=prefect.flow-run.{}&events=mlab.*&events=prefect.flow-run.*"
"""Prefect's page of the events of a run, as seen from that of an artifact. The newer of its two versions
wants lists, so two of each: what befell the run under any flow run, and what befell this flow run."""


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
        self._flow_run = UUID(str(flow_run.id))
        self._done: dict[int, int] = {}  # batches by cell; a cell that stopped early counts as full
        self._last: Cell | None = None
        self._replayed: tuple[str, float] | None = None  # which replay goes on, and its share in %
        self._replays: dict[str, UUID] = {}
        self._run: Experiment
        self.run_id: str | None = None
        self._over, self._told, self._delivered = threading.Event(), threading.Event(), threading.Event()
        self._complete = threading.Event()
        self._updated, self._patience_s = 0.0, PATIENCE_S
        self.fault: Exception | None = None

    # What the search tells, which takes no time

    def begun(self, run: Experiment, config: Config) -> None:
        """Show from now on that the run goes on."""
        self._run, self._config, self._cells, self.run_id = run, config, len(config.cells()), run.run_id
        log = self._state.events(run.run_id)
        self._log = EventLog(log, 0 if run.status == "PENDING" else EventLog.size(log))
        self._logger: Any = get_run_logger()
        self._store.set_flow_run(run.exp_id, str(self._flow_run))
        context = contextvars.copy_context()  # Prefect finds the flow run in it
        self._thread = threading.Thread(target=context.run, args=(self._mirror,), daemon=True)
        self._thread.start()

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Know that a batch is saved."""
        del best_score, evaluations
        self._last, self._done[cell.index] = cell, index + 1

    def cell_done(self, result: CellResult) -> None:
        """Know that a cell is done."""
        self._done[result.cell.index] = self._config.search.max_batches

    def replaying(self, name: str, done: int, steps: int) -> None:
        """Know how far a replay of the winners is."""
        self._replayed = name, 100.0 * done / steps

    def searched(self) -> None:
        """Have Prefect told how the search ended, for as long as anybody waits for that."""
        run = self._store.experiment(self._run.run_id)
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
            self._tell_events()
            self._end()
            self._told.set()
            if self._run.status == "COMPLETED":
                self._show_front()
            if self._run.status in {"COMPLETED", "STOPPED"}:  # of others nothing is published
                self._delivered.wait()
                self._update()
            self._complete.set()
        except Exception as fault:  # noqa: BLE001 - as above
            self.fault = fault
            self._told.set()

    def _tell(self) -> None:
        """Tell what is new; pass on that somebody has cancelled the flow run, once."""
        self._tell_events()
        if time.monotonic() - self._updated >= PERIOD_S:
            self._updated = time.monotonic()
            self._update()
        if self._cancels and self._cancelled():
            self._cancels = False
            os.kill(os.getpid(), signal.SIGTERM)

    def _open(self) -> None:
        """Show that the run begins, under a name and tags that tell it from others."""
        self._client: SyncPrefectClient = get_client(sync_client=True)
        self._tags = [tag for tag in flow_run.tags if tag not in ENDINGS]
        if (tag := f"config:{self._config.name}") not in self._tags:
            self._tags.append(tag)
        self._client.update_flow_run(self._flow_run, name=name_of(self._config, self._run.run_id), tags=self._tags)
        self._progress = self._artifact("search-progress", "progress", 0.0)
        self._ladders = self._artifact("ladders", "markdown", self._note([]))
        catch_up(self._store, self._orphans, str(self._flow_run))

    def _tell_events(self) -> None:
        """Show events: in the log of the flow run, and among Prefect's own, where they can be filtered."""
        for event in self._log.news():
            quiet = event["event"] in events.QUIET
            if not quiet or events.debugging():
                self._to_log(event)
            if not quiet:
                emit_event(**as_prefect_has_it(event, self._run.run_id, str(self._flow_run)))

    def _update(self) -> None:
        """Show how far the search is."""
        self._run = self._store.experiment(self._run.run_id) or self._run
        progress = 100.0 * sum(self._done.values()) / (self._config.search.max_batches * self._cells)
        self._client.update_artifact(self._progress, ArtifactUpdate(data=progress))
        if self._replayed is not None:
            self._show_replay(*self._replayed)
        note = self._note(self._store.cells(self._run.exp_id))
        self._client.update_artifact(self._ladders, ArtifactUpdate(data=note))

    def _show_replay(self, name: str, progress: float) -> None:
        """Show how far a replay is, each as a bar of its own."""
        if name not in self._replays:
            key = "-".join(re.findall("[a-z0-9]+", name.lower()))
            self._replays[name] = self._artifact(f"{key}-progress", "progress", progress)
        self._client.update_artifact(self._replays[name], ArtifactUpdate(data=progress))

    def _end(self) -> None:
        """Show how the run ended, in a tag, too, so that the list of flow runs can be filtered by it."""
        self._update()
        self._client.update_flow_run(self._flow_run, tags=[*self._tags, self._run.status])
        if self._run.status != "STOPPED" and self._cancelled():
            # The run had ended before it could be stopped. Prefect takes no other ending of what is being cancelled.
            self._client.set_flow_run_state(self._flow_run, Running(), force=True)

    def _show_front(self) -> None:
        """Show what covering more costs."""
        from mlab.report import plots  # loads matplotlib

        cells = self._store.cells(self._run.exp_id)
        note = markdown.front_note(cells, plots.png(plots.front_plot(cells)))
        create_markdown_artifact(note, key="front", description=f"Run {self._run.run_id}")

    def _cancelled(self) -> bool:
        """Whether somebody has cancelled this flow run."""
        state = self._client.read_flow_run(self._flow_run).state
        return state is not None and (state.is_cancelling() or state.is_cancelled())

    def _artifact(self, key: str, kind: str, data: float | str) -> UUID:
        about = f"Run {self._run.run_id}"
        new = ArtifactCreate(key=key, type=kind, data=data, description=about, flow_run_id=self._flow_run)
        return self._client.create_artifact(new).id

    def _note(self, cells: Sequence[CellResult]) -> str:
        pages = Pages.of(self._state)
        links = {"its events, to be filtered": EVENTS.format(self._run.run_id, self._flow_run)}
        if self._run.mlflow_run_id:
            links["its results in MLflow"] = pages.mlflow_run(self._run.mlflow_run_id)
            if self._run.status in ENDINGS:
                links["its report"] = pages.report(self._run.mlflow_run_id)
        return watch_note(self._run, cells, self._config.search.max_batches, links, self._last)

    def _to_log(self, event: Event) -> None:
        """Show an event in the flow run's log, at the time at which it was emitted."""
        logger, extra = self._logger.logger, self._logger.extra
        level = logging.getLevelNamesMapping().get(event["lvl"], logging.INFO)
        text = f"{event['event']} {event['msg']}"
        record = logger.makeRecord(logger.name, level, __file__, 0, text, (), None, extra=extra)
        record.created = datetime.fromisoformat(event["ts"]).timestamp()
        record.msecs = record.created % 1 * 1000.0
        logger.handle(record)


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


def worded(fault: BaseException | None) -> str:
    """What Prefect failed with, in one line without secrets; empty for nothing."""
    line = " ".join(str(fault or "").split()) or type(fault).__name__
    return redacted(line)[:LONGEST] if fault else ""
