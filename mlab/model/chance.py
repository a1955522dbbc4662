"""How likely a deal is to reach each order of a ladder, and how long it takes, on a price that is a fair game.

Formulas are numbered as in ``docs/replay.md``, shapes are as in :mod:`mlab.model.ladder`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.model.ladder import Array, accumulate, compound

FURTHER_FALL = 0.2  # below the last order, from which the time of deals that had all orders is counted no further


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
    up = np.log(average * (1.0 + take_profit) / price)  # F30
    down = np.empty_like(up)
    down[:-1] = np.log(price[:-1] / price[1:])  # F30
    down[-1] = -np.log1p(-FURTHER_FALL)  # F31
    reach = np.empty_like(up)
    reach[0] = 1.0
    reach[1:] = (up / (up + down))[:-1]  # F30
    compound(reach)
    time = reach * down * up  # F31
    at_work = accumulate(time * money)[-1]
    total = accumulate(time)[-1]
    return Chance(reach, total, at_work / total)  # F31
