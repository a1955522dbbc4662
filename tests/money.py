"""A bot with cash and coins on every point of every candle: a second way to what mlab.replay computes from counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Money:
    """What the bot has and what it has seen; money in budgets, of which every deal has one."""

    indent_pct: Sequence[float]
    share: Sequence[float]  # of the budget, one an order
    take_profit_pct: float
    maker_pct: float = 0.0
    taker_pct: float = 0.0
    stop_pct: float | None = None
    compounding: bool = False
    cash: float = 1.0  # what there is, not what was won: of 1e-9 budgets no digit is lost then
    coins: float = 0.0
    spent: float = 0.0
    budget: float = 1.0
    filled: int = 0
    entry: float = 0.0
    peak: float = 1.0
    drawdown: float = 0.0
    worst: float = 0.0
    depths: list[int] = field(default_factory=list)
    stops: int = 0
    deployed: list[float] = field(default_factory=list)
    full: int = 0
    spans: list[int] = field(default_factory=list)

    def run(self, candles: Iterable[Sequence[float]]) -> Money:
        """Trade on the points of candles, in their order."""
        for number, points in enumerate(candles):
            self.candle = number
            if number == 0:
                self._open(points[0])
            for price in points:
                self._move(price)
            self.deployed.append(self.spent / self.budget)
            self.full += self.filled == len(self.share)
        self.realised = self.before - 1.0
        self.total = self.cash + self.coins * points[-1] - 1.0
        self.spans_all = [*self.spans, number + 1 - self.since]
        return self

    def _move(self, price: float) -> None:
        while True:
            order = self.entry * (1.0 - self.indent_pct[self.filled] / 100.0) if self.filled < len(self.share) else None
            target = self.spent / self.coins * (1.0 + self.take_profit_pct / 100.0)
            stop = None
            if self.stop_pct is not None:
                stop = self.entry * (1.0 - self.indent_pct[-1] / 100.0) * (1.0 - self.stop_pct / 100.0)
            if order is not None and price <= order:
                self._see(order)
                self._buy(order, self.maker_pct)
            elif order is None and stop is not None and price <= stop:
                self._see(stop)
                self._close(stop, self.taker_pct)
                self.stops += 1
            elif price >= target:
                self.depths.append(self.filled)
                self._close(target, self.maker_pct)
            else:
                break
        self._see(price)

    def _open(self, price: float) -> None:
        self.before, self.since = self.cash, self.candle
        if self.compounding:
            self.budget = self.cash
        self.entry, self.filled, self.coins, self.spent = price, 0, 0.0, 0.0
        self._buy(price, self.taker_pct)
        self._see(price)

    def _buy(self, price: float, fee_pct: float) -> None:
        money = self.share[self.filled] * self.budget
        self.cash -= money * (1.0 + fee_pct / 100.0)
        self.coins += money / price
        self.spent += money
        self.filled += 1

    def _close(self, price: float, fee_pct: float) -> None:
        self.cash += self.coins * price * (1.0 - fee_pct / 100.0)
        self.spans.append(self.candle - self.since)
        self.peak = max(self.peak, self.cash)
        self._open(price)

    def _see(self, price: float) -> None:
        equity = self.cash + self.coins * price
        reached = self.peak if self.compounding else 1.0
        self.drawdown = max(self.drawdown, (self.peak - equity) / reached)
        self.worst = min(self.worst, (equity - self.before) / self.budget)
