"""One ladder on a path of prices, deal by deal: what :mod:`mlab.replay.batch` does for thousands, as it reads."""

# ruff: noqa: PLR1730 - a call of min for each candle takes longer than all else

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from types import ModuleType
from typing import NamedTuple

import numpy as np

from mlab.replay.compiled import REPLAYS
from mlab.replay.events import Events, Open
from mlab.replay.exits import Levels
from mlab.replay.path import Path


class Deal(NamedTuple):
    """One deal, from its first order until it ends.

    Attributes:
        entry: price of order 1.
        fills: candle in which each order filled, order 1 first.
        low: lowest price until it ended.
        end: candle in which it ended; None where it is open after the last candle.
        exit: price at which it ended; the last close where it is open.
    """

    entry: float
    fills: list[int]
    low: float
    end: int | None
    exit: float

    @property
    def stopped(self) -> bool:
        """Whether the stop ended it, which is below all that it bought at."""
        return self.end is not None and self.exit <= self.low


def deals(path: Path, levels: Levels, ladder: int = 0) -> list[Deal]:
    """All deals of one ladder, of which the last may be open.

    Order 1 fills at market at the first open, the others rest at their levels and fill at their own price, never a
    better one. At every point of the path all orders at or above it fill, and then the take-profit at or below it does;
    a stop below the last order is met as an order is. The next deal begins at once, at that price, or at the next open.

    Example:
        Half of the money at 100 and half at 90; the price falls to 90 and comes back.

        >>> import numpy as np
        >>> from mlab.prices import Candles
        >>> from mlab.replay import ExitRule
        >>> levels = Levels.of(np.array([[0.0, 10.0]]).T, np.ones((2, 1)), ExitRule(take_profit_pct=1))
        >>> candles = Candles.of("two", [0, 3_600_000], open=[100, 91], high=[100, 96], low=[90, 91], close=[91, 96])
        >>> first, second = deals(Path(candles), levels)
        >>> first.fills, first.low, first.end, round(first.exit, 3), second.end
        ([0, 0], 90.0, 1, 95.684, None)
    """
    faster = REPLAYS.after(len(path))
    return noted(faster, path, levels, ladder) if faster else walked(path, levels, ladder)


def noted(loops: ModuleType, path: Path, levels: Levels, ladder: int) -> list[Deal]:
    """The deals of one ladder, by compiled loops."""
    down, up = levels.below[:, ladder].copy(), levels.exit[:, ladder].copy()
    rules, sums = (path.convention.next_deal == "at once", False, False), np.zeros(len(up), dtype=np.int64)
    notes = loops.room(loops.ROOM, loops.ROOM)
    count, filled = loops.walk(path.portions, down, up, rules, notes, sums)
    if count >= len(notes[0]) or filled > len(notes[2]):
        notes = loops.room(count + 1, filled)
        loops.walk(path.portions, down, up, rules, notes, sums)
    (entries, lows, exits), (ends, places) = (rows[: count + 1].T.tolist() for rows in notes[:2])
    fills, make = notes[2][:filled].tolist(), tuple.__new__
    if isnan(entries[-1]):
        del entries[-1], lows[-1], exits[-1], ends[-1], places[-1]
    else:
        ends[-1], exits[-1] = None, path.points[-1, 3].item()
    parts = map(fills.__getitem__, map(slice, [0, *places[:-1]], places))
    return [make(Deal, deal) for deal in zip(entries, parts, lows, ends, exits, strict=True)]


def walked(path: Path, levels: Levels, ladder: int) -> list[Deal]:  # noqa: C901, PLR0912 - one loop
    """The deals of one ladder, candle by candle, as Python reads."""
    down, up = levels.below[:, ladder].tolist(), levels.exit[:, ladder].tolist()
    first_down, first_up, last = down[0], up[0], len(up) - 1
    make = tuple.__new__  # as Deal(..), in a third of its time
    at_once = path.convention.next_deal == "at once"
    stretches, rows = path.stretches, path.rows
    closed: list[Deal] = []
    fills: list[int] = []
    depth, entry, low, below, above = 0, nan, nan, nan, nan  # no deal is open: no price compares with nan
    for area_low, area_high, blocks in path.areas:
        if area_high < above:
            if area_low >= low:
                continue
            if area_low > below:
                low = area_low
                continue
        for block, block_low, block_high in blocks:
            if block_high < above:
                if block_low >= low:
                    continue
                if block_low > below:
                    low = block_low
                    continue
            for candle, candle_low, candle_high in stretches[block]:
                if candle_high < above:
                    if candle_low >= low:
                        continue
                    if candle_low > below:
                        low = candle_low
                        continue
                if isnan(entry):
                    entry = low = rows[candle][0]
                    depth, fills, below, above = 0, [candle], entry * first_down, entry * first_up
                for price in rows[candle]:
                    while price <= below:
                        if depth < last:
                            depth += 1
                            fills.append(candle)
                            below, above = entry * down[depth], entry * up[depth]
                        else:
                            closed.append(make(Deal, (entry, fills, below, candle, below)))
                            entry = low = below if at_once else nan
                            depth, fills = 0, [candle]
                            below, above = entry * first_down, entry * first_up
                    while price >= above:
                        closed.append(make(Deal, (entry, fills, low, candle, above)))
                        entry = low = above if at_once else nan
                        depth, fills = 0, [candle]
                        below, above = entry * first_down, entry * first_up
                    if price < low:
                        low = price
    if not isnan(entry):
        closed.append(make(Deal, (entry, fills, low, None, path.points[-1, 3].item())))
    return closed


def events(found: Sequence[Sequence[Deal]]) -> tuple[Events, Open]:
    """The deals of each ladder, as :mod:`mlab.replay.batch` tells them."""
    ladders = len(found)
    fills: list[tuple[int, int]] = []
    ends: list[tuple[float, ...]] = []
    for ladder, of_ladder in enumerate(found):
        for deal in of_ladder:
            entry, filled, low, end, price = deal
            orders = len(filled)
            if orders > 1:
                fills += zip(range(ladders + ladder, orders * ladders, ladders), filled[1:], strict=True)
            if end is not None:
                row = orders if price <= low else orders - 1  # stopped, or not
                ends.append((ladder, row * ladders + ladder, end, end - filled[0], low / entry))
    fill, fill_candle = np.array(fills, dtype=np.int64).reshape(-1, 2).T
    *whole, lows = np.array(ends, dtype=np.float64).reshape(-1, 5).T
    ended, at, end_candle, spans = (numbers.astype(np.int64) for numbers in whole)
    last = [of_ladder[-1] for of_ladder in found]
    is_open = np.array([deal.end is None for deal in last])
    depth, began = np.array([(len(deal.fills), deal.fills[0]) for deal in last]).T
    entries, lowest = np.array([(deal.entry, deal.low) for deal in last]).T
    return (
        Events(fill, fill_candle, ended, at, end_candle, spans, lows),
        Open(depth * is_open, began, np.where(is_open, entries, np.nan), np.where(is_open, lowest, np.nan)),
    )
