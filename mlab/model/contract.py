"""One ladder as plain JSON values: the contract of an evaluation, and the risk block beside it."""

from __future__ import annotations

import numpy as np

from mlab.core.errors import EvaluationError
from mlab.core.records import Candidate, Cell, Json
from mlab.model import reference
from mlab.model.ladder import Array, need_before_fill, variance
from mlab.model.objective import Objective
from mlab.model.scoring import Evaluation, evaluate

MISMATCH_TOLERANCE = 1e-6
FURTHER_FALLS_PCT = (10, 20, 30)


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
    return Candidate("", cell, 0, 0, told["score"], told, risk(numbers, 0, objective))


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


def risk(evaluation: Evaluation, ladder: int, objective: Objective) -> Json:
    """What NeedPct at fills does not show. F20 to F22; losses in percent of the money deployed.

    Example:
        Equal money at 100 and at 50: half of the way down the rebound needed is 100 %, and at 50 a quarter is lost.

        >>> from mlab.model.scoring import evaluate
        >>> evaluation = evaluate(np.array([[0.0, 50.0]]).T, np.array([[1.0, 1.0]]).T)
        >>> block = risk(evaluation, 0, Objective())
        >>> round(block["max_need_path"], 9), round(block["loss_at_last_order_pct"], 9)
        (100.0, 25.0)
    """
    share, prices = evaluation.volume_pct[:, ladder], evaluation.price[:, ladder]
    money = np.cumsum(share if objective.sizing == "quote" else share * prices)
    before = need_before_fill(evaluation.price[:, [ladder]], evaluation.average[:, [ladder]])
    price, average = float(prices[-1]), float(evaluation.average[-1, ladder])

    def loss(further_fall_pct: float) -> float:
        return (1.0 - price * (1.0 - further_fall_pct / 100.0) / average) * 100.0  # F22

    return {
        "need_before_fill": before[:, 0].tolist(),
        "max_need_path": float(max(before.max(), evaluation.need[:, ladder].max())),  # F20
        "var_need_path": float(variance(before)[0]),
        "capital_deployed_pct": (money / money[-1] * 100.0).tolist(),  # F21
        "loss_at_last_order_pct": loss(0.0),
        "loss_below_last_pct": {str(fall): loss(fall) for fall in FURTHER_FALLS_PCT},
    }
