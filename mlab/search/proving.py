"""The proof beside the search of a cell: some boxes after each batch, until the best is proved near enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from time import perf_counter
from typing import TYPE_CHECKING

from mlab.config import Config
from mlab.core.records import Cell, StoredProof, Trial
from mlab.store import Store

if TYPE_CHECKING:
    from mlab.model.bound import Prover

ORDERS_A_BOX = 1000
"""A box for so many orders refined, trials times orders, takes at most about a tenth of what refining them does.

In processor time, of 60 to 480 trials: 12 % at 3 orders, 7 to 9 % at 5 to 30, 12 % at 40 and 60; the first twelve boxes
of a cell take the most.
"""


class Proving:
    """A proof of one cell, if the config asks for one; its state follows from the trials that are stored."""

    def __init__(self, config: Config, cell: Cell) -> None:
        self._cell, self._batches, self._refined, self._seconds = cell, 0, 0, 0.0
        self._best = float("inf")
        self._prover = _prover(config, cell)

    def follow(self, trials: Sequence[Trial]) -> bool:
        """Go on for each batch of the cell that is new; whether its best is proved as near as the config asks.

        Args:
            trials: all of the cell, batch by batch.
        """
        if self._prover is None:
            return False
        began = perf_counter()
        for batch, group in groupby(trials, key=lambda trial: trial.batch):
            if batch >= self._batches:
                self._batches = batch + 1
                self._after(self._prover, list(group))
        self._seconds += perf_counter() - began
        return self._prover.boxes > 0 and self._prover.complete

    def _after(self, prover: Prover, batch: Sequence[Trial]) -> None:
        before = self._refined // ORDERS_A_BOX
        self._refined += len(batch) * self._cell.num_orders
        found = [trial.score for trial in batch if trial.outcome == "COMPLETE" and trial.score is not None]
        self._best = min([self._best, *found])
        if self._best < float("inf"):
            prover.advance(self._best, boxes=self._refined // ORDERS_A_BOX - before)

    def keep(self, store: Store, exp_id: int) -> None:
        """Keep what is proved, if anything is and no more is known, with the cell."""
        if self._prover is not None:
            self.follow(store.trials(exp_id, self._cell.index))
        if self._prover is not None and self._prover.lower > 0.0:
            from mlab.search import proofs  # noqa: PLC0415 - late, for few searches are proved

            proof = StoredProof(self._prover.lower, self._prover.boxes, self._seconds)
            proofs.keep(store, exp_id, replace(store.cell(exp_id, self._cell.index), proof=proof))


def _prover(config: Config, cell: Cell) -> Prover | None:
    within = config.search.prove_within_pct
    if within is None:
        return None
    from mlab.model.bound import Prover  # noqa: PLC0415 - late, for few searches are proved
    from mlab.model.space import Space  # noqa: PLC0415 - as above

    return Prover(Space.of(cell, config.objective), within_pct=within)
