"""The least that one order's need can cost, for any volume: certified from below.

Formulas are numbered as in ``docs/bound.md``. Arrays are (K, ...), a row for each of the orders 2..M; u is what is held
before an order over its volume.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlab.model.bound.factors import Factor, average_slopes, log_slopes, price_slopes
from mlab.model.bound.lagrangian import THIRD, Lagrangian
from mlab.model.compiled import BOUNDS
from mlab.model.ladder import Array

NEWTON = 12  # steps at most
CLOSE = 1e-10  # of the scale: how near to the least is near enough
POINTS = 256  # of the comb where the cost is not convex


@dataclass(frozen=True, slots=True)
class Cost:
    """psi of B12: what the need of an order costs at the multipliers of a Lagrangian; one for each entry of u."""

    lagrangian: Lagrangian
    factor: Factor
    weights: tuple[Array, Array, Array, Array, Array]  # of ln f, of ln(1 + c), of price and average, of what is over
    head: int  # entries, the first, in which price and average have a weight

    @classmethod
    def of(cls, lagrangian: Lagrangian, u: Array, row: NDArray[np.int64] | None = None) -> Cost:
        """Of u, shape (K, ...), or of any with the rows of their orders, in order."""
        if row is None:
            row = np.arange(len(u)).reshape(-1, *[1] * (u.ndim - 1))
        whole = lagrangian
        rows = (whole.factor, whole.own, whole.price, whole.average, whole.over)
        mu, own, price, average, over = (each[row] for each in rows)
        head = np.searchsorted(row.ravel(), THIRD, side="right") if price.any() or average.any() else 0
        return cls(whole, Factor.of(whole.terms, u), (mu, own, price, average, over), int(head))

    def entries(self, chosen: NDArray[np.bool_], columns: int) -> Cost:
        """Of some entries, a row each, that many times."""
        mu, own, price, average, over, ratio = (
            np.repeat(each[chosen][:, None], columns, axis=1) for each in (*self.weights, self.factor.ratio)
        )
        factor = self.factor._replace(ratio=ratio)
        return Cost(self.lagrangian, factor, (mu, own, price, average, over), len(ratio))

    def value(self, need: Array) -> Array:
        """Psi without what is over the box's least largest need. B12."""
        mu, own, *_ = self.weights
        off = need - self.lagrangian.box.middle
        value = self.spread * off * off + mu * self.factor.log(need) + own * np.log1p(need)  # B12
        if self.head:
            factor, price, average, part = self._first(need)
            value[: self.head] -= price * factor.price(part) + average * factor.average(part)  # B12
        return np.asarray(value)

    def slopes(self, need: Array) -> tuple[Array, Array]:
        """First and second derivative of that. B12."""
        mu, own, *_ = self.weights
        first, second = log_slopes(*self.factor, need)
        one = 1.0 / (1.0 + need)
        first = 2.0 * self.spread * (need - self.lagrangian.box.middle) + mu * first + own * one
        second = 2.0 * self.spread + mu * second - own * one * one
        if self.head:
            factor, price, average, part = self._first(need)
            price1, price2 = price_slopes(factor.kind, factor.ratio, part)
            average1, average2 = average_slopes(factor.kind, factor.ratio, part)
            first[: self.head] -= price * price1 + average * average1  # B12
            second[: self.head] -= price * price2 + average * average2
        return first, second

    def _first(self, need: Array) -> tuple[Factor, Array, Array, Array]:
        """Factor, weights of price and average, and needs of the entries in which these have a weight."""
        head, (*_, price, average, _) = slice(0, self.head), self.weights
        return self.factor.take(head), price[head], average[head], need[head]

    @property
    def spread(self) -> float:
        """Weight of the square of a need's distance from the middle."""
        return self.lagrangian.terms.spread / self.lagrangian.terms.orders

    def curvature(self) -> tuple[Array, Array]:
        """Least and largest second derivative of psi that there may be, shaped as u. B12."""
        mu, own, price, average, _ = self.weights
        log, on_price, on_average = self.factor.curvatures(self.lagrangian.box.largest[1])
        mean = 2.0 * self.spread
        least = mean + np.minimum(mu * log, 0.0) - np.maximum(own, 0.0) - price * on_price - average * on_average
        return least, mean + np.maximum(mu * log, 0.0) + np.maximum(-own, 0.0)


def least(lagrangian: Lagrangian, u: Array, most: Array, row: NDArray[np.int64] | None = None) -> tuple[Array, Array]:
    """For each u: what no need up to ``most`` costs less than, and one that costs about that. B12, B13.

    Arrays are of shape (K, ...), or of any shape where ``row`` says whose u they are, in order.
    """
    if row is None:
        row = np.repeat(np.arange(len(u)), u.size // max(len(u), 1))
    cost = Cost.of(lagrangian, u.ravel(), row)
    most = np.minimum(most, lagrangian.box.largest[1]).ravel()
    low, high = cost.curvature()
    convex = low > 0.0
    need, rest = _convex(cost, most, np.where(convex, low, 1.0))
    value = cost.value(need) + rest
    if not convex.all():
        value[~convex], need[~convex] = _comb(cost, ~convex, most[~convex], high[~convex])
    return value.reshape(u.shape), need.reshape(u.shape)


def _convex(cost: Cost, most: Array, low: Array) -> tuple[Array, Array]:
    """Needs by Newton's method, and what is to be added to their cost so that none is below.

    A slope d that is left takes d^2 / (2 low) off: no cost so convex goes below that. B12.
    """
    box, over = cost.lagrangian.box, cost.weights[-1]
    kink, close, faster = box.largest[0], CLOSE * cost.lagrangian.scale, BOUNDS.after(1)
    if faster:
        kind, share, ratio = cost.factor
        setting = kink, box.middle, cost.spread, close
        need, rest = faster.convex(kind, share, setting, NEWTON, *cost.weights, ratio, most, low)
        return need, rest
    slope, _ = cost.slopes(np.full(low.shape, kink))
    beyond = (slope + over < 0.0) & (kink < most)
    extra = np.where(beyond, over, 0.0)
    bottom, top = np.where(beyond, kink, 0.0), np.where(beyond, most, np.minimum(kink, most))
    need = np.minimum(np.maximum(box.middle, bottom), top)
    for step in range(NEWTON + 1):
        slope, second = cost.slopes(need)
        slope += extra
        slope[((need <= bottom) & (slope > 0.0)) | ((need >= top) & (slope < 0.0))] = 0.0
        loss = slope * slope / (2.0 * low)  # B12
        if step == NEWTON or loss.max(initial=0.0) <= close:
            break
        need = np.minimum(np.maximum(need - slope / np.maximum(second, low), bottom), top)
    return need, extra * (need - kink) - loss


def _comb(whole: Cost, chosen: NDArray[np.bool_], most: Array, high: Array) -> tuple[Array, Array]:
    """By trying needs; between two that are h apart no such cost goes below both by more than high h^2 / 8. B13."""
    kink = whole.lagrangian.box.largest[0]
    points = POINTS if high.max() > 0.0 else 1
    needs = np.column_stack((most[:, None] * np.linspace(0.0, 1.0, points + 1), np.minimum(kink, most)))
    cost = whole.entries(chosen, points + 2)
    value = cost.value(needs)
    value += cost.weights[-1] * np.maximum(needs - kink, 0.0)
    best = np.arange(len(high)), value.argmin(axis=1)
    loss = np.maximum(high, 0.0) * (most / points) ** 2 / 8.0  # B13
    return value[best] - loss, needs[best]
