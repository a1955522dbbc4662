"""Bots of exchanges: OKX's DCA bot, which is geometric, and Bybit's futures martingale, which counts from the average.

Both write percentages as fractions, 0.03 for 3 %.
"""

from __future__ import annotations

from typing import Any

from mlab.bots.bot import HUNDRED, Bot, Distance, typed
from mlab.bots.exits import left_out, take_profit
from mlab.bots.family import Averaged, Geometric
from mlab.core.fields import Fields

OKX, BYBIT = "OKX", "Bybit"


def is_okx(fields: Fields) -> bool:
    """Whether these are the parameters of OKX's DCA bot."""
    return "initOrdAmt" in fields.values


def read_okx(fields: Fields) -> Bot:
    """From its parameters, spot or contract."""
    fields.only("direction", "long", why="a ladder buys below its first order")
    settings = Geometric(
        base=fields.number("initOrdAmt", above="0"),
        safety=fields.number("safetyOrdAmt", above="0"),
        count=fields.whole("maxSafetyOrds", 1, 100),
        step_pct=fields.number("pxSteps", "0.001", "0.5") * HUNDRED,
        step_scale=fields.number("pxStepsMult", above="0"),
        volume_scale=fields.number("volMult", above="0"),
    )
    profit, other = take_profit(fields, "tpPct", 100), left_out(fields, "slPct")
    return Bot(fields.text("algoClOrdId"), OKX, settings.orders(), profit, left_out=other)


def write_okx(bot: Bot, decimals: int) -> dict[str, Any]:
    """Its parameters, all as text.

    Raises:
        ConfigError: the orders do not follow from such numbers.
    """
    settings = Geometric.of(bot)
    tree = {
        "direction": "long",
        "initOrdAmt": typed(settings.base),
        "safetyOrdAmt": typed(settings.safety),
        "maxSafetyOrds": str(settings.count),
        "pxSteps": typed(settings.step_pct / HUNDRED, decimals + 2),
        "pxStepsMult": typed(settings.step_scale, decimals),
        "volMult": typed(settings.volume_scale, decimals),
    }
    return tree if bot.take_profit_pct is None else tree | {"tpPct": typed(bot.take_profit_pct / HUNDRED)}


def is_bybit(fields: Fields) -> bool:
    """Whether these are the parameters of Bybit's futures martingale bot."""
    return "price_float_percent" in fields.values


def read_bybit(fields: Fields) -> Bot:
    """From its parameters; the investment is divided among all orders."""
    fields.only("martingale_mode", "1", why="a ladder buys below its first order")
    count = fields.whole("add_position_num", 1, 200)
    multiplier = fields.number("add_position_percent", above="0")
    total = sum(multiplier**k for k in range(count + 1))
    settings = Averaged(
        first=fields.number("init_margin", above="0") / total,
        count=count,
        step_pct=fields.number("price_float_percent", above="0", most="0.99") * HUNDRED,
        multiplier=multiplier,
    )
    profit, other = take_profit(fields, "round_tp_percent", 100), left_out(fields, "sl_percent")
    price = fields.maybe("entry_price")
    return Bot(fields.text("symbol"), BYBIT, settings.orders(), profit, price, Distance.AVERAGE, left_out=other)


def write_bybit(bot: Bot, decimals: int) -> dict[str, Any]:
    """Its parameters.

    Raises:
        ConfigError: the orders do not follow from such numbers.
    """
    settings = Averaged.of(bot)
    tree = {
        "martingale_mode": 1,
        "price_float_percent": typed(settings.step_pct / HUNDRED, decimals + 2),
        "add_position_percent": typed(settings.multiplier, decimals),
        "add_position_num": settings.count,
        "init_margin": typed(bot.budget),
    }
    return tree if bot.take_profit_pct is None else tree | {"round_tp_percent": typed(bot.take_profit_pct / HUNDRED)}
