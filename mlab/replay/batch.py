"""Thousands of ladders on one path of prices: what :mod:`mlab.replay.deal` does for one, deal for deal.

All ladders walk through the candles together. A candle in which none has an event is passed over by two comparisons,
blocks and areas of them by two more; where one does, it is the ladders concerned that act, in a few calls of numpy.
Every number of a ladder comes from its own column by comparisons, products and quotients, so that its deals do not
depend on the ladders beside it.
"""

# ruff: noqa: PLR1730 - a call of min for each candle costs more than the comparison

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np

from mlab.model.ladder import Array
from mlab.replay.events import Events, Flat, Log, Open
from mlab.replay.exits import Levels
from mlab.replay.path import Path

EVENTS = 40_000  # that are kept before they are handed on: few enough to stay in the processor's cache


class Walk:
    """One walk of many ladders: :meth:`events` takes it, and :meth:`open` tells what is open after it.

    Ladders without a deal have nan for an entry, and wait for no price.
    """

    def __init__(self, path: Path, levels: Levels) -> None:
        orders, self.ladders = levels.order.shape
        self.path, self.at_once = path, path.convention.next_deal == "at once"
        self.stops = bool(levels.below[-1].any())
        self.last = (orders - 1) * self.ladders  # the first flat position of last orders
        self.down, self.up = levels.below.ravel(), levels.exit.ravel()
        self.at = np.arange(self.ladders)  # flat position of the last order that has filled
        self.began = np.zeros(self.ladders, dtype=np.int64)  # candle in which the deal did
        self.entry, self.low = np.full((2, self.ladders), np.nan)
        self.below, self.above = np.full(self.ladders, -inf), np.full(self.ladders, inf)
        self.passed = inf  # lowest price since ``low`` was last brought up to date
        self.waiting = [np.arange(self.ladders)]  # for the next open
        self.log = Log()

    def events(self) -> Iterator[Events]:
        """Everything that happens, in portions."""
        stretches, rows = self.path.stretches, self.path.rows
        highest, lowest = inf, inf  # of the prices below, and above, that ladders wait for
        for area_low, area_high, blocks in self.path.areas:
            if area_low > highest and area_high < lowest:
                self.passed = min(self.passed, area_low)
                continue
            for block, block_low, block_high in blocks:
                if block_low > highest and block_high < lowest:
                    if block_low < self.passed:
                        self.passed = block_low
                    continue
                if self.log.count > EVENTS:
                    yield self.log.taken()
                for candle, low, high in stretches[block]:
                    if low > highest and high < lowest:
                        if low < self.passed:
                            self.passed = low
                    else:
                        highest, lowest = self._trade(candle, rows[candle], highest, lowest)
        yield self.log.taken()

    def open(self) -> Open:
        """The deals that are open after the last candle."""
        self._catch_up()
        depth = self.at // self.ladders + 1
        return Open(np.where(np.isnan(self.entry), 0, depth), self.began, self.entry, self.low)

    def _trade(self, candle: int, points: list[float], highest: float, lowest: float) -> tuple[float, float]:
        """One candle; takes and returns the highest price below and the lowest above that any ladder waits for."""
        if self.waiting:
            self._begin(candle, np.concatenate(self.waiting), points[0])
            self.waiting = []
            highest, lowest = self._next()
        for price in points:
            while price <= highest:
                self._fill(candle, price)
                highest, lowest = self._next()
            while price >= lowest:
                self._take_profit(candle, price)
                highest, lowest = self._next()
            if price < self.passed:
                self.passed = price
        return (inf, inf) if self.waiting else (highest, lowest)

    def _next(self) -> tuple[float, float]:
        return self.below.item(self.below.argmax()), self.above.item(self.above.argmin())  # quicker than max and min

    def _fill(self, candle: int, price: float) -> None:
        ladders = (self.below >= price).nonzero()[0]
        at = self.at[ladders]
        if self.stops and (full := at >= self.last).any():
            stopped = ladders[full]
            stop = self.below[stopped]
            self._end(candle, stopped, at[full] + self.ladders, stop, stop)
            ladders, at = ladders[~full], at[~full]
        at += self.ladders
        self.log.fill(candle, at)
        self._stand(ladders, at, self.entry[ladders])

    def _take_profit(self, candle: int, price: float) -> None:
        self._catch_up()
        ladders = (self.above <= price).nonzero()[0]
        self._end(candle, ladders, self.at[ladders], self.above[ladders], self.low[ladders])

    def _end(self, candle: int, ladders: Flat, at: Flat, price: Array, low: Array) -> None:
        self.log.end(candle, ladders, at, self.began[ladders], low / self.entry[ladders])
        if self.at_once:
            self._begin(candle, ladders, price)
        else:
            self.entry[ladders] = np.nan
            self.below[ladders], self.above[ladders] = -inf, inf
            self.waiting.append(ladders)

    def _begin(self, candle: int, ladders: Flat, price: Array | float) -> None:
        self._catch_up()
        self.began[ladders] = candle
        self.entry[ladders] = self.low[ladders] = price
        self._stand(ladders, ladders, price)

    def _stand(self, ladders: Flat, at: Flat, entry: Array | float) -> None:
        """Place the orders that are next after those at these positions have filled."""
        self.at[ladders] = at
        self.below[ladders] = entry * self.down[at]
        self.above[ladders] = entry * self.up[at]

    def _catch_up(self) -> None:
        if self.passed < inf:
            np.minimum(self.low, self.passed, out=self.low)
            self.passed = inf
