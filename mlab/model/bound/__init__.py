"""A lower bound on the score, proved: no ladder of a cell scores below it. ``docs/bound.md``.

:func:`prove` says how near to the best possible a score is; :class:`Prover` does the same in steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from mlab.model.bound.prover import Prover
from mlab.model.ladder import Array
from mlab.model.space import Space

__all__ = ["Proof", "Prover", "prove"]

Progress = Callable[[float, float], None]
TELL_S = 0.5  # between two calls of progress


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved of a cell."""

    lower: float  # no ladder scores less
    within_pct: float | None  # how far the best score is from it, in % of the score; None where nothing is known of it
    boxes: int  # that were bounded
    seconds: float
    complete: bool  # whether that is as near as was asked
    ladder: Array | None  # growths (K,) of the best ladder met on the way, which may be better than the best known


def prove(
    space: Space,
    best_score: float,
    *,
    within_pct: float = 0.1,
    max_time_s: float = 60.0,
    progress: Progress | None = None,
) -> Proof:
    """Prove that no ladder of the space scores much less than ``best_score``, that of the best known.

    Ends once it is proved within ``within_pct`` percent, after ``max_time_s``, or when nothing is left to try. From
    time to time ``progress`` is called with the seconds so far and the bound so far.

    Raises:
        EvaluationError: a best score that no ladder can have.

    Example:
        The best ladder known of 3 orders over 10 % scores 2.1032; at most 1 % is to be had beyond that:

        >>> from mlab.core.records import Cell
        >>> from mlab.model.objective import Objective
        >>> space = Space.of(Cell(index=0, overlap_pct=10.0, num_orders=3), Objective())
        >>> proof = prove(space, 2.1032, within_pct=1.0)
        >>> proof.complete, 2.08 < proof.lower < 2.1032
        (True, True)
    """
    prover, began, told = Prover(space, within_pct=within_pct), monotonic(), 0.0
    while True:
        prover.advance(best_score, boxes=1)
        seconds = monotonic() - began
        if progress is not None and seconds >= told:
            told = seconds + TELL_S
            progress(seconds, prover.lower)
        if prover.complete or prover.stuck or seconds >= max_time_s:
            break
    return Proof(
        lower=prover.lower,
        within_pct=distance_pct(best_score, prover.lower),
        boxes=prover.boxes,
        seconds=seconds,
        complete=prover.complete,
        ladder=prover.ladder,
    )


def distance_pct(best_score: float, lower: float) -> float | None:
    """How far a score may be from the best possible, in percent of it."""
    return (best_score - lower) / best_score * 100.0 if best_score > 0.0 else None
