"""How a number is read exactly, and how it is written in full."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from numbers import Integral, Real

NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(E[-+]?\d{1,2})?\Z", re.ASCII | re.IGNORECASE)
"""A number as text; Python would read underscores, too, and the digits of every script."""

LEAST_PRICE, MOST_PRICE = Decimal("1e-12"), Decimal("1e12")
"""Bounds of the price of one coin, in quote currency."""

UNPRICED = 100.0
"""The base price where none is known: prices then read as percent of the first."""

MOST_MONEY = Decimal("1e12")
"""The largest budget, in quote currency."""

PRICE = "from 1e-12 to 1e12"
"""What a price must be, in words."""


def decimal(value: object) -> Decimal | None:
    """The number that a text or number of a file says; None where it says none, or one that no market has."""
    if isinstance(value, Integral):  # of numpy, too, whose repr is no number
        value = None if isinstance(value, bool) else Decimal(int(value))
    elif isinstance(value, Real):
        value = repr(float(value))
    text = str(value).strip() if isinstance(value, str | Decimal) else ""
    if len(text) > 100 or not NUMBER.match(text):
        return None
    number = Decimal(text)
    return None if len(number.as_tuple().digits) > 40 or abs(number.adjusted()) > 30 else number


def plain(value: Decimal, decimals: int | None = None) -> str:
    """A decimal as it is typed, rounded where asked to: without an exponent, and without zeros that say nothing.

    Example:
        >>> plain(Decimal("1E-8")), plain(Decimal("2.50")), plain(Decimal("0.126"), 2), plain(Decimal("-0.0"))
        ('0.00000001', '2.5', '0.13', '0')
    """
    text = f"{value:f}" if decimals is None else f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def counted(count: int, noun: str) -> str:
    """So many things.

    Example:
        >>> counted(1, "cell"), counted(2_000, "cell")
        ('1 cell', '2,000 cells')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def digits(value: float, count: int, *, up: bool) -> str:
    """So many digits of a number, which are never less than it, or never more.

    Example:
        >>> digits(33.66558, 4, up=True), digits(33.66558, 4, up=False), digits(0.1, 4, up=True)
        ('33.67', '33.66', '0.1')
    """
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return plain(Context(prec=count, rounding=rounding).create_decimal(repr(value)))


def exact(value: float) -> str:
    """The fewest digits that give this number, without an exponent: ``100``, ``0.00001145``."""
    return plain(Decimal(repr(value)))
