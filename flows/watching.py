"""Who follows a search: Prefect's progress artifact, and whoever the command line adds."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import replace
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from mlab.config import Config
from mlab.engine import Watcher
from mlab.records import Cell, CellResult
from mlab.store import Store

PERIOD_S = 2.0
"""Seconds between two updates of the progress artifact: each costs some 20 ms."""

audience: ContextVar[tuple[Watcher, ...]] = ContextVar("audience", default=())
"""Further watchers of the flow that is called in this context; a flow's own parameters must be plain JSON."""


delivered: ContextVar[bool] = ContextVar("delivered", default=False)
"""Whether the caller of the flow sees to the delivery to MLflow."""


class PrefectProgress:
    """A progress artifact that moves with the batches of a run."""

    def __init__(self, config: Config, run_id: str) -> None:
        self._batches = config.search.max_batches
        self._cells = len(config.cells())
        self._done: dict[int, int] = {}  # batches by cell; a cell that stopped early counts as full
        self._updated = time.monotonic()
        self._artifact: UUID = _created(run_id)

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Show how far the search is, now and then."""
        del best_score, evaluations
        self._done[cell.index] = index + 1
        if time.monotonic() - self._updated >= PERIOD_S:
            self._update()

    def cell_done(self, result: CellResult) -> None:
        """Show that a cell is done."""
        self._done[result.cell.index] = self._batches
        self._update()

    def _update(self) -> None:
        self._updated = time.monotonic()
        done = sum(self._done.values())
        update_progress_artifact(self._artifact, progress=100.0 * done / (self._batches * self._cells))


class Lookout:
    """Sees in the database what workers have saved, and tells a watcher as if it had been saved here."""

    def __init__(self, store: Store, exp_id: int, watcher: Watcher) -> None:
        self._store, self._exp_id, self._watcher = store, exp_id, watcher
        self._seen = {one.cell.index: replace(one, finished=False) for one in store.cells(exp_id)}

    def look(self) -> None:
        """Tell what is new: batches, then cells that are finished."""
        for now in self._store.cells(self._exp_id):
            before = self._seen[now.cell.index]
            for index in range(before.batches, now.batches):
                # How many ladders each batch scored is not worth a query: the first stands for all of them.
                evaluations = now.evaluations - before.evaluations if index == before.batches else 0
                self._watcher.batch(now.cell, index, now.best.score if now.best else None, evaluations)
            if now.finished and not before.finished:
                self._watcher.cell_done(now)
            self._seen[now.cell.index] = now


class Audience:
    """Several watchers as one."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Tell all of them."""
        for watcher in self._watchers:
            watcher.batch(cell, index, best_score, evaluations)

    def cell_done(self, result: CellResult) -> None:
        """Tell all of them."""
        for watcher in self._watchers:
            watcher.cell_done(result)


def _created(run_id: str) -> UUID:
    artifact = create_progress_artifact(progress=0.0, key="search-progress", description=f"Run {run_id}")
    if not isinstance(artifact, UUID):
        raise TypeError("the progress artifact must be made in a synchronous flow")
    return artifact
