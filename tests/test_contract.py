"""The contract as it is stored: its keys, its types, its checks."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from mlab.core.records import Sizing
from mlab.model.contract import contract, judged, risks
from mlab.model.objective import Objective, Score
from mlab.model.reference import needs
from mlab.model.scoring import Evaluation, evaluate

GOAL = Objective()
INDENT, VOLUME = [0.0, 5.0, 12.0, 20.0], [1.0, 1.5, 2.0, 2.5]
LADDER = np.array([INDENT]).T, np.array([VOLUME]).T
EXPECTED = ("chance_filled_pct", "chance_all_filled_pct", "expected_candles", "expected_deployed_pct")


def evaluated(indent: list[float] = INDENT, volume: list[float] = VOLUME, objective: Objective = GOAL) -> Evaluation:
    return evaluate(np.array([indent]).T, np.array([volume]).T, objective)


def made(indent: list[float] = INDENT, volume: list[float] = VOLUME) -> dict[str, Any]:
    return contract(evaluated(indent, volume), 0, 202.91, GOAL)


def types(value: Any) -> set[type]:
    if isinstance(value, dict):
        return {dict}.union({type(key) for key in value}, *(types(item) for item in value.values()))
    if isinstance(value, list):
        return {list}.union(*(types(item) for item in value))
    return {type(value)}


def test_keys_are_exactly_those_of_the_contract() -> None:
    ladder = made()
    assert {key: list(value) if isinstance(value, dict) else None for key, value in ladder.items()} == {
        "score": None,
        "max_need": None,
        "var_need": None,
        "tail": None,
        "schedule": ["indent_pct", "volume_pct", "martingale_pct", "needpct", "order_prices", "price_step_pct"],
        "sanity": ["max_need_mismatch", "collapse_indents", "tail_overflow"],
        "diagnostics": ["wci", "sign_flips", "gini", "entropy"],
        "penalties": sorted(ladder["penalties"], key=list(ladder["penalties"]).index),
    }
    assert set(ladder["penalties"]) == {
        "P_gini", "P_entropy", "P_monotone", "P_smooth", "P_tailcap", "P_need_mismatch", "P_wave"
    }  # fmt: skip
    assert {len(values) for values in ladder["schedule"].values()} == {4}


def test_contract_and_risk_are_plain_json() -> None:
    evaluation = evaluated()
    block = {"contract": contract(evaluation, 0, 202.91, GOAL), "risk": risks(evaluation, GOAL)[0]}
    assert types(block) == {dict, list, str, float, int, bool}
    assert json.loads(json.dumps(block, allow_nan=False)) == block
    assert type(block["contract"]["diagnostics"]["sign_flips"]) is int


def test_same_ladder_same_payload_wherever_it_stands_in_a_batch() -> None:
    batch = evaluate(np.array([INDENT, [0.0, 1.0, 2.0, 3.0]]).T, np.array([VOLUME, [4.0, 3.0, 2.0, 1.0]]).T, GOAL)
    beside, expected = contract(batch, 0, 202.91, GOAL), made()
    for block in ("schedule", "sanity", "diagnostics", "penalties"):
        for field, value in expected[block].items():
            assert beside[block][field] == pytest.approx(value, rel=1e-14, abs=1e-14), field
    assert beside["score"] == pytest.approx(expected["score"], rel=1e-14)


def test_first_order_is_the_base_price_and_volumes_sum_to_100() -> None:
    schedule = made()["schedule"]
    assert schedule["order_prices"][0] == 202.91
    assert sum(schedule["volume_pct"]) == pytest.approx(100.0)
    assert schedule["price_step_pct"] == [0.0, 5.0, 7.0, 8.0]
    assert schedule["needpct"][0] == schedule["martingale_pct"][0] == 0.0


def test_mismatch_between_need_and_stored_prices_is_found_and_penalised() -> None:
    evaluation = evaluated()
    sound = contract(evaluation, 0, 202.91, GOAL)
    evaluation.price[-1] *= 0.999  # what is stored no longer is what was evaluated
    broken = contract(evaluation, 0, 202.91, GOAL)
    assert not sound["sanity"]["max_need_mismatch"]
    assert broken["sanity"]["max_need_mismatch"]
    assert broken["penalties"]["P_need_mismatch"] == 1.0
    assert broken["score"] == pytest.approx(sound["score"] + 0.1)


def test_a_need_that_is_no_number_is_a_mismatch() -> None:
    evaluation = evaluated()
    evaluation.max_need[0] = np.nan
    assert contract(evaluation, 0, 100.0, GOAL)["sanity"]["max_need_mismatch"]


@pytest.mark.parametrize(
    ("indent", "collapsed"),
    [([0.0, 0.05, 9.0, 20.0], False), ([0.0, 0.05 - 1e-12, 9.0, 20.0], True), ([0.0, 5.0, 5.04, 20.0], True)],
)
def test_a_gap_below_the_least_is_flagged_and_one_on_it_is_not(indent: list[float], collapsed: bool) -> None:
    assert made(indent)["sanity"]["collapse_indents"] is collapsed


@pytest.mark.parametrize(
    ("volume", "over"), [([10.0, 20.0, 30.0, 40.0], False), ([10.0, 20.0, 30.0, 40.0 + 1e-12], True)]
)
def test_a_last_order_above_its_cap_is_flagged_and_one_on_it_is_not(volume: list[float], over: bool) -> None:
    ladder = made(volume=volume)
    assert ladder["sanity"]["tail_overflow"] is over
    assert (ladder["penalties"]["P_tailcap"] > 0.0) is over


def test_needs_of_the_contract_stay_those_at_fills_when_the_score_is_on_the_path() -> None:
    path = Objective(Score(need="path", alpha=1.0, beta=0.0, gamma=0.0, lambda_penalty=0.0))
    evaluation = evaluated(objective=path)
    ladder, (block,) = contract(evaluation, 0, 100.0, path), risks(evaluation, path)
    assert ladder["max_need"] == made()["max_need"] == max(ladder["schedule"]["needpct"])
    assert ladder["score"] == block["max_need_path"] > ladder["max_need"]


def test_losses_by_hand() -> None:
    """Equal money at 100 and at 50: 1 + 2 coins, average 66.67; a quarter is lost at 50, 40 % at 40."""
    (block,) = risks(evaluated([0.0, 50.0], [1.0, 1.0]), GOAL)
    assert block["need_before_fill"] == pytest.approx([0.0, 100.0])
    assert block["loss_at_last_order_pct"] == pytest.approx(25.0)
    assert block["loss_below_last_pct"] == pytest.approx({"10": 32.5, "20": 40.0, "30": 47.5})


@pytest.mark.parametrize(("sizing", "deployed"), [("quote", [50.0, 100.0]), ("base", [200.0 / 3.0, 100.0])])
def test_capital_deployed_is_money(sizing: Sizing, deployed: list[float]) -> None:
    """One coin at 100 and one at 50 are two thirds and one third of the money."""
    goal = Objective(sizing=sizing)
    (block,) = risks(evaluated([0.0, 50.0], [1.0, 1.0], goal), goal)
    assert block["capital_deployed_pct"] == pytest.approx(deployed)


def test_what_to_expect_of_a_deal_by_hand() -> None:
    """Equal money at 100 and at 50, 10 % of profit: exits at 110 and 73.33; what is left below 50 is a fall to 40."""
    goal = Objective(Score(take_profit_pct=10.0))
    (block,) = risks(evaluated([0.0, 50.0], [1.0, 1.0], goal), goal)
    up, down = [math.log(1.1), math.log(220.0 / 3.0 / 50.0)], [math.log(2.0), math.log(50.0 / 40.0)]
    filled = up[0] / (up[0] + down[0])
    time = [up[0] * down[0], filled * up[1] * down[1]]
    assert block["take_profit_pct"] == 10.0
    assert block["chance_filled_pct"] == pytest.approx([100.0, 100.0 * filled])
    assert block["chance_all_filled_pct"] == block["chance_filled_pct"][-1]
    assert block["expected_candles"] == pytest.approx(sum(time) / 0.01**2)
    assert block["expected_deployed_pct"] == pytest.approx((50.0 * time[0] + 100.0 * time[1]) / sum(time))


def test_chances_are_those_of_money_whatever_volumes_count() -> None:
    """One coin at 100 and one at 50 are the money of two at 100 and one at 50."""
    coins, money = Objective(sizing="base"), Objective()
    (one,) = risks(evaluated([0.0, 50.0], [1.0, 1.0], coins), coins)
    (other,) = risks(evaluated([0.0, 50.0], [2.0, 1.0], money), money)
    for field in EXPECTED:
        assert one[field] == pytest.approx(other[field]), field


def test_the_score_does_not_depend_on_the_take_profit() -> None:
    near, far = (judged(*LADDER, 100.0, Objective(Score(take_profit_pct=target))) for target in (0.5, 5.0))
    assert near.contract == far.contract
    assert {key for key in near.risk if near.risk[key] != far.risk[key]} == {"take_profit_pct", *EXPECTED}
    assert near.risk["expected_candles"] < far.risk["expected_candles"]


def test_a_ladder_has_the_chances_that_it_has_alone_wherever_it_stands_in_a_batch() -> None:
    batch = evaluate(np.array([INDENT, [0.0, 1.0, 2.0, 3.0]]).T, np.array([VOLUME, [4.0, 3.0, 2.0, 1.0]]).T, GOAL)
    beside, alone = risks(batch, GOAL)[0], judged(*LADDER, 100.0, GOAL).risk
    for field, value in alone.items():
        assert beside[field] == pytest.approx(value, rel=1e-14, abs=1e-14), field


def test_nothing_is_expected_of_orders_that_go_up() -> None:
    up, down = risks(evaluate(np.array([[0.0, 5.0, 4.0], [0.0, 4.0, 5.0]]).T, np.ones((3, 2)), GOAL), GOAL)
    assert set(down) - set(up) == {"take_profit_pct", *EXPECTED}


def test_a_ladder_judged_alone_is_a_record_without_a_name() -> None:
    one = judged(*LADDER, 202.91, GOAL)
    assert (one.candidate_id, one.cell.overlap_pct, one.cell.num_orders, one.score) == ("", 20.0, 4, made()["score"])
    assert one.contract == made()


@pytest.mark.parametrize(
    ("sizing", "expected"), [("quote", [0.0, 2.325581, 4.692704]), ("base", [0.0, 2.392344, 4.884005])]
)
def test_second_route_gives_the_known_needs(sizing: str, expected: list[float]) -> None:
    prices = [202.91, 202.91 * 0.95, 202.91 * 0.9]
    assert needs(prices, [1.0, 1.2, 1.44], sizing) == pytest.approx(expected, abs=1e-6)
