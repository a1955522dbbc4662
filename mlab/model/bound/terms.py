"""What the score and the limits of one cell come to in the bound: constants, and the growths that are allowed.

Formulas are numbered as in ``docs/bound.md``. One row for each of the orders 2..M, K = M - 1 of them; C is the number
of kinds of growth, three (weak, neutral, strong) where the wave rule is on, else one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.core.records import Need, Sizing
from mlab.model.ladder import Array
from mlab.model.space import Space

WIDER = 1e-12  # share by which limits and thresholds give way, so that no ladder is lost to rounding: B19
CLOSED = (2.0, 1.0)  # a window of growths that holds none


@dataclass(frozen=True, slots=True)
class Terms:
    """Weights of the score for needs as shares, and the limits."""

    orders: int  # M
    sizing: Sizing
    need: Need
    overlap: float  # in percent
    largest: float  # weight of the largest need: 100 alpha
    spread: float  # weight of the variance of needs: 10,000 beta
    tail: float  # gamma
    penalty: float  # lambda
    total: float  # most that all volumes come to where the first is 1: T
    least_spread: float  # least ratio of all volumes to the last: Q
    capped: tuple[int, ...]  # orders whose price the widest gaps bound from below, K of them or fewer
    capped_price: Array  # logarithm of that bound
    windows: Array  # least and largest growth by order and kind, shape (K, C, 2); closed where least > largest

    @classmethod
    def of(cls, space: Space) -> Terms:
        """Those of a space."""
        cell, objective = space.cell, space.objective
        score, limits = objective.score, objective.limits
        capped = _capped(cell.num_orders, cell.overlap_pct / 100.0, limits.max_gap_ratio)
        return cls(
            orders=cell.num_orders,
            sizing=objective.sizing,
            need=score.need,
            overlap=cell.overlap_pct,
            largest=100.0 * score.alpha,
            spread=10_000.0 * score.beta,
            tail=score.gamma,
            penalty=score.lambda_penalty,
            total=100.0 / limits.first_volume_min_pct * (1.0 + WIDER),
            least_spread=100.0 / limits.tail_cap_pct * (1.0 - WIDER),
            capped=tuple(capped),
            capped_price=np.log(np.array(list(capped.values()))),
            windows=_windows(space),
        )

    @property
    def steps(self) -> int:
        """K, how many growths a ladder has."""
        return self.orders - 1

    @property
    def floor(self) -> float:
        """Price of the last order over the base price."""
        return 1.0 - self.overlap / 100.0

    @property
    def depth(self) -> float:
        """D, what the logarithms of the last price have to add up to."""
        return -float(np.log(self.floor))

    @property
    def body(self) -> int:
        """How many orders come before the tail of F10."""
        return 8 * self.orders // 10


def _capped(orders: int, overlap: float, ratio: float | None) -> dict[int, float]:
    """Least price of each order that no more than the widest gaps stand above, where that says anything. B6."""
    if ratio is None:
        return {}
    widest = ratio * overlap / (orders - 1) + WIDER
    least = {k: 1.0 - (k - 1) * widest for k in range(2, orders)}  # B6
    return {k: price for k, price in least.items() if price > 1.0 - overlap + 1e-9}


def _windows(space: Space) -> Array:
    """Growths by kind: weak, neutral, strong where the wave rule is on. B3."""
    wave, (low, high) = space.objective.score.wave, space.objective.limits.martingale_pct
    kinds = [(low, high)]
    if wave.enabled:
        weak, strong = wave.weak_pct, wave.strong_pct
        kinds = [(low, min(high, weak)), (max(low, weak), min(high, strong)), (max(low, strong), high)]  # B3
    windows = [(1.0 + least / 100.0, 1.0 + most / 100.0) if least <= most else CLOSED for least, most in kinds]
    wider = np.array(windows) * (1.0 - WIDER, 1.0 + WIDER)  # B19
    return np.repeat(wider[None], space.steps, axis=0)


def ends(windows: Array) -> tuple[Array, Array]:
    """Least and largest growth of each step (K,) within its windows (K, C, 2); inf and 0 where all are closed."""
    is_open = windows[..., 0] <= windows[..., 1]
    return np.where(is_open, windows[..., 0], np.inf).min(axis=1), np.where(is_open, windows[..., 1], 0.0).max(axis=1)


def narrowed(terms: Terms, windows: Array) -> Array | None:
    """Windows (K, C, 2) cut to what the first volume and the cap of the last leave; None where nothing is left. B17."""
    windows = windows.copy()
    for _ in range(2):
        least, _ = ends(windows)
        if not np.isfinite(least).all():
            return None
        volume = np.concatenate(([1.0], np.cumprod(least)))
        held = np.cumsum(volume)
        if held[-1] > terms.total * (1.0 + WIDER) or held[-1] < terms.least_spread * volume[-1] * (1.0 - WIDER):
            return None
        before, after, last = held[:-1], (held[-1] - held[:-1]) / least, volume[-1] / least
        most = (terms.total - before) / after  # B17
        excess = terms.least_spread * last - after
        most = np.minimum(most, np.where(excess > 0.0, before / np.where(excess > 0.0, excess, 1.0), np.inf))  # B17
        most = np.maximum(most * (1.0 + WIDER), least)[:, None]
        windows[..., 1] = np.minimum(windows[..., 1], most)
    return windows
