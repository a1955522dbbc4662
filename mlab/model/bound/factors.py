"""What an order's need does to the average entry and to its price, by the need. B11.

Functions take arrays, or numbers in :mod:`mlab.model.bound.loops`. ``kind`` says whether volumes are money, and whether
needs are at fills; ``most`` is the share of the average that an order cannot take off it: the overlap; ``ratio`` is r_k
at fills and s_k on the path (F6).
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np

from mlab.model.bound.terms import Terms
from mlab.model.ladder import Array

Number = TypeVar("Number", float, Array)


class Factor(NamedTuple):
    """What all of these depend on but the need."""

    kind: tuple[bool, bool]
    most: float
    ratio: Array

    @classmethod
    def of(cls, terms: Terms, u: Array) -> Factor:
        """By u."""
        quote, fill = terms.sizing == "quote", terms.need == "fill"
        return cls((quote, fill), 1.0 - terms.floor, 1.0 / u if fill else 1.0 / (1.0 + u))

    def take(self, chosen: slice) -> Factor:
        """Of some rows."""
        return self._replace(ratio=self.ratio[chosen])

    def log(self, need: Array) -> Array:
        """Logarithm of f_k."""
        (quote, fill), most, r = self
        if quote and fill:
            pull = need * r
            kept = np.minimum(pull, most)  # B11
            return np.log1p(-kept) - (pull - kept) / (1.0 - most)
        if quote:
            return -np.log1p(need * r)
        value = np.log1p(need) - np.log1p(need * (1.0 + r if fill else 1.0 - r))
        return value if fill else -value

    def price(self, need: Array) -> Array:
        """P_k / A_{k-1}."""
        (quote, fill), _, r = self
        if not fill:
            return 1.0 / (1.0 + need)
        return (1.0 + r) / (1.0 + need) - r if quote else 1.0 / (1.0 + need * (1.0 + r))

    def average(self, need: Array) -> Array:
        """f_k."""
        (quote, fill), _, r = self
        if quote:
            return 1.0 - need * r if fill else 1.0 / (1.0 + need * r)
        other = 1.0 + r if fill else 1.0
        return (1.0 / other if fill else 1.0 - r) + r / other / (1.0 + need * other)

    def curvatures(self, need: float) -> tuple[Array, Array, Array]:
        """What the second derivatives of all three stay within, 0 on the other side, up to a need."""
        (quote, fill), most, r = self
        if fill:
            log = -((r / (1.0 - np.minimum(need * r, most))) ** 2) if quote else r * (2.0 + r)
            price = 2.0 * (1.0 + r) if quote else 2.0 * (1.0 + r) ** 2
            return log, price, np.zeros(r.shape) if quote else 2.0 * r * (1.0 + r)
        log = r * r if quote else r * (2.0 - r)
        return log, np.full(r.shape, 2.0), 2.0 * r * r if quote else 2.0 * r


def log_slopes(kind: tuple[bool, bool], most: float, ratio: Number, need: Number) -> tuple[Number, Number]:
    """First and second derivative of the logarithm of f_k."""
    quote, fill = kind
    if quote and fill:
        pull = need * ratio
        slope = -ratio / (1.0 - np.minimum(pull, most))
        return slope, -slope * slope * (pull < most)
    if quote:
        slope = -ratio / (1.0 + need * ratio)
        return slope, slope * slope
    other = 1.0 + ratio if fill else 1.0 - ratio
    one, two = 1.0 / (1.0 + need), other / (1.0 + need * other)
    return (one - two, two * two - one * one) if fill else (two - one, one * one - two * two)


def price_slopes(kind: tuple[bool, bool], ratio: Number, need: Number) -> tuple[Number, Number]:
    """First and second derivative of P_k / A_{k-1}."""
    quote, fill = kind
    weight = 1.0 + ratio if fill else 1.0 + 0.0 * ratio
    steep = weight if fill and not quote else 1.0 + 0.0 * ratio
    one = 1.0 / (1.0 + need * steep)
    return -weight * one * one, 2.0 * weight * steep * one * one * one


def average_slopes(kind: tuple[bool, bool], ratio: Number, need: Number) -> tuple[Number, Number]:
    """First and second derivative of f_k."""
    quote, fill = kind
    if quote and fill:
        return -ratio, 0.0 * need
    steep = ratio if quote else 1.0 + (ratio if fill else 0.0 * ratio)
    one = 1.0 / (1.0 + need * steep)
    return -ratio * one * one, 2.0 * ratio * steep * one * one * one
