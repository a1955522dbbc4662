"""Veles: the simple mode with linear prices, and orders one by one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mlab.bots.bot import HUNDRED, Bot, BotOrder, rounded_up, typed
from mlab.bots.exits import left_out, take_profit
from mlab.core.fields import Fields

MAKER = "Veles"
ROUNDED = Decimal(1)
"""Points by which shares that were rounded may miss 100 %."""
FINER = 3
"""Decimals of shares beyond those of other percentages, so that rounding them up hardly moves the deposit."""


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
    exits, other = fields.unwrapped("profit"), left_out(fields, "stopLoss")
    if exits is not fields:
        other += left_out(exits, "trailing", "orders", "conditions")
    orders, profit = tuple(map(BotOrder, deviations, sizes)), take_profit(exits, "percent")
    return Bot(fields.text("name"), MAKER, orders, profit, shares=deposit is None, left_out=other)


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
    deposit, shares = _divided(bot, decimals + FINER)
    orders = [
        {"indent": round(order.deviation_pct, decimals), "volume": share}
        for order, share in zip(bot.orders, shares, strict=True)
    ]
    tree: dict[str, Any] = {
        "name": bot.name,
        "algorithm": "LONG",
        "deposit": {"amount": typed(deposit)},
        "settings": {"type": "CUSTOM", "includePosition": True, "orders": orders},
    }
    if bot.take_profit_pct is not None:
        tree["profit"] = {"type": "SINGLE", "currency": "QUOTE", "percent": bot.take_profit_pct, "trailing": None}
    return tree


def _divided(bot: Bot, decimals: int) -> tuple[Decimal, list[Decimal]]:
    """A deposit, and shares of it in % that add up to 100, of which none buys less than its order.

    Shares are rounded up. Where they then add up to more than 100, the deposit is above the orders by what that takes;
    what is left is the largest order's.
    """
    most = HUNDRED - len(bot.orders) * Decimal(1).scaleb(-decimals)  # of shares, before they are rounded up
    for least in (bot.budget, bot.budget * HUNDRED / most):
        deposit = rounded_up(least)
        shares = [rounded_up(order.size * HUNDRED / deposit, decimals) for order in bot.orders]
        if sum(shares) <= HUNDRED:
            break
    shares[shares.index(max(shares))] += HUNDRED - sum(shares)
    return deposit, shares
