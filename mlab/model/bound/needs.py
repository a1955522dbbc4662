"""The least that one order's need can cost, for any volume: certified from below.

Formulas are numbered as in ``docs/bound.md``. Arrays are (K, ...), a row for each of the orders 2..M; u is what is held
before an order over its volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlab.model.bound.lagrangian import Lagrangian
from mlab.model.ladder import Array

NEWTON = 12  # steps at most
CLOSE = 1e-10  # of the scale: how near to the least is near enough
POINTS = 256  # of the comb where the cost is not convex

Derivatives: TypeAlias = tuple[Array, Array, Array]  # value, first, second


@dataclass(frozen=True, slots=True)
class Factor:
    """What an order's need does to the average entry and to its price. B11.

    ``ratio`` is r_k at fills and s_k on the path (F6).
    """

    quote: bool
    fill: bool
    most: float  # share of the average that an order cannot take off it: the overlap
    ratio: Array

    def log(self, need: Array) -> Derivatives:
        """Logarithm of f_k by the need."""
        r = self.ratio
        if self.quote and self.fill:
            pull = need * r
            kept = np.minimum(pull, self.most)  # B11
            slope = -r / (1.0 - kept)
            return (
                np.log1p(-kept) - (pull - kept) / (1.0 - self.most),
                slope,
                np.where(pull < self.most, -slope * slope, 0.0),
            )
        if self.quote:
            slope = -r / (1.0 + need * r)
            return -np.log1p(need * r), slope, slope * slope
        other = 1.0 + r if self.fill else 1.0 - r
        sign = 1.0 if self.fill else -1.0
        one, two = 1.0 / (1.0 + need), other / (1.0 + need * other)
        value = np.log1p(need) - np.log1p(need * other)
        return sign * value, sign * (one - two), sign * (two * two - one * one)

    def price(self, need: Array) -> Derivatives:
        """P_k / A_{k-1} by the need."""
        r = self.ratio
        if not self.fill or self.quote:
            weight, own = (1.0 + r, r) if self.fill else (1.0, 0.0)
            one = 1.0 / (1.0 + need)
            return weight * one - own, -weight * one * one, 2.0 * weight * one * one * one
        one = 1.0 / (1.0 + need * (1.0 + r))
        return one, -(1.0 + r) * one * one, 2.0 * (1.0 + r) ** 2 * one**3

    def average(self, need: Array) -> Derivatives:
        """f_k by the need."""
        r = self.ratio
        if self.quote and self.fill:
            return 1.0 - need * r, -r, np.zeros(need.shape)
        if self.quote:
            one = 1.0 / (1.0 + need * r)
            return one, -r * one * one, 2.0 * r * r * one**3
        other = 1.0 + r if self.fill else 1.0
        one = 1.0 / (1.0 + need * other)
        start = 1.0 / other if self.fill else 1.0 - r
        return start + r / other * one, -r * one * one, 2.0 * r * other * one**3

    def curvatures(self, need: float) -> tuple[Array, Array, Array]:
        """What the second derivatives of all three stay within, 0 on the other side, up to a need."""
        r = self.ratio
        if self.fill:
            log = -((r / (1.0 - np.minimum(need * r, self.most))) ** 2) if self.quote else r * (2.0 + r)
            price = 2.0 * (1.0 + r) if self.quote else 2.0 * (1.0 + r) ** 2
            return log, price, np.zeros(r.shape) if self.quote else 2.0 * r * (1.0 + r)
        log = r * r if self.quote else r * (2.0 - r)
        return log, np.full(r.shape, 2.0), 2.0 * r * r if self.quote else 2.0 * r


@dataclass(frozen=True, slots=True)
class Cost:
    """psi of B12: what the need of an order costs at the multipliers of a Lagrangian; arrays all of one shape."""

    lagrangian: Lagrangian
    factor: Factor
    weights: tuple[Array, Array, Array, Array, Array]  # of ln f, of ln(1 + c), of price and average, of what is over
    head: slice  # rows in which price and average have a weight

    @classmethod
    def of(cls, lagrangian: Lagrangian, u: Array) -> Cost:
        """Of u, shape (K, ...)."""
        terms = lagrangian.terms
        ratio = 1.0 / u if terms.need == "fill" else 1.0 / (1.0 + u)
        factor = Factor(terms.sizing == "quote", terms.need == "fill", 1.0 - terms.floor, ratio)
        shape = (-1, *[1] * (u.ndim - 1))
        rows = (lagrangian.factor, lagrangian.own, lagrangian.price, lagrangian.average, lagrangian.box.over)
        mu, own, price, average, over = (np.broadcast_to(row.reshape(shape), u.shape) for row in rows)
        head = slice(0, 2 if lagrangian.price.any() or lagrangian.average.any() else 0)
        return cls(lagrangian, factor, (mu, own, price, average, over), head)

    def entries(self, chosen: NDArray[np.bool_], columns: int) -> Cost:
        """Of some entries, a row each, that many times."""
        mu, own, price, average, over, ratio = (
            np.repeat(row[chosen][:, None], columns, axis=1) for row in (*self.weights, self.factor.ratio)
        )
        factor = Factor(self.factor.quote, self.factor.fill, self.factor.most, ratio)
        return Cost(self.lagrangian, factor, (mu, own, price, average, over), slice(None))

    def _first(self) -> tuple[Factor, Array, Array]:
        head, whole = self.head, self.factor
        _, _, price, average, _ = self.weights
        return Factor(whole.quote, whole.fill, whole.most, whole.ratio[head]), price[head], average[head]

    def derivatives(self, need: Array) -> Derivatives:
        """Of psi, without what is over the box's least largest need, value first. B12."""
        mu, own, *_ = self.weights
        box, spread = self.lagrangian.box, self.lagrangian.terms.spread / self.lagrangian.terms.orders
        off, one = need - box.middle, 1.0 / (1.0 + need)
        log, log1, log2 = self.factor.log(need)
        value = spread * off * off + mu * log + own * np.log1p(need)  # B12
        first = 2.0 * spread * off + mu * log1 + own * one
        second = 2.0 * spread + mu * log2 - own * one * one
        factor, price, average = self._first()
        if price.size:
            rows = need[self.head]
            for weight, parts in ((price, factor.price(rows)), (average, factor.average(rows))):
                for total, part in zip((value, first, second), parts, strict=True):
                    total[self.head] -= weight * part  # B12
        return value, first, second

    def curvature(self) -> tuple[Array, Array]:
        """Least and largest second derivative of psi that there may be, shaped as u. B12."""
        mu, own, price, average, _ = self.weights
        log, on_price, on_average = self.factor.curvatures(self.lagrangian.box.largest[1])
        mean = 2.0 * self.lagrangian.terms.spread / self.lagrangian.terms.orders
        least = mean + np.minimum(mu * log, 0.0) - np.maximum(own, 0.0) - price * on_price - average * on_average
        return least, mean + np.maximum(mu * log, 0.0) + np.maximum(-own, 0.0)


def least(lagrangian: Lagrangian, u: Array, most: Array) -> tuple[Array, Array]:
    """For u (K, ...): what no need up to ``most`` (K, ...) costs less than, and one that costs about that. B12, B13."""
    cost = Cost.of(lagrangian, u)
    most = np.minimum(most, lagrangian.box.largest[1])
    low, high = cost.curvature()
    convex = low > 0.0
    value, need = _convex(cost, most, np.where(convex, low, 1.0))
    if not convex.all():
        value[~convex], need[~convex] = _comb(cost, ~convex, most[~convex], high[~convex])
    return value, need


def _convex(cost: Cost, most: Array, low: Array) -> tuple[Array, Array]:
    """By Newton's method; a slope d that is left takes d^2 / (2 low) off: no cost so convex goes below that. B12."""
    kink, over = cost.lagrangian.box.largest[0], cost.weights[-1]
    _, slope, _ = cost.derivatives(np.full(low.shape, kink))
    beyond = (slope + over < 0.0) & (kink < most)
    extra = np.where(beyond, over, 0.0)
    bottom, top = np.where(beyond, kink, 0.0), np.where(beyond, most, np.minimum(kink, most))
    need = np.clip(cost.lagrangian.box.middle, bottom, top)
    for step in range(NEWTON + 1):
        value, slope, second = cost.derivatives(need)
        slope += extra
        slope[((need <= bottom) & (slope > 0.0)) | ((need >= top) & (slope < 0.0))] = 0.0
        loss = slope * slope / (2.0 * low)  # B12
        if step == NEWTON or loss.max(initial=0.0) <= CLOSE * cost.lagrangian.scale:
            break
        need = np.clip(need - slope / np.maximum(second, low), bottom, top)
    return value + extra * (need - kink) - loss, need


def _comb(whole: Cost, chosen: NDArray[np.bool_], most: Array, high: Array) -> tuple[Array, Array]:
    """By trying needs; between two that are h apart no such cost goes below both by more than high h^2 / 8. B13."""
    kink = whole.lagrangian.box.largest[0]
    points = POINTS if high.max() > 0.0 else 1
    needs = np.column_stack((most[:, None] * np.linspace(0.0, 1.0, points + 1), np.minimum(kink, most)))
    cost = whole.entries(chosen, points + 2)
    value, _, _ = cost.derivatives(needs)
    value += cost.weights[-1] * np.maximum(needs - kink, 0.0)
    best = np.arange(len(high)), value.argmin(axis=1)
    loss = np.maximum(high, 0.0) * (most / points) ** 2 / 8.0  # B13
    return value[best] - loss, needs[best]
