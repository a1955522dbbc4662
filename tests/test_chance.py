"""What the risk block expects of deals on a fair price: by hand, and against deals counted on prices that are fair."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlab.model.chance import FURTHER_FALL, chance
from mlab.prices import made
from mlab.replay import ExitRule, Fees, Levels, Path, replay

ORDERS = 6
INDENT = np.array([np.linspace(0, 12, ORDERS), 12 * np.linspace(0, 1, ORDERS) ** 1.5, np.linspace(0, 6, ORDERS)]).T
VOLUME = np.array([np.ones(ORDERS), 1.3 ** np.arange(ORDERS), 1.5 ** np.arange(ORDERS)]).T


def test_two_orders_by_hand() -> None:
    price, take_profit = [1.0, 0.9], 0.01
    average = [1.0, 2.0 / (1.0 + 1.0 / 0.9)]
    up = [math.log(a * (1.0 + take_profit) / p) for a, p in zip(average, price, strict=True)]
    down = [math.log(1.0 / 0.9), math.log(1.0 / (1.0 - FURTHER_FALL))]
    reach = [1.0, 1.0 - down[0] / (down[0] + up[0])]
    time = [reach[k] * down[k] * up[k] for k in range(2)]
    found = chance(np.array([price]).T, np.array([average]).T, np.array([[0.5, 1.0]]).T, take_profit)
    assert found.reach[:, 0].tolist() == pytest.approx(reach)
    assert found.time[0] == pytest.approx(sum(time))
    assert found.deployed[0] == pytest.approx((0.5 * time[0] + time[1]) / sum(time))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.floats(0.1, 20.0))
def test_chances_fall_from_order_to_order(gaps: list[int], take_profit_pct: float) -> None:
    indent = np.append(0.0, np.cumsum(gaps))[:, None] / 10.0 * min(1.0, 900.0 / sum(gaps))
    levels = Levels.of(indent, np.ones(indent.shape), ExitRule(take_profit_pct=take_profit_pct))
    found = chance(levels.order, levels.money / levels.coins, levels.money, levels.take_profit)
    reach = found.reach[:, 0]
    assert reach[0] == 1.0
    assert (np.diff(reach) < 0.0).all()
    assert reach[-1] > 0.0
    assert 0.0 < found.deployed[0] <= 1.0


def test_deals_on_a_fair_price_reach_orders_as_often_as_expected() -> None:
    """Each order fills in as many deals as F30 says, within a fifth."""
    levels = Levels.of(INDENT, VOLUME, ExitRule(take_profit_pct=1))
    found = chance(levels.order, levels.money / levels.coins, levels.money, levels.take_profit)
    counts = np.zeros((ORDERS, 3))
    for seed in range(40):
        outcome = replay(Path(made(4_000, seed=seed)), levels, Fees(maker_pct=0, taker_pct=0))
        counts += outcome.depth_counts
        counts[outcome.open_depth - 1, np.arange(3)] += 1
    reached = np.cumsum(counts[::-1], axis=0)[::-1] / counts.sum(axis=0)
    often = reached > 0.02
    assert reached[often] == pytest.approx(found.reach[often], rel=0.2)
