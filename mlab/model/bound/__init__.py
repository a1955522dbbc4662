"""A lower bound on the score, proved: no ladder of a cell scores below it. ``docs/bound.md``.

:func:`prove` says how near to the best possible a score is; :class:`Prover` does the same in steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic

from mlab.core.records import distance_pct
from mlab.model.bound.prover import Prover
from mlab.model.ladder import Array
from mlab.model.space import Space

__all__ = ["Proof", "Prover", "prove", "steps"]

Progress = Callable[[float, float], None]
TELL_S = 0.5  # between two calls of progress


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved of a cell."""

    lower: float  # no ladder scores less
    within_pct: float  # how far the best score is from it, in % of the score
    boxes: int  # that were bounded
    seconds: float
    complete: bool  # whether that is as near as was asked
    ladder: Array | None  # growths (K,) of the best ladder met on the way, which may be better than the best known
    ladder_score: float  # inf where none was met


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
    told = 0.0
    for proof in steps(space, best_score, within_pct=within_pct):
        if progress is not None and proof.seconds >= told:
            told = proof.seconds + TELL_S
            progress(proof.seconds, proof.lower)
        if proof.seconds >= max_time_s:
            break
    return proof


def steps(space: Space, best_score: float, *, within_pct: float = 0.1) -> Iterator[Proof]:
    """What :func:`prove` has proved after each box, one at least, until that is as near as asked or nothing is left.

    Raises:
        EvaluationError: a best score that no ladder can have.
    """
    prover, began = Prover(space, within_pct=within_pct), monotonic()
    over = False
    while not over:
        prover.advance(best_score, boxes=1)
        over = prover.complete or prover.stuck
        yield Proof(
            lower=prover.lower,
            within_pct=distance_pct(best_score, prover.lower),
            boxes=prover.boxes,
            seconds=monotonic() - began,
            complete=prover.complete,
            ladder=prover.ladder,
            ladder_score=prover.ladder_score,
        )
