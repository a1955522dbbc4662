"""How likely a deal is to reach each order of a ladder, and how long it takes, on a price that is a fair game.

Formulas are numbered as in ``docs/replay.md``, shapes are as in :mod:`mlab.model.ladder`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlab.model.ladder import Array, compound

FURTHER_FALL = 0.2  # below the last order, from which the time of deals that had all orders is counted no further
BELOW_LAST = -math.log1p(-FURTHER_FALL)


@dataclass(frozen=True, slots=True)
class Chance:
    """What to expect of a deal.

    Attributes:
        reach: chance that order k fills, (M, B): 1 for order 1, and in the last row that all orders fill.
        time: mean time to its end, (B,), in steps in which the price's logarithm has a variance of 1: divided by the
            square of a market's volatility in a candle, as a share, it is one in candles of that market.
        deployed: mean money at work over that time, (B,), as a share of the budget.
    """

    reach: Array
    time: Array
    deployed: Array


def chance(price: Array, average: Array, money: Array, take_profit: float) -> Chance:
    """The chances of deals. F30 and F31.

    Args:
        price: of each order, over the entry or in any unit, (M, B).
        average: average entry after each order, in the same unit, (M, B).
        money: spent once order k has filled, as a share of the budget, (M, B).
        take_profit: profit that ends a deal, as a share of its money.

    Example:
        Two equal orders, the second 10 % lower, and 1 % of profit:

        >>> price = np.array([[1.0, 0.9]]).T
        >>> average = np.array([[1.0, 2.0 / (1.0 + 1.0 / 0.9)]]).T
        >>> found = chance(price, average, np.array([[0.5, 1.0]]).T, 0.01)
        >>> found.reach[:, 0].round(4).tolist(), found.time.round(5).tolist(), found.deployed.round(3).tolist()
        ([1.0, 0.0863], [0.00223], [0.765])
    """
    up = average * (1.0 + take_profit)
    up /= price
    np.log(up, out=up)  # F30
    down = np.empty_like(up)
    np.divide(price[:-1], price[1:], out=down[:-1])
    np.log(down[:-1], out=down[:-1])  # F30
    down[-1] = BELOW_LAST  # F31
    reach = np.empty_like(up)
    reach[0] = 1.0
    np.add(up[:-1], down[:-1], out=reach[1:])
    np.divide(up[:-1], reach[1:], out=reach[1:])  # F30: 1 - p_k
    compound(reach)
    up *= down
    up *= reach  # F31
    time = up.sum(axis=0)
    up *= money
    return Chance(reach, time, up.sum(axis=0) / time)  # F31
