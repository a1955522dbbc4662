"""What ladders would have done on prices: the one way in."""

from __future__ import annotations

from mlab.model.exits import Fees
from mlab.replay.batch import Walk
from mlab.replay.compiled import REPLAYS
from mlab.replay.deal import events, walked
from mlab.replay.events import Open
from mlab.replay.exits import Levels
from mlab.replay.outcome import Outcome, Tally
from mlab.replay.path import Path

FEW = 60  # ladders up to which one after the other is as quick


def replay(path: Path, levels: Levels, fees: Fees | None = None, *, compounding: bool = False) -> Outcome:
    """Replay ladders on a path of prices.

    A ladder's numbers do not depend on those replayed with it.

    Args:
        path: the candles, and the order of prices in them.
        levels: the ladders and their exit rule.
        fees: what the exchange takes; those of the config's defaults where left out.
        compounding: whether each deal has what the one before left, instead of the same budget; percents are then of
            the budget of the first, and the drawdown is one of what had been reached.

    Example:
        A year of prices that were made, and an order each 1 % lower:

        >>> import numpy as np
        >>> from mlab.prices import made
        >>> from mlab.replay import ExitRule, Path
        >>> levels = Levels.of(np.arange(10.0)[:, None], np.ones((10, 1)), ExitRule(take_profit_pct=1))
        >>> outcome = replay(Path(made(24 * 365, seed=1)), levels)
        >>> outcome.deals.item(), outcome.open_depth.item()
        (32, 10)
    """
    tally = Tally(path, levels, fees or Fees(), compounding=compounding)
    if faster := REPLAYS.after(len(path) * tally.ladders):
        return tally.outcome(tally.replay(faster))
    return tally.outcome(one_by_one(tally) if tally.ladders <= FEW else together(tally))


def one_by_one(tally: Tally) -> Open:
    """Replay and count one ladder after the other; what is open in the end."""
    counted, still_open = events([walked(tally.path, tally.levels, ladder) for ladder in range(tally.ladders)])
    tally.add(counted)
    return still_open


def together(tally: Tally) -> Open:
    """Replay and count all ladders at once; what is open in the end."""
    walk = Walk(tally.path, tally.levels)
    for portion in walk.events():
        tally.add(portion)
    return walk.open()
