"""How a number is written in full."""

from __future__ import annotations

from decimal import Decimal


def exact(value: float) -> str:
    """The fewest digits that give this number, without an exponent: ``100``, ``0.00001145``."""
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
