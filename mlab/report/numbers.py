"""The one way in which numbers are written that a person reads or copies: written out, without exponents.

Results are exact only to the guards that keep a ladder off its limits, a share of 1e-10: nine digits of a price and
six decimals of a percentage hide those, and are finer than any exchange.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from mlab.core.decimals import exact

PRICE_DIGITS = 9
"""Significant digits of a price that follows from a search; one that was typed has those it was typed with."""

PERCENT_DECIMALS = 6
"""Decimals of a percentage in tables for other programs; people are shown fewer."""


def significant(value: float, digits: int) -> str:
    """So many digits, less zeros at the end: ``0.0000012`` for 1.234e-6 and two digits."""
    return exact(float(f"{value:.{digits}g}") + 0.0)  # no minus before a zero


def prices(order_prices: Sequence[float], indent_pct: Sequence[float]) -> list[float]:
    """The prices of a ladder as they are placed; that of an order at the market is the base price as it was typed."""
    return [
        price if indent == 0.0 else float(f"{price:.{PRICE_DIGITS}g}")
        for price, indent in zip(order_prices, indent_pct, strict=True)
    ]


def percent(value: float) -> float:
    """A percentage for other programs."""
    return round(value, PERCENT_DECIMALS) + 0.0


def shares(values: Sequence[float], decimals: int = 2) -> list[float]:
    """Percentages, none negative, rounded so that those of a whole add up to exactly 100.

    Those nearest to the next unit of the last decimal get it; each stays less than one such unit from its value.
    """
    unit = 10**decimals
    scaled = [value * unit for value in values]
    whole = [int(value) for value in scaled]
    by_remainder = sorted(range(len(values)), key=lambda k: whole[k] - scaled[k])
    for k in by_remainder[: round(sum(scaled)) - sum(whole)]:
        whole[k] += 1
    return [value / unit for value in whole]


def duration(seconds: float) -> str:
    """``41.4 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    if round(seconds, 1) < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def clock(seconds: float) -> str:
    """Minutes and seconds, as of a clock that runs: ``1:24``."""
    return "{}:{:02d}".format(*divmod(round(seconds), 60))


def moment(timestamp: str) -> str:
    """``2026-01-31 23:59:59`` of a stored time, which is in UTC."""
    return timestamp[:19].replace("T", " ")


def upwards(value: float, decimals: int) -> str:
    """With so many decimals, never less than it is: what is said to be within 0.10 is."""
    return _rounded(value, decimals, ROUND_CEILING)


def downwards(value: float, decimals: int) -> str:
    """With so many decimals, never more than it is."""
    return _rounded(value, decimals, ROUND_FLOOR)


def _rounded(value: float, decimals: int, rounding: str) -> str:
    return f"{Decimal(exact(value)).quantize(Decimal(1).scaleb(-decimals), rounding):f}"
