"""Proofs of stored cells: how near the best ladder of each is to the best that its limits allow. ``docs/bound.md``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic, time_ns
from typing import Annotated

from pydantic import Field

from mlab.config import config_of
from mlab.core.records import Cell, CellResult, Experiment, Metric, StoredProof
from mlab.core.section import Section
from mlab.model.bound import Prover
from mlab.model.space import Space
from mlab.search.stopping import IMPROVEMENT
from mlab.store import Store

Progress = Callable[[Cell, float, float], None]
"""Told of each box: the cell, the seconds that its proof has taken so far, and the bound."""


class Terms(Section):
    """When the proof of a cell is over."""

    within_pct: Annotated[float, Field(gt=0.0, lt=100.0)] = 0.1
    max_time_s: Annotated[float, Field(gt=0.0, le=31_536_000.0)] = 60.0


@dataclass(frozen=True, slots=True)
class Proved:
    """A cell with its best proof, and the score of the better ladder that a proof came upon, if it did."""

    result: CellResult
    better_score: float | None = None


def prove(
    run: Experiment, cells: Sequence[CellResult], terms: Terms, progress: Progress, store: Store | None = None
) -> Iterator[Proved]:
    """Prove the best score of each cell that has one, and keep what is proved, one cell after another.

    A cell that is proved that near already is passed over. Whatever cuts a proof, what it has come to is kept.

    Args:
        run: the run that the cells are of.
        cells: which.
        terms: how near is near enough, and the longest time of a cell.
        progress: told how far it is.
        store: where it is kept; nowhere where left out.

    Raises:
        RunBusy: another process executes the run.
    """
    config = config_of(run)
    for result in cells:
        if result.best is None or result.proved.get("proved_within_pct", 100.0) <= terms.within_pct:
            yield Proved(result)
            continue
        prover, began = Prover(Space.of(result.cell, config.objective), within_pct=terms.within_pct), monotonic()
        proof = StoredProof(lower=0.0, boxes=0, seconds=0.0)
        try:
            while not (prover.complete or prover.stuck) and proof.seconds < terms.max_time_s:
                prover.advance(result.best.score, boxes=1)
                proof = StoredProof(prover.lower, prover.boxes, monotonic() - began)
                progress(result.cell, proof.seconds, proof.lower)
        finally:  # a box that was cut short counts for nothing
            found = _kept(result, proof)
            if store is not None and found != result:
                keep(store, run.exp_id, found)
        better = prover.ladder_score
        yield Proved(found, better if better < result.best.score * (1.0 - IMPROVEMENT) else None)


def keep(store: Store, exp_id: int, result: CellResult) -> None:
    """Store the proof of a cell, and what MLflow is owed of it.

    Raises:
        RunBusy: another process executes the run.
    """
    if result.proof is not None:
        now = time_ns() // 1_000_000
        owed = [Metric(key, value, result.batches, now) for key, value in result.proved.items()]
        store.save_proof(exp_id, result.cell, result.proof, owed)


def _kept(result: CellResult, proof: StoredProof) -> CellResult:
    """The cell with what was proved, unless that is nothing, or no more than was known."""
    known = result.proof.lower if result.proof else 0.0
    return result if proof.lower <= known else replace(result, proof=proof)
