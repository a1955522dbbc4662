"""Who stands beside a search: watchers, which are told of it, and a publisher, which delivers it to MLflow."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeAlias

from mlab.config import Config
from mlab.core.records import Cell, CellResult, Experiment


class Watcher:
    """Follows a run; this one ignores all that it is told."""

    def begun(self, run: Experiment, config: Config) -> None:
        """A run is open, and about to be searched."""

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """A batch of ``cell`` is saved; ``evaluations`` counts the ladders of this batch."""

    def cell_done(self, result: CellResult) -> None:
        """A cell is finished."""

    def replaying(self, name: str, done: int, steps: int) -> None:
        """So many steps of a replay of the winners are done; ``name`` says of which."""

    def searched(self) -> None:
        """The search has ended, however it did."""

    def published(self) -> None:
        """MLflow has been told, or takes longer than anybody waits."""


class Watchers(Watcher):
    """Several that watch one run."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def begun(self, run: Experiment, config: Config) -> None:
        """Tell them all."""
        for watcher in self._watchers:
            watcher.begun(run, config)

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Tell them all."""
        for watcher in self._watchers:
            watcher.batch(cell, index, best_score, evaluations)

    def cell_done(self, result: CellResult) -> None:
        """Tell them all."""
        for watcher in self._watchers:
            watcher.cell_done(result)

    def replaying(self, name: str, done: int, steps: int) -> None:
        """Tell them all."""
        for watcher in self._watchers:
            watcher.replaying(name, done, steps)

    def searched(self) -> None:
        """Tell them all."""
        for watcher in self._watchers:
            watcher.searched()

    def published(self) -> None:
        """Tell them all."""
        for watcher in self._watchers:
            watcher.published()


class Publisher:
    """Delivers a run to MLflow beside its search, and waits for that at the end of its block; this one does nothing."""

    def skip_wait(self) -> None:
        """Somebody has stopped the run, and does not want to wait."""

    def finish(self) -> None:
        """Wait for the delivery now."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait for the delivery, unless that was done."""


Publishing: TypeAlias = Callable[[str], Publisher]
"""Starts the delivery of a run by its id."""
