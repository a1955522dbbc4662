"""The front: the cells that no other cell beats, which is what covering more costs.

Scores of different cells do not compare, since a smaller overlap always scores lower. Overlap covered and rebound
needed do: a cell is beaten by one that covers at least as much and needs no more, one of them strictly better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from math import inf
from typing import TypeAlias

from mlab.core.records import Candidate, CellResult

Measure: TypeAlias = Callable[[Candidate], float]  # the largest rebound that a ladder needs, in %

MEANING = "no other cell covers as much for less rebound, or more for as much"
"""What it is to be on the front, in words that follow a colon."""


def at_fills(ladder: Candidate) -> float:
    """Largest NeedPct, in %."""
    return float(ladder.contract["max_need"])


def on_path(ladder: Candidate) -> float:
    """Largest rebound needed anywhere on the way down to the last order, in %."""
    return float(ladder.risk["max_need_path"])


def best_ladders(cells: Iterable[CellResult]) -> list[Candidate]:
    """The best ladder of each cell that has one, by overlap and number of orders."""
    ladders = [result.best for result in cells if result.best is not None]
    return sorted(ladders, key=lambda ladder: (ladder.cell.overlap_pct, ladder.cell.num_orders))


def front(cells: Iterable[CellResult], need: Measure) -> list[Candidate]:
    """The best ladders of the cells on the front, by overlap; cells that are equal in both are all on it.

    Cells without a ladder do not count; ``need`` is :func:`at_fills` or :func:`on_path`.
    """
    unbeaten: list[Candidate] = []
    least = inf  # among the cells that cover more
    for _, same in groupby(reversed(best_ladders(cells)), key=lambda ladder: ladder.cell.overlap_pct):
        ladders = list(same)
        lowest = min(map(need, ladders))
        if lowest < least:
            unbeaten += [ladder for ladder in ladders if need(ladder) == lowest]
            least = lowest
    return unbeaten[::-1]
