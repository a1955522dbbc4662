"""The score J of a batch of ladders, its penalties, and the diagnostics beside it.

Formulas are numbered as in ``docs/model.md``; shapes as in :mod:`mlab.ladder`: (M, B) an order a row and a
ladder a column, (B,) a number a ladder. A new penalty is one function here and one line in ``penalties``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.errors import EvaluationError
from mlab.ladder import Array, Need, Sizing, average_entry, need_at_fill, need_before_fill, prices

CHUNK = 2048
"""Ladders evaluated at a time: their rows stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Wave:
    """When neighbouring steps count as a wave: at or above ``strong_pct`` beside at or below ``weak_pct``."""

    strong_pct: float
    weak_pct: float


@dataclass(frozen=True, slots=True)
class Objective:
    """What the score is made of; ``wave`` is None where the wave rule is off."""

    sizing: Sizing
    need: Need
    alpha: float
    beta: float
    gamma: float
    lambda_penalty: float
    wave: Wave | None
    tail_cap_pct: float
    min_indent_step_pct: float


@dataclass(frozen=True, slots=True)
class Position:
    """Batch of ladders seen as positions: ``price`` and ``average`` over the base price, ``volume`` as shares.

    All of shape (M, B); ``indent`` and ``growth`` (of each volume over the one before) in percent.
    """

    sizing: Sizing
    indent: Array
    volume: Array
    growth: Array
    price: Array
    average: Array


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All numbers of the contract for a batch: ``need`` and ``before`` are (M, B), the rest (B,)."""

    position: Position
    score: Array
    need: Array
    before: Array
    tail: Array
    penalties: dict[str, Array]
    wci: Array
    sign_flips: Array


def evaluate(indent: Array, volume: Array, objective: Objective) -> Evaluation:
    """Every field of the contract.

    Args:
        indent: depth of each order in percent, shape (M, B), M >= 2, below 100.
        volume: positive volumes in any unit, shape (M, B).
        objective: sizing, weights and thresholds.

    Raises:
        EvaluationError: a shape, a volume or an indent that no formula holds for, or a score that overflows.
    """
    position = _position(indent, volume, objective.sizing)
    penalty = penalties(position, objective)
    need = need_at_fill(position.price, position.average)
    before = need_before_fill(position.price, position.average)
    return Evaluation(
        position=position,
        score=_score(position, need if objective.need == "fill" else before, penalty, objective),
        need=need,
        before=before,
        tail=tail(position.volume),
        penalties=penalty,
        wci=weight_centre(position.volume),
        sign_flips=sign_flips(need),
    )


def scores(indent: Array, volume: Array, objective: Objective) -> Array:
    """The score alone, shape (B,): the search's inner pass, by the same formulas."""
    measure = need_at_fill if objective.need == "fill" else need_before_fill
    total = np.empty(volume.shape[1])
    for start in range(0, len(total), CHUNK):
        part = slice(start, start + CHUNK)
        position = _position(indent[:, part], volume[:, part], objective.sizing)
        need = measure(position.price, position.average)
        total[part] = _score(position, need, penalties(position, objective), objective)
    return total


def _position(indent: Array, volume: Array, sizing: Sizing) -> Position:
    if indent.shape != volume.shape or indent.ndim != 2 or len(indent) < 2:
        raise EvaluationError(f"indent {indent.shape} and volume {volume.shape} must both be (orders >= 2, ladders)")
    if not (np.isfinite(volume).all() and (volume > 0.0).all()):
        raise EvaluationError("every volume must be a finite number above 0")
    if not (np.isfinite(indent).all() and (indent < 100.0).all()):
        raise EvaluationError("every indent must be a finite number below 100 %")
    price = np.ascontiguousarray(prices(indent))
    share = np.ascontiguousarray(volume / volume.sum(axis=0))
    # Growth comes from the volumes as given: on a threshold of the wave rule one rounding more would count.
    return Position(sizing, indent, share, martingale(volume), price, average_entry(price, share, sizing))


def _score(position: Position, need: Array, penalty: dict[str, Array], objective: Objective) -> Array:
    """J of F9, over the needs (M, B) that the objective names."""
    total: Array = (
        objective.alpha * need.max(axis=0)
        + objective.beta * variance(need)
        + objective.gamma * tail(position.volume)
        + objective.lambda_penalty * np.sum(list(penalty.values()), axis=0)
    )
    if not np.isfinite(total).all():
        raise EvaluationError("the score is not a finite number: volumes or indents are out of all proportion")
    return total


def penalties(position: Position, objective: Objective) -> dict[str, Array]:
    """The penalties of a batch by name, each of shape (B,).

    ``P_need_mismatch`` is not among them: it compares with what is stored, so the contract adds it.
    """
    volume = position.volume
    return {
        "P_gini": gini(volume),
        "P_entropy": 1.0 - entropy(volume),
        "P_monotone": backsteps(position.indent),
        "P_smooth": roughness(position.indent),
        "P_tailcap": tail_excess(volume, objective.tail_cap_pct / 100.0),
        "P_wave": monotony(position.growth, objective.wave),
    }


def variance(rows: Array) -> Array:
    """Population variance over orders, shape (B,)."""
    deviation = rows - rows.sum(axis=0) / len(rows)
    deviation *= deviation
    return np.asarray(deviation.sum(axis=0) / len(rows))


def tail(share: Array) -> Array:
    """Share of the volume in the last 20 % of orders, from index floor(0.8 M) counted from 0. F10, shape (B,)."""
    return np.asarray(share[8 * len(share) // 10 :].sum(axis=0))


def martingale(volume: Array) -> Array:
    """Growth from each order to the next in percent; 0 for the first. F11, shape (M, B)."""
    growth = np.zeros(volume.shape)
    np.divide(volume[1:], volume[:-1], out=growth[1:])
    growth[1:] -= 1.0
    growth[1:] *= 100.0
    return growth


def gini(share: Array) -> Array:
    """Gini coefficient of the volumes, 0 equal to 1 concentrated. F12, shape (B,)."""
    orders = len(share)
    # A ladder whose volumes never fall is in order already, and sorting is the dearest step of all.
    ordered = share if (share[1:] >= share[:-1]).all() else np.sort(share, axis=0)
    rank = np.arange(1.0, orders + 1.0)
    return np.asarray(
        np.clip(2.0 * (rank @ ordered) / (orders * share.sum(axis=0)) - (orders + 1.0) / orders, 0.0, 1.0)
    )


def entropy(share: Array) -> Array:
    """Entropy of the volumes over its largest value ln M, 0 to 1. F13, shape (B,)."""
    return np.asarray(-(share * np.log(share)).sum(axis=0) / np.log(len(share)))


def backsteps(indent: Array) -> Array:
    """Sum of the percent by which orders stand above the one before. F14, shape (B,)."""
    return np.asarray(np.maximum(0.0, indent[:-1] - indent[1:]).sum(axis=0))


def roughness(indent: Array) -> Array:
    """Variance of the price steps in percent, over 100; the first step is order 1's own indent. F15, shape (B,)."""
    step = np.array(indent, order="C")
    np.subtract(indent[1:], indent[:-1], out=step[1:])
    return variance(step) / 100.0


def tail_excess(share: Array, cap: float) -> Array:
    """How far the last order exceeds its cap, as a share of the cap. F16, shape (B,)."""
    return np.asarray(np.maximum(0.0, (share[-1] - cap) / cap))


def monotony(growth: Array, wave: Wave | None) -> Array:
    """Penalty for like steps side by side, strong or weak, eased by unlike ones. F17, shape (B,)."""
    if wave is None:
        return np.zeros(growth.shape[1])
    strong, weak = growth[1:] >= wave.strong_pct, growth[1:] <= wave.weak_pct
    unlike = (strong[1:] & weak[:-1]) | (weak[1:] & strong[:-1])
    alike = (strong[1:] & strong[:-1]) | (weak[1:] & weak[:-1])
    return np.asarray(np.maximum(0, 2 * alike.sum(axis=0) - unlike.sum(axis=0)) / 10.0)


def weight_centre(share: Array) -> Array:
    """Where the volume lies: 0 all in the first order, 1 all in the last. F18, shape (B,)."""
    return np.asarray(np.arange(len(share)) @ share / (share.sum(axis=0) * (len(share) - 1)))


def sign_flips(need: Array) -> Array:
    """How often the need turns from rising to falling or back. F19, shape (B,)."""
    sign = np.sign(np.diff(need, axis=0))
    return np.asarray((sign[1:] * sign[:-1] < 0).sum(axis=0), dtype=np.float64)
