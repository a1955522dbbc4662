"""The score J of a batch of ladders, and the evaluation: every number of the contract.

Formulas are numbered as in ``docs/model.md``; shapes as in :mod:`mlab.model.ladder`: (M, B) an order a row and a
ladder a column, (B,) a number a ladder.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mlab.core.errors import EvaluationError
from mlab.core.records import Need
from mlab.model.compiled import ladder_loops
from mlab.model.ladder import Array, need_at_fill, need_before_fill, variance
from mlab.model.objective import Objective, Score, Wave
from mlab.model.penalties import Position, penalties, sign_flips, tail, weight_centre

CHUNK = 81_920  # orders scored at a time, 4,096 ladders of 20: calls cost little then, and all fits the cache
DEFAULT = Objective()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All numbers of the contract for a batch: those of orders are (M, B), those of ladders (B,)."""

    score: Array
    max_need: Array
    var_need: Array
    tail: Array
    indent: Array
    volume_pct: Array
    growth: Array
    need: Array
    price: Array
    step: Array
    average: Array
    penalties: dict[str, Array]
    collapses: NDArray[np.bool_]
    overflows: NDArray[np.bool_]
    wci: Array
    sign_flips: Array

    @property
    def finite(self) -> bool:
        """Whether all numbers are: no NaN, no infinity."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = [*values.pop("penalties").values(), *values.values()]
        return all(bool(np.isfinite(array).all()) for array in arrays)


def evaluate(indent: Array, volume: Array, objective: Objective = DEFAULT) -> Evaluation:
    """Every field of the contract.

    Indents are in percent, below 100, volumes positive in any unit, both of shape (M, B), M >= 2. The objective is that
    of the config's defaults where it is left out.

    Raises:
        EvaluationError: a shape, a volume or an indent that no formula holds for, or a score that overflows.

    Example:
        One ladder of three orders, each 20 % larger than the last:

        >>> evaluation = evaluate(np.array([[0.0, 5.0, 10.0]]).T, np.array([[1.0, 1.2, 1.44]]).T)
        >>> evaluation.need[:, 0].round(6).tolist()
        [0.0, 2.325581, 4.692704]
        >>> round(float(evaluation.score[0]), 6)
        3.541189
    """
    _check_shapes(indent, volume)
    score, limits = objective.score, objective.limits
    position = Position.of(indent, volume, objective.sizing)
    penalty = penalties(position, score.wave, limits.tail_cap_pct)
    need = need_at_fill(position.price, position.average)
    max_need, var_need = need.max(axis=0), variance(need)
    worst = (max_need, var_need) if score.need == "fill" else _worst(position, score.need)
    if not position.growth.max(initial=0.0) < np.inf:
        raise EvaluationError("volumes are out of all proportion to each other")
    volume_pct = position.volume * (100.0 / position.held[-1])
    return Evaluation(
        score=_score(position, worst, penalty, score),
        max_need=max_need,
        var_need=var_need,
        tail=tail(position),
        indent=position.indent,
        volume_pct=volume_pct,
        growth=position.growth,
        need=need,
        price=position.price,
        step=position.step,
        average=position.average,
        penalties=penalty,
        collapses=position.step[1:].min(axis=0) < limits.min_indent_step_pct,
        overflows=volume_pct[-1] > limits.tail_cap_pct,
        wci=weight_centre(position),
        sign_flips=sign_flips(need),
    )


def scores(indent: Array, volume: Array, objective: Objective = DEFAULT) -> Array:
    """The score alone, shape (B,), by the same formulas: the search's inner pass.

    Shapes, units and errors are those of :func:`evaluate`.

    Example:
        Two ladders, equal volumes beside growing ones, by the rebound just before each fill:

        >>> from mlab.model.objective import Objective, Score
        >>> indent = np.array([[0.0, 5.0, 10.0], [0.0, 5.0, 10.0]]).T
        >>> volume = np.array([[1.0, 1.0, 1.0], [1.0, 1.2, 1.44]]).T
        >>> scores(indent, volume, Objective(Score(need="path"))).round(6).tolist()
        [7.721842, 7.41268]
    """
    _check_shapes(indent, volume)
    orders, ladders = indent.shape
    width = max(1, CHUNK // orders)
    chunks = [slice(start, start + width) for start in range(0, max(1, ladders), width)]
    parts = [_scored(indent[:, chunk], volume[:, chunk], objective) for chunk in chunks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _check_shapes(indent: Array, volume: Array) -> None:
    if indent.shape != volume.shape or indent.ndim != 2 or len(indent) < 2:
        raise EvaluationError(f"indent {indent.shape} and volume {volume.shape} must both be (orders >= 2, ladders)")


def _scored(indent: Array, volume: Array, objective: Objective) -> Array:
    if loops := ladder_loops(indent.shape[1]):
        compiled = compiled_score(loops, indent, volume, objective)
        if compiled is not None:
            return compiled
    position = Position.of(indent, volume, objective.sizing)
    penalty = penalties(position, objective.score.wave, objective.limits.tail_cap_pct)
    return _score(position, _worst(position, objective.score.need), penalty, objective.score)


def compiled_score(loops: ModuleType, indent: Array, volume: Array, objective: Objective) -> Array | None:
    """The same by compiled loops; None where they lack a penalty, or volumes fall or are wrong."""
    score, (orders, ladders) = objective.score, indent.shape
    if _penalty_names() != loops.scoring.PENALTIES:
        return None
    indent, volume, logs = np.ascontiguousarray(indent), np.ascontiguousarray(volume), np.empty((orders + 1, ladders))
    if not loops.scoring.totalled(indent, volume, logs):
        return None
    kind, wave = (objective.sizing == "quote", score.need == "fill"), score.wave
    rule, cap = (wave.enabled, wave.strong_pct, wave.weak_pct), objective.limits.tail_cap_pct / 100.0
    weights = score.alpha, score.beta, score.gamma, score.lambda_penalty, cap
    return _finite(loops.scoring.score(kind, weights, rule, np.log(orders), indent, volume, np.log(logs, out=logs)))


@cache
def _penalty_names() -> set[str]:
    """What the penalties are called: somebody may have added one."""
    return set(penalties(Position.of(np.zeros((2, 1)), np.ones((2, 1)), "quote"), Wave(), tail_cap_pct=100.0))


def _worst(position: Position, need: Need) -> tuple[Array, Array]:
    """Largest need and variance of the needs that the score counts."""
    measure = need_at_fill if need == "fill" else need_before_fill
    rows = measure(position.price, position.average)
    return rows.max(axis=0), variance(rows)


def _score(position: Position, worst: tuple[Array, Array], penalty: dict[str, Array], score: Score) -> Array:
    """J of F9."""
    total: Array = score.alpha * worst[0] + score.beta * worst[1] + score.gamma * tail(position)  # F9
    total += score.lambda_penalty * sum(penalty.values())
    return _finite(total)


def _finite(total: Array) -> Array:
    if not np.isfinite(total).all():
        raise EvaluationError("the score is not a finite number: volumes or indents are out of all proportion")
    return total
