"""Programs that run anywhere: Hummingbot's DCA executor and controllers, and Gainium's custom DCA orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mlab.bots.bot import HUNDRED, Bot, BotOrder, Distance, distances, ladder, rounded_up, typed
from mlab.bots.exits import left_out, take_profit
from mlab.core.fields import Fields

HUMMINGBOT, GAINIUM = "Hummingbot", "Gainium"
OTHER_EXITS = ("useSl", "useMultiSl", "trailingSl", "moveSL", "trailingTp", "useMultiTp", "closeByTimer")
"""Switches of Gainium for what else than one take-profit ends a deal."""

PRICE_DECIMALS = 18
"""Of a price: those of coins far below a cent are kept, too."""


def is_hummingbot(fields: Fields) -> bool:
    """Whether this is the config of a ``dca_executor``, or of a controller that makes such."""
    return {"prices", "amounts_quote"} <= fields.values.keys() or "dca_spreads" in fields.values


def read_hummingbot(fields: Fields) -> Bot:
    """From prices and amounts, or from the spreads and shares of a controller."""
    fields.only("side", "BUY", "1", "TradeType.BUY", why="a ladder buys below its first order")
    if "dca_spreads" in fields.values:
        return _controller(fields)
    prices, sizes = fields.numbers("prices", above="0"), fields.numbers("amounts_quote", above="0")
    if len(sizes) != len(prices):
        raise fields.refusal("amounts_quote", f"must have as many entries as prices, {len(prices)}", len(sizes))
    return _below_the_first(fields, prices, sizes, prices[0], shares=False)


def _controller(fields: Fields) -> Bot:
    fields.only("dynamic_order_spread", "false", why="else spreads are multiples of a band that moves")
    if fields.has("dca_amounts"):
        raise fields.refusal("dca_amounts", "must be dca_amounts_pct, shares of money: these are shares of coins")
    spreads = fields.numbers("dca_spreads")
    if spreads[0] >= 1:
        raise fields.refusal("dca_spreads.0", "must be below 1: it is a share of the price", spreads[0])
    shares = (
        fields.numbers("dca_amounts_pct", above="0") if fields.has("dca_amounts_pct") else [Decimal(1)] * len(spreads)
    )
    if len(shares) != len(spreads):
        raise fields.refusal(
            "dca_amounts_pct", f"must have as many entries as dca_spreads, {len(spreads)}", len(shares)
        )
    total = fields.maybe("total_amount_quote")
    sizes = [share * total / sum(shares) for share in shares] if total else shares
    return _below_the_first(fields, [1 - spread for spread in spreads], sizes, None, shares=total is None)


def _below_the_first(
    fields: Fields, prices: list[Decimal], sizes: list[Decimal], price: Decimal | None, *, shares: bool
) -> Bot:
    deviations = [Decimal(0), *((1 - one / prices[0]) * HUNDRED for one in prices[1:])]
    name = fields.text("trading_pair", fields.text("id"))
    orders, profit = tuple(map(BotOrder, deviations, sizes)), take_profit(fields, "take_profit", 100)
    other = left_out(fields, "stop_loss", "trailing_stop", "time_limit")
    return Bot(name, HUMMINGBOT, orders, profit, price, shares=shares, left_out=other)


def write_hummingbot(bot: Bot, decimals: int) -> dict[str, Any]:
    """Prices and amounts of a ``dca_executor``; for a bot without a price the spreads and shares of a controller."""
    tree: dict[str, Any]
    sizes = [rounded_up(order.size) for order in bot.orders]
    if bot.price is None:
        tree = {
            "dca_spreads": [typed(order.deviation_pct / HUNDRED, decimals + 2) for order in bot.orders],
            "dca_amounts_pct": list(map(typed, sizes)),
            "total_amount_quote": typed(sum(sizes, Decimal(0))),
            "dynamic_order_spread": False,
        }
    else:
        # Not from rounded deviations: a price beside the tick is moved a whole tick down.
        prices = [typed(bot.price * (1 - order.deviation_pct / HUNDRED), PRICE_DECIMALS) for order in bot.orders]
        amounts = list(map(typed, sizes))
        tree = {"type": "dca_executor", "side": 1, "prices": prices, "amounts_quote": amounts, "mode": "MAKER"}
    return tree if bot.take_profit_pct is None else tree | {"take_profit": typed(bot.take_profit_pct / HUNDRED)}


def is_gainium(fields: Fields) -> bool:
    """Whether these are settings of a DCA bot of Gainium."""
    return not {"dcaCustom", "dcaCondition"}.isdisjoint(fields.unwrapped("settings").values)


def read_gainium(fields: Fields) -> Bot:
    """From custom DCA orders, each a step below the price of the one before."""
    settings = fields.unwrapped("settings")
    settings.only("strategy", "LONG", why="a ladder buys below its first order")
    settings.only("dcaCondition", "custom", why="only custom orders are read")
    settings.only("orderSizeType", "quote", "usd", why="sizes must be money")
    settings.only("useDca", "true", why="without safety orders there is no ladder")
    steps, sizes = [Decimal(0)], [settings.number("baseOrderSize", above="0")]
    for order in settings.items("dcaCustom"):
        steps.append(order.number("step", above="0", most="99.99"))
        sizes.append(order.number("size", above="0"))
    orders = ladder(Distance.BEFORE, steps, sizes)
    profit = take_profit(settings, "tpPerc") if settings.text("useTp", "true").lower() == "true" else None
    by_price = settings.text("dealCloseCondition", "tp").lower() == "tp"
    other = left_out(settings, *OTHER_EXITS, *([] if by_price else ["dealCloseCondition"]))
    return Bot(settings.text("name"), GAINIUM, orders, profit, distance=Distance.BEFORE, left_out=other)


def write_gainium(bot: Bot, decimals: int) -> dict[str, Any]:
    """Custom DCA orders, all numbers as text."""
    steps = distances(Distance.BEFORE, bot.orders)[1:]
    custom = [
        {"step": typed(step, decimals), "size": typed(rounded_up(order.size)), "uuid": f"order-{number}"}
        for number, (step, order) in enumerate(zip(steps, bot.orders[1:], strict=True), start=2)
    ]
    tree: dict[str, Any] = {
        "name": bot.name,
        "strategy": "LONG",
        "orderSizeType": "quote",
        "baseOrderSize": typed(rounded_up(bot.orders[0].size)),
        "useDca": True,
        "dcaCondition": "custom",
        "dcaCustom": custom,
    }
    return tree if bot.take_profit_pct is None else tree | {"useTp": True, "tpPerc": typed(bot.take_profit_pct)}
