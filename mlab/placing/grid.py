"""A market, a budget and an entry price in whole numbers: prices in ticks, quantities in steps, money in units of both.

On the grid of an exchange every rule compares whole numbers, so that nothing is lost to rounding, in any language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mlab.core.records import Sizing
from mlab.market import Market
from mlab.model.ladder import Array
from mlab.model.limits import Limits

PARTS = 10**14
"""Parts of a whole in which depths and shares are counted: a ladder is exact to a ten thousandth of that."""

FREE_DIGITS = 9
"""Significant digits of a price or quantity where the exchange has no grid for it."""

AT_MARKET = Decimal("1.01")
"""Order 1 is judged at an average price beside the price of the moment: its money stays so much above the least."""

UP, DOWN = (Context(prec=6, rounding=rounding) for rounding in (ROUND_CEILING, ROUND_FLOOR))
"""Six digits of a number that would pass, on the side on which it does."""

WHOLE = 1.0 + 1e-12
"""By what a quotient of floats is raised so that one that is a whole number is not rounded below it."""

EXACT = Context(prec=400)
"""Room for every product of a price, a quantity and a size of a contract, whatever the context of the caller."""


@dataclass(frozen=True, slots=True)
class Grid:
    """What an exchange takes, in whole numbers.

    Attributes:
        market: its rules.
        tick: one tick of price.
        step: one step of quantity.
        unit: money of one step at a price of one tick; of one step at any price where contracts are inverse.
        entry: the entry price in ticks, not rounded: dividend and divisor.
        budget: the most that all orders cost, in units.
        least_quantity: the least of an order in steps.
        lowest: the least price of a buy in ticks, 1 or more.
        least_money: the least of an order in units; the second is that of an order at the market.
    """

    market: Market
    tick: Decimal
    step: Decimal
    unit: Decimal
    entry: tuple[int, int]
    budget: int
    lowest: int
    least_quantity: int
    least_money: tuple[int, int]

    @classmethod
    def of(cls, market: Market, budget: Decimal, price: Decimal) -> Grid:
        """That of a market for a budget in quote currency and an entry price, both above 0."""
        with localcontext(EXACT):
            tick = market.tick or _last_digit(price)
            whole = budget / market.money(Decimal(1), price)
            step = market.step or _last_digit(min(whole, market.most_quantity or whole))
            unit = market.money(step, tick)
            entry = Fraction(price) / Fraction(tick)
            return cls(
                market=market,
                tick=tick,
                step=step,
                unit=unit,
                entry=(entry.numerator, entry.denominator),
                budget=int(budget // unit),
                lowest=max(1, ceil(market.lowest_share * price / tick)),
                least_quantity=max(1, ceil(market.least_quantity / step)),
                least_money=(ceil(market.least_money / unit), ceil(market.least_money * AT_MARKET / unit)),
            )

    def ticks(self, depth: int) -> int:
        """The price, in ticks, that is nearest to so many parts below the entry."""
        dividend, divisor = self.entry
        return nearest((PARTS - depth) * dividend, PARTS * divisor)

    def ticks_at(self, depth_pct: float) -> int:
        """The same of a depth in percent."""
        return self.ticks(*parts([depth_pct], 100.0))

    def weight(self, ticks: int) -> int:
        """Money, in units, of one step at a price."""
        return 1 if self.market.inverse else ticks

    def least_steps(self, weight: int, *, at_market: bool) -> int:
        """The least quantity that the exchange takes: enough coins, and enough money."""
        return max(self.least_quantity, -(-self.least_money[at_market] // weight))

    def dearest(self, lowest: int) -> int:
        """Money, in units, of the dearest least order between the entry and a price in ticks.

        Below the entry that is one just under a price at which a step more is needed.
        """
        weight, least = self.weight(self.ticks(0)), self.least_money[0] - 1
        first = self.least_steps(weight, at_market=True) * weight
        edge = least // self.least_steps(weight, at_market=False)
        return max(first, least + edge if edge >= self.weight(lowest) else 0)

    def least_first(self, lowest: int, sizing: Sizing, growth_pct: float = 0.0) -> int:
        """Money of order 1, in units, with which no order of a ladder down to a price in ticks is below the least.

        Args:
            lowest: the price.
            sizing: what grows from order to order: money, or coins, whose money falls with the price.
            growth_pct: by how much at least.
        """
        entry, weight = self.ticks(0), self.weight(self.ticks(0))
        first, later = self.least_steps(weight, at_market=True) * weight, Fraction(self.dearest(lowest))
        if sizing == "base":
            low = self.weight(lowest)
            later = Fraction(self.least_steps(low, at_market=False) * low * entry, lowest)
        return max(first, ceil(later / (1 + Fraction(growth_pct) / 100)))

    @property
    def most_steps(self) -> int:
        """The most of an order in steps; 0 where any may be placed."""
        with localcontext(EXACT):
            return int(self.market.most_quantity // self.step)

    def most_last(self, lowest: int, sizing: Sizing) -> int:
        """Money of the last order, in units, with which no order down to a price in ticks is above the most.

        It is the largest but for inverse contracts, which count money, where coins grow: there order 1, of as many
        coins at most, costs as much more as its price is higher. 0 where any may be placed.
        """
        most = self.most_steps * self.weight(lowest)
        if most and self.market.inverse and sizing == "base":
            return max(1, most * lowest // self.ticks(0))
        return most

    def limits(self, wanted: Limits, lowest: int, sizing: Sizing) -> Limits:
        """Limits moved as far as the rules ask of every ladder down to a price in ticks.

        Order 1 is as large as keeps all from the least, the last as small as keeps all from the most, gaps are one
        tick at least.
        """
        most, first = self.most_last(lowest, sizing), self.least_first(lowest, sizing, wanted.martingale_pct[0])
        with localcontext(EXACT):
            least = float(UP.plus(Decimal(100 * first) / self.budget))
            cap = float(DOWN.plus(Decimal(100 * most) / self.budget)) if most else wanted.tail_cap_pct
        shares = {
            "first_volume_min_pct": max(wanted.first_volume_min_pct, least),
            "tail_cap_pct": min(wanted.tail_cap_pct, cap),
        }
        return self.apart(wanted).model_copy(update=shares)

    def apart(self, wanted: Limits) -> Limits:
        """Limits with gaps of one tick at least."""
        least = float(UP.plus(self.tick_pct)) if self.market.tick else 0.0
        return wanted.model_copy(update={"min_indent_step_pct": max(wanted.min_indent_step_pct, least)})

    def takes(self, indent_pct: Array, money: Array) -> NDArray[np.bool_]:
        """Which ladders (B,) are taken of a bot, by depths in percent and money (M, B): quantities are rounded down."""
        dividend, divisor = self.entry
        ticks = np.floor((1.0 - indent_pct / 100.0) * (dividend / divisor) + 0.5)
        weight = np.ones_like(ticks) if self.market.inverse else ticks
        steps = np.floor(money / float(self.unit) / weight * WHOLE)
        least = np.full((len(ticks), 1), self.least_money[0], dtype=np.float64)
        least[0] = self.least_money[1]
        taken = (steps >= self.least_quantity) & (steps * weight >= least) & (ticks >= self.lowest)
        if most := self.most_steps:
            taken &= steps <= most
        return np.asarray(taken.all(axis=0) & (np.diff(ticks, axis=0) < 0.0).all(axis=0))

    @property
    def deepest_pct(self) -> Decimal:
        """Depth to which orders may go, in percent of the entry price; not above 0 where there is none."""
        dividend, divisor = self.entry
        with localcontext(EXACT):
            return DOWN.plus(100 - Decimal(100 * self.lowest * divisor) / dividend)

    @property
    def tick_pct(self) -> Decimal:
        """One tick in percent of the entry price."""
        dividend, divisor = self.entry
        with localcontext(EXACT):
            return Decimal(100 * divisor) / dividend


def parts(values: Sequence[float], whole: float) -> list[int]:
    """Numbers in parts of a whole."""
    scale = PARTS / whole
    return [round(value * scale) for value in values]


def nearest(dividend: int, divisor: int) -> int:
    """The whole number nearest to a quotient; of halves the larger."""
    return (2 * dividend + divisor) // (2 * divisor)


def _last_digit(value: Decimal) -> Decimal:
    """One in the last of the digits that a person would type."""
    return Decimal(1).scaleb(value.adjusted() - FREE_DIGITS + 1)
