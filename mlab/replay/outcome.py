"""What a replay comes to, ladder by ladder: counted as events come in, told once all have.

Formulas are numbered as in ``docs/replay.md``. Counts and times are whole numbers, so that their sums are exact and do
not depend on how many ladders are counted together. Shapes are (B,), a number a ladder, unless said.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mlab.model.exits import Fees
from mlab.model.ladder import Array, accumulate
from mlab.replay.events import Events, Flat, Open
from mlab.replay.exits import Levels
from mlab.replay.path import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ladders have done on prices; percents are of the budget, which is spent anew by every deal.

    JSON and CSV have the numbers in this order.

    Attributes:
        deals: deals that ended.
        total_pct: profit, the open deal marked at the last close, fees in.
        realised_pct: profit of the deals that ended.
        max_drawdown_pct: most that the equity was below the highest that closed deals had brought it to.
        longest_deal_candles: longest deal, the open one among them.
        all_filled_share: share of the candles that closed with all orders filled.
        deployed_share: mean money at work, as a share of the budget.
        same_exposure_pct: what holding as much as was at work on average would have earned.
        depth_counts: deals that took their profit after k orders, (M, B).
        stops: deals that ended by the stop.
        worst_deal_pct: least that any deal was ever worth, fees of its orders in.
        open_depth: orders of the open deal that have filled, 0 for none.
        open_marked_pct: what it is worth at the last close.
        median_deal_candles: half of the deals took no longer; exact up to 32 candles, from there on to a sixteenth.
        slow_deal_candles: 95 % of the deals took no longer.
        within_candle_share: share of the deals that began and ended in one candle.
    """

    deals: Flat
    total_pct: Array
    realised_pct: Array
    max_drawdown_pct: Array
    longest_deal_candles: Flat
    all_filled_share: Array
    deployed_share: Array
    same_exposure_pct: Array
    depth_counts: Flat
    stops: Flat
    worst_deal_pct: Array
    open_depth: Flat
    open_marked_pct: Array
    median_deal_candles: Flat
    slow_deal_candles: Flat
    within_candle_share: Array

    def of_ladder(self, ladder: int) -> Outcome:
        """The numbers of one ladder, each a scalar, ``depth_counts`` of shape (M,)."""
        return Outcome(**{field.name: getattr(self, field.name)[..., ladder] for field in fields(self)})


class Tally:
    """Counts the events of one replay."""

    def __init__(self, path: Path, levels: Levels, fees: Fees, *, compounding: bool = False) -> None:
        self.path, self.levels, self.compounding = path, levels, compounding
        self.orders, self.ladders = levels.order.shape
        self.bought, self.profits = levels.bought(fees), levels.profits(fees)
        rows = (self.orders + 1) * self.ladders
        self.ended, self.end_candles, self.fill_candles = np.zeros((3, rows), dtype=np.int64)
        self.lowest = np.full(self.ladders, np.inf)  # price over the entry, of deals that ended
        self.longest = np.zeros(self.ladders, dtype=np.int64)
        self.spans = np.zeros(len(path.spans.edges) * self.ladders, dtype=np.int32)
        self.in_turn = compounding or bool(levels.below[-1].any() or self.profits[:-1].min() < 0.0)
        self.equity = np.full(self.ladders, float(compounding))  # of closed deals in turn: a factor, or a sum
        self.peak, self.drawdown = self.equity.copy(), np.zeros(self.ladders)

    def replay(self, loops: ModuleType) -> Open:
        """Replay the ladders by compiled loops, and count what they do; what is open in the end."""
        shape, levels = (-1, self.ladders), self.levels
        return Open(
            *loops.count(
                self.path.portions,
                (np.array(levels.below.T, order="C"), np.array(levels.exit.T, order="C")),
                (self.path.convention.next_deal == "at once", self.in_turn, self.compounding),
                self.path.spans.bins,
                (
                    *(table.reshape(shape) for table in (self.ended, self.end_candles, self.fill_candles, self.spans)),
                    self.lowest,
                    self.longest,
                ),
                (levels.coins, levels.money, self.bought, self.profits),
                (self.equity, self.peak, self.drawdown),
            )
        )

    def add(self, events: Events) -> None:
        """Count some events, which follow those before."""
        bins = self.path.spans.bins[events.span]
        np.add.at(self.ended, events.end, 1)
        np.add.at(self.end_candles, events.end, events.end_candle)
        np.add.at(self.fill_candles, events.fill, events.fill_candle)
        low = np.flatnonzero(events.low < self.lowest.max())  # no other can be the lowest of any ladder
        np.minimum.at(self.lowest, events.ladder[low], events.low[low])
        long = np.flatnonzero(events.span > self.longest.min())
        np.maximum.at(self.longest, events.ladder[long], events.span[long])
        np.add.at(self.spans, bins * self.ladders + events.ladder, np.int32(1))
        if self.in_turn and len(events.end):  # else equity never falls, and the worst deal is the largest drawdown
            self._add_equity(events)

    def _add_equity(self, events: Events) -> None:
        """Go through the deals of each ladder in turn, those of all ladders side by side."""
        ladder = events.ladder
        by_ladder = np.argsort(ladder.astype(np.uint16 if self.ladders < 65_536 else np.int64), kind="stable")
        ladder, at = ladder[by_ladder], events.end[by_ladder]
        worst, profit = self._worst(at, events.low[by_ladder]), self.profits.ravel()[at]
        first = np.flatnonzero(np.append(True, ladder[1:] != ladder[:-1]))
        count = np.diff(np.append(first, len(ladder)))
        most_first = np.argsort(-count, kind="stable")
        ladder, first, count = ladder[first[most_first]], first[most_first], count[most_first]
        for nth in range(count[0]):
            among = np.searchsorted(-count, -nth, side="left")  # ladders with more than ``nth`` deals
            some, deal = ladder[:among], first[:among] + nth
            self._draw(some, worst[deal])
            equity = self.equity[some]
            equity = equity * (1.0 + profit[deal]) if self.compounding else equity + profit[deal]
            self.equity[some] = equity
            self.peak[some] = np.maximum(self.peak[some], equity)

    def _draw(self, some: NDArray[np.integer] | slice, worst: Array) -> None:
        """Take in the worst moment of one deal of some ladders. F29."""
        equity, peak = self.equity[some], self.peak[some]
        share = equity / peak if self.compounding else 1.0
        below = 1.0 - share if self.compounding else peak - equity
        self.drawdown[some] = np.maximum(self.drawdown[some], below - share * worst)  # F29

    def _worst(self, at: Flat, low: Array) -> Array:
        """Value of deals at their lowest price, over the entry, after the orders at flat positions. F28."""
        row = np.minimum(at, at % self.ladders + (self.orders - 1) * self.ladders)  # stopped deals had all orders
        coins, money, bought = (table.ravel()[row] for table in (self.levels.coins, self.levels.money, self.bought))
        worst: Array = coins * low - money - bought  # F28
        return worst

    def outcome(self, open_: Open) -> Outcome:
        """All numbers, once all events are counted."""
        shape = (self.orders + 1, self.ladders)
        ended, candles, depth = self.ended.reshape(shape), len(self.path), open_.depth
        deals, is_open = ended.sum(axis=0), depth > 0
        held = self._held(depth, deals)
        deployed = accumulate(np.diff(self.levels.money, axis=0, prepend=0.0) * held)[-1] / candles  # F29
        close = self.path.points[-1, -1]
        marked, worst_open = (
            np.where(is_open, self._worst(self._flat(depth), price / open_.entry), 0.0) for price in (close, open_.low)
        )
        deepest = len(ended) - np.argmax(ended[::-1] > 0, axis=0)  # where a deal is worth least, its price is lowest
        worst_closed = self._worst(self._flat(deepest), self.lowest)
        if not self.in_turn:
            self._draw(slice(None), worst_closed)
        self._draw(slice(None), worst_open)
        realised = self.equity - 1.0 if self.compounding else accumulate(ended * self.profits)[-1]  # F27
        total = self.equity * (1.0 + marked) - 1.0 if self.compounding else realised + marked  # F29
        spans = self.spans.reshape(-1, self.ladders)  # of few ladders one call is quicker than one a row
        reached = np.cumsum(spans, axis=0) if self.ladders < len(spans) else accumulate(spans.copy())
        move = close / self.path.points[0, 0] - 1.0
        return Outcome(
            deals=deals,
            total_pct=total * 100.0,
            realised_pct=realised * 100.0,
            max_drawdown_pct=self.drawdown * 100.0,
            longest_deal_candles=np.maximum(self.longest, np.where(is_open, candles - open_.began, 0)),
            all_filled_share=held[-1] / candles,
            deployed_share=deployed,
            same_exposure_pct=deployed * move * 100.0,  # F29
            depth_counts=ended[:-1],
            stops=ended[-1],
            worst_deal_pct=np.minimum(worst_closed, np.where(is_open, worst_open, np.inf)) * 100.0,
            open_depth=depth,
            open_marked_pct=marked * 100.0,
            median_deal_candles=self._quantile(reached, 0.5),
            slow_deal_candles=self._quantile(reached, 0.95),
            within_candle_share=reached[0] / np.maximum(deals, 1.0),
        )

    def _held(self, depth: Flat, deals: Flat) -> Array:
        """Candles that closed with order k filled, (M, B): those before deals ended less those before it filled."""
        candles, shape = len(self.path), (self.orders + 1, self.ladders)
        left = accumulate(self.end_candles.reshape(shape)[::-1].copy())[::-1]  # deals that were stopped had all orders
        held: Array = left[:-1] - self.fill_candles.reshape(shape)[:-1]
        held += candles * (depth > np.arange(self.orders)[:, None])
        held[0] = candles - deals * (self.path.convention.next_deal == "next open")
        return held

    def _quantile(self, reached: NDArray[np.integer], share: float) -> Flat:
        """Candles that so many deals took no longer than, from how many ended up to each bin, (bins, B)."""
        least = np.ceil(share * reached[-1]).astype(reached.dtype)  # whole numbers are compared in half the time
        bins = (reached < least).sum(axis=0, dtype=np.int16)
        return np.asarray(self.path.spans.edges[bins])

    def _flat(self, depth: Flat) -> Flat:
        return np.asarray(np.maximum(depth - 1, 0) * self.ladders + np.arange(self.ladders))
