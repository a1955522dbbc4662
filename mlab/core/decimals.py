"""How a number is written in full."""

from __future__ import annotations

from decimal import Decimal


def plain(value: Decimal) -> str:
    """A decimal as it is typed: without an exponent, and without zeros that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact(value: float) -> str:
    """The fewest digits that give this number, without an exponent: ``100``, ``0.00001145``."""
    return plain(Decimal(repr(value)))
