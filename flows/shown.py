"""What Prefect shows of a run: its name and tags, how far it is, the best ladders, and the events."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.events import emit_event
from prefect.runtime import flow_run
from prefect.states import Running

from mlab.config import Config
from mlab.core import events
from mlab.core.decimals import counted
from mlab.core.event_log import EventLog
from mlab.core.events import Event
from mlab.core.records import Cell, CellResult, Experiment
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.report import markdown
from mlab.report.markdown import watch_note
from mlab.store import Store

ENDINGS = frozenset({"COMPLETED", "FAILED", "STOPPED"})
"""Tags that say how a run ended."""

EVENTS = "../../events?resource=mlab.{}&resource=prefect.flow-run.{}&events=mlab.*&events=prefect.flow-run.*"
"""Prefect's page of the events of a run, as seen from that of an artifact. The newer of its two versions
wants lists, so two of each: what befell the run under any flow run, and what befell this flow run."""


@dataclass
class Progress:
    """How far a search is.

    Attributes:
        done: batches by cell; a cell that stopped early counts as full.
        last: the cell that was searched last.
        replayed: which replay goes on, and its share in %.
    """

    done: dict[int, int] = field(default_factory=dict)
    last: Cell | None = None
    replayed: tuple[str, float] | None = None


class Shown:
    """A run as Prefect shows it, in the flow run in whose context it is made and told.

    Args:
        state: where the run lies.
        store: its database.
        run: the run.
        config: its config.
        log: its events, from the first that is shown.
        logger: Prefect's, of the flow run.
    """

    def __init__(self, state: State, store: Store, run: Experiment, config: Config, log: EventLog, logger: Any) -> None:
        self._state, self._store, self._config, self._log, self._logger = state, store, config, log, logger
        self._flow_run = UUID(str(flow_run.id))
        self._replays: dict[str, UUID] = {}
        self.run = run

    def open(self) -> None:
        """Show that the run begins, under a name and tags that tell it from others."""
        self._client: SyncPrefectClient = get_client(sync_client=True)
        self._tags = [tag for tag in flow_run.tags if tag not in ENDINGS]
        if (tag := f"config:{self._config.name}") not in self._tags:
            self._tags.append(tag)
        name = f"{self._config.name}, {counted(len(self._config.cells()), 'cell')}, {self.run.run_id[-6:]}"
        self._client.update_flow_run(self._flow_run, name=name, tags=self._tags)
        self._progress = self._artifact("search-progress", "progress", 0.0)
        self._ladders = self._artifact("ladders", "markdown", self._note([], None))

    def tell_events(self) -> None:
        """Show events: in the log of the flow run, and among Prefect's own, where they can be filtered."""
        for event in self._log.news():
            quiet = event["event"] in events.QUIET
            if not quiet or events.debugging():
                self._to_log(event)
            if not quiet:
                emit_event(**as_prefect_has_it(event, self.run.run_id, str(self._flow_run)))

    def update(self, progress: Progress) -> None:
        """Show how far the search is."""
        self.run = self._store.experiment(self.run.run_id) or self.run
        batches = self._config.search.max_batches * len(self._config.cells())
        percent = 100.0 * sum(progress.done.values()) / batches
        self._client.update_artifact(self._progress, ArtifactUpdate(data=percent))
        if progress.replayed is not None:
            self._show_replay(*progress.replayed)
        note = self._note(self._store.cells(self.run.exp_id), progress.last)
        self._client.update_artifact(self._ladders, ArtifactUpdate(data=note))

    def _show_replay(self, name: str, percent: float) -> None:
        """Show how far a replay is, each as a bar of its own."""
        if name not in self._replays:
            key = "-".join(re.findall("[a-z0-9]+", name.lower()))
            self._replays[name] = self._artifact(f"{key}-progress", "progress", percent)
        self._client.update_artifact(self._replays[name], ArtifactUpdate(data=percent))

    def end(self, progress: Progress) -> None:
        """Show how the run ended, in a tag, too, so that the list of flow runs can be filtered by it."""
        self.update(progress)
        self._client.update_flow_run(self._flow_run, tags=[*self._tags, self.run.status])
        if self.run.status != "STOPPED" and self.cancelled():
            # The run had ended before it could be stopped. Prefect takes no other ending of what is being cancelled.
            self._client.set_flow_run_state(self._flow_run, Running(), force=True)

    def front(self) -> None:
        """Show what covering more costs."""
        from mlab.report import plots  # loads matplotlib

        cells = self._store.cells(self.run.exp_id)
        note = markdown.front_note(cells, plots.png(plots.front_plot(cells)))
        create_markdown_artifact(note, key="front", description=f"Run {self.run.run_id}")

    def cancelled(self) -> bool:
        """Whether somebody has cancelled this flow run."""
        state = self._client.read_flow_run(self._flow_run).state
        return state is not None and (state.is_cancelling() or state.is_cancelled())

    def _artifact(self, key: str, kind: str, data: float | str) -> UUID:
        about = f"Run {self.run.run_id}"
        new = ArtifactCreate(key=key, type=kind, data=data, description=about, flow_run_id=self._flow_run)
        return self._client.create_artifact(new).id

    def _note(self, cells: Sequence[CellResult], last: Cell | None) -> str:
        pages = Pages.of(self._state)
        links = {"its events, to be filtered": EVENTS.format(self.run.run_id, self._flow_run)}
        if self.run.mlflow_run_id:
            links["its results in MLflow"] = pages.mlflow_run(self.run.mlflow_run_id)
            if self.run.status in ENDINGS:
                links["its report"] = pages.report(self.run.mlflow_run_id)
        return watch_note(self.run, cells, self._config.search.max_batches, links, last)

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
