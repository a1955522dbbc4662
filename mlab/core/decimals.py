"""How a number is written in full."""

from __future__ import annotations

from decimal import Decimal


def plain(value: Decimal, decimals: int | None = None) -> str:
    """A decimal as it is typed, rounded where asked to: without an exponent, and without zeros that say nothing.

    Example:
        >>> plain(Decimal("1E-8")), plain(Decimal("2.50")), plain(Decimal("0.126"), 2), plain(Decimal("-0.0"))
        ('0.00000001', '2.5', '0.13', '0')
    """
    text = f"{value:f}" if decimals is None else f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def exact(value: float) -> str:
    """The fewest digits that give this number, without an exponent: ``100``, ``0.00001145``."""
    return plain(Decimal(repr(value)))
