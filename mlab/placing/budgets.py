"""Which budgets pay every ladder of a search: no order is below the least of the exchange, none above the most."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil

from mlab.core.decimals import MOST_MONEY, digits, plain
from mlab.core.records import Sizing
from mlab.market import Market
from mlab.model.limits import possible_shares_pct
from mlab.placing.grid import DOWN, EXACT, UP, Grid

ROUNDED = Fraction(99_998, 100_000)
"""Share of the possible up to which a limit may go that is rounded to six digits, and must be clear of it then."""

ENOUGH = 50
"""Budgets that are tried: one more where the step is given, few where its digits follow from the budget."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What the ladders of a search have in common.

    Attributes:
        lowest: price of the deepest order, in ticks.
        orders: their number, the least and the largest.
        growth_pct: least growth of an order over the one before.
        sizing: of what, money or coins.
    """

    lowest: int
    orders: tuple[int, int]
    growth_pct: float
    sizing: Sizing

    @property
    def shares_pct(self) -> tuple[float, float]:
        """The most that order 1 of any ladder can hold, and the least that the last can, in percent."""
        fewest, most = (possible_shares_pct(count, self.growth_pct) for count in self.orders)
        return most[0], fewest[1]


def refusal(market: Market, budget: Decimal, price: Decimal, searched: Searched) -> str | None:
    """Why a budget does not pay all ladders, and the nearest that does, in six digits; None where it pays them."""
    grid = Grid.of(market, budget, price)
    least, most = _bounds(grid, searched)
    if least <= budget <= most:
        return None
    (fewest, orders), (first_pct, last_pct) = searched.orders, searched.shares_pct
    with localcontext(EXACT):
        if budget < least:
            money = UP.plus(grid.least_first(searched.lowest, searched.sizing, searched.growth_pct) * grid.unit)
            share = digits(first_pct, 4, up=True)
            size, why = "small", f"order 1 of {orders} gets at most {share} %, and must be"
        else:
            money = DOWN.plus(grid.most_last(searched.lowest, searched.sizing) * grid.unit)
            share = digits(last_pct, 4, up=False)
            size, why = "large", f"order {fewest} of {fewest} gets at least {share} %, and must be at most"
    enough = _nearest(market, budget, price, searched)
    remedy = f"{plain(enough)} would do" if enough else "no other would do"
    return f"budget {plain(budget)} is too {size}, {remedy}: {why} {plain(money)} {market.quote}"


def _nearest(market: Market, budget: Decimal, price: Decimal, searched: Searched) -> Decimal | None:
    for _ in range(ENOUGH):
        least, most = _bounds(Grid.of(market, budget, price), searched)
        if least > most:
            break
        if least <= budget <= most:
            return budget
        budget = max(least, min(budget, most))
    return None


def _bounds(grid: Grid, searched: Searched) -> tuple[Decimal, Decimal]:
    """The least budget and the largest that pay all ladders, as far as steps are those of the grid."""
    first_pct, last_pct = map(Fraction, searched.shares_pct)
    first = grid.least_first(searched.lowest, searched.sizing, searched.growth_pct)
    last = grid.most_last(searched.lowest, searched.sizing)
    with localcontext(EXACT):
        least = UP.plus(ceil(100 * first / first_pct / ROUNDED) * grid.unit)
        most = DOWN.plus(int(100 * last / last_pct * ROUNDED) * grid.unit)
    return least, min(most, MOST_MONEY) if last else MOST_MONEY
