"""The orders of a ladder on an exchange: prices on ticks, quantities on steps, none too small, all within the budget.

How they are made, which was measured against other ways (docs/placing.md):

- prices go to the nearest tick, for up or down would move the whole ladder;
- an order below the least of the exchange is lifted to it, and the others pay for that in proportion to their size;
- quantities go to the nearest step, then steps are taken back from the largest order until all is within the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from operator import mul

from mlab.core.decimals import plain
from mlab.core.errors import LabError
from mlab.core.records import Sizing
from mlab.placing.grid import DOWN, EXACT, PARTS, UP, Grid, nearest, parts


class PlacementError(LabError, ValueError):
    """A rule of the exchange cannot be kept: which one, by which order, and what would pass."""

    def __init__(self, rule: str, order: int, reason: str, remedy: str) -> None:
        self.rule, self.order, self.reason, self.remedy = rule, order, reason, remedy
        super().__init__(f"{rule}: order {order} {reason}; {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        """What makes the same error again: it may come from another process."""
        return type(self), (self.rule, self.order, self.reason, self.remedy)


@dataclass(frozen=True, slots=True)
class Order:
    """One buy order: its price, the quantity that is typed, and the money and the coins that stand for it."""

    price: Decimal
    quantity: Decimal
    money: Decimal
    coins: Decimal


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of one ladder, in whole numbers of their grid; ``lifted`` are those that were below the least."""

    grid: Grid
    ticks: tuple[int, ...]
    steps: tuple[int, ...]
    lifted: frozenset[int]

    def __iter__(self) -> Iterator[Order]:
        """Each order, from the entry down."""
        market = self.grid.market
        with localcontext(EXACT):
            for at, count in zip(self.ticks, self.steps, strict=True):
                price, quantity = at * self.grid.tick, count * self.grid.step
                yield Order(price, quantity, market.money(quantity, price), market.coins(quantity, price))


def make(indent_pct: Sequence[float], volume: Sequence[float], sizing: Sizing, grid: Grid) -> Orders:
    """The orders of one ladder.

    Args:
        indent_pct: depth of each order below the entry price, in percent.
        volume: of each order, in any unit; money where sizing is ``quote``, coins where it is ``base``.
        sizing: which of the two.
        grid: what the exchange takes.

    Raises:
        PlacementError: a rule cannot be kept.
    """
    with localcontext(EXACT):
        return _made(parts(indent_pct, 100.0), parts(volume, sum(volume)), sizing, grid)


def of_bot(depth_pct: Sequence[Decimal], money: Sequence[Decimal], grid: Grid) -> Orders:
    """The orders of a bot into which depths in percent and money are typed: it rounds quantities down."""
    with localcontext(EXACT):
        ticks = [grid.ticks(int(depth * PARTS / 100)) for depth in depth_pct]
        steps = [int(size / grid.unit // grid.weight(at)) for size, at in zip(money, ticks, strict=True)]
        return Orders(grid, tuple(ticks), tuple(steps), frozenset())


def _made(depths: Sequence[int], shares: Sequence[int], sizing: Sizing, grid: Grid) -> Orders:
    ticks = [grid.ticks(depth) for depth in depths]
    _check_prices(ticks, depths, grid)
    weights = [grid.weight(at) for at in ticks]
    least = [grid.least_steps(weight, at_market=not k) for k, weight in enumerate(weights)]
    floors = list(map(mul, least, weights))
    _check_budget(floors, weights, grid.dearest(ticks[-1]), grid)
    worth = shares if sizing == "quote" else list(map(mul, shares, ticks))
    rest, whole, low = _lifted(worth, floors, grid.budget)
    steps = list(least)
    for k, weight in enumerate(weights):
        if k not in low:
            steps[k] = max(steps[k], nearest(worth[k] * rest, whole * weight))
    _take_back(steps, weights, least, grid.budget)
    _check_sizes(steps, weights, worth, floors, grid)
    return Orders(grid, tuple(ticks), tuple(steps), frozenset(low))


def _lifted(worth: Sequence[int], floors: Sequence[int], budget: int) -> tuple[int, int, set[int]]:
    """Which orders get their floor, what is left of the budget for the others, and the worth that shares it."""
    low: set[int] = set()
    rest, whole = budget, sum(worth)
    while below := {k for k, value in enumerate(worth) if k not in low and value * rest < floors[k] * whole}:
        low |= below
        rest -= sum(floors[k] for k in below)
        whole -= sum(worth[k] for k in below)
    return rest, whole, low


def _take_back(steps: list[int], weights: Sequence[int], least: Sequence[int], budget: int) -> None:
    """Take steps from the largest orders, in place, until all orders are within the budget."""
    money = list(map(mul, steps, weights))
    spent = sum(money)
    while spent > budget:
        largest = max((k for k in range(len(money)) if steps[k] > least[k]), key=money.__getitem__)
        steps[largest] -= 1
        money[largest] -= weights[largest]
        spent -= weights[largest]


def _check_prices(ticks: Sequence[int], depths: Sequence[int], grid: Grid) -> None:
    market, tick = grid.market, plain(grid.tick)
    if 0 < market.most_orders < len(ticks):
        reason = f"is one more than the {market.most_orders} open orders that {market.symbol} takes"
        raise PlacementError(
            "most_orders", market.most_orders + 1, reason, f"at most {market.most_orders} orders would do"
        )
    for number, (above, below) in enumerate(pairwise(ticks), start=2):
        if below <= 0:
            raise PlacementError("tick", number, f"would be at 0, for a tick is {tick}", _apart(depths, grid))
        if below >= above:
            reason = f"would be at {plain(above * grid.tick)} like the one before it, for a tick is {tick}"
            raise PlacementError("tick", number, reason, _apart(depths, grid))
    for number, at in enumerate(ticks, start=1):
        if at < grid.lowest:
            reason = f"at {plain(at * grid.tick)} is below {plain(market.lowest_share)} of the entry price"
            most = f"an overlap of at most {plain(grid.deepest_pct)} %" if grid.deepest_pct > 0 else "no overlap"
            raise PlacementError("lowest_share", number, reason, f"{most} would do")


def _apart(depths: Sequence[int], grid: Grid) -> str:
    """What keeps orders a tick apart: larger gaps where as many fit into the depth, else a higher price."""
    least = UP.plus(grid.tick_pct)
    if PARTS * least * len(depths) <= 100 * depths[-1] and grid.ticks(depths[-1]) >= grid.lowest:
        return f"search with ladder.limits.min_indent_step_pct={plain(least)} or more"
    narrowest = min(PARTS - depths[-1], *(below - above for above, below in pairwise(depths)))
    if narrowest <= 0:
        return "no price would do"
    return f"a price of {plain(UP.plus(grid.tick * PARTS / narrowest))} would do"


def _check_budget(floors: Sequence[int], weights: Sequence[int], least: int, grid: Grid) -> None:
    needed = sum(floors)
    if needed <= grid.budget:
        return
    dearest = max(range(len(floors)), key=floors.__getitem__)
    quantity = "step" if grid.market.least_quantity < grid.step else "least_quantity"
    rule = "least_money" if floors[dearest] > grid.least_quantity * weights[dearest] else quantity
    fewer = grid.budget // least
    remedy = f"a budget of {plain(UP.plus(needed * grid.unit))} would do"
    remedy += f", or at most {fewer} orders" if fewer > 1 else ""
    reason = f"must be at least {plain(UP.plus(floors[dearest] * grid.unit))} {grid.market.quote}"
    raise PlacementError(rule, dearest + 1, reason, remedy)


def _check_sizes(
    steps: Sequence[int], weights: Sequence[int], worth: Sequence[int], floors: Sequence[int], grid: Grid
) -> None:
    most = grid.most_steps
    largest = max(range(len(steps)), key=steps.__getitem__)
    if not 0 < most < steps[largest]:
        return
    reason = f"would be {plain(steps[largest] * grid.step)}, the most is {plain(most * grid.step)}"
    remedy = "no budget would do"
    if all(floor <= most * weight for floor, weight in zip(floors, weights, strict=True)):
        first = max(range(len(steps)), key=lambda k: Fraction(worth[k], weights[k]))  # to have the most
        full = most * weights[first]
        money = sum(max(floor, full * part // worth[first]) for floor, part in zip(floors, worth, strict=True))
        budget = max(DOWN.plus(money * grid.unit), sum(floors) * grid.unit)
        remedy = f"a budget of {plain(budget)} would do"
    raise PlacementError("most_quantity", largest + 1, reason, remedy)
