"""A search that was told of its market finds only what can be placed, and a budget that is said to do does."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlab.config import Config, from_tree, load
from mlab.core.errors import ConfigError
from mlab.market import Market
from mlab.model.space import Space
from mlab.placing import place
from tests.test_placing import EITHER

FILE = ("market.file=docs/howto/market.yaml", "market.price=65000")


def config_of(market: Market, price: Decimal, budget: str, ladder: dict[str, Any]) -> Config:
    names = ("tick", "step", "least_quantity", "most_quantity", "least_money", "lowest_share", "contract_size")
    numbers = {name: float(getattr(market, name)) for name in names} | {"inverse": market.inverse}
    told = numbers | {"budget": float(budget), "price": float(price)}
    return from_tree({"ladder": ladder, "market": told}, "test")


@settings(max_examples=150)
@given(
    market=EITHER,
    budget=st.floats(1e-2, 1e5).map(lambda value: f"{value:.3g}"),
    overlaps=st.lists(st.floats(0.5, 95.0), min_size=1, max_size=2, unique_by=lambda value: f"{value:.3g}"),
    orders=st.lists(st.integers(2, 25), min_size=1, max_size=2, unique=True),
    sizing=st.sampled_from(["quote", "base"]),
    growth_pct=st.sampled_from([0, 1, 25]),
    seed=st.integers(0, 1000),
)
def test_all_that_a_search_may_find_can_be_placed_as_it_is(
    market: tuple[Market, Decimal],
    budget: str,
    overlaps: list[float],
    orders: list[int],
    sizing: Any,
    growth_pct: float,
    seed: int,
) -> None:
    limits = {"martingale_pct": [growth_pct, 100], "first_volume_min_pct": 1e-9, "tail_cap_pct": 100}
    ladder = {"overlap_pct": overlaps, "num_orders": orders, "sizing": sizing}
    ladder["limits"] = limits | {"min_indent_step_pct": 0}
    config = config_of(*market, budget, ladder)
    reason = conflict(config)
    if reason and (enough := re.search(r"market\.budget .*, ([\d.]+) would do: ", reason)):
        config = config_of(*market, enough[1], ladder)
        reason = conflict(config)
        assert "market.budget" not in (reason or "")
    if reason and (deepest := re.search(r"at most ([\d.]+) would do", reason)) and float(deepest[1]) >= 0.01:
        other = conflict(config_of(*market, budget, ladder | {"overlap_pct": float(deepest[1])}))
        assert "overlap_pct" not in (other or "").split(" ")[0]
    if reason is None:
        check_placed(config, np.random.default_rng(seed))


def test_inverse_contracts_of_coins_that_grow_are_not_above_the_most_at_the_top() -> None:
    market = Market(
        tick=Decimal("0.1"), step=Decimal(1), most_quantity=Decimal(36), contract_size=Decimal(100), inverse=True
    )
    limits = {"martingale_pct": [2, 20], "first_volume_min_pct": 0.01, "tail_cap_pct": 60}
    ladder = {"overlap_pct": 39, "num_orders": 12, "sizing": "base", "limits": limits}
    reason = conflict(config_of(market, Decimal(4200), "38800", ladder))
    enough = re.search(r"market\.budget 38800 is too large, ([\d.]+) would do", reason or "")
    assert enough
    check_placed(config_of(market, Decimal(4200), enough[1], ladder), np.random.default_rng(1))


def test_a_tick_between_orders_is_told_before_a_budget_that_would_not_do() -> None:
    market = Market(tick=Decimal("0.5"), step=Decimal("0.1"), least_money=Decimal(10))
    ladder = {"overlap_pct": [5, 60], "num_orders": [5, 40]}
    reason = conflict(config_of(market, Decimal(140), "100", ladder))
    assert (reason or "").startswith(
        "with one tick of market.tick 0.5 between orders no ladder with overlap_pct 5 and "
    )


def conflict(config: Config) -> str | None:
    assert config.market is not None
    return config.market.conflict(config.ladder)


def check_placed(config: Config, chance: np.random.Generator) -> None:
    """The ladders at the ends of what the limits leave, and some between them, need no lifting."""
    assert config.market is not None
    rules, budget = config.market.market(), Decimal(repr(config.market.budget))
    for cell in config.cells():
        space = Space.of(cell, config.objective)
        growth = chance.uniform(1.0, 2.0, (cell.num_orders - 1, 6))
        growth[:, 0], growth[:, 1], growth[:-1, 2], growth[-1, 2] = 1.0, 2.0, 1.0, 1e3
        indent, volume, _ = space.priced(space.feasible(growth))
        for depths, sizes in zip(indent.T, volume.T, strict=True):
            placement = place(depths, sizes, config.ladder.sizing, rules, budget, Decimal(repr(config.base_price)))
            assert placement.changed["lifted"] == []
            assert all(kept["kept"] for kept in placement.rules)


@pytest.mark.parametrize(
    "overrides",
    [
        ("market.budget=26.5253", "ladder.overlap_pct=10", "ladder.num_orders=5"),
        ("market.budget=26.53", "ladder.overlap_pct=[10, 20]", "ladder.num_orders=[5, 10]"),
        ("market.budget=663.132", "market.step=0.001", "market.least_quantity=0.001", "market.least_money=100"),
        ("market.budget=1000", "market.most_quantity=0.0005", "ladder.num_orders=[5, 15]"),
        ("market.budget=5", "ladder.sizing=base"),
    ],
)
def test_the_budget_that_is_said_to_do_does_for_all_cells(overrides: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as error:
        load(None, [*FILE, *overrides])
    enough = re.search(r" is too (?:small|large), ([\d.]+) would do: ", str(error.value))
    assert enough, str(error.value)
    assert load(None, [*FILE, *overrides, f"market.budget={enough[1]}"]).market


def test_where_the_least_and_the_most_leave_no_budget_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"market\.budget 500 is too large, no other would do: order 5 of 5 gets at"):
        load(None, [*FILE, "market.budget=500", "market.most_quantity=0.0001", "ladder.num_orders=[5, 15]"])
