"""What an account with one ladder would have shown, candle by candle, and its longest deal: for pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.model.exits import Fees
from mlab.model.ladder import Array
from mlab.replay.deal import Deal, deals
from mlab.replay.exits import Levels
from mlab.replay.path import Path

POINTS = 300
"""Of a curve, at most: more than a picture shows."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Equity in % of the budget, at most some hundred points, each the end of as many candles; plain lists.

    Attributes:
        time: when the last of these candles opens, ISO 8601 in UTC.
        total_pct: profit, the open deal at the close of that candle; what it comes to is the total.
        realised_pct: profit of the deals that have ended.
        drawdown_pct: most that the equity was below the highest of closed deals, within these candles. F29.
    """

    time: list[str]
    total_pct: list[float]
    realised_pct: list[float]
    drawdown_pct: list[float]


def curve(path: Path, levels: Levels, fees: Fees, ladder: int = 0) -> Curve:
    """The equity of one ladder, with a budget that every deal spends anew.

    Example:
        >>> from mlab.prices import msft
        >>> from mlab.replay import ExitRule, replay
        >>> levels = Levels.of(np.array([[0.0, 20, 40]]).T, np.ones((3, 1)), ExitRule(take_profit_pct=10))
        >>> told, whole = curve(Path(msft()), levels, Fees()), replay(Path(msft()), levels)
        >>> bool(abs(told.total_pct[-1] - whole.total_pct[0]) < 1e-4), len(told.time)
        (True, 298)
    """
    total, realised, drawdown = equity(path, levels, fees, ladder)
    width = -(-len(path) // POINTS)
    firsts = np.arange(0, len(path), width)
    lasts = np.append(firsts[1:], len(path)) - 1
    return Curve(
        [str(moment) for moment in path.candles.time[lasts].astype("datetime64[s]")],
        total[lasts].round(4).tolist(),
        realised[lasts].round(4).tolist(),
        np.maximum.reduceat(drawdown, firsts).round(4).tolist(),
    )


def equity(path: Path, levels: Levels, fees: Fees, ladder: int = 0) -> tuple[Array, Array, Array]:
    """Total and realised profit at the close of each candle, and largest drawdown within it, in % of the budget."""
    coins, money = levels.coins[:, ladder], levels.money[:, ladder]
    bought, profits = levels.bought(fees)[:, ladder], levels.profits(fees)[:, ladder]
    close, low, size = path.points[:, -1], path.candles.low, len(path)
    total, realised, drawdown = np.zeros((3, size))
    closed = peak = 0.0
    for deal in deals(path, levels, ladder):
        first, after = deal.fills[0], size if deal.end is None else deal.end + 1
        part = slice(first, after)
        depth = np.searchsorted(deal.fills, np.arange(first, after), side="right") - 1
        spent = money[depth] + bought[depth]
        lowest = np.maximum(low[part], deal.low)  # the candle may be lower before the deal begins, or after it
        worst = coins[depth] * lowest / deal.entry - spent  # F28
        drawdown[part] = np.maximum(drawdown[part], peak - closed - worst)  # F29
        total[part] = closed + coins[depth] * close[part] / deal.entry - spent  # F29
        realised[part] = closed
        if deal.end is not None:
            closed += profits[-1 if deal.stopped else len(deal.fills) - 1]
            peak = max(peak, closed)
            total[deal.end] = realised[deal.end] = closed
    return total * 100.0, realised * 100.0, drawdown * 100.0


def longest(path: Path, levels: Levels, ladder: int = 0) -> Deal:
    """The deal of one ladder that took most candles, the open one among them; of several the first."""
    last = len(path)
    return max(deals(path, levels, ladder), key=lambda deal: (last if deal.end is None else deal.end) - deal.fills[0])
