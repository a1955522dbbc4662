"""Geometry of a ladder: prices, average entry, needed rebound.

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

from itertools import pairwise
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlab.core.records import Sizing

Array: TypeAlias = NDArray[np.float64]
Numbers = TypeVar("Numbers", bound=NDArray[np.number])


def accumulate(rows: Numbers) -> Numbers:
    """Replace each row by the sum of the rows up to it, in place; returns the rows."""
    for above, row in pairwise(rows):
        np.add(row, above, out=row)
    return rows


def compound(rows: Array) -> Array:
    """Replace each row by the product of the rows up to it, in place; returns the rows."""
    for above, row in pairwise(rows):
        np.multiply(row, above, out=row)
    return rows


def variance(rows: Array) -> Array:
    """Population variance of each column, shape (B,)."""
    deviation = rows - rows.sum(axis=0) / len(rows)
    deviation *= deviation
    return np.asarray(deviation.sum(axis=0) / len(rows))


def count_by_column(flags: NDArray[np.bool_]) -> Array:
    """How many of each column are set, shape (B,), of fewer than 256 rows: their sum fits a byte."""
    return np.asarray(flags.view(np.uint8).sum(axis=0, dtype=np.uint8), dtype=np.float64)


def prices(indent: Array) -> Array:
    """Prices over the base price from indents in percent. F1, shape (M, B).

    Example:
        >>> prices(np.array([[0.0, 5.0, 10.0]]).T)[:, 0].round(9).tolist()
        [1.0, 0.95, 0.9]
    """
    price = np.multiply(indent, -0.01, order="C")
    price += 1.0  # F1
    return np.asarray(price)


def average_entry(price: Array, volume: Array, sizing: Sizing) -> tuple[Array, Array]:
    """Average entry price after each fill, and the volume held. F2 (quote) and F3 (base), shape (M, B) each.

    Prices (M, B) are in any unit, which the average shares; volumes (M, B) are positive, money (quote) or coins (base).

    Example:
        Equal money at 100 and at 50 buys one coin and two; equal coins cost 75 each.

        >>> price, volume = np.array([[100.0, 50.0]]).T, np.ones((2, 1))
        >>> [average_entry(price, volume, sizing)[0][1, 0].round(6).item() for sizing in ("quote", "base")]
        [66.666667, 75.0]
    """
    spent_and_bought = np.empty((len(volume), 2, volume.shape[1]))
    money, coins = spent_and_bought[:, 0], spent_and_bought[:, 1]
    if sizing == "quote":
        money[:] = volume
        np.divide(volume, price, out=coins)  # F2
    else:
        np.multiply(volume, price, out=money)  # F3
        coins[:] = volume
    accumulate(spent_and_bought)
    return money / coins, money if sizing == "quote" else coins


def need_at_fill(price: Array, average: Array) -> Array:
    """Rebound to break even right after each fill, in percent of that order's price. F4, shape (M, B)."""
    need = average / price  # F4
    need -= 1.0
    need *= 100.0
    return np.asarray(need)


def need_before_fill(price: Array, average: Array) -> Array:
    """Rebound to break even just before each fill, in percent of its price; 0 for order 1. F5, shape (M, B)."""
    need = np.empty(price.shape)
    need[0] = 0.0
    later = need[1:]
    np.divide(average[:-1], price[1:], out=later)  # F5
    later -= 1.0
    later *= 100.0
    return need
