"""Who follows a search: Prefect's progress artifact, and whoever the command line adds."""

from __future__ import annotations

import time
from contextvars import ContextVar
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from mlab.config import Config
from mlab.engine import Watcher
from mlab.records import Cell, CellResult

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
        self._updated = time.monotonic()
        self._artifact: UUID = _created(run_id)

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Show how far the search is, now and then."""
        del best_score, evaluations
        if time.monotonic() - self._updated >= PERIOD_S:
            self._update(cell.index * self._batches + index + 1)

    def cell_done(self, result: CellResult) -> None:
        """Show that a cell is done."""
        self._update((result.cell.index + 1) * self._batches)

    def _update(self, batches: int) -> None:
        self._updated = time.monotonic()
        update_progress_artifact(self._artifact, progress=100.0 * batches / (self._batches * self._cells))


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
