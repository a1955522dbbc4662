"""A ladder as it is placed: its orders, what rounding has changed, and every rule that they keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np

from mlab.core.decimals import plain
from mlab.core.records import Json, Sizing
from mlab.market import Market
from mlab.model.ladder import Array, prices
from mlab.placing.figures import Figures
from mlab.placing.grid import EXACT, Grid
from mlab.placing.orders import Order, Orders, make


@dataclass(frozen=True, slots=True)
class Placement:
    """One ladder on one exchange.

    Attributes:
        orders: what is placed.
        budget: the most that all of it may cost, in quote currency.
        entry: the price that depths count from.
        sizing: what the volumes of the ladder count.
        wanted: the ladder before it was rounded, all of the budget spent.
        placed: the orders as they are.
    """

    orders: Orders
    budget: Decimal
    entry: Decimal
    sizing: Sizing
    wanted: Figures
    placed: Figures

    @property
    def market(self) -> Market:
        """Whose rules the orders keep."""
        return self.orders.grid.market

    @property
    def spent(self) -> Decimal:
        """What all orders cost together."""
        with localcontext(EXACT):
            return sum((order.money for order in self.orders), Decimal(0))

    @property
    def changed(self) -> Json:
        """Each figure of the ladder and of the orders, as texts, and which orders were lifted to the least."""
        before, after = (_texts(figures) for figures in (self.wanted, self.placed))
        texts = {name: {"ladder": text, "placed": after[name]} for name, text in before.items()}
        return texts | {"lifted": [str(k + 1) for k in sorted(self.orders.lifted)]}

    @property
    def rules(self) -> list[Json]:
        """Every rule that there is, its number, and whether all orders keep it: found from the orders alone."""
        with localcontext(EXACT):
            orders = list(self.orders)
            checks = {"budget": (self.budget, self.spent <= self.budget)} | _checks(orders, self.market, self.entry)
            falling = all(below.price < above.price for above, below in pairwise(orders))
        texts = [{"rule": name, "limit": plain(limit), "kept": kept} for name, (limit, kept) in checks.items()]
        return [*texts, {"rule": "falling_prices", "limit": "", "kept": falling}]

    def to_dict(self) -> Json:
        """All of it in plain JSON values, numbers as texts."""
        orders = [
            {"order": str(k)} | {name: plain(getattr(order, name)) for name in ("price", "quantity", "money")}
            for k, order in enumerate(self.orders, start=1)
        ]
        return {
            "market": self.market.to_dict(),
            "budget": plain(self.budget),
            "spent": plain(self.spent),
            "orders": orders,
            "changed": self.changed,
            "rules": self.rules,
        }


def place(
    indent_pct: Sequence[float],
    volume: Sequence[float],
    sizing: Sizing,
    market: Market,
    budget: Decimal,
    price: Decimal,
) -> Placement:
    """Place one ladder.

    Args:
        indent_pct: depth of each order below the entry price, in percent.
        volume: of each order, in any unit: money where sizing is ``quote``, coins where it is ``base``.
        sizing: which of the two.
        market: the rules of the exchange.
        budget: the most that all orders cost, in quote currency.
        price: the entry price.

    Raises:
        PlacementError: a rule cannot be kept; names it, the order, and what would pass.

    Example:
        >>> market = Market(tick=Decimal("0.01"), step=Decimal("0.00001"), least_money=Decimal(5))
        >>> placement = place([0.0, 5.0, 10.0], [1.0, 1.2, 1.44], "quote", market, Decimal(500), Decimal("65000"))
        >>> [(str(order.price), str(order.quantity)) for order in placement.orders]
        [('65000.00', '0.00211'), ('61750.00', '0.00267'), ('58500.00', '0.00338')]
        >>> placement.spent
        Decimal('499.7525000')
    """
    orders = make(indent_pct, volume, sizing, Grid.of(market, budget, price))
    column = prices(np.array([indent_pct]).T) * float(price)
    amount = np.array([volume], dtype=np.float64).T
    worth = amount if sizing == "quote" else amount * column
    wanted = Figures.of(column, worth / worth.sum() * float(budget) / column)
    return Placement(orders, budget, price, sizing, wanted, figures_of([orders]))


def figures_of(placed: Sequence[Orders]) -> Figures:
    """Those of many ladders of as many orders each, shape (B,)."""
    grid = placed[0].grid
    price = _rows([orders.ticks for orders in placed]) * float(grid.tick)
    quantity = _rows([orders.steps for orders in placed]) * float(grid.step) * float(grid.market.contract_size)
    return Figures.of(price, quantity / price if grid.market.inverse else quantity)


def _rows(counts: Sequence[Sequence[int]]) -> Array:
    return np.ascontiguousarray(np.array(counts, dtype=np.float64).T)


def _checks(orders: Sequence[Order], market: Market, entry: Decimal) -> dict[str, tuple[Decimal, bool]]:
    """For each rule of a market its number, and whether all orders keep it."""
    kept: dict[str, Callable[[Order, Decimal], bool]] = {
        "tick": lambda order, tick: order.price % tick == 0,
        "step": lambda order, step: order.quantity % step == 0,
        "least_quantity": lambda order, least: order.quantity >= least,
        "most_quantity": lambda order, most: order.quantity <= most,
        "least_money": lambda order, least: order.money >= least,
        "lowest_share": lambda order, share: order.price >= share * entry,
        "most_orders": lambda _, most: len(orders) <= most,
    }
    return {name: (limit, all(kept[name](order, limit) for order in orders)) for name, limit in market.rules().items()}


def _texts(figures: Figures) -> dict[str, str]:
    """Those of one ladder, with the decimals that other programs get."""
    return {field.name: plain(Decimal(f"{getattr(figures, field.name).item():.6f}")) for field in fields(Figures)}
