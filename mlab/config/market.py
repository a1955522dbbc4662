"""The market of a run: whose rules its ladders keep, and the money and price for which they are searched."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field, model_validator

from mlab.core.decimals import MOST_MONEY, MOST_PRICE, UNPRICED, exact, plain
from mlab.core.errors import ConfigError
from mlab.core.section import Section, rule
from mlab.model.limits import Limits, conflict

if TYPE_CHECKING:
    from mlab.config.models import Ladder
    from mlab.market import Market

Rule: TypeAlias = Annotated[float, Field(ge=0, le=1e18)]

NUMBERS = ("tick", "step", "least_quantity", "least_money", "most_quantity", "lowest_share", "contract_size")
NAMES = ("symbol", "base", "quote", "most_orders", "inverse")

SHALLOWEST_PCT = Decimal("0.01")
"""The smallest overlap that may be searched."""


class MarketRules(Section):
    """The rules of the symbol that is traded, from a file or as numbers, and the money for it.

    They move `ladder.limits` as far as it takes for every ladder to be placed: `first_volume_min_pct` to the least
    order of the exchange, `tail_cap_pct` to the largest, `min_indent_step_pct` to one tick. A number of 0 means that
    there is no such rule. What is not given is read from `file` when a run begins, and stored with it.
    """

    budget: float = Field(gt=0, le=float(MOST_MONEY), description="The most that all orders cost, in quote currency.")
    price: Annotated[float, Field(gt=0, le=float(MOST_PRICE))] | None = Field(
        default=None,
        description="Entry price, in the place of ladder.base_price; null = that one, unless it is 100.",
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

    def limits(self, ladder: Ladder) -> Limits:
        """Limits moved as far as the rules ask, so that every ladder can be placed."""
        from mlab.placing import Grid  # noqa: PLC0415

        grid = Grid.of(*self._terms(ladder))
        return grid.limits(ladder.limits, grid.ticks_at(_depth_pct(ladder)), ladder.sizing)

    def conflict(self, ladder: Ladder) -> str | None:
        """Why no ladder of some cell can be placed, and what would do for all cells; None where some can of each."""
        from mlab.placing import Grid, Searched, refusal  # noqa: PLC0415

        if self.price is None and ladder.base_price == UNPRICED:
            return f"market.price must be given: a ladder.base_price of {exact(UNPRICED)} stands for none"
        rules, grid, depth_pct = self.market(), Grid.of(*self._terms(ladder)), _depth_pct(ladder)
        counts, lowest = [cell.num_orders for cell in ladder.cells()], grid.ticks_at(depth_pct)
        if 0 < rules.most_orders < max(counts):
            return f"num_orders {max(counts)} is more than market.most_orders {rules.most_orders}"
        if lowest < grid.lowest:
            least = f"market.lowest_share {plain(rules.lowest_share)}" if rules.lowest_share else "one tick"
            most = f"at most {plain(grid.deepest_pct)}" if grid.deepest_pct >= SHALLOWEST_PCT else "no other"
            return f"overlap_pct {exact(depth_pct)} is below {least}, {most} would do"
        apart = grid.apart(ladder.limits)
        if reason := next(filter(None, (conflict(cell, apart) for cell in ladder.cells())), None):
            return f"with one tick of market.tick {plain(rules.tick)} between orders {reason}"
        searched = Searched(lowest, (min(counts), max(counts)), ladder.limits.martingale_pct[0], ladder.sizing)
        reason = refusal(*self._terms(ladder), searched)
        return f"market.{reason}" if reason else None

    def _terms(self, ladder: Ladder) -> tuple[Market, Decimal, Decimal]:
        """The rules, the budget, and the entry price."""
        return self.market(), Decimal(repr(self.budget)), Decimal(repr(self.price or ladder.base_price))


def _depth_pct(ladder: Ladder) -> float:
    """Of the deepest cell."""
    return max(cell.overlap_pct for cell in ladder.cells())
