"""The market of a run: whose rules its ladders keep, and the money and price for which they are searched."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field, model_validator

from mlab.core.decimals import exact, plain
from mlab.core.errors import ConfigError
from mlab.core.records import Cell
from mlab.core.section import Section, rule
from mlab.model.limits import ROOM, Limits, conflict, possible_shares_pct

if TYPE_CHECKING:
    from mlab.market import Market
    from mlab.placing import Grid

Rule: TypeAlias = Annotated[float, Field(ge=0, le=1e18)]

NUMBERS = ("tick", "step", "least_quantity", "least_money", "most_quantity", "lowest_share", "contract_size")
NAMES = ("symbol", "base", "quote", "most_orders", "inverse")


class MarketRules(Section):
    """The rules of the symbol that is traded, from a file or as numbers, and the money for it.

    They raise `ladder.limits` as far as it takes for every ladder to be placed: `first_volume_min_pct` to the least
    order of the exchange, `min_indent_step_pct` to one tick. A number of 0 means that there is no such rule. What is
    not given is read from `file` when a run begins, and stored with it.
    """

    budget: float = Field(gt=0, le=1e12, description="The most that all orders cost, in quote currency.")
    price: Annotated[float, Field(gt=0, le=1e12)] | None = Field(
        default=None, description="Entry price, in the place of ladder.base_price; null = that one."
    )
    file: str | None = Field(
        default=None,
        max_length=1000,
        description="A saved answer of the exchange for its symbols, a market of ccxt, or YAML.",
    )
    symbol: str | None = Field(
        default=None, max_length=64, description="Which symbol of the file, where it has several."
    )
    tick: Rule | None = Field(default=None, description="Prices are multiples of it.")
    step: Rule | None = Field(default=None, description="Quantities are multiples of it.")
    least_quantity: Rule | None = Field(default=None, description="Least quantity of an order.")
    least_money: Rule | None = Field(default=None, description="Least money of an order, in quote currency.")
    most_quantity: Rule | None = Field(default=None, description="Largest quantity of an order.")
    lowest_share: Annotated[float, Field(ge=0, le=0.99)] | None = Field(
        default=None, description="A buy below this share of the entry price is refused."
    )
    most_orders: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        default=None, description="Open orders that the symbol takes."
    )
    contract_size: Annotated[float, Field(gt=0, le=1e15)] | None = Field(
        default=None, description="Coins of one contract, or its money where inverse is true; 1 where coins are traded."
    )
    inverse: bool | None = Field(default=None, description="Whether contracts are settled in coins.")
    base: str | None = Field(default=None, max_length=64, description="Name of the coin.")
    quote: str | None = Field(default=None, max_length=64, description="Name of the money.")
    origin: str | None = Field(default=None, max_length=64, description="Whose rules they are, such as Binance spot.")
    as_of: str | None = Field(
        default=None, max_length=64, description="When the exchange gave them, such as 2026-01-31T23:59:00+00:00."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, given: Any) -> Any:
        """What is not given, as the file has it: what is stored of a run needs no file any more."""
        if not isinstance(given, dict) or not isinstance(given.get("file"), str):
            return given
        missing = [name for name in (*NUMBERS, *NAMES) if given.get(name) is None]
        if not missing:
            return given
        from mlab import market  # noqa: PLC0415 - late here and below, for most runs have none

        symbol = given.get("symbol")
        try:
            found = market.read(Path(given["file"]), symbol if isinstance(symbol, str) else None)
        except ConfigError as error:
            raise rule(f"file {error}") from None
        numbers = {name: float(getattr(found, name)) for name in NUMBERS}
        texts = {name: getattr(found, name) for name in (*NAMES, "origin")}
        texts["as_of"] = found.as_of and found.as_of.isoformat()
        own = {name: value for name, value in given.items() if value is not None}
        return numbers | texts | own | {"symbol": found.symbol}

    @model_validator(mode="after")
    def _sensible(self) -> MarketRules:
        from mlab.market.files import checked  # noqa: PLC0415

        if self.as_of is not None:
            try:
                datetime.fromisoformat(self.as_of)
            except ValueError:
                raise rule(f"as_of must be a time such as 2026-01-31T23:59:00+00:00, was {self.as_of!r}") from None
        try:
            checked(self.market(), "market")
        except ConfigError as error:
            raise rule(str(error).removeprefix("market: ")) from None
        return self

    def market(self) -> Market:
        """The rules."""
        from mlab.market import Market  # noqa: PLC0415

        given: dict[str, Any] = {name: getattr(self, name) for name in (*NAMES, "origin", *NUMBERS)}
        given = {name: value for name, value in given.items() if value is not None}
        decimals = {name: Decimal(repr(value)) for name, value in given.items() if isinstance(value, float)}
        as_of = datetime.fromisoformat(self.as_of) if self.as_of else None
        return Market(**given | decimals, as_of=as_of and as_of.replace(tzinfo=as_of.tzinfo or UTC))

    def grid(self, base_price: float) -> Grid:
        """The rules in whole numbers, for the budget and the entry price."""
        from mlab.placing import Grid  # noqa: PLC0415

        return Grid.of(self.market(), Decimal(repr(self.budget)), Decimal(repr(self.price or base_price)))

    def limits(self, wanted: Limits, base_price: float) -> Limits:
        """Limits raised as far as the rules ask."""
        return self.grid(base_price).limits(wanted)

    def conflict(self, cell: Cell, wanted: Limits, base_price: float) -> str | None:
        """Why no ladder of a cell can be placed, and what would do; None where some can."""
        rules = self.market()
        if 0 < rules.most_orders < cell.num_orders:
            return f"num_orders {cell.num_orders} is more than market.most_orders {rules.most_orders}"
        deepest = 100 * (1 - rules.lowest_share)
        if cell.overlap_pct > deepest:
            rule_is = f"market.lowest_share {plain(rules.lowest_share)}"
            return f"overlap_pct {exact(cell.overlap_pct)} is below {rule_is}, at most {plain(deepest)} would do"
        limits = self.limits(wanted, base_price)
        first, _ = possible_shares_pct(cell.num_orders, limits.martingale_pct[0])
        if limits.first_volume_min_pct > first * (1.0 - ROOM):
            from mlab.placing.grid import UP  # noqa: PLC0415

            least = Decimal(repr(self.budget)) * self.grid(base_price).least_share_pct / 100
            needed = plain(UP.plus(100 * least / Decimal(repr(first * (1.0 - 2.0 * ROOM)))))
            why = f"order 1 of {cell.num_orders} gets at most {first:.4g} %, and must be {plain(UP.plus(least))}"
            return f"market.budget {exact(self.budget)} is too small, {needed} would do: {why} {rules.quote}"
        reason = conflict(cell, limits)
        return f"with one tick of market.tick {plain(rules.tick)} between orders {reason}" if reason else None
