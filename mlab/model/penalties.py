"""What a ladder is measured by besides its needs: the penalties of the score, and the diagnostics beside it.

Formulas are numbered as in ``docs/model.md``; shapes as in :mod:`mlab.model.ladder`: (M, B) an order a row and a
ladder a column, (B,) a number a ladder. A new penalty is one function here and one line in ``penalties``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.core.errors import EvaluationError
from mlab.core.records import Sizing
from mlab.model.ladder import Array, average_entry, count_by_column, prices, variance
from mlab.model.objective import Wave


@dataclass(frozen=True, slots=True)
class Position:
    """Batch of ladders seen as positions; all of shape (M, B)."""

    sizing: Sizing
    indent: Array  # depth in percent
    step: Array  # distance from the order above in percent; for the first its own indent
    volume: Array  # in any unit
    held: Array  # the volumes so far
    growth: Array  # of each volume over the one before, in percent; 0 for the first
    price: Array  # over the base price
    average: Array  # average entry so far, over the base price

    @classmethod
    def of(cls, indent: Array, volume: Array, sizing: Sizing) -> Position:
        """From indents in percent and volumes in any unit.

        Raises:
            EvaluationError: a volume or an indent that no formula holds for.
        """
        # A NaN is its own minimum and maximum, and fails these comparisons.
        if not (volume.min(initial=1.0) > 0.0 and volume.max(initial=1.0) < np.inf):
            raise EvaluationError("every volume must be a finite number above 0")
        if not (indent.min(initial=0.0) > -np.inf and indent.max(initial=0.0) < 100.0):
            raise EvaluationError("every indent must be a finite number below 100 %")
        price = prices(indent)
        average, held = average_entry(price, volume, sizing)
        step = np.empty(indent.shape)
        step[0] = indent[0]
        np.subtract(indent[1:], indent[:-1], out=step[1:])
        return cls(sizing, indent, step, volume, held, martingale(volume), price, average)


def penalties(position: Position, rule: Wave, tail_cap_pct: float) -> dict[str, Array]:
    """The penalties of a batch by name, each of shape (B,).

    ``P_need_mismatch`` is not among them: it compares with what is stored, so the contract adds it.

    Example:
        The last order holds half, a quarter more than its cap of 40 %; all other growths are strong and alike:

        >>> position = Position.of(np.array([[0.0, 5.0, 10.0]]).T, np.array([[1.0, 2.0, 3.0]]).T, "quote")
        >>> values = penalties(position, Wave(), tail_cap_pct=40.0)
        >>> {name: round(float(value[0]), 6) for name, value in values.items() if name in ("P_tailcap", "P_wave")}
        {'P_tailcap': 0.25, 'P_wave': 0.2}
    """
    return {
        "P_gini": gini(position),
        "P_entropy": 1.0 - entropy(position),
        "P_monotone": monotone(position.step),
        "P_smooth": smooth(position.step),
        "P_tailcap": tailcap(position, tail_cap_pct / 100.0),
        "P_wave": wave(position.growth, rule),
    }


def tail(position: Position) -> Array:
    """Share of the volume in the last 20 % of orders, from index floor(0.8 M) counted from 0. F10, shape (B,)."""
    volume = position.volume
    return np.asarray(volume[8 * len(volume) // 10 :].sum(axis=0) / position.held[-1])  # F10


def martingale(volume: Array) -> Array:
    """Growth from each order to the next in percent; 0 for the first. F11, shape (M, B)."""
    growth = np.empty(volume.shape)
    growth[0] = 0.0
    rest = growth[1:]
    np.divide(volume[1:], volume[:-1], out=rest)  # F11
    rest -= 1.0
    rest *= 100.0
    return growth


def gini(position: Position) -> Array:
    """Gini coefficient of the volumes, 0 equal to 1 concentrated. F12, shape (B,)."""
    volume, held = position.volume, position.held
    orders = len(volume)
    # Volumes that never fall are in order already, and sorting is the dearest step of all.
    if position.growth.min(initial=0.0) >= 0.0:
        area = held.sum(axis=0) / held[-1]
    else:
        ordered = np.array(volume.T, order="C")
        ordered.sort(axis=1)
        area = np.einsum("bk,k->b", ordered, np.arange(float(orders), 0.0, -1.0)) / held[-1]
    return np.asarray(np.clip((orders + 1.0 - 2.0 * area) / orders, 0.0, 1.0))  # F12


def entropy(position: Position) -> Array:
    """Entropy of the volumes over its largest value ln M, 0 to 1. F13, shape (B,)."""
    total = position.held[-1]
    information = np.log(position.volume)
    information *= position.volume
    return np.asarray((np.log(total) - information.sum(axis=0) / total) / np.log(len(information)))  # F13


def monotone(step: Array) -> Array:
    """Sum of the percent by which orders stand above the one before. F14, shape (B,)."""
    gaps = step[1:]
    if gaps.min(initial=0.0) >= 0.0:
        return np.zeros(gaps.shape[1])
    return np.asarray(-np.minimum(gaps, 0.0).sum(axis=0))  # F14


def smooth(step: Array) -> Array:
    """Variance of the price steps, per hundred. F15, shape (B,)."""
    return np.asarray(variance(step) / 100.0)  # F15


def tailcap(position: Position, cap: float) -> Array:
    """How far the last order exceeds its cap, as a share of the cap. F16, shape (B,)."""
    return np.asarray(np.maximum(0.0, position.volume[-1] / position.held[-1] / cap - 1.0))  # F16


def wave(growth: Array, rule: Wave) -> Array:
    """Penalty for like steps side by side, strong or weak, eased by unlike ones. F17, shape (B,)."""
    if not rule.enabled or len(growth) < 3:
        return np.zeros(growth.shape[1])
    strong, counts = growth[1:] >= rule.strong_pct, growth[1:] <= rule.weak_pct
    counts |= strong
    pairs = counts[1:] & counts[:-1]
    unlike = strong[1:] ^ strong[:-1]
    unlike &= pairs
    return np.asarray(np.maximum(0.0, 0.2 * count_by_column(pairs) - 0.3 * count_by_column(unlike)))  # F17


def weight_centre(position: Position) -> Array:
    """Where the volume lies: 0 all in the first order, 1 all in the last. F18, shape (B,)."""
    held = position.held
    return np.asarray((len(held) - held.sum(axis=0) / held[-1]) / (len(held) - 1.0))  # F18


def sign_flips(need: Array) -> Array:
    """How often the need turns from rising to falling or back. F19, shape (B,)."""
    rises, falls = need[1:] > need[:-1], need[1:] < need[:-1]
    turns = rises[1:] & falls[:-1]  # F19
    turns |= falls[1:] & rises[:-1]
    return count_by_column(turns)
