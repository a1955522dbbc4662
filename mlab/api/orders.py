"""Ladders as orders of an exchange."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from html import escape
from typing import Any, TypeAlias, get_args

from mlab.api.arguments import check_text, one_of, path_of
from mlab.api.shown import Table
from mlab.core.decimals import decimal, plain
from mlab.core.errors import ConfigError
from mlab.core.records import Json, Sizing
from mlab.market import Market, read
from mlab.market.files import UNNAMED, same, yours
from mlab.placing import Placement, place
from mlab.report import placed

Rules: TypeAlias = Market | Mapping[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Orders:
    """A ladder as it is placed. ``str`` tells it in words, a notebook shows the orders.

    Attributes:
        placement: the orders, what rounding has changed, and the rules that they keep.
        take_profit_pct: of a sale, above the average entry.
        fee_pct: of each side.
    """

    placement: Placement
    take_profit_pct: Decimal
    fee_pct: Decimal

    @property
    def table(self) -> Table[Json]:
        """A row an order; prices, quantities and money are decimals."""
        rows = placed.rows(self.placement, self.take_profit_pct, self.fee_pct)
        return Table(rows, placed.COLUMNS, rows)

    def to_dict(self) -> Json:
        """Market, budget, orders, what has changed, and rules, in plain JSON values; numbers are texts."""
        return self.placement.to_dict()

    def settings(self, form: str) -> str:
        """The orders as the settings of a bot.

        Args:
            form: ``3commas``, ``veles``, ``pionex``, ``hummingbot`` or ``gainium``, which take any ladder.

        Raises:
            ConfigError: no such format, or one that takes ladders of a few numbers only: ``mlab place`` fits those.
        """
        from mlab import bots  # noqa: PLC0415 - late, for few need it

        one_of("settings", "form", form, bots.FORMATS)
        return bots.write(placed.bot(self.placement, self.placement.market.symbol, self.take_profit_pct), form)

    def __str__(self) -> str:
        return "\n".join([repr(self.table), "", *self._sentences])

    def __repr__(self) -> str:
        spent, orders = plain(self.placement.spent), len(self.placement.orders.ticks)
        return f"<{orders} orders on {placed.origin(self.placement.market)}, {spent} {self.placement.market.quote}>"

    @property
    def _sentences(self) -> list[str]:
        return placed.sentences(self.placement, self.take_profit_pct, self.fee_pct)

    def _repr_html_(self) -> str:
        return self.table._repr_html_() + "".join(f"<p>{escape(sentence)}</p>" for sentence in self._sentences)


def placed_orders(
    indent_pct: tuple[float, ...],
    volume: tuple[float, ...],
    sizing: Sizing,
    market: Market,
    numbers: Mapping[str, object],
) -> Orders:
    """The orders of a ladder; ``numbers`` are those of :meth:`mlab.Ladder.place` by their names."""
    one_of("place", "sizing", sizing, get_args(Sizing))
    budget, price, profit = (_above_0(name, numbers[name]) for name in ("budget", "price", "take_profit_pct"))
    fee = decimal(numbers["fee_pct"])
    if fee is None or not 0 <= fee <= 10:
        raise ConfigError("place", "fee_pct", "must be a number from 0 to 10", numbers["fee_pct"])
    return Orders(place(indent_pct, volume, sizing, market, budget, price), profit, fee)


def _above_0(name: str, value: object) -> Decimal:
    number = decimal(value)
    if number is None or number <= 0:
        raise ConfigError("place", name, "must be a number above 0", value)
    return number


def market_of(rules: Rules, symbol: str | None) -> Market:
    """The market that is meant: itself, its rules, or a file of them."""
    if symbol is not None:
        check_text("place", "symbol", symbol)
    if isinstance(rules, Market):
        if symbol is not None and rules.symbol in {"", UNNAMED}:
            return replace(rules, symbol=symbol)
        if symbol is not None and not same(symbol, rules.symbol):
            raise ConfigError("place", "symbol", f"must be {rules.symbol}, that of the market", symbol)
        return rules
    if isinstance(rules, Mapping):
        return yours(rules, "place", symbol)
    return read(path_of("place", "market", rules), symbol)
