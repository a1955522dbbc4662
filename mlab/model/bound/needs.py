"""The least that one order's need can cost, for any volume: certified from below.

Formulas are numbered as in ``docs/bound.md``. Arrays are (K, ...), a row for each of the orders 2..M; u is what is held
before an order over its volume.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlab.model.bound.lagrangian import THIRD, Lagrangian
from mlab.model.bound.terms import Terms
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

    @classmethod
    def of(cls, terms: Terms, u: Array) -> Factor:
        """By u."""
        ratio = 1.0 / u if terms.need == "fill" else 1.0 / (1.0 + u)
        return cls(terms.sizing == "quote", terms.need == "fill", 1.0 - terms.floor, ratio)

    def log(self, need: Array) -> Array:
        """Logarithm of f_k by the need."""
        r = self.ratio
        if self.quote and self.fill:
            pull = need * r
            kept = np.minimum(pull, self.most)  # B11
            return np.log1p(-kept) - (pull - kept) / (1.0 - self.most)
        if self.quote:
            return -np.log1p(need * r)
        value = np.log1p(need) - np.log1p(need * (1.0 + r if self.fill else 1.0 - r))
        return value if self.fill else -value

    def log_slopes(self, need: Array) -> tuple[Array, Array]:
        """First and second derivative of that."""
        r = self.ratio
        if self.quote and self.fill:
            pull = need * r
            slope = -r / (1.0 - np.minimum(pull, self.most))
            return slope, np.where(pull < self.most, -slope * slope, 0.0)
        if self.quote:
            slope = -r / (1.0 + need * r)
            return slope, slope * slope
        other = 1.0 + r if self.fill else 1.0 - r
        one, two = 1.0 / (1.0 + need), other / (1.0 + need * other)
        return (one - two, two * two - one * one) if self.fill else (two - one, one * one - two * two)

    def price(self, need: Array) -> Derivatives:
        """P_k / A_{k-1} by the need."""
        r = self.ratio
        if not self.fill or self.quote:
            weight, own = (1.0 + r, r) if self.fill else (1.0, 0.0)
            one = 1.0 / (1.0 + need)
            return weight * one - own, -weight * one * one, 2.0 * weight * one * one * one
        one = 1.0 / (1.0 + need * (1.0 + r))
        return one, -(1.0 + r) * one * one, 2.0 * (1.0 + r) * (1.0 + r) * one * one * one

    def average(self, need: Array) -> Derivatives:
        """f_k by the need."""
        r = self.ratio
        if self.quote and self.fill:
            return 1.0 - need * r, -r, np.zeros(need.shape)
        if self.quote:
            one = 1.0 / (1.0 + need * r)
            return one, -r * one * one, 2.0 * r * r * one * one * one
        other = 1.0 + r if self.fill else 1.0
        one = 1.0 / (1.0 + need * other)
        start = 1.0 / other if self.fill else 1.0 - r
        return start + r / other * one, -r * one * one, 2.0 * r * other * one * one * one

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
        rows = (whole.factor, whole.own, whole.price, whole.average, whole.box.over)
        mu, own, price, average, over = (each[row] for each in rows)
        head = np.searchsorted(row.ravel(), THIRD, side="right") if price.any() or average.any() else 0
        return cls(whole, Factor.of(whole.terms, u), (mu, own, price, average, over), int(head))

    def entries(self, chosen: NDArray[np.bool_], columns: int) -> Cost:
        """Of some entries, a row each, that many times."""
        ratio = self.factor.ratio
        mu, own, price, average, over, ratio = (
            np.repeat(np.broadcast_to(each, ratio.shape)[chosen][:, None], columns, axis=1)
            for each in (*self.weights, ratio)
        )
        return Cost(self.lagrangian, replace(self.factor, ratio=ratio), (mu, own, price, average, over), len(ratio))

    def value(self, need: Array) -> Array:
        """Psi without what is over the box's least largest need. B12."""
        mu, own, *_ = self.weights
        off = need - self.lagrangian.box.middle
        value = self._spread * off * off + mu * self.factor.log(need) + own * np.log1p(need)  # B12
        self._add_head(need, (value, None, None))
        return np.asarray(value)

    def slopes(self, need: Array) -> tuple[Array, Array]:
        """First and second derivative of that. B12."""
        mu, own, *_ = self.weights
        first, second = self.factor.log_slopes(need)
        one = 1.0 / (1.0 + need)
        first = 2.0 * self._spread * (need - self.lagrangian.box.middle) + mu * first + own * one
        second = 2.0 * self._spread + mu * second - own * one * one
        self._add_head(need, (None, first, second))
        return first, second

    @property
    def _spread(self) -> float:
        return self.lagrangian.terms.spread / self.lagrangian.terms.orders

    def _add_head(self, need: Array, totals: tuple[Array | None, Array | None, Array | None]) -> None:
        head = slice(0, self.head)
        _, _, price, average, _ = (each[head] for each in self.weights)
        if not price.size:
            return
        factor = replace(self.factor, ratio=self.factor.ratio[head])
        for weight, parts in ((price, factor.price(need[head])), (average, factor.average(need[head]))):
            for total, part in zip(totals, parts, strict=True):
                if total is not None:
                    total[head] -= weight * part  # B12

    def curvature(self) -> tuple[Array, Array]:
        """Least and largest second derivative of psi that there may be, shaped as u. B12."""
        mu, own, price, average, _ = self.weights
        log, on_price, on_average = self.factor.curvatures(self.lagrangian.box.largest[1])
        mean = 2.0 * self._spread
        least = mean + np.minimum(mu * log, 0.0) - np.maximum(own, 0.0) - price * on_price - average * on_average
        return least, mean + np.maximum(mu * log, 0.0) + np.maximum(-own, 0.0)


def least(lagrangian: Lagrangian, u: Array, most: Array, row: NDArray[np.int64] | None = None) -> tuple[Array, Array]:
    """For each u: what no need up to ``most`` costs less than, and one that costs about that. B12, B13.

    Arrays are of shape (K, ...), or of any shape where ``row`` says whose u they are, in order.
    """
    cost = Cost.of(lagrangian, u, row)
    most = np.minimum(most, lagrangian.box.largest[1])
    low, high = cost.curvature()
    convex = low > 0.0
    need, rest = _convex(cost, most, np.where(convex, low, 1.0))
    value = cost.value(need) + rest
    if not convex.all():
        value[~convex], need[~convex] = _comb(cost, ~convex, most[~convex], high[~convex])
    return value, need


def _convex(cost: Cost, most: Array, low: Array) -> tuple[Array, Array]:
    """Needs by Newton's method, and what is to be added to their cost so that none is below.

    A slope d that is left takes d^2 / (2 low) off: no cost so convex goes below that. B12.
    """
    box, over = cost.lagrangian.box, cost.weights[-1]
    kink = box.largest[0]
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
        if step == NEWTON or loss.max(initial=0.0) <= CLOSE * cost.lagrangian.scale:
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
