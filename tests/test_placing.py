"""Placed orders keep every rule of every exchange, and what is evaluated is what is written."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal, getcontext, localcontext
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlab.config import load
from mlab.core.decimals import plain
from mlab.market import Market
from mlab.model.reference import needs
from mlab.placing import Grid, Placement, PlacementError, place
from mlab.placing.orders import make, of_bot

D = Decimal

MARKETS = {
    "BTC": (Market(symbol="BTCUSDT", quote="USDT", tick=D("0.01"), step=D("0.00001"), least_quantity=D("0.00001"),
                   least_money=D(5)), D("65000")),
    "ETH": (Market(symbol="ETHUSDT", quote="USDT", tick=D("0.01"), step=D("0.0001"), least_quantity=D("0.0001"),
                   least_money=D(5), lowest_share=D("0.2")), D("3111.11")),
    "sub-cent": (Market(symbol="PEPEUSDT", quote="USDT", tick=D("0.00000001"), step=D(1), least_quantity=D(1),
                        least_money=D(1)), D("0.00001234")),
    "contracts": (Market(symbol="BTC-USDT-SWAP", quote="USDT", tick=D("0.1"), step=D(1), least_quantity=D(1),
                         contract_size=D("0.01")), D("65000.5")),
    "inverse": (Market(symbol="BTC-USD-SWAP", quote="USD", tick=D("0.1"), step=D(1), least_quantity=D(1),
                       contract_size=D(100), inverse=True), D("65000.5")),
    "step of 3": (Market(tick=D("0.05"), step=D(3), least_quantity=D(6)), D("2.5")),
    "coarse": (Market(tick=D("0.5"), step=D("0.5"), least_money=D("1.5")), D("100")),
    "no multiples": (Market(quote="USDT", tick=D("0.03"), step=D("0.7"), least_quantity=D(1), least_money=D("4.99"),
                            lowest_share=D("0.81")), D("10")),
    "free": (Market(), D("0.3141592653589793")),
}  # fmt: skip

LADDER = ([0.0, 5.0, 10.0, 20.0], [1.0, 1.2, 1.44, 2.5])


def placed(name: str, budget: str, ladder: Any = LADDER) -> Placement:
    market, price = MARKETS[name]
    return place(*ladder, "quote", market, D(budget), price)


@st.composite
def ladders(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    orders = draw(st.integers(2, 20))
    steps = draw(st.lists(st.floats(0.05, 4.0), min_size=orders - 1, max_size=orders - 1))
    growth = draw(st.lists(st.floats(0.5, 2.0), min_size=orders - 1, max_size=orders - 1))
    return [0.0, *np.cumsum(steps).tolist()], np.cumprod([1.0, *growth]).tolist()


@given(
    ladder=ladders(),
    market=st.sampled_from(sorted(MARKETS)),
    budget=st.decimals(D("20"), D("200000"), places=2),
    sizing=st.sampled_from(["quote", "base"]),
)
def test_every_order_keeps_every_rule(
    ladder: tuple[list[float], list[float]], market: str, budget: Decimal, sizing: Any
) -> None:
    rules, entry = MARKETS[market]
    try:
        placement = place(*ladder, sizing, rules, budget, entry)
    except PlacementError:
        return  # what it names as enough is tried below
    assert all(rule["kept"] for rule in placement.rules)
    _check_apart(placement, rules, budget)
    _check_evaluated(placement)


def _check_apart(placement: Placement, market: Market, budget: Decimal) -> None:
    """The rules again, in fractions."""
    previous, spent = None, Fraction(0)
    for order in placement.orders:
        price, quantity = Fraction(order.price), Fraction(order.quantity)
        size = Fraction(market.contract_size)
        money = quantity * size * (1 if market.inverse else price)
        assert Fraction(order.money) == money
        assert not market.tick or (price / Fraction(market.tick)).denominator == 1
        assert not market.step or (quantity / Fraction(market.step)).denominator == 1
        assert quantity >= market.least_quantity
        assert quantity > 0
        assert money >= market.least_money
        assert previous is None or price < previous
        previous, spent = price, spent + money
    assert spent == Fraction(placement.spent)
    assert spent <= Fraction(budget)


def _check_evaluated(placement: Placement) -> None:
    prices, coins = ([float(getattr(order, name)) for order in placement.orders] for name in ("price", "coins"))
    again = needs(prices, coins, "base")
    assert placement.placed.max_need.item() == pytest.approx(max(again), abs=1e-9)
    assert placement.placed.spent.item() == pytest.approx(float(placement.spent), rel=1e-12)


@st.composite
def markets(draw: st.DrawFn) -> tuple[Market, Decimal]:
    """A market by chance, coarse or fine, and an entry price."""

    def number(least: int, most: int) -> Decimal:
        return D(draw(st.integers(1, 999))).scaleb(draw(st.integers(least, most)))

    price = number(-3, 2)
    step = draw(st.sampled_from([D(0), number(-6, -2)]))
    market = Market(
        tick=draw(st.sampled_from([D(0), number(-6, -2)])) * price,
        step=step / price,
        least_quantity=draw(st.sampled_from([D(0), number(-6, -2)])) / price,
        least_money=draw(st.sampled_from([D(0), number(-2, 0)])),
        lowest_share=draw(st.sampled_from([D(0), D("0.2"), D("0.7345"), D("0.99")])),
        inverse=draw(st.booleans()),
    )
    most = max(market.least_quantity, market.step) + number(-4, 1) / price
    return replace(market, most_quantity=draw(st.sampled_from([D(0), most]))), price


EITHER = st.one_of(st.sampled_from(sorted(MARKETS)).map(MARKETS.__getitem__), markets())


@settings(max_examples=300)
@given(
    ladder=ladders(),
    market=EITHER,
    budget=st.decimals(D("0.01"), D("4000"), places=2),
    sizing=st.sampled_from(["quote", "base"]),
)
def test_what_an_error_names_as_enough_is_enough(
    ladder: tuple[list[float], list[float]], market: tuple[Market, Decimal], budget: Decimal, sizing: Any
) -> None:
    rules, entry = market
    refused = refusal_of(*ladder, sizing, rules, budget, entry)
    depths, volumes = ladder
    remedy = refused.remedy if refused else ""
    named = re.findall(r"(\w+)(?: of| of at most|=) ?([\d.]+)", remedy)
    for kind, text in named + [("orders", count) for count in re.findall(r"at most (\d+) orders", remedy)]:
        orders = int(text) if kind == "orders" else len(depths)
        deepest = float(text) if kind == "overlap" else depths[-1]
        if kind in {"overlap", "orders", "min_indent_step_pct"}:
            depths, volumes = np.linspace(0.0, deepest, orders).tolist(), volumes[:orders]
        assert kind != "min_indent_step_pct" or deepest >= float(text) * (orders - 1)
        money, price = (
            D(text) if kind == name else usual for name, usual in {"budget": budget, "price": entry}.items()
        )
        again = refusal_of(depths, volumes, sizing, rules, money, price)
        assert again is None or again.rule not in {refused and refused.rule, *(LEAST if kind == "budget" else ())}


LEAST = ("least_money", "least_quantity", "step")


def refusal_of(*ladder: Any) -> PlacementError | None:
    try:
        place(*ladder)
    except PlacementError as error:
        return error
    return None


def test_a_step_of_its_own_is_fine_enough_for_the_most() -> None:
    rules = Market(tick=D("0.01"), most_quantity=D("0.001"))
    refused = refusal_of([0.0, 5.0], [1.0, 2.0], "quote", rules, D("1e11"), D(65000))
    assert refused is not None
    assert refused.rule == "most_quantity"
    enough = D(re.findall(r"a budget of ([\d.]+) would do", refused.remedy)[0])
    assert refusal_of([0.0, 5.0], [1.0, 2.0], "quote", rules, enough, D(65000)) is None


def test_a_most_of_many_digits_of_steps_is_kept() -> None:
    rules = Market(tick=D("0.01"), step=D("1e-18"), most_quantity=D("1e12"), least_money=D(90))
    assert place([0.0, 5.0], [1.0, 20.0], "quote", rules, D(300), D(65000)).changed["lifted"] == ["1"]
    config = load(None, ["market.budget=300", "market.price=65000", "market.step=1e-18", "market.most_quantity=1e12"])
    assert config.limits.tail_cap_pct == 40.0


def test_a_least_order_of_one_step_is_told_as_that() -> None:
    refused = refusal_of([0.0, 5.0, 10.0], [1.0] * 3, "quote", Market(tick=D("0.5"), step=D("0.1")), D(20), D(140))
    assert refused is not None
    assert refused.rule == "step"


@pytest.mark.parametrize("inverse", [False, True])
def test_what_a_bot_is_taken_for_is_what_it_buys_at_whole_steps_too(inverse: bool) -> None:
    depths = [D(0), D("1.5"), D(20)]
    for steps, contract in product((1, 2, 3, 7, 29, 300), ("1", "0.1", "100")):
        least = {"least_quantity": D("0.001") * steps}
        rules = Market(tick=D("0.01"), step=D("0.001"), contract_size=D(contract), inverse=inverse)
        for more, taken in (
            (least, True),
            ({"most_quantity": D("0.001") * steps}, True),
            ({"most_quantity": D("0.001") * (steps - 1)}, steps == 1),
        ):
            grid = Grid.of(replace(rules, **more), D(10_000), D(100))
            money = [rules.money(D("0.001") * steps, D(100) * (1 - depth / 100)) for depth in depths]
            assert of_bot(depths, money, grid).steps == (steps,) * 3
            columns = (np.array([[float(value)] for value in values]) for values in (depths, money))
            assert grid.takes(*columns).item() == taken, (steps, contract, more)


def test_orders_of_four_markets_by_hand() -> None:
    """1 : 1.2 : 1.44 : 2.5 of 614 is 100 : 120 : 144 : 250 in money."""
    written = {
        name: [(plain(order.price), plain(order.quantity)) for order in placed(name, budget).orders]
        for name, budget in {"BTC": "614", "ETH": "614", "sub-cent": "614", "contracts": "614000"}.items()
    }
    assert written == {
        "BTC": [("65000", "0.00154"), ("61750", "0.00194"), ("58500", "0.00246"), ("52000", "0.00481")],
        "ETH": [("3111.11", "0.0321"), ("2955.55", "0.0406"), ("2800", "0.0514"), ("2488.89", "0.1004")],
        "sub-cent": [("0.00001234", "8103728"), ("0.00001172", "10238908"), ("0.00001111", "12961296"),
                     ("0.00000987", "25329280")],
        "contracts": [("65000.5", "154"), ("61750.5", "194"), ("58500.5", "246"), ("52000.4", "481")],
    }  # fmt: skip


def test_small_orders_are_lifted_and_the_large_ones_pay_in_proportion() -> None:
    ladder = ([0.0, 5.0, 10.0, 20.0], [1.0, 1.0, 50.0, 100.0])
    placement = placed("BTC", "300", ladder)
    assert placement.changed["lifted"] == ["1", "2"]
    first, second, third, fourth = (order.money for order in placement.orders)
    assert (first, second) == (D("5.2"), D("5.5575"))
    assert float(fourth / third) == pytest.approx(2.0, abs=0.01)
    assert D("299") < placement.spent <= D("300")


def test_a_least_that_is_no_multiple_of_a_step_or_tick_is_kept() -> None:
    """1 is two steps of 0.7, 5.05 of money are 8, 5 at 9 are 8, and 8.2 is above 273 ticks of 0.03."""
    market = Market(tick=D("0.03"), step=D("0.7"), least_quantity=D(1), lowest_share=D("0.82"))
    first, second, _ = place([0.0, 10.0, 15.0], [1.0, 1.0, 1000.0], "quote", market, D(1000), D(10)).orders
    assert (first.quantity, second.quantity) == (D("1.4"), D("1.4"))
    dear = replace(market, step=D("0.07"), least_quantity=D(0), least_money=D(5))
    first, second, _ = place([0.0, 10.0, 15.0], [1.0, 1.0, 1000.0], "quote", dear, D(1000), D(10)).orders
    assert (first.quantity, second.quantity) == (D("0.56"), D("0.56"))
    with pytest.raises(PlacementError, match=r"lowest_share: order 2 at 8\.19 is below 0\.82 of"):
        place([0.0, 18.0], [1.0, 1.0], "quote", market, D(1000), D(10))


def test_order_1_leaves_a_margin_for_the_average_price() -> None:
    market = Market(tick=D("0.01"), step=D("0.01"), least_money=D(5))
    first, second, *_ = place([0.0, 50.0, 60.0], [1.0, 1.0, 100.0], "quote", market, D(60), D(1)).orders
    assert (first.money, second.money) == (D("5.05"), D("5.00"))


@pytest.mark.parametrize(
    ("market", "ladder", "budget", "line"),
    [
        ("BTC", LADDER, "12", "least_money: order 2 must be at least 5.5575 USDT; a budget of 21.2225 would do"),
        ("BTC", LADDER, "12", "or at most 2 orders"),
        ("contracts", LADDER, "500", "least_quantity: order 1 must be at least 650.005 USDT; a budget of 2372.52"),
        ("coarse", ([0.0, 0.2, 10.0], [1.0, 1.0, 1.0]), "500", "tick: order 2 would be at 100 like the one before it"),
        ("coarse", ([0.0, 0.2, 10.0], [1.0, 1.0, 1.0]), "500", "ladder.limits.min_indent_step_pct=0.5 or more"),
        ("ETH", ([0.0, 85.0], [1.0, 1.0]), "500", "lowest_share: order 2 at 466.67 is below 0.2 of the entry price"),
        ("ETH", ([0.0, 85.0], [1.0, 1.0]), "500", "an overlap of at most 79.9997 % would do"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_kept_is_named_with_what_would_do(
    market: str, ladder: Any, budget: str, line: str
) -> None:
    with pytest.raises(PlacementError) as error:
        placed(market, budget, ladder)
    assert line in str(error.value)
    assert error.value.exit_status == 1


def test_the_most_of_an_exchange_is_kept() -> None:
    market = Market(symbol="A", tick=D("0.01"), step=D("0.1"), most_quantity=D("2.05"), most_orders=2)
    with pytest.raises(PlacementError, match="most_orders: order 3 is one more than the 2 open orders that A takes"):
        place([0.0, 1.0, 2.0], [1.0, 1.0, 1.0], "quote", market, D(100), D(10))
    with pytest.raises(PlacementError, match=r"most_quantity: order 2 would be 5\.5, the most is 2") as error:
        place([0.0, 10.0], [1.0, 1.0], "quote", market, D(100), D(10))
    enough = D(error.value.remedy.split(" ")[3])
    assert [order.quantity for order in place([0.0, 10.0], [1.0, 1.0], "quote", market, enough, D(10)).orders][1] == 2


def test_a_placement_says_what_rounding_changed() -> None:
    placement = place([0.0, 5.2, 10.3], [1.0, 1.0, 2.0], "quote", MARKETS["coarse"][0], D(400), D(100))
    assert placement.changed == {
        "max_need": {"ladder": "4.079865", "placed": "4.469274"},
        "max_need_path": {"ladder": "8.506795", "placed": "8.938547"},
        "depth_pct": {"ladder": "10.3", "placed": "10.5"},
        "loss_at_last_order_pct": {"ladder": "3.919937", "placed": "4.278075"},
        "spent": {"ladder": "400", "placed": "374"},
        "lifted": [],
    }


def test_the_context_of_the_caller_does_not_matter_and_is_left_alone() -> None:
    usual = placed("sub-cent", "614").to_dict()
    with localcontext() as context:
        context.prec = 3
        assert placed("sub-cent", "614").to_dict() == usual
        with pytest.raises(PlacementError, match=r"a budget of 21\.2225 would do"):
            placed("BTC", "12")
        assert getcontext().prec == 3


def test_numbers_of_any_size_are_exact() -> None:
    market = Market(tick=D("1e-30"), step=D("1e-30"))
    first, second = place([0.0, 50.0], [1.0, 1.0], "quote", market, D("1e30"), D("1")).orders
    assert (first.money, second.money, second.quantity) == (D("5e29"), D("5e29"), D("1e30"))


def test_numbers_are_written_out() -> None:
    told = placed("sub-cent", "614").to_dict()
    assert set(told) == {"market", "budget", "spent", "orders", "changed", "rules"}
    assert set(told["orders"][0]) == {"order", "price", "quantity", "money"}
    texts = [text for order in told["orders"] for text in order.values()]
    assert all(isinstance(text, str) and "E" not in text.upper() for text in texts)
    assert told["market"]["tick"] == "0.00000001"


@settings(max_examples=20)
@given(ladder=ladders())
def test_more_money_comes_nearer_to_the_ladder(ladder: tuple[list[float], list[float]]) -> None:
    market, entry = MARKETS["BTC"]
    placement = place(*ladder, "quote", market, D(10_000_000), entry)
    assert placement.placed.max_need.item() == pytest.approx(placement.wanted.max_need.item(), abs=2e-3)
    assert placement.placed.max_need_path.item() == pytest.approx(placement.wanted.max_need_path.item(), abs=2e-3)


def test_a_ladder_is_placed_alike_alone_and_among_others() -> None:
    market, entry = MARKETS["BTC"]
    grid = Grid.of(market, D(500), entry)
    assert make(*LADDER, "quote", grid) == placed("BTC", "500").orders
