"""Placed orders as people read them: the table that every calculator of bots shows, and what rounding has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from functools import partial

from mlab import placing
from mlab.bots import Bot, BotOrder
from mlab.config import Config, config_of
from mlab.core.decimals import counted, exact, plain
from mlab.core.records import Candidate, Experiment, Json, Sizing
from mlab.market import Market
from mlab.model.limits import Limits
from mlab.placing import Order, Orders, Placement, PlacementError, Searched, refusal
from mlab.placing.grid import EXACT
from mlab.report.columns import PERCENT, by_key

NINE = Context(prec=9)
"""Digits of what follows from the orders, such as their average."""


COLUMNS = (
    by_key("order", "order"),
    by_key("deviation_from_first_pct", "deviation", "%", PERCENT),
    by_key("price", "price", write=plain),
    by_key("quantity", "quantity", write=plain),
    by_key("money", "size", write=plain),
    by_key("spent", "spent", write=plain, below="money"),
    by_key("average", "average", write=plain, below="price"),
    by_key("break_even_pct", "to break even", "%", PERCENT),
    by_key("take_profit_pct", "to take profit", "%", PERCENT),
)
"""The orders of a placement; a row is one of :func:`rows`."""


def rows(placement: Placement, take_profit_pct: Decimal = Decimal(1), fee_pct: Decimal = Decimal(0)) -> list[Json]:
    """One flat row an order: numbers that are placed are exact, percentages are floats.

    ``break_even_pct`` is the rebound after which a sale gives back what was paid, with a fee in % on both sides;
    ``take_profit_pct`` that to a sale above the average by as many percent as are given.
    """
    with localcontext(EXACT):
        return list(_rows(list(placement.orders), take_profit_pct, fee_pct / 100))


def _rows(orders: Sequence[Order], take_profit_pct: Decimal, fee: Decimal) -> Iterator[Json]:
    spent = coins = Decimal(0)
    for number, order in enumerate(orders, start=1):
        spent, coins = spent + order.money, coins + order.coins
        average = spent / coins
        yield {
            "order": number,
            "deviation_from_first_pct": _percent(1 - order.price / orders[0].price),
            "price": order.price,
            "quantity": order.quantity,
            "money": NINE.plus(order.money),
            "spent": NINE.plus(spent),
            "average": NINE.plus(average),
            "break_even_pct": _percent(average * (1 + fee) / (1 - fee) / order.price - 1),
            "take_profit_pct": _percent(average * (1 + take_profit_pct / 100) / order.price - 1),
        }


def _percent(share: Decimal) -> float:
    return float(round(100 * share, 6)) + 0.0  # no minus before a zero


def bot(placement: Placement, name: str, take_profit_pct: Decimal) -> Bot:
    """The orders as a bot's."""
    orders = list(placement.orders)
    entry = orders[0].price
    with localcontext(EXACT):
        buys = tuple(BotOrder(100 * (1 - order.price / entry), order.money) for order in orders)
    return Bot(name.strip(), "Martingale Lab", buys, take_profit_pct, entry)


def place(ladder: Candidate, sizing: Sizing, market: Market, budget: Decimal, price: Decimal) -> Placement:
    """Place a found ladder; arguments and errors of :func:`mlab.placing.place`."""
    schedule = ladder.contract["schedule"]
    return placing.place(schedule["indent_pct"], schedule["volume_pct"], sizing, market, budget, price)


def by_config(config: Config) -> Callable[[Candidate], Placement] | None:
    """What places the ladders of a run that was told of its market; None where it was not."""
    if config.market is None:
        return None
    budget, price = (Decimal(repr(value)) for value in (config.market.budget, config.base_price))
    return partial(place, sizing=config.ladder.sizing, market=config.market.market(), budget=budget, price=price)


def told(run: Experiment) -> str:
    """What a run was told of its market, and what that has done to its limits; empty where it was not."""
    config = config_of(run)
    return f"Market: {origin(config.market.market())}; {terms(config)}." if config.market else ""


def terms(config: Config) -> str:
    """The money of a run that was told of its market, and the limits that this has moved."""
    assert config.market is not None  # noqa: S101 - there are none without
    wanted, kept = config.ladder.limits, config.limits
    moved = [
        f"{name} {exact(getattr(wanted, name))} -> {exact(getattr(kept, name))}"
        for name in ("first_volume_min_pct", "tail_cap_pct", "min_indent_step_pct")
        if getattr(kept, name) != getattr(wanted, name)
    ]
    limits = f"; limits moved for it: {', '.join(moved)}" if moved else ""
    return f"{exact(config.market.budget)} {config.market.market().quote} from {exact(config.base_price)} down{limits}"


def orders_in_words(run: Experiment, ladder: Candidate) -> str:
    """The orders of a ladder in money and coins; empty where the run was not told of its market."""
    place_it = by_config(config_of(run))
    if place_it is None:
        return ""
    try:
        placement = place_it(ladder)
    except PlacementError as error:
        return f"Cannot be placed: {error}."
    market = placement.market
    texts = (f"{plain(NINE.plus(it.money))} = {plain(it.quantity)} at {plain(it.price)}" for it in placement.orders)
    unit = "contracts" if market.contract_size != 1 or market.inverse else market.base
    together = f"Together {plain(placement.spent)} {market.quote}; .venv/bin/mlab place has them as a table."
    return f"Orders, in {market.quote} = {unit} at a price: {'; '.join(texts)}. {together}"


def whose(market: Market) -> str:
    """Whose rules they are, and of when: ``BTCUSDT, Binance spot, as of 2026-01-31 23:59 UTC``."""
    text = ", ".join(filter(None, (market.symbol, market.origin)))
    return f"{text}, as of {market.as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if market.as_of else text


def origin(market: Market) -> str:
    """Whose rules they are, and how old where that is known: as :func:`whose`, ``, 3 days ago``."""
    if market.as_of is None:
        return whose(market)
    days = (datetime.now(UTC) - market.as_of).days
    return f"{whose(market)}, {counted(days, 'day')} ago"


def sentences(
    placement: Placement, take_profit_pct: Decimal, fee_pct: Decimal, limits: Limits | None = None
) -> list[str]:
    """What the orders come to, what rounding has changed, and the rules.

    Arguments are as of :func:`rows`; ``limits`` are those of another search, where they are not the usual.
    """
    market, changed, money = placement.market, placement.changed, placement.market.quote
    depth, loss = (changed[name]["placed"] for name in ("depth_pct", "loss_at_last_order_pct"))
    lines = [
        f"Spends {plain(placement.spent)} of {plain(placement.budget)} {money}; covers {_short(depth)} %, "
        f"where the position is down {_short(loss)} %.",
        f"Need at fills {_pair(changed['max_need'])}, on the path {_pair(changed['max_need_path'])}, "
        f"depth {_pair(changed['depth_pct'])}.",
    ]
    if lifted := changed["lifted"]:
        paid = f"Lifted to the least order of the exchange: {', '.join(lifted)}; the others pay for it."
        lines.append(f"{paid} {_without_lifting(placement, limits or Limits())}")
    kept = ", ".join(f"{rule['rule']} {rule['limit']}".strip().replace("_", " ") for rule in placement.rules)
    lines.append(f"Every order keeps: {kept}. Deviations count from the first order.")
    fees = f"with {plain(fee_pct)} % of fees on each side" if fee_pct else "without fees"
    lines.append(f"To break even is told {fees}; take profit is {plain(take_profit_pct)} % above the average.")
    if market.contract_size != 1 or market.inverse:
        lines.append("Liquidation is not judged: it depends on leverage and on the exchange's margins.")
    return lines


def told_of_bot(wanted: Placement, bought: Orders, maker: str) -> str:
    """What the orders of a bot that holds ladders of a few numbers only cost beside those that stand for any ladder."""
    before, after = wanted.placed, placing.figures_of([bought])
    needs = [
        f"{getattr(after, name).item():.2f} % {where} rather than {getattr(before, name).item():.2f}"
        for name, where in (("max_need", "at fills"), ("max_need_path", "on the path"))
    ]
    with localcontext(EXACT):
        spent = plain(NINE.plus(sum((order.money for order in bought), Decimal(0))))
    return (
        f"{maker} holds ladders of a few numbers only, and rounds quantities down: "
        f"spends {spent} of {plain(wanted.budget)} {wanted.market.quote}, need {', '.join(needs)}"
    )


def _without_lifting(placement: Placement, limits: Limits) -> str:
    """How a search finds a ladder of as many orders to the same depth that needs no lifting."""
    orders, growth_pct = placement.orders, limits.martingale_pct[0]
    searched = Searched(orders.ticks[-1], (len(orders.ticks),) * 2, growth_pct, placement.sizing)
    if reason := refusal(placement.market, placement.budget, placement.entry, searched):
        return f"No search finds one that needs none: {reason}."
    share = orders.grid.limits(limits, searched.lowest, searched.sizing).first_volume_min_pct
    return (
        f"A search with ladder.limits.first_volume_min_pct={exact(share)}, or with the market in its config, "
        "needs no lifting."
    )


def _short(text: str) -> str:
    return f"{float(text):z.2f}"


def _pair(pair: dict[str, str]) -> str:
    """A figure of the orders, and that of the ladder."""
    return f"{_short(pair['placed'])} % (ladder {_short(pair['ladder'])})"
