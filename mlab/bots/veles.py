"""Veles: the simple mode with linear prices, and orders one by one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mlab.bots.bot import HUNDRED, Bot, BotOrder, typed
from mlab.core.fields import Fields

MAKER = "Veles"
ROUNDED = Decimal(1)
"""Points by which shares that were rounded may miss 100 %."""


def is_veles(fields: Fields) -> bool:
    """Whether these are settings of a grid of orders."""
    settings = fields.unwrapped("settings").values
    return "orders" in settings and (settings.get("type") in ("SIMPLE", "CUSTOM", "SIGNAL") or "overlap" in settings)


def read(fields: Fields) -> Bot:
    """From SIMPLE or CUSTOM; the logarithmic factor is refused, for its formula is not public."""
    fields.only("algorithm", "LONG", why="a ladder buys below its first order")
    settings = fields.unwrapped("settings")
    settings.only("type", "SIMPLE", "CUSTOM", why="in the mode SIGNAL prices depend on indicators")
    simple = settings.text("type", "SIMPLE").upper() == "SIMPLE"
    deviations, weights = _simple(settings) if simple else _custom(settings)
    deposit, total = fields.unwrapped("deposit").maybe("amount"), sum(weights)
    sizes = [weight * deposit / total for weight in weights] if deposit else weights
    take_profit = fields.unwrapped("profit").maybe("percent")
    return Bot(fields.text("name"), MAKER, tuple(map(BotOrder, deviations, sizes)), take_profit)


def _simple(settings: Fields) -> tuple[list[Decimal], list[Decimal]]:
    why = "the formula of the logarithmic factor is not public, so list the orders as type CUSTOM"
    settings.only("priceStrategy", "LINEAR", why=why)
    if settings.has("logarithmicFactor") and not settings.has("priceStrategy"):
        settings.only("logarithmicFactor", "1", why=why)
    orders = settings.whole("orders", 2, 200)
    overlap = settings.number("overlap", above="0", most="99.99")
    growth = 1 + settings.number("martingale", "0", "1000") / HUNDRED
    if settings.has("indent") and (indent := settings.number("indent")) != 0:
        must = "must be 0: what overlap counts from beside an indent is not public, so list the orders as type CUSTOM"
        raise settings.refusal("indent", must, indent)
    return [overlap * k / (orders - 1) for k in range(orders)], [growth**k for k in range(orders)]


def _custom(settings: Fields) -> tuple[list[Decimal], list[Decimal]]:
    """Indents count from the price at the signal, at which order 1 need not stand."""
    orders = settings.items("orders")
    first = 1 - orders[0].number("indent", "0", "99.99") / HUNDRED
    indents = [order.number("indent", "0", "99.99") for order in orders]
    volumes = [order.number("volume", above="0") for order in orders]
    if abs(sum(volumes) - HUNDRED) > ROUNDED:
        raise settings.refusal("orders", "must have volumes that add up to 100 %", sum(volumes))
    if first == 1:
        return indents, volumes
    return [Decimal(0), *((1 - (1 - indent / HUNDRED) / first) * HUNDRED for indent in indents[1:])], volumes


def write(bot: Bot, decimals: int) -> dict[str, Any]:
    """Orders one by one: depth below the price at the start, and shares of the deposit that add up to 100 %."""
    shares = _shares(bot.orders, decimals)
    orders = [
        {"indent": round(order.deviation_pct, decimals), "volume": share}
        for order, share in zip(bot.orders, shares, strict=True)
    ]
    tree: dict[str, Any] = {
        "name": bot.name,
        "algorithm": "LONG",
        "deposit": {"amount": typed(bot.budget)},
        "settings": {"type": "CUSTOM", "includePosition": True, "orders": orders},
    }
    if bot.take_profit_pct is not None:
        tree["profit"] = {"type": "SINGLE", "currency": "QUOTE", "percent": bot.take_profit_pct, "trailing": None}
    return tree


def _shares(orders: Sequence[BotOrder], decimals: int) -> list[Decimal]:
    """Shares in %, rounded; what is then left or too much is the largest order's."""
    total = sum((order.size for order in orders), Decimal(0))
    shares = [round(order.size * HUNDRED / total, decimals) for order in orders]
    shares[shares.index(max(shares))] += HUNDRED - sum(shares)
    return shares
