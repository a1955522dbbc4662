"""The prices of a run: what its winners are replayed on at the end, and how."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field, Tag, field_validator

from mlab.core.section import Section, rule
from mlab.model.exits import MAKER, STOP, TAKER, ExitRule, Fee, Fees, Stop, TakeProfit

if TYPE_CHECKING:
    import numpy as np

    from mlab.prices import Candles

MOST_TAKE_PROFITS = 20
MOST_HISTORIES = 10_000
DATE = "must be a date, such as 2010-01-01"
DISTINCT = "must not name the same value twice"
SIDES = "must leave at least 2 candles on each side"

TakeProfits: TypeAlias = (
    Annotated[TakeProfit, Tag("number")]
    | Annotated[tuple[TakeProfit, ...], Field(strict=False, min_length=1, max_length=MOST_TAKE_PROFITS), Tag("list")]
)


class ReplayRules(Section):
    """Prices on which the best ladders of each cell are replayed once all are found, as `mlab replay` does.

    They change no ladder and no search. The file is read when a run begins, to judge it, and at the end; a run that
    finds it gone by then completes without.
    """

    prices: str = Field(
        default="msft", max_length=1000, description="A file of candles; msft or made come with the package."
    )
    top: int = Field(default=1, ge=1, le=100, description="Best ladders of each cell.")
    take_profit_pct: TakeProfits | None = Field(
        default=None, description="Profit that ends a deal, in % of it: one or several; null = that of score."
    )
    stop_pct: Stop | None = Field(default=None, description=STOP)
    fee_maker_pct: Fee = Field(default=0.1, description=MAKER)
    fee_taker_pct: Fee = Field(default=0.1, description=TAKER)
    split: str | None = Field(
        default=None,
        max_length=64,
        description="Date before which, and from which on, prices are replayed each by themselves, as 2010-01-01.",
    )
    bootstrap: int = Field(
        default=100, ge=0, le=MOST_HISTORIES, description="Other histories, of weeks drawn anew; 0 = no intervals."
    )

    @field_validator("take_profit_pct")
    @classmethod
    def _distinct(cls, value: TakeProfits | None) -> TakeProfits | None:
        if isinstance(value, tuple) and len(set(value)) < len(value):
            raise rule(DISTINCT)
        return value

    @field_validator("split")
    @classmethod
    def _a_date(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                moment(value)
            except ValueError:
                raise rule(DATE) from None
        return value

    def exits(self, own_pct: float) -> tuple[ExitRule, ...]:
        """When deals end, rule by rule; ``own_pct`` is the take-profit where none is named."""
        named = own_pct if self.take_profit_pct is None else self.take_profit_pct
        profits = named if isinstance(named, tuple) else (named,)
        return tuple(ExitRule(take_profit_pct=profit, stop_pct=self.stop_pct) for profit in profits)

    @property
    def fees(self) -> Fees:
        """What the exchange takes."""
        return Fees(maker_pct=self.fee_maker_pct, taker_pct=self.fee_taker_pct)

    def stretches(self) -> list[tuple[str, Candles]]:
        """The prices, read now, as :func:`parted`.

        Raises:
            PricesError: they cannot be used.
        """
        from mlab import prices  # noqa: PLC0415 - late, for most runs have none

        return parted(prices.chosen(self.prices), self.split)

    def fault(self) -> tuple[str, str] | None:
        """The field that cannot be used with these prices, and what it must be; None where all can."""
        from mlab.prices import PricesError, chosen  # noqa: PLC0415 - as above

        try:
            candles = chosen(self.prices)
        except PricesError as error:
            return "replay.prices", f"must be candles that can be read, a file, msft or made: {error}"
        try:
            parted(candles, self.split)
        except PricesError as error:
            return "replay.split", f"{SIDES}: {error}"
        return None


def moment(date: str) -> np.datetime64:
    """A date, or a time, which is in UTC where it names no zone.

    Raises:
        ValueError: it is none.
    """
    import numpy as np  # noqa: PLC0415 - as above

    read = datetime.fromisoformat(date)
    return np.datetime64(read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read, "ms")


def parted(candles: Candles, date: str | None) -> list[tuple[str, Candles]]:
    """The stretches to be replayed, by name: all, or what is before a date and what is from it on.

    Raises:
        PricesError: there are fewer than 2 candles on one side of it.
    """
    if date is None:
        return [("", candles)]
    from mlab.replay import split  # noqa: PLC0415 - as above

    before, after = split(candles, moment(date))
    return [(f"before {date}", before), (f"from {date}", after)]
