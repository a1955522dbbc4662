"""When a deal ends, and what the exchange takes: rules of a replay, for commands, Python and the config."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from mlab.core.section import Section

LEAST_PROFIT_PCT, MOST_PROFIT_PCT = 0.01, 1000.0

TakeProfit: TypeAlias = Annotated[float, Field(ge=LEAST_PROFIT_PCT, le=MOST_PROFIT_PCT)]
Stop: TypeAlias = Annotated[float, Field(ge=0.01, lt=100)]
Fee: TypeAlias = Annotated[float, Field(ge=0, lt=10)]

STOP = "Fall below the last order that ends a deal, in %; null = none."
MAKER = "Fee of an order that rests, in % of its money."
TAKER = "Fee of an order at market, in % of its money."


class ExitRule(Section):
    """When a deal ends.

    Example:
        >>> ExitRule(take_profit_pct=2).stop_pct is None
        True
    """

    take_profit_pct: TakeProfit = Field(default=1.0, description="Profit that ends a deal, in % of it.")
    stop_pct: Stop | None = Field(default=None, description=STOP)


class Fees(Section):
    """What the exchange takes of every order."""

    maker_pct: Fee = Field(default=0.1, description=MAKER)
    taker_pct: Fee = Field(default=0.1, description=TAKER)
