"""Geometry of a ladder: prices, average entry, needed rebound, and the prices that equalise it.

Formulas are numbered as in ``docs/model.md``. Arrays hold one order a row and one ladder a column:

======== ======== =======================================================================
symbol   shape    meaning
======== ======== =======================================================================
M, B              orders of a ladder, ladders of a batch
volume   (M, B)   share of the position in any positive unit (only ratios matter here)
price    (M, B)   price of each order over the base price, so the first is 1
indent   (M, B)   depth below the base price in percent
need     (M, B)   rebound to break even in percent
======== ======== =======================================================================

Sums over orders are explicit loops over rows: a row is contiguous, so that one numpy call serves all
ladders of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Sizing: TypeAlias = Literal["quote", "base"]
Need: TypeAlias = Literal["fill", "path"]

SECANT_STEPS = 16
"""Secant steps before every other step halves the bracket instead; 12 in all are the rule."""

SOLVER_STEPS = 120
"""Bound on the steps; it only ends a loop that rounding keeps alive."""

LEAST_TERM = 1e-3
"""Stands for a price at or below 0 in a trial of the solver, as a share of the average entry."""

SOLVER_TOLERANCE = 1e-13
"""Accepted error of the last price, as a share of the base price."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Bounds on the distance between neighbouring orders, as shares of the base price; ``most`` None for none."""

    least: float
    most: float | None


def running_sum(rows: Array) -> Array:
    """Prefix sums over orders, shape (M, B)."""
    total = np.empty(rows.shape)
    total[0] = rows[0]
    for k in range(1, len(rows)):
        np.add(total[k - 1], rows[k], out=total[k])
    return total


def prices(indent: Array) -> Array:
    """Prices over the base price from indents in percent. F1, shape (M, B)."""
    return 1.0 - indent / 100.0


def average_entry(price: Array, volume: Array, sizing: Sizing) -> Array:
    """Average entry price after each fill. F2 (quote) and F3 (base), shape (M, B)."""
    if sizing == "quote":
        return running_sum(volume) / running_sum(volume / price)
    return running_sum(volume * price) / running_sum(volume)


def need_at_fill(price: Array, average: Array) -> Array:
    """Rebound to break even right after each fill, in percent of that order's price. F4, shape (M, B)."""
    return (average / price - 1.0) * 100.0


def need_before_fill(price: Array, average: Array) -> Array:
    """Rebound to break even just before each fill, in percent of its price; 0 for order 1. F5, shape (M, B)."""
    need = np.zeros(price.shape)
    np.divide(average[:-1], price[1:], out=need[1:])
    need[1:] -= 1.0
    need[1:] *= 100.0
    return need


def equal_need_indents(volume: Array, overlap: float, sizing: Sizing, need: Need, gaps: Gaps) -> Array:
    """Indents that give orders 2..M the same need, as far as the bounds on gaps allow. F6 to F8.

    For a common need c every price follows from the one above it, and the last price falls as c grows:
    the c that puts the last order at the overlap is found by secants in a bracket (Anderson-Bjorck).

    Args:
        volume: positive volumes, shape (M, B), M >= 2.
        overlap: indent of the last order in percent, between 0 and 100.
        sizing: what the volumes are, money or coins.
        need: which need is made equal, the one at fills or the one just before them.
        gaps: bounds with ``(M - 1) * least < overlap / 100 <= (M - 1) * most``.

    Returns:
        Indents in percent, shape (M, B); the first is 0, the last is ``overlap``.
    """
    price = _solve(volume, overlap / 100.0, _descent(volume, sizing, need, gaps.most, least=None))
    narrow = np.flatnonzero((price[:-1] - price[1:]).min(axis=0) < gaps.least)
    if narrow.size:  # rare, and two calls an order cheaper where it is not so
        some = np.ascontiguousarray(volume[:, narrow])
        price[:, narrow] = _solve(some, overlap / 100.0, _descent(some, sizing, need, gaps.most, gaps.least))
    indent = (1.0 - price) * 100.0
    indent[-1] = overlap
    return indent


def _solve(volume: Array, depth: float, descend: Callable[[Array], Array]) -> Array:
    """Prices (M, B) for the common need that puts the last one at ``1 - depth``."""
    ladders = volume.shape[1]
    low, high = np.zeros(ladders), np.full(ladders, depth / (1.0 - depth))
    above = np.full(ladders, depth)  # P_M - (1 - depth) at c = 0, where all prices are the base price
    price = descend(high)
    below = price[-1] - (1.0 - depth)
    side = np.zeros(ladders)
    for step in range(SOLVER_STEPS):
        span = above - below
        common = (high * above - low * below) / np.where(span == 0.0, 1.0, span)
        if step >= SECANT_STEPS and step % 2:  # a solution at the edge of a plateau, where all gaps are bound
            common = (low + high) / 2.0
        price = descend(common)
        miss = price[-1] - (1.0 - depth)
        if np.abs(miss).max(initial=0.0) <= SOLVER_TOLERANCE:
            break
        over = miss > 0.0
        # The end that stays twice in a row counts less, so that both ends close in.
        below = np.where(over, np.where(side > 0.0, below * _share_kept(miss, above), below), miss)
        above = np.where(over, miss, np.where(side < 0.0, above * _share_kept(miss, below), above))
        low, high = np.where(over, common, low), np.where(over, high, common)
        side = np.where(over, 1.0, -1.0)
    return price


def _share_kept(miss: Array, replaced: Array) -> Array:
    """Anderson and Bjorck's factor for the end that stays, from the end that is replaced."""
    share = 1.0 - miss / np.where(replaced == 0.0, 1.0, replaced)
    return np.where(share > 0.0, share, 0.5)


def _descent(
    volume: Array, sizing: Sizing, need: Need, most: float | None, least: float | None
) -> Callable[[Array], Array]:
    """The prices (M, B) that a common need c (B,) leads to; each call overwrites the one before.

    Each price is a term that only c and the volumes decide, times (or over) what the position is worth so far:
    the money spent (base) or the coins bought (quote).
    """
    terms = _terms(volume, sizing, need)
    price = np.empty(volume.shape)
    price[0] = 1.0
    spare = np.empty(volume.shape[1])
    combine = np.divide if sizing == "quote" else np.multiply

    def descend(common: Array) -> Array:
        term = terms(common)
        worth = volume[0].copy()
        for k in range(1, len(volume)):
            row, above = price[k], price[k - 1]
            combine(term[k - 1], worth, out=row)
            if most is not None:  # F8
                np.maximum(row, np.subtract(above, most, out=spare), out=row)
            if least is not None:
                np.minimum(row, np.subtract(above, least, out=spare), out=row)
            worth += combine(volume[k], row, out=spare)
        return price

    return descend


def _terms(volume: Array, sizing: Sizing, need: Need) -> Callable[[Array], Array]:
    """The part of F6 and F7 that the prices so far do not enter, for orders 2..M: shape (M - 1, B)."""
    held = running_sum(volume)
    before, after = held[:-1], held[1:]
    on_path = before if sizing == "quote" else 1.0 / before

    def terms(common: Array) -> Array:
        if need == "path":
            return np.asarray(on_path / (1.0 + common))
        if sizing == "base":
            return np.asarray(1.0 / (before + common * after))
        # A need that is far too large would end at or below 0; that is too low in any case.
        return np.maximum((before - common * volume[1:]) / (1.0 + common), LEAST_TERM * before)

    return terms
