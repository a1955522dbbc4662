"""What other processes or threads have saved, as if it had been saved here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlab.core.records import CellResult
    from mlab.search.watcher import Watcher
    from mlab.store import Store

PERIOD_S = 1.0
"""Seconds between two looks."""


class StorePoller:
    """Sees in the database what has been saved of a run, and tells a watcher as if it had been saved here."""

    def __init__(self, store: Store, exp_id: int, watcher: Watcher) -> None:
        self._store, self._exp_id, self._watcher = store, exp_id, watcher
        self._seen = {one.cell.index: replace(one, finished=False) for one in store.cells(exp_id)}

    def poll(self) -> list[CellResult]:
        """Tell what is new, batches, then cells that are finished; how far all cells are."""
        cells = self._store.cells(self._exp_id)
        for now in cells:
            before = self._seen[now.cell.index]
            for index in range(before.batches, now.batches):
                # How many ladders each batch scored is not worth a query: the first stands for all of them.
                evaluations = now.evaluations - before.evaluations if index == before.batches else 0
                self._watcher.batch(now.cell, index, now.best.score if now.best else None, evaluations)
            if now.finished and not before.finished:
                self._watcher.cell_done(now)
            self._seen[now.cell.index] = now
        return cells
