"""Ladders as plain JSON values: the contract of an evaluation, and the risk block beside it."""

from __future__ import annotations

import numpy as np

from mlab.core.errors import EvaluationError
from mlab.core.records import Candidate, Cell, Json
from mlab.model import reference
from mlab.model.chance import Chance, chance
from mlab.model.ladder import Array, accumulate, need_before_fill, variance
from mlab.model.objective import Objective
from mlab.model.scoring import Evaluation, evaluate

MISMATCH_TOLERANCE = 1e-6
FURTHER_FALLS_PCT = (10, 20, 30)
VOLATILITY = 0.01  # of the candles in which time is told, as a share


def judged(indent: Array, volume: Array, base_price: float, objective: Objective) -> Candidate:
    """A ladder that no search has found, with its contract and its risk; the limits are flags and a penalty of it.

    Args:
        indent: depth of each order in %, shape (M, 1).
        volume: of each order in any unit, shape (M, 1).
        base_price: that of order 1, in quote currency.
        objective: what makes it good.

    Raises:
        EvaluationError: its volumes or depths are out of all proportion.
    """
    numbers = evaluate(indent, volume, objective)
    if not numbers.finite:
        raise EvaluationError("a number is not finite: volumes or indents are out of all proportion")
    told = contract(numbers, 0, base_price, objective)
    cell = Cell(0, float(indent[-1, 0]), len(indent))
    return Candidate("", cell, 0, 0, told["score"], told, risks(numbers, objective)[0])


def contract(evaluation: Evaluation, ladder: int, base_price: float, objective: Objective) -> Json:
    """The contract of one ladder of a batch, exactly the keys that the spec fixes.

    The ladder is a column of the evaluation, which is one by this objective; the base price is that of order 1 in
    quote currency. ``max_need`` and ``var_need`` are those at fills, whatever the score is built on.

    Example:
        >>> from mlab.model.scoring import evaluate
        >>> evaluation = evaluate(np.array([[0.0, 5.0, 10.0]]).T, np.array([[1.0, 1.2, 1.44]]).T)
        >>> contract(evaluation, 0, 202.91, Objective())["schedule"]["order_prices"]
        [202.91, 192.7645, 182.619]
    """
    rows = {
        "indent_pct": evaluation.indent,
        "volume_pct": evaluation.volume_pct,
        "martingale_pct": evaluation.growth,
        "needpct": evaluation.need,
        "order_prices": evaluation.price * base_price,
        "price_step_pct": evaluation.step,
    }
    schedule = {name: values[:, ladder].tolist() for name, values in rows.items()}
    max_need = float(evaluation.max_need[ladder])
    again = max(reference.needs(schedule["order_prices"], schedule["volume_pct"], objective.sizing))
    mismatch = not abs(max_need - again) <= MISMATCH_TOLERANCE
    penalties = {name: float(value[ladder]) for name, value in evaluation.penalties.items()}
    penalties["P_need_mismatch"] = float(mismatch)
    return {
        "score": float(evaluation.score[ladder]) + objective.score.lambda_penalty * float(mismatch),
        "max_need": max_need,
        "var_need": float(evaluation.var_need[ladder]),
        "tail": float(evaluation.tail[ladder]),
        "schedule": schedule,
        "sanity": {
            "max_need_mismatch": mismatch,
            "collapse_indents": bool(evaluation.collapses[ladder]),
            "tail_overflow": bool(evaluation.overflows[ladder]),
        },
        "diagnostics": {
            "wci": float(evaluation.wci[ladder]),
            "sign_flips": int(evaluation.sign_flips[ladder]),
            "gini": penalties["P_gini"],
            "entropy": 1.0 - penalties["P_entropy"],
        },
        "penalties": penalties,
    }


def risks(evaluation: Evaluation, objective: Objective) -> list[Json]:
    """What NeedPct at fills does not show, a block for each ladder of a batch. F20 to F22, F30 and F31.

    Losses are in percent of the money deployed. What to expect of deals is told of ladders whose orders go down.

    Example:
        Equal money at 100 and at 50: half of the way down the rebound needed is 100 %, and at 50 a quarter is lost.
        On a price without drift one deal of 70 fills both orders, at a take-profit of 1 %.

        >>> evaluation = evaluate(np.array([[0.0, 50.0]]).T, np.array([[1.0, 1.0]]).T)
        >>> (block,) = risks(evaluation, Objective())
        >>> round(block["max_need_path"], 9), round(block["loss_at_last_order_pct"], 9)
        (100.0, 25.0)
        >>> [round(chance, 2) for chance in block["chance_filled_pct"]], round(block["expected_candles"])
        ([100.0, 1.42], 78)
    """
    volume, price = evaluation.volume_pct, evaluation.price
    money = accumulate(volume.copy() if objective.sizing == "quote" else volume * price)
    deployed = money / money[-1]  # F21
    before = need_before_fill(price, evaluation.average)
    target_pct = objective.score.take_profit_pct
    with np.errstate(divide="ignore", invalid="ignore"):  # of orders that go up
        expected = chance(price, evaluation.average, deployed, target_pct / 100.0)
    blocks = []
    for ladder in range(volume.shape[1]):
        block = _risk(evaluation, ladder, before[:, [ladder]], deployed[:, ladder])
        if evaluation.penalties["P_monotone"][ladder] == 0.0:
            block |= {"take_profit_pct": target_pct, **_expected(expected, ladder)}
        blocks.append(block)
    return blocks


def _risk(evaluation: Evaluation, ladder: int, before: Array, deployed: Array) -> Json:
    price, average = float(evaluation.price[-1, ladder]), float(evaluation.average[-1, ladder])

    def loss(further_fall_pct: float) -> float:
        return (1.0 - price * (1.0 - further_fall_pct / 100.0) / average) * 100.0  # F22

    return {
        "need_before_fill": before[:, 0].tolist(),
        "max_need_path": float(max(before.max(), evaluation.need[:, ladder].max())),  # F20
        "var_need_path": float(variance(before)[0]),
        "capital_deployed_pct": (deployed * 100.0).tolist(),
        "loss_at_last_order_pct": loss(0.0),
        "loss_below_last_pct": {str(fall): loss(fall) for fall in FURTHER_FALLS_PCT},
    }


def _expected(found: Chance, ladder: int) -> Json:
    reach = (found.reach[:, ladder] * 100.0).tolist()
    return {
        "chance_filled_pct": reach,
        "chance_all_filled_pct": reach[-1],
        "expected_candles": float(found.time[ladder]) / VOLATILITY**2,
        "expected_deployed_pct": float(found.deployed[ladder]) * 100.0,
    }
