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

SOLVER_TOLERANCE = 1e-13
"""Accepted error of the last price, as a share of the base price."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Bounds on the distance between neighbouring orders, as shares of the base price."""

    least: float
    most: float


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
    the c that puts the last order at the overlap is found by the secant method in a bracket (Illinois).

    Args:
        volume: positive volumes, shape (M, B), M >= 2.
        overlap: indent of the last order in percent, between 0 and 100.
        sizing: what the volumes are, money or coins.
        need: which need is made equal, the one at fills or the one just before them.
        gaps: bounds with ``(M - 1) * least < overlap / 100 <= (M - 1) * most``.

    Returns:
        Indents in percent, shape (M, B); the first is 0, the last is ``overlap``.
    """
    depth = overlap / 100.0
    descend = _descent(volume, sizing, need, gaps, floor=(1.0 - depth) / 2.0)
    ladders = volume.shape[1]
    low, high = np.zeros(ladders), np.full(ladders, depth / (1.0 - depth))
    above = np.full(ladders, depth)  # P_M - (1 - depth) at c = 0, where all prices are the base price
    below = descend(high)[-1] - (1.0 - depth)
    side = np.zeros(ladders)
    common = high
    for step in range(SOLVER_STEPS):
        span = above - below
        common = (high * above - low * below) / np.where(span == 0.0, 1.0, span)
        if step >= SECANT_STEPS and step % 2:  # a solution at the edge of a plateau, where all gaps are bound
            common = (low + high) / 2.0
        miss = descend(common)[-1] - (1.0 - depth)
        if np.abs(miss).max(initial=0.0) <= SOLVER_TOLERANCE:
            break
        over = miss > 0.0
        # Illinois: the end that stays twice in a row counts half, so that both ends close in.
        below = np.where(over, np.where(side > 0.0, below / 2.0, below), miss)
        above = np.where(over, miss, np.where(side < 0.0, above / 2.0, above))
        low, high = np.where(over, common, low), np.where(over, high, common)
        side = np.where(over, 1.0, -1.0)
    indent = (1.0 - descend(common)) * 100.0
    indent[-1] = overlap
    return indent


def _descent(volume: Array, sizing: Sizing, need: Need, gaps: Gaps, floor: float) -> Callable[[Array], Array]:
    """The prices (M, B) that a common need c (B,) leads to; each call overwrites the one before.

    A need that is far too large would end at or below 0: there ``floor``, itself too low, stands in.
    """
    held = running_sum(volume)
    growth = volume[1:] / held[:-1]  # what order k adds to the position held before it
    after = 1.0 + growth
    price = np.empty(volume.shape)
    price[0] = 1.0
    bound = np.empty(volume.shape[1])

    def descend(common: Array) -> Array:
        average = np.ones(volume.shape[1])
        share = 1.0 / (1.0 + common)
        for k in range(1, len(volume)):
            row, above = price[k], price[k - 1]
            if need == "path":  # F7
                np.multiply(average, share, out=row)
            elif sizing == "quote":  # F6, quote
                np.multiply(growth[k - 1], common, out=row)
                np.subtract(1.0, row, out=row)
                row *= average
                row *= share
            else:  # F6, base
                np.multiply(after[k - 1], common, out=row)
                row += 1.0
                np.divide(average, row, out=row)
            np.maximum(np.subtract(above, gaps.most, out=bound), floor, out=bound)
            np.maximum(row, bound, out=row)  # F8
            np.minimum(row, np.subtract(above, gaps.least, out=bound), out=row)
            if sizing == "quote":  # F2, one order on
                np.divide(average, row, out=bound)
                np.multiply(bound, growth[k - 1], out=bound)
                np.add(bound, 1.0, out=bound)
                average *= after[k - 1]
                average /= bound
            else:  # F3, one order on
                np.multiply(growth[k - 1], row, out=bound)
                average += bound
                average /= after[k - 1]
        return price

    return descend
