"""3Commas: the classic settings of its DCA bot, and its list of custom safety orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mlab.bots.bot import Bot, BotOrder, rounded_up, typed
from mlab.bots.exits import left_out, take_profit
from mlab.bots.family import Geometric
from mlab.core.fields import Fields

MAKER = "3Commas"
MOST_SAFETY_ORDERS = 200
SCALES = ("0.1", "10")
OTHER_EXITS = (
    *("stop_loss_percentage", "tsl_enabled", "trailing_enabled", "take_profit_steps", "close_strategy_list"),
    *("safety_strategy_list", "close_deals_timeout"),
)
"""Settings that end deals otherwise than a take-profit, or let other than prices place orders."""


def is_classic(fields: Fields) -> bool:
    """Whether these are settings with a step and two scales."""
    return "base_order_volume" in fields.values and not fields.has("custom_safety_steps")


def is_custom(fields: Fields) -> bool:
    """Whether these are settings with a list of safety orders, which then counts whatever stands beside it."""
    return fields.has("base_order_volume", "custom_safety_steps")


def read_classic(fields: Fields) -> Bot:
    """From step, scales and sizes."""
    settings = Geometric(
        base=fields.number("base_order_volume", above="0"),
        safety=fields.number("safety_order_volume", above="0"),
        count=fields.whole("max_safety_orders", 1, MOST_SAFETY_ORDERS),
        step_pct=fields.number("safety_order_step_percentage", above="0"),
        step_scale=fields.number("martingale_step_coefficient", *SCALES),
        volume_scale=fields.number("martingale_volume_coefficient", *SCALES),
    )
    return _bot(fields, settings.orders())


def read_custom(fields: Fields) -> Bot:
    """From the list of safety orders, whose deviations are negative below the base order."""
    orders = [BotOrder(Decimal(0), fields.number("base_order_volume", above="0"))]
    for step in fields.items("custom_safety_steps"):
        deviation = step.number("deviation", least="-100")
        if deviation >= 0:
            raise step.refusal("deviation", "must be below 0: a buy below the base order", deviation)
        orders.append(BotOrder(-deviation, step.number("size", above="0")))
    if fields.has("max_safety_orders"):
        count = str(len(orders) - 1)
        fields.number("max_safety_orders", count, count)
    return _bot(fields, tuple(orders))


def _bot(fields: Fields, orders: tuple[BotOrder, ...]) -> Bot:
    fields.only("strategy", "long", why="a ladder buys below its first order")
    kinds = {fields.text(f"{order}_order_volume_type", "quote_currency") for order in ("base", "safety")}
    if len(kinds) > 1 or "base_currency" in kinds:
        must = "must be one kind for base and safety orders, and money: quote_currency, usd or percent"
        raise fields.refusal("safety_order_volume_type", must, ", ".join(sorted(kinds)))
    # A take profit of the base order alone is no distance from the average.
    of_total = fields.text("take_profit_type", "total") == "total"
    profit = take_profit(fields, "take_profit") if of_total else None
    other = left_out(fields, *OTHER_EXITS, *([] if of_total else ["take_profit_type"]))
    return Bot(fields.text("name"), MAKER, orders, profit, shares=kinds == {"percent"}, left_out=other)


def write_classic(bot: Bot, decimals: int) -> dict[str, Any]:
    """Step, scales and sizes, all as text.

    Raises:
        ConfigError: the orders do not follow from such numbers.
    """
    settings = Geometric.of(bot)
    return _named(bot) | {
        "base_order_volume": typed(settings.base),
        "safety_order_volume": typed(settings.safety),
        "safety_order_step_percentage": typed(settings.step_pct, decimals),
        "martingale_step_coefficient": typed(settings.step_scale, decimals),
        "martingale_volume_coefficient": typed(settings.volume_scale, decimals),
    }


def write_custom(bot: Bot, decimals: int) -> dict[str, Any]:
    """A list of safety orders: deviation as text, size as a number."""
    first, *below = bot.orders
    steps = [{"deviation": f"-{typed(one.deviation_pct, decimals)}", "size": rounded_up(one.size)} for one in below]
    return _named(bot) | {"base_order_volume": typed(rounded_up(first.size)), "custom_safety_steps": steps}


def _named(bot: Bot) -> dict[str, Any]:
    count = len(bot.orders) - 1
    tree: dict[str, Any] = {
        "name": bot.name,
        "strategy": "long",
        "base_order_volume_type": "quote_currency",
        "safety_order_volume_type": "quote_currency",
        "max_safety_orders": count,
        "active_safety_orders_count": count,
    }
    if bot.take_profit_pct is not None:
        tree |= {"take_profit": typed(bot.take_profit_pct), "take_profit_type": "total"}
    return tree
