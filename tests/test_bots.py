"""Settings of bots as ladders: formats, distances, families, and the best member of a family."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlab import bots
from mlab.bots import FORMATS, Bot, BotOrder, Distance, geometric, room
from mlab.bots.bot import distances, ladder
from mlab.bots.family import Averaged, Geometric
from mlab.core.decimals import plain
from mlab.core.errors import ConfigError, EvaluationError
from mlab.market import Market
from mlab.model.limits import Limits, broken_limits
from mlab.model.objective import Objective, Score
from mlab.placing import Grid, PlacementError, of_bot, place
from mlab.report.placed import bot as placed_bot
from tests import bot_settings as shown
from tests import test_placing as placing
from tests.bot_settings import EXAMPLES, rounded
from tests.scalar import need_at_fill

D = Decimal
BEST_KNOWN = json.loads((Path(__file__).parent / "data" / "best_known.json").read_text())
GEOMETRIC = ("3commas-classic", "okx")
FREE = tuple(name for name in FORMATS if name not in geometric.FAMILIES)


def parsed(tree: Any, **asked: Any) -> Bot:
    return bots.parse(json.dumps(tree), "bot.json", **asked)


def pairs(bot: Bot) -> list[tuple[float, float]]:
    """Deviation and share of each order."""
    return [(float(one.deviation_pct), float(one.size / bot.budget)) for one in bot.orders]


def same(bot: Bot, other: Bot, share: float = 1e-9) -> None:
    """Whether two bots are one ladder."""
    own, others = np.array(pairs(bot)), np.array(pairs(other))
    assert own.shape == others.shape
    assert np.abs(own[:, 0] - others[:, 0]).max() < 1e-7
    assert np.abs(own[:, 1] - others[:, 1]).max() < share


# public examples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_public_examples_need_what_calculators_say(name: str) -> None:
    tree, (at_fills, on_path), _ = EXAMPLES[name]
    judged = parsed(tree).judged(Objective())
    assert rounded(judged.contract["max_need"], at_fills) == at_fills
    assert rounded(judged.risk["max_need_path"], on_path) == on_path


def test_the_depth_of_the_examples() -> None:
    depths = [plain(parsed(tree).depth_pct, 2) for tree, _, _ in EXAMPLES.values()]
    assert depths == ["49.26", "29.38", "30", "40", "16", "10.92"]
    assert plain(D(room.first_pct(parsed(shown.OKX))), 1) == "29.6"


def test_a_scale_of_1_adds_up_equal_steps() -> None:
    bot = parsed(shown.three_commas(20, 40, 15, 2, 1, 1))
    assert [one.deviation_pct for one in bot.orders] == [D(2 * k) for k in range(16)]
    assert {one.size for one in bot.orders[1:]} == {D(40)}


def test_the_average_is_money_over_coins() -> None:
    """The mean of prices weighted by money, which some tools show, would say 20.9."""
    bot = parsed(shown.VELES_SIMPLE)
    judged = bot.judged(Objective())
    prices = [1.0 - float(one.deviation_pct) / 100.0 for one in bot.orders]
    sizes = [float(one.size) for one in bot.orders]
    average = sum(sizes[:-1]) / sum(size / price for size, price in zip(sizes[:-1], prices[:-1], strict=True))
    assert judged.risk["need_before_fill"][-1] == pytest.approx((average / prices[-1] - 1.0) * 100.0)
    assert judged.contract["schedule"]["needpct"] == pytest.approx(need_at_fill(prices, sizes, "quote"))


def test_chances_are_those_of_the_bots_own_take_profit() -> None:
    """And of that of the config where the bot has none."""
    orders = table("FIRST").orders
    own, none = Bot("", "any", orders, D("2.5")), Bot("", "any", orders)
    told = Objective(Score(take_profit_pct=4.0))
    assert own.judged(told).risk["take_profit_pct"] == 2.5
    assert none.judged(told).risk["take_profit_pct"] == 4.0
    assert own.judged(told).risk == own.judged(Objective()).risk


def test_what_falls_is_read_as_it_is() -> None:
    """A base order above the first safety order, and sizes that fall, break limits of the config and no rule here."""
    bot = parsed(shown.three_commas(300, 50, 4, 1, 0.5, 1))
    growth = bot.judged(Objective()).contract["schedule"]["martingale_pct"]
    assert growth == pytest.approx([0.0, -83.333333, -50.0, -50.0, -50.0])


# distances -----------------------------------------------------------------------------------------------


def table(distance: str, head: str = "deviation %") -> Bot:
    text = f"order,{head},size\n1,0,10\n2,10,10\n3,20,20\n"
    return bots.parse(text, "t.csv", distance=Distance[distance])


def test_the_same_numbers_are_three_ladders() -> None:
    depths = {one.name: table(one.name).depth_pct for one in Distance}
    assert depths["FIRST"] == 20
    assert depths["BEFORE"] == 28
    average = D(20) / (10 + 10 / D("0.9"))  # money over coins at 1 and at 0.9
    assert float(depths["AVERAGE"]) == pytest.approx(100.0 * (1.0 - float(average) * 0.8))
    assert [str(table(one.name).distance) for one in Distance] == [
        "from the first order", "from the order before", "from the average",
    ]  # fmt: skip


def test_distances_are_named_and_never_guessed() -> None:
    with pytest.raises(ConfigError, match=r"^t\.csv: deviation_pct: must say what .* or else distances must be first"):
        bots.parse("deviation %,size\n0,1\n1,1\n", "t.csv")
    with pytest.raises(ConfigError, match="counts from the order before, but distances says from the average"):
        table("AVERAGE", "deviation_from_before_pct")
    with pytest.raises(ConfigError, match=": distances says from the average, but OKX counts from the first order"):
        parsed(shown.OKX, distance=Distance.AVERAGE)
    assert bots.parse("deviation_from_before_pct,size\n0,1\n10,1\n10,1\n", "t.csv").depth_pct == 19


def test_a_format_that_is_named_says_what_its_distances_count_from() -> None:
    text = "deviation_pct,volume_pct\n0,10\n5,90\n"
    bot = bots.parse(text, "t.csv", "pionex")
    assert (bot.maker, bot.distance, bot.depth_pct) == ("Pionex", Distance.FIRST, 5)
    with pytest.raises(ConfigError, match="distances says from the order before, but Pionex counts from the first"):
        bots.parse(text, "t.csv", "pionex", Distance.BEFORE)
    with pytest.raises(ConfigError, match="the head counts from the order before, but Pionex counts from the first"):
        bots.parse(text.replace("deviation", "deviation_from_before"), "t.csv", "pionex")
    with pytest.raises(ConfigError, match="must say what its distances count from"):
        bots.parse(text, "t.csv", "csv")


@pytest.mark.parametrize("form", FORMATS)
def test_every_export_names_its_distances(form: str) -> None:
    bot = Bot("b", "x", Averaged(D(10), 4, D(2), D("1.5")).orders()) if form == "bybit" else parsed(shown.OKX)
    text, said = bots.write(bot, form), str(FORMATS[form].distance)
    if form in ("csv", "pionex"):
        assert text.splitlines()[0] == f"order,deviation_from_first_pct,{'size' if form == 'csv' else 'shares'}"
    else:
        assert json.loads(text)["distances"] == said
        with pytest.raises(ConfigError, match=f"^f: distances: must be {said}, as "):
            bots.parse(text.replace(said, "from the moon"), "f")


@given(
    st.lists(
        st.tuples(st.decimals("0.01", "15", places=2), st.decimals("0.01", "900", places=2)), min_size=1, max_size=9
    ),
    st.sampled_from(Distance),
)
def test_distances_lead_to_orders_and_back(steps: list[tuple[D, D]], distance: Distance) -> None:
    counted = [D(0), *(step for step, _ in steps)]
    if distance is Distance.FIRST:
        counted = [sum(counted[: k + 1], D(0)) / 2 for k in range(len(counted))]
    orders = ladder(distance, counted, [D(7), *(size for _, size in steps)])
    assert [float(one) for one in distances(distance, orders)] == pytest.approx([float(one) for one in counted])


# every format, read and written --------------------------------------------------------------------------


def test_makers_are_recognised_by_their_shape() -> None:
    trees = [shown.three_commas(1, 1, 2, 1, 1, 1), shown.OKX, shown.BYBIT, shown.VELES_SIMPLE, shown.VELES_CUSTOM]
    trees += [shown.HUMMINGBOT, shown.GAINIUM, {"code": "0", "data": [shown.OKX]}, [shown.BYBIT]]
    makers = [parsed(tree).maker for tree in trees]
    assert makers == ["3Commas", "OKX", "Bybit", "Veles", "Veles", "Hummingbot", "Gainium", "OKX", "Bybit"]
    assert bots.parse("deviation_from_first_pct,shares\n0,1\n1,2\n", "f").maker == "Pionex"


def test_custom_steps_of_3commas_count_before_its_four_numbers() -> None:
    tree = shown.three_commas(20, 40, 2, 2, 1, 1)
    tree["custom_safety_steps"] = [{"deviation": "-1.1", "size": 10}, {"deviation": "-3.5", "size": 30}]
    bot = parsed(tree)
    assert [(str(one.deviation_pct), str(one.size)) for one in bot.orders] == [
        ("0", "20"),
        ("1.1", "10"),
        ("3.5", "30"),
    ]
    assert bot.take_profit_pct == D("1.5")


def test_bybit_counts_from_the_average_and_divides_the_investment() -> None:
    bot = parsed(shown.BYBIT)
    assert float(bot.budget) == pytest.approx(1000.0)
    assert (bot.distance, bot.take_profit_pct, len(bot.orders)) == (Distance.AVERAGE, 3, 6)
    prices = [1.0 - float(one.deviation_pct) / 100.0 for one in bot.orders]
    sizes = [float(one.size) for one in bot.orders]
    for k in range(1, 6):
        coins = sum(size / price for size, price in zip(sizes[:k], prices[:k], strict=True))
        assert prices[k] == pytest.approx(sum(sizes[:k]) / coins * 0.985)
        assert sizes[k] == pytest.approx(1.1 * sizes[k - 1])


def test_gainium_counts_from_the_order_before() -> None:
    assert parsed(shown.GAINIUM).depth_pct == D("2.98")
    assert parsed(shown.GAINIUM).distance is Distance.BEFORE


def test_hummingbot_counts_from_its_first_price_and_its_first_spread() -> None:
    assert [one.deviation_pct for one in parsed(shown.HUMMINGBOT).orders] == [0, 2, 10]
    assert (parsed(shown.HUMMINGBOT).price, parsed(shown.HUMMINGBOT).take_profit_pct) == (50000, 2)
    controller = "controller_name: dman_v3\ndca_spreads: 0.5,0.55,0.75\ndca_amounts_pct:\n- 1\n- 1\n- 2\n"
    bot = bots.parse(f"{controller}total_amount_quote: 400\ndynamic_order_spread: false\ntake_profit: null\n", "c.yml")
    assert [(one.deviation_pct, one.size) for one in bot.orders] == [(0, 100), (10, 100), (50, 200)]


def test_a_first_order_of_veles_below_the_signal_is_where_its_ladder_begins() -> None:
    tree = {"settings": {"type": "CUSTOM", "orders": [{"indent": 50, "volume": 40}, {"indent": 75, "volume": 60}]}}
    assert [one.deviation_pct for one in parsed(tree).orders] == [0, 50]


def test_tables_of_spreadsheets_and_of_this_program_are_read() -> None:
    text = "Order;Price Deviation %;Volume %\n1;0;25\n2;1.5;75\n"
    assert pairs(bots.parse(text, "t", distance=Distance.FIRST)) == [(0.0, 0.25), (1.5, 0.75)]
    comma = "deviation_from_first_pct;size\n0;10,5\n1,5;31,5\n"
    assert pairs(bots.parse(comma, "t")) == [(0.0, 0.25), (1.5, 0.75)], "decimals of a country that writes a comma"
    own = "order,price,indent_pct,price_step_pct,volume_pct,martingale_pct\n1,100,0.0,0.0,40,0\n2,95,5,5,60,50\n"
    assert pairs(bots.parse(own, "orders.csv")) == [(0.0, 0.4), (5.0, 0.6)]
    coins = "order,indent_pct,volume_pct,money_pct\n1,0,40,50\n2,50,60,50\n"
    assert pairs(bots.parse(coins, "orders.csv")) == [(0.0, 0.5), (50.0, 0.5)], "volumes may be coins"


orders = st.lists(
    st.tuples(st.decimals("0.01", "4.5", places=2), st.decimals("1", "5000", places=2)), min_size=2, max_size=20
).map(
    lambda steps: tuple(
        BotOrder(sum((step for step, _ in steps[:k]), D(0)), steps[k][1]) for k in range(len(steps))
    )
)  # fmt: skip


@given(
    orders,
    st.sampled_from(FREE),
    st.sampled_from([None, D("0.0000123456"), D(65000)]),
    st.sampled_from([None, D("1.5")]),
)
@settings(max_examples=100)
def test_every_writer_read_back_gives_the_same_ladder(
    rungs: tuple[BotOrder, ...], form: str, price: D | None, take_profit: D | None
) -> None:
    bot = Bot("mine", "x", rungs, take_profit, price)
    back = bots.parse(bots.write(bot, form), "f", form)
    same(bot, back, share=0.001 * len(rungs) if form == "pionex" else 1e-9)
    assert back.take_profit_pct == (None if form in ("csv", "pionex") else take_profit)
    if form == "hummingbot":
        assert back.price == price


@given(
    placing.ladders(), st.sampled_from(sorted(placing.MARKETS)), st.decimals("20", "5000", places=2),
    st.sampled_from([form for form in FREE if form != "pionex"]),
)  # fmt: skip
@settings(max_examples=100)
def test_a_bot_reads_no_less_than_was_placed(
    free: tuple[list[float], list[float]], market: str, budget: D, form: str
) -> None:
    """Else one that rounds quantities down buys a step less."""
    try:
        placement = place(*free, "quote", placing.MARKETS[market][0], budget, placing.MARKETS[market][1])
    except PlacementError:
        return
    placed = placed_bot(placement, "mine", D(1))
    text = bots.write(placed, form)
    back = bots.parse(text, "f", form)
    assert all(own.size <= read.size for own, read in zip(placed.orders, back.orders, strict=True))
    last_digit = D(1).scaleb(max(int(placed.budget.normalize().as_tuple().exponent), -10))
    assert back.budget <= placed.budget + last_digit * (1 if form == "veles" else len(back.orders))
    if form == "veles":
        tree = json.loads(text, parse_float=D, parse_int=D)
        assert sum(order["volume"] for order in tree["settings"]["orders"]) == 100


def test_what_is_divided_exactly_is_written_so() -> None:
    bot = Bot("b", "x", (BotOrder(D(0), D(25)), BotOrder(D(5), D(75))))
    tree = json.loads(bots.write(bot, "veles"))
    assert tree["deposit"]["amount"] == "100"
    assert [order["volume"] for order in tree["settings"]["orders"]] == [25, 75]


numbers = {
    "base": st.decimals("1", "500", places=2),
    "safety": st.decimals("1", "500", places=2),
    "count": st.integers(1, 12),
    "step_pct": st.decimals("0.1", "2", places=2),
    "step_scale": st.decimals("0.2", "1.2", places=2),
    "volume_scale": st.decimals("0.2", "3", places=2),
}


@given(st.builds(Geometric, **numbers), st.sampled_from(GEOMETRIC))
def test_classic_settings_to_a_ladder_to_custom_steps_are_the_same_ladder(family: Geometric, form: str) -> None:
    bot = Bot("mine", "x", family.orders(), D("1.5"))
    classic = bots.parse(bots.write(bot, form), "f")
    custom = bots.parse(bots.write(classic, "3commas"), "f")
    same(bot, classic)
    same(bot, custom)
    assert bots.write(custom, form) == bots.write(replace(bot, name=custom.name), form)


@given(
    st.decimals("1", "500", places=2),
    st.integers(1, 12),
    st.decimals("0.1", "5", places=2),
    st.decimals("1", "2", places=2),
)
def test_settings_from_the_average_come_back_as_they_were(first: D, count: int, step: D, multiplier: D) -> None:
    bot = Bot("mine", "Bybit", Averaged(first, count, step, multiplier).orders())
    text = bots.write(bot, "bybit")
    written = json.loads(text)
    assert (D(written["price_float_percent"]) * 100, D(written["add_position_percent"])) == (step, multiplier)
    same(bot, bots.parse(text, "f"))


def test_numbers_are_written_out_and_typed_with_two_decimals() -> None:
    bot = Bot(
        "b", "x", (BotOrder(D(0), D("0.00000001")), BotOrder(D("1.23456"), D("0.00000002"))), None, D("0.0000012")
    )
    assert "E-" not in "".join(bots.write(bot, form) for form in FREE)
    typed = bots.parse(bots.write(bot, "3commas", 2), "f")
    assert [str(one.deviation_pct) for one in typed.orders] == ["0", "1.23"]


def test_orders_that_become_one_when_they_are_typed_are_refused() -> None:
    bot = Bot("b", "x", (BotOrder(D(0), D(1)), BotOrder(D("1.231"), D(1)), BotOrder(D("1.234"), D(1))))
    with pytest.raises(ConfigError, match=r"order 3: must lie deeper than the order before it, .* was '1\.23'"):
        bots.write(bot, "3commas", 2)
    assert bots.write(bot, "3commas")


def test_what_lies_beyond_the_bounds_of_a_maker_is_not_written() -> None:
    steep = parsed(shown.three_commas(100, 100, 1, 60, 1, 1))
    with pytest.raises(ConfigError, match=r"settings for okx: pxSteps: must be at most 0\.5, was '0\.6'"):
        bots.write(steep, "okx")


def test_a_table_of_a_country_with_decimal_commas_is_read() -> None:
    table = "deviation_from_first_pct;size\n0;10,5\n2,5;21\n"
    assert bots.parse(table, "f") == bots.parse(table.replace(",", ".").replace(";", ","), "f")


def test_a_free_ladder_is_refused_by_a_format_that_has_no_such() -> None:
    bot = parsed(shown.VELES_CUSTOM)
    free = Bot("b", "x", (*bot.orders, BotOrder(D(50), D(7))))
    for form in geometric.FAMILIES:
        with pytest.raises(ConfigError, match="first the best member of that family is needed"):
            bots.write(free, form)


# what a ladder does not have -----------------------------------------------------------------------------

CLASSIC = shown.three_commas(100, 50, 8, 1, 1.5, 1.5)


@pytest.mark.parametrize(
    ("tree", "names"),
    [
        (CLASSIC, []),
        (CLASSIC | {"stop_loss_percentage": "0.0", "trailing_enabled": None, "tsl_enabled": False}, []),
        (CLASSIC | {"stop_loss_percentage": "12.5"}, ["stop_loss_percentage"]),
        (CLASSIC | {"take_profit_type": "base", "trailing_enabled": True}, ["trailing_enabled", "take_profit_type"]),
        ({"data": [shown.OKX | {"slPct": "0.1"}]}, ["data.0.slPct"]),
        (shown.BYBIT | {"sl_percent": ""}, []),
        (shown.BYBIT | {"sl_percent": "0.2"}, ["sl_percent"]),
        (shown.VELES_SIMPLE | {"stopLoss": {"indent": None, "termination": False}}, []),
        (shown.VELES_SIMPLE | {"stopLoss": {"indent": 3, "termination": False}}, ["stopLoss"]),
        (shown.VELES_SIMPLE | {"profit": {"percent": 1, "trailing": 0.2}}, ["profit.trailing"]),
        (shown.HUMMINGBOT | {"stop_loss": "0.03", "time_limit": 60}, ["stop_loss", "time_limit"]),
        ({"settings": shown.GAINIUM["settings"] | {"useSl": True, "slPerc": "-9"}}, ["settings.useSl"]),
        ({"settings": shown.GAINIUM["settings"] | {"useSl": False, "slPerc": "-9"}}, []),
    ],
)
def test_what_a_bot_trades_by_and_no_ladder_has_is_named(tree: Any, names: list[str]) -> None:
    assert list(parsed(tree).left_out) == names


@pytest.mark.parametrize(
    ("tree", "shares"),
    [
        (shown.VELES_SIMPLE, False),
        ({"settings": shown.VELES_SIMPLE["settings"]}, True),
        (shown.VELES_CUSTOM, True),
        ({"dca_spreads": [0.1, 0.2]}, True),
        ({"dca_spreads": [0.1, 0.2], "total_amount_quote": 100}, False),
        (CLASSIC, False),
        (CLASSIC | {"base_order_volume_type": "percent", "safety_order_volume_type": "percent"}, True),
        ("indent_pct,volume_pct\n0,1\n1,1\n", True),
        ("deviation_from_first_pct,shares\n0,1\n1,1\n", True),
        ("deviation_from_first_pct,size\n0,1\n1,1\n", False),
    ],
)
def test_weights_of_no_known_sum_are_shares_and_no_money(tree: Any, *, shares: bool) -> None:
    assert (bots.parse(tree, "f") if isinstance(tree, str) else parsed(tree)).shares is shares


@pytest.mark.parametrize("value", ["0", "0.0099", "0.01", "1000", "1000.1", "1e-14", "1e300"])
def test_a_take_profit_is_bounded_as_that_of_the_config(value: str) -> None:
    try:
        Score(take_profit_pct=float(value))
    except ValidationError:
        for tree in (
            CLASSIC | {"take_profit": value},
            shown.OKX | {"tpPct": f"{value}e-2" if "e" not in value else value},
        ):
            with pytest.raises(ConfigError, match=r"^bot\.json: (take_profit|tpPct): must be (at|a number)"):
                parsed(tree)
    else:
        assert parsed(CLASSIC | {"take_profit": value}).take_profit_pct == D(value)
        assert parsed(shown.OKX | {"tpPct": f"{value}e-2"}).take_profit_pct == D(value)


# refusals ------------------------------------------------------------------------------------------------


def without(tree: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key != name}


SIMPLE, STEPS = shown.VELES_SIMPLE["settings"], "custom_safety_steps"
REFUSED: list[tuple[Any, str]] = [
    (without(CLASSIC, "martingale_step_coefficient"), "martingale_step_coefficient: must be given"),
    (CLASSIC | {"martingale_step_coefficient": "11"}, "martingale_step_coefficient: must be at most 10, was '11'"),
    (CLASSIC | {"safety_order_volume": "-5"}, "safety_order_volume: must be above 0, was '-5'"),
    (CLASSIC | {"safety_order_volume": "NaN"}, "safety_order_volume: must be a number of at most 30 digits, was 'NaN'"),
    (CLASSIC | {"safety_order_volume": True}, "safety_order_volume: must be a number of at most 30 digits, was True"),
    (CLASSIC | {"base_order_volume": "1e99"}, "base_order_volume: must be a number of at most 30 digits, was '1e99'"),
    (CLASSIC | {"max_safety_orders": "2.5"}, "max_safety_orders: must be a whole number, was '2.5'"),
    (CLASSIC | {"max_safety_orders": 0}, "max_safety_orders: must be at least 1, was '0'"),
    (CLASSIC | {"strategy": "short"}, "strategy: must be long: a ladder buys below its first order, was 'short'"),
    (CLASSIC | {"base_order_volume_type": "base_currency"}, "safety_order_volume_type: must be one kind"),
    (CLASSIC | {"safety_order_step_percentage": "10"}, "order 6: must lie deeper than the order before it, and less"),
    (CLASSIC | {STEPS: [{"deviation": "1", "size": 5}]}, "custom_safety_steps.0.deviation: must be below 0"),
    (CLASSIC | {STEPS: [{"deviation": "-1", "size": 5}]}, "max_safety_orders: must be at most 1, was '8'"),
    (shown.OKX | {"pxSteps": "3"}, "pxSteps: must be at most 0.5, was '3'"),
    (shown.OKX | {"direction": "short"}, "direction: must be long"),
    (shown.BYBIT | {"price_float_percent": "1.5"}, "price_float_percent: must be at most 0.99, was '1.5'"),
    (shown.BYBIT | {"martingale_mode": 2}, "martingale_mode: must be 1: a ladder buys below its first order, was '2'"),
    ({"settings": SIMPLE | {"priceStrategy": "LOGARITHMIC"}}, "settings.priceStrategy: must be LINEAR: the formula of"),
    (
        {"settings": without(SIMPLE, "priceStrategy") | {"logarithmicFactor": 1.2}},
        "settings.logarithmicFactor: must be 1: the formula of the logarithmic factor is not public",
    ),
    ({"settings": SIMPLE | {"indent": 0.2}}, "settings.indent: must be 0: what overlap counts from beside an indent"),
    ({"settings": SIMPLE | {"type": "SIGNAL"}}, "settings.type: must be SIMPLE or CUSTOM: in the mode SIGNAL prices"),
    (
        {"settings": {"type": "CUSTOM", "orders": [{"indent": 0, "volume": 40}, {"indent": 1, "volume": 40}]}},
        "settings.orders: must have volumes that add up to 100 %, was '80'",
    ),
    (shown.HUMMINGBOT | {"amounts_quote": [1, 2]}, "amounts_quote: must have as many entries as prices, 3, was 2"),
    (shown.HUMMINGBOT | {"prices": [1, 2, 3]}, "order 2: must lie deeper than the order before it"),
    (shown.HUMMINGBOT | {"side": 2}, "side: must be BUY or 1"),
    (shown.HUMMINGBOT | {"prices": ["3e-13", "2e-13", "1e-13"]}, "price: must be from 1e-12 to 1e12, was '3e-13'"),
    (shown.BYBIT | {"entry_price": "1e13"}, "price: must be from 1e-12 to 1e12, was '1e+13'"),
    ({"dca_spreads": "0.1,0.2", "dynamic_order_spread": True}, "dynamic_order_spread: must be false: else spreads are"),
    ({"dca_spreads": [0.1, 0.2], "dca_amounts": [1, 2]}, "dca_amounts: must be dca_amounts_pct, shares of money"),
    ({"dca_spreads": "1,2"}, "dca_spreads.0: must be below 1: it is a share of the price, was '1'"),
    ({"settings": shown.GAINIUM["settings"] | {"useDca": False}}, "settings.useDca: must be true: without safety"),
    ({"settings": shown.GAINIUM["settings"] | {"orderSizeType": "base"}}, "orderSizeType: must be quote or usd"),
    ({"settings": shown.GAINIUM["settings"] | {"dcaCondition": "percentage"}}, "settings.dcaCondition: must be custom"),
    ({"hello": 1}, "3commas-classic, okx, bybit, veles, hummingbot, gainium, or a table; is in none of them"),
    (CLASSIC | shown.OKX, "is in more than one shape (3commas-classic, okx); name the format"),
    ([shown.OKX, shown.OKX], "must hold one bot, was 'a list of 2'"),
    ([], "must hold one bot"),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "line"), REFUSED, ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_what_is_strange_missing_or_contradicting_is_refused_with_file_and_field(tree: Any, line: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parsed(tree)
    assert str(refusal.value).startswith("bot.json: ")
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is empty"),
        ('{"a": 1, "a": 2}', "a: must appear once"),
        ('{"initOrdAmt": Infinity}', "every number must be finite, was 'Infinity'"),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("a: [1", "is not valid YAML"),
        ('a: "\\UFFFFFFFF"', "is not valid YAML"),
        ("a: &x 1\nb: *x\n", "aliases (*) are not allowed"),
        ("a: 1\na: 2\n", "a: must appear once"),
        ("".join(" " * depth + "a:\n" for depth in range(400)), "is not valid YAML"),
        ("a: 1\n? {b: 1}\n: 2\n", "line 2: keys must be text"),
        (
            "deviation_from_first_pct,size\n0.5,1\n1,1\n",
            "row 1, deviation_from_first_pct: must be 0: the first order, was '0.5'",
        ),
        ("deviation_from_first_pct,size\n0,1\n-1,1\n", "row 2, deviation_from_first_pct: must be at least 0, was '-1'"),
        ("deviation_from_first_pct,size\n0,1\n1\n", "row 2: must have 2 cells as the head has; decimal commas need"),
        ("deviation_from_first_pct,size\n0,1\n1,\n", "row 2, size: must be given"),
        (
            "deviation_from_first_pct,size\n0,100\n2,5,150\n4,5,200\n",
            "row 2: must have 2 cells as the head has; decimal commas need semicolons between cells, was '2, 5, 150'",
        ),
        (
            "order,deviation_from_first_pct,size,note\n1,0,100,\n2,2,5\n",
            "row 2: must have 4 cells as the head has; decimal commas need semicolons between cells, was '2, 2, 5'",
        ),
        ("deviation_from_first_pct,size\n0,1\n1,1\n1,1\n", "order 3: must lie deeper than the order before it"),
        ("deviation_from_first_pct,size\n0,1\n", "orders: must be 2 to 201 with the first, was 1"),
        ("deviation_from_first_pct,size,shares\n0,1,1\n", "head: must have one column named size, "),
        ("price,size\n100,1\n", "head: must have one column named deviation_from_first_pct, "),
        (
            "deviation_from_first_pct;size\n0;1\n1.000,5;1\n",
            "must be a number of at most 30 digits, was '1.000,5'",
        ),
        (
            'deviation_from_first_pct,size\n0,1\n"1,5",1\n',
            "row 2, deviation_from_first_pct: must be a number of at most 30 digits, was '1,5'",
        ),
    ],
)
def test_texts_that_are_no_settings_are_refused(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        bots.parse(text, "f")
    assert str(refusal.value).startswith("f: ")
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


leaves = st.none() | st.booleans() | st.floats() | st.integers(-3, 300) | st.text(max_size=6) | st.decimals().map(str)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner), max_leaves=4
)
TREES = [CLASSIC, shown.OKX, shown.BYBIT, shown.VELES_SIMPLE, shown.VELES_CUSTOM, shown.HUMMINGBOT, shown.GAINIUM]


@given(st.sampled_from(TREES), st.data())
@settings(max_examples=100)
def test_whatever_stands_in_a_field_is_a_bot_or_one_line(tree: dict[str, Any], data: st.DataObject) -> None:
    changed = json.loads(json.dumps(tree))
    inner = changed.get("settings", changed) if data.draw(st.booleans()) else changed
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(values)
    assert "\n" not in complaint(changed)


def complaint(tree: Any) -> str:
    """What is said of settings that are read, judged and written; nothing where all is well."""
    try:
        bot = parsed(tree)
        bot.judged(Objective())
        room.limits(bot)
        for form in FREE:
            bots.write(bot, form)
    except (ConfigError, EvaluationError) as error:
        return str(error)
    return ""


def test_a_file_is_named_by_its_own_name_and_must_be_what_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "conservative.json"
    path.write_text(json.dumps(shown.BYBIT | {"symbol": ""}))
    assert bots.read(path).name == "conservative"
    with pytest.raises(ConfigError, match="must be settings for okx; these are in the shape of bybit"):
        bots.read(path, "okx")
    with pytest.raises(ConfigError, match="no such file"):
        bots.read(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="must be a file, is a folder"):
        bots.read(tmp_path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="must be text in UTF-8"):
        bots.read(path)
    path.write_text(" " * 300_000)
    with pytest.raises(ConfigError, match="must be at most 256 KB"):
        bots.read(path)


# the best of a family ------------------------------------------------------------------------------------


Cell = tuple[float, int, str, float | None]
KNOWN: list[Cell] = [(20.0, 10, "fill", 2.5), (30.0, 15, "path", None)]


def free(cell: Cell, budget: str = "1000") -> Bot:
    """The best ladder known of a cell: overlap, orders, need, and the widest gap over the mean one."""
    names = ("overlap_pct", "num_orders", "need", "max_gap_ratio")
    rows = (row for row in BEST_KNOWN if row["sizing"] == "quote" and row["wave"])
    (row,) = (row for row in rows if tuple(row[name] for name in names) == cell)
    indent, volume = ([D(repr(one)) for one in row[name]] for name in ("indent_pct", "volume_pct"))
    return Bot(
        "mine", "mlab", tuple(map(BotOrder, indent, [D(budget) * one / sum(volume) for one in volume])), D("1.5")
    )


def objective(cell: Cell, **bounds: Any) -> Objective:
    return Objective(Score(need="path" if cell[2] == "path" else "fill"), Limits(max_gap_ratio=cell[3], **bounds))


@pytest.mark.parametrize(
    ("cell", "form", "cost_pct"),
    [
        ((10.0, 5, "fill", None), "3commas-classic", 27.4),
        ((20.0, 10, "fill", 2.5), "okx", 34.1),
        ((30.0, 15, "fill", 2.5), "3commas-classic", 38.2),
        ((20.0, 10, "path", None), "okx", 22.3),
        ((30.0, 15, "path", None), "3commas-classic", 35.0),
        ((20.0, 20, "path", None), "bybit", 4.3),
        ((30.0, 15, "path", None), "bybit", 4.6),
    ],
)
def test_what_a_family_costs_by_the_score(cell: Cell, form: str, cost_pct: float) -> None:
    judged_by = objective(cell if cell[1] != 5 else (*cell[:3], 2.5))  # within that cap the free one is the same
    typed, any_shape = (
        one.judged(judged_by).score for one in (geometric.best(free(cell), form, judged_by), free(cell))
    )
    assert 0.0 < (typed / any_shape - 1.0) * 100.0 <= cost_pct


@pytest.mark.parametrize(("cell", "form"), product(KNOWN, geometric.FAMILIES))
def test_the_best_of_a_family_covers_no_less_within_budget_and_limits(cell: Cell, form: str) -> None:
    judged_by = objective(cell if form != "bybit" else (*cell[:3], None))
    bot = free(cell)
    member = geometric.best(bot, form, judged_by)
    assert bot.depth_pct <= member.depth_pct < bot.depth_pct + D("1.2")
    assert bot.budget * D("0.99") <= member.budget <= bot.budget
    assert len(member.orders) == len(bot.orders)
    assert not broken_limits(member.judged(judged_by).contract["schedule"], judged_by.limits)
    typed = bots.parse(bots.write(member, form, 2), "f")  # what is judged is what is typed
    same(member, typed)
    assert typed.judged(judged_by).score == pytest.approx(member.judged(judged_by).score)


def test_no_other_member_of_the_family_is_better() -> None:
    """Many pairs of scales in cents, and ratios between the first two orders two hundredths apart."""
    judged_by = objective(KNOWN[0])
    found = geometric.best(free(KNOWN[0]), "okx", judged_by).judged(judged_by).score
    axes = np.arange(1.01, 2.001, 0.03), np.arange(0.5, 1.3, 0.02), np.arange(1.01, 2.0, 0.02)
    points = np.array([grid.ravel() for grid in np.meshgrid(*axes)])
    indent, volume = geometric._members(points, 20.0, 9)
    every = np.ones(points.shape[1], dtype=bool)
    assert found <= geometric._kept(indent, volume, judged_by, every).min() * 1.001


def test_a_budget_in_coins_is_typed_in_parts_of_coins() -> None:
    cell, judged_by = KNOWN[1], objective(KNOWN[1])
    coins = geometric.best(free(cell, "0.02"), "okx", judged_by)
    assert D("0.0198") < coins.budget <= D("0.02")
    money = geometric.best(free(cell), "okx", judged_by)
    assert coins.judged(judged_by).score == pytest.approx(money.judged(judged_by).score, rel=1e-3)


@pytest.mark.parametrize("budget", ["10", "11", "12", "30"])
@pytest.mark.parametrize("form", geometric.FAMILIES)
def test_whoever_is_taken_by_an_exchange_is_taken_as_it_is_typed(form: str, budget: str) -> None:
    """Order 1 is a few hundredths: rounded to one of them it would be below the least."""
    market = Market(tick=D("0.000001"), step=D("0.01"), least_money=D("0.05"))
    grid, bot = Grid.of(market, D(budget), D("0.003")), free(KNOWN[1], budget)
    wide = replace(objective(KNOWN[1]), limits=Limits(max_gap_ratio=None, first_volume_min_pct=0.01))
    typed = bots.parse(bots.write(geometric.best(bot, form, wide, grid.takes), form, 2), "f")
    bought = of_bot([one.deviation_pct for one in typed.orders], [one.size for one in typed.orders], grid)
    assert min(order.money for order in bought) >= D("0.05")


def test_what_gainium_has_switched_off_is_off() -> None:
    on, off = ({"settings": shown.GAINIUM["settings"] | {"tpPerc": "1", "useTp": switch}} for switch in (True, False))
    assert parsed(on).take_profit_pct == 1
    assert parsed(off).take_profit_pct is None
    by_chart = {"settings": on["settings"] | {"dealCloseCondition": "techInd"}}
    assert "settings.dealCloseCondition" in parsed(by_chart).left_out
    assert parsed(on).left_out == ()


def test_people_type_a_step_scale_above_1_and_the_best_is_below() -> None:
    settings = Geometric.of(geometric.best(free(KNOWN[1]), "3commas-classic", objective(KNOWN[1])))
    assert D("0.5") < settings.step_scale < D("0.95")
    assert all(value == round(value, 2) for value in (settings.base, settings.safety, settings.step_pct))


def test_a_family_that_cannot_keep_the_limits_says_so() -> None:
    bot = free(KNOWN[1])
    with pytest.raises(EvaluationError, match="no ladder of one step from the average with 15 orders keeps the limits"):
        geometric.best(bot, "bybit", objective((*KNOWN[1][:3], 1.5)))
    with pytest.raises(EvaluationError, match="no ladder of 15 orders with one step scale and one volume scale keeps"):
        geometric.best(bot, "okx", objective(KNOWN[1], first_volume_min_pct=50.0))
    with pytest.raises(ConfigError, match="must be 3commas-classic, okx or bybit, was 'veles'"):
        geometric.best(bot, "veles", objective(KNOWN[1]))


# the room for a ladder beside a bot ----------------------------------------------------------------------


def test_a_ladder_beside_a_bot_keeps_its_first_order_and_goes_no_further_than_it() -> None:
    limits = room.limits(parsed(shown.three_commas(20, 40, 15, 2, 1, 1)))
    assert isinstance(limits, Limits)
    assert limits.first_volume_min_pct == pytest.approx(100.0 * 20 / 620)
    assert (limits.martingale_pct, limits.max_gap_ratio, limits.tail_cap_pct) == ((0.0, 100.0), None, 40.0)
    growing = room.limits(parsed(shown.three_commas(10, 30, 3, 4, 2, 1.2)))
    assert isinstance(growing, Limits)
    assert (growing.martingale_pct, round(growing.tail_cap_pct, 2)) == ((1.0, pytest.approx(200.0)), 54.55)


@pytest.mark.parametrize("safety_orders", [1, 2, 5, 99])
def test_equal_orders_leave_room_for_equal_orders(safety_orders: int) -> None:
    assert isinstance(room.limits(parsed(shown.three_commas(40, 40, safety_orders, 0.9, 1, 1))), Limits)


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        (
            shown.OKX,
            "None within growth >= 0: where no order is smaller than the one before it, order 1 of 4 holds 25.0 %",
        ),
        (shown.three_commas(10, 10, 3, 32, 1, 1), "None: it covers 96.00 %, and ladders are searched to 95 %."),
    ],
)
def test_why_there_is_no_ladder_beside_a_bot_is_said_in_words(tree: Any, line: str) -> None:
    said = room.limits(parsed(tree))
    assert isinstance(said, str)
    assert re.match(re.escape(line), said)


@pytest.mark.parametrize("row", [row for row in BEST_KNOWN if row["sizing"] == "quote"])
def test_a_free_ladder_typed_with_two_decimals_costs_next_to_nothing(row: dict[str, Any]) -> None:
    orders = zip(row["indent_pct"], row["volume_pct"], strict=True)
    free = Bot("free", "", tuple(BotOrder(D(repr(depth)), D(repr(10.0 * size))) for depth, size in orders))
    typed = bots.parse(bots.write(free, "3commas", 2), "typed")
    objective = Objective(Score(need=row["need"]))
    assert typed.judged(objective).score == pytest.approx(free.judged(objective).score, rel=0.0016)
