"""The replay of many ladders as loops over numbers, for numba to compile.

Prices are compared, multiplied and divided as in :mod:`mlab.replay.deal`, and what deals come to is counted as in
:mod:`mlab.replay.outcome`, in the same order: all of it is the same to the last bit. Everything stands in long
functions, as arrays that are handed on cost more than what is done with them. Import this by
:data:`mlab.replay.compiled.REPLAYS` alone.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlab.model.compiled import jit
from mlab.model.exits import ExitRule, Fees
from mlab.model.ladder import Array
from mlab.prices import made
from mlab.replay.deal import noted, walked
from mlab.replay.exits import Levels
from mlab.replay.outcome import Tally
from mlab.replay.path import Path
from mlab.replay.run import one_by_one

Numbers: TypeAlias = NDArray[np.int64]
Prices: TypeAlias = tuple[Array, Array, Array, Array, Array, Array, Array]  # as a path has them in portions
Rules: TypeAlias = tuple[bool, bool, bool]  # whether the next deal begins at once, whether in turn, whether compounding
NextPrices: TypeAlias = tuple[Array, Array]  # below and above, (B, M)
Notes: TypeAlias = tuple[Array, Numbers, Numbers]
Tables: TypeAlias = tuple[Numbers, Numbers, Numbers, NDArray[np.int32], Array, Numbers]  # as in a tally
Money: TypeAlias = tuple[Array, Array, Array, Array]  # coins and money held, fees of the buys, profits
Account: TypeAlias = tuple[Array, Array, Array]  # equity, its peak, drawdown

ROOM = 512  # deals and fills that there is room for at first


def agree() -> bool:
    """Whether they find what ladders did one by one on this machine; with that they are compiled, too."""
    module, path = sys.modules[__name__], Path(made(2_000, seed=1))
    indent, money = np.outer(np.arange(6.0), [0.5, 1.0, 3.0]), np.array([1.0, 1.2, 1.5, 1.9, 2.4, 3.0])[:, None]
    levels = Levels.of(indent, np.repeat(money, 3, axis=1), ExitRule(take_profit_pct=1, stop_pct=20))
    for compounding in (False, True):
        arrays, loops = (Tally(path, levels, Fees(), compounding=compounding) for _ in range(2))
        one, other = arrays.outcome(one_by_one(arrays)), loops.outcome(loops.replay(module))
        names = [field.name for field in fields(one)]
        if any(
            np.asarray(getattr(one, name)).tobytes() != np.asarray(getattr(other, name)).tobytes() for name in names
        ):
            return False
    return all(noted(module, path, levels, ladder) == walked(path, levels, ladder) for ladder in range(3))


@jit
def room(deals: int, fills: int) -> Notes:
    """Where a walk writes: entry, low and exit of deals; candle of their end, and fills by then; candles of fills."""
    return np.empty((deals, 3)), np.empty((deals, 2), dtype=np.int64), np.empty(fills, dtype=np.int64)


@jit
def walk(  # noqa: C901, PLR0912 - one loop
    prices: Prices, down: Array, up: Array, rules: Rules, notes: Notes, sums: Numbers
) -> tuple[int, int]:
    """The deals of one ladder, as ``deals``; how many ended, and fills. What there is no room for is only counted.

    After those that ended stands the open one, its entry nan where there is none. Added to ``sums`` (M,) are the
    candles in which each order filled, but for the first.
    """
    points, low_of, high_of, block_low, block_high, area_low, area_high = prices
    closed, ends, fills = notes
    last, count, filled, depth, at_once = len(up) - 1, 0, 0, 0, rules[0]
    entry, low, below, above = np.nan, np.nan, np.nan, np.nan  # no deal is open: no price compares with nan
    for area in range(len(area_low)):
        if area_low[area] > below and area_high[area] < above:
            low = min(low, area_low[area])
            continue
        for block in range(block_low.shape[1]):
            if block_low[area, block] > below and block_high[area, block] < above:
                low = min(low, block_low[area, block])
                continue
            for within in range(low_of.shape[2]):
                if low_of[area, block, within] > below and high_of[area, block, within] < above:
                    low = min(low, low_of[area, block, within])
                    continue
                candle = (area * low_of.shape[1] + block) * low_of.shape[2] + within
                if np.isnan(entry):
                    entry = low = points[area, block, within, 0]
                    below, above = entry * down[0], entry * up[0]
                    if filled < len(fills):
                        fills[filled] = candle
                    filled += 1
                for point in range(4):
                    price = points[area, block, within, point]
                    while price <= below or price >= above:
                        if price <= below and depth < last:
                            depth += 1
                            sums[depth] += candle
                        else:
                            end = below if price <= below else above
                            low = below if price <= below else low
                            if count < len(closed):
                                closed[count, 0], closed[count, 1], closed[count, 2] = entry, low, end
                                ends[count, 0], ends[count, 1] = candle, filled
                            count, depth = count + 1, 0
                            entry = low = end if at_once else np.nan
                        below, above = entry * down[depth], entry * up[depth]
                        if at_once or depth:
                            if filled < len(fills):
                                fills[filled] = candle
                            filled += 1
                    low = min(low, price)
    if count < len(closed):
        closed[count, 0], closed[count, 1], closed[count, 2] = entry, low, np.nan
        ends[count, 0], ends[count, 1] = -1, filled
    return count, filled


@jit
def count(
    prices: Prices, levels: NextPrices, rules: Rules, bins: Numbers, tables: Tables, money: Money, account: Account
) -> tuple[Numbers, Numbers, Array, Array]:
    """Replay ladders and fill the tables of a tally; the deals that are open, as ``Open`` has them.

    Levels below and above are (B, M), tables (rows, B), the numbers of ladders (B,).
    """
    ended, end_candles, fill_candles, spans, lowest, longest = tables
    pause = 0 if rules[0] else 1  # candles from the end of a deal to the next
    ladders, orders = levels[0].shape
    depth, began = np.zeros(ladders, dtype=np.int64), np.zeros(ladders, dtype=np.int64)
    entry, low = np.full(ladders, np.nan), np.full(ladders, np.nan)
    notes = room(ROOM, 0)
    of_row, at_row = np.zeros(orders + 1, dtype=np.int64), np.zeros(orders + 1, dtype=np.int64)
    of_order, of_bin = np.zeros(orders, dtype=np.int64), np.zeros(len(spans), dtype=np.int32)
    for ladder in range(ladders):
        of_row[:], at_row[:], of_order[:], of_bin[:] = 0, 0, 0, 0
        deals, filled = walk(prices, levels[0][ladder], levels[1][ladder], rules, notes, of_order)
        if deals >= len(notes[0]):
            notes, of_order[:] = room(2 * deals, 0), 0
            walk(prices, levels[0][ladder], levels[1][ladder], rules, notes, of_order)
        closed, ends, _ = notes
        least, most, first, start = np.inf, 0, 0, 0
        for deal in range(deals):
            candle, after = ends[deal]
            row = after - first - 1 + (closed[deal, 2] <= closed[deal, 1])  # stopped, or not
            of_row[row] += 1
            at_row[row] += candle
            least = min(least, closed[deal, 1] / closed[deal, 0])
            span = candle - start
            most = max(most, span)
            of_bin[bins[span]] += 1
            first, start = after, candle + pause
        lowest[ladder], longest[ladder] = least, most
        for row in range(orders + 1):
            ended[row, ladder], end_candles[row, ladder] = of_row[row], at_row[row]
        fill_candles[:orders, ladder], spans[:, ladder] = of_order, of_bin
        if rules[1]:
            draw(notes, deals, ladder, rules, money, account)
        if not np.isnan(closed[deals, 0]):
            depth[ladder], began[ladder] = filled - first, start
            entry[ladder], low[ladder] = closed[deals, 0], closed[deals, 1]
    return depth, began, entry, low


@jit
def draw(notes: Notes, deals: int, ladder: int, rules: Rules, money: Money, account: Account) -> None:
    """The account of one ladder, deal by deal, as ``Tally`` has it. F28, F29."""
    closed, ends, _ = notes
    coins, spent, bought, profits = money
    compounding = rules[2]
    last, first = len(coins) - 1, 0
    equity, peak, drawdown = account[0][ladder], account[1][ladder], account[2][ladder]
    for deal in range(deals):
        row = ends[deal, 1] - first - 1 + (closed[deal, 2] <= closed[deal, 1])
        first, held = ends[deal, 1], min(row, last)
        low, profit = closed[deal, 1] / closed[deal, 0], profits[row, ladder]
        worst = coins[held, ladder] * low - spent[held, ladder] - bought[held, ladder]  # F28
        share = equity / peak if compounding else 1.0
        below = 1.0 - share if compounding else peak - equity
        drawdown = max(drawdown, below - share * worst)  # F29
        equity = equity * (1.0 + profit) if compounding else equity + profit
        peak = max(peak, equity)
    account[0][ladder], account[1][ladder], account[2][ladder] = equity, peak, drawdown
