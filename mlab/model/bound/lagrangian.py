"""The score with all constraints priced in, for the ladders of one box: a sum of terms of one order each.

Formulas are numbered as in ``docs/bound.md``. Multipliers are one vector: of the depth (mu), the first volume (nu), the
last order's cap (tau), the wave rule (theta), of each capped order's price, and, by order, what of the weight of the
largest need it bears (z_k).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mlab.model.bound.terms import Terms, ends
from mlab.model.ladder import Array

MU, NU, TAU, THETA, CAPS = range(5)  # places of the multipliers; from the last on those of the caps, then z_k
SECOND, THIRD = 0, 1  # rows of orders 2 and 3
STEP = 0.01  # of an even share of the largest need's weight: what z_k moves at first


@dataclass(frozen=True, slots=True)
class Tangent:
    """Where the bound of P_smooth touches: the gaps above orders 2 and 3 in percent, A_2, and P_3 / A_2. B9 and B10.

    Any will do; that of the ladders the bound is near does best. Without gaps it is the least P_smooth of all.
    """

    gaps: tuple[float, float] | None = None
    second: float = 1.0
    third: float = 1.0


@dataclass(frozen=True, slots=True)
class Box:
    """Ladders whose largest need and mean need lie within bounds (shares), and whose growths lie in windows."""

    largest: tuple[float, float]
    mean: tuple[float, float]
    windows: Array  # (K, C, 2)
    tangent: Tangent = field(default_factory=Tangent)

    @property
    def middle(self) -> float:
        """Of the means."""
        return (self.mean[0] + self.mean[1]) / 2.0

    @property
    def half(self) -> float:
        """Half the width of the means."""
        return (self.mean[1] - self.mean[0]) / 2.0


def start(terms: Terms, score: float) -> Array:
    """Multipliers to begin with for ladders of about this score."""
    x = np.zeros(CAPS + len(terms.capped) + terms.steps)
    x[:CAPS] = score / terms.depth, (terms.tail + terms.penalty) / 3.0, 0.0, bounds(terms)[1][THETA] / 2.0
    return x


def radius(terms: Terms, box: Box, score: float, x: Array) -> Array:
    """How far multipliers may move from x in a step."""
    volume, depth = (terms.tail + terms.penalty) / 3.0, score / terms.depth
    least = np.array([0.375 * depth, volume, 0.5 * volume, 0.3] + [0.125 * depth] * len(terms.capped))
    width = max(box.largest[1] - box.largest[0], 1e-12)
    share = np.sqrt(STEP * terms.largest / terms.steps / width)
    other = np.maximum(least, 0.4 * x[: len(least)])
    whole: Array = np.maximum(np.concatenate((other, np.full(terms.steps, share))), 1e-9)
    return whole


def bounds(terms: Terms) -> tuple[Array, Array]:
    """Least and largest multipliers that price constraints on the safe side."""
    most = np.full(CAPS + len(terms.capped) + terms.steps, 1e9)
    most[THETA] = 1.0 if terms.windows.shape[1] > 1 else 0.0
    return np.zeros(len(most)), most


@dataclass(frozen=True, slots=True)
class Lagrangian:
    """Terms of each order's need and volume. Arrays have a row for each of the orders 2..M."""

    terms: Terms
    box: Box
    x: Array
    factor: Array  # weight of ln f_k
    own: Array  # weight of ln(1 + c_k)
    price: Array  # weight, counted as a gain, of P_k / A_{k-1}
    average: Array  # the same of f_k
    over: Array  # z_k, weight of what the need is over the box's least largest need
    constant: float
    scale: float  # how large the numbers are that the constant was added up from: B19

    @classmethod
    def of(cls, terms: Terms, box: Box, x: Array) -> Lagrangian:
        """Of one box, at some multipliers."""
        mu, (caps, over) = float(x[MU]), np.split(x[CAPS:], [len(terms.capped)])
        factor, own = np.full(terms.steps, mu), np.zeros(terms.steps)
        price, average = np.zeros(terms.steps), np.zeros(terms.steps)
        parts = [mu * terms.depth, -float(x[NU]) * float(np.log(terms.total)), *_box_parts(terms, box, over)]  # B4, B5
        for k, price_k, weight in zip(terms.capped, terms.capped_price, caps, strict=True):
            own[k - 2] += weight  # B6
            factor[: k - 1 if terms.need == "fill" else k - 2] -= weight  # B6
            parts.append(float(weight * price_k))
        if terms.need == "path":
            factor[-1] = 0.0  # the need before the last fill does not know its volume
        own[-1] -= mu  # B4
        parts += _smooth(terms, box, price, average)
        return cls(terms, box, x, factor, own, price, average, over, sum(parts), sum(map(abs, parts)))

    @property
    def wave(self) -> Array:
        """Cost of a kind of growth (columns) after another (rows), shape (C, C). B3."""
        if self.terms.windows.shape[1] == 1:
            return np.zeros((1, 1))
        weight = float(self.x[THETA]) * self.terms.penalty
        return weight * np.array([[0.2, 0.0, -0.1], [0.0, 0.0, 0.0], [-0.1, 0.0, 0.2]])  # B3


def excess(terms: Terms, over: Array) -> float:
    """By how much all z_k are more than the weight of the largest need. B7."""
    return max(float(over.sum()) - terms.largest, 0.0)  # B7


def _box_parts(terms: Terms, box: Box, over: Array) -> list[float]:
    """What is left of needs and penalties where no order has a say."""
    orders = terms.orders
    return [
        terms.largest * box.largest[0],  # B7
        -excess(terms, over) * (box.largest[1] - box.largest[0]),  # B7
        terms.spread / orders * box.middle**2,  # B8: order 1
        -terms.spread * box.half**2,  # B8
        terms.penalty * ((orders + 1.0) / orders + 1.0) + terms.tail,  # B2
    ]


def _smooth(terms: Terms, box: Box, price: Array, average: Array) -> list[float]:
    """P_smooth from below: constants; what it takes from the first prices is added to the weights. B9."""
    orders, overlap, tangent = terms.orders, terms.overlap, box.tangent
    weight = terms.penalty / 100.0 / orders
    parts = [-weight * overlap**2 / orders]
    if tangent.gaps is None or orders == 2:
        return [*parts, weight * overlap**2 / (orders - 1)]  # B9
    second = max(tangent.gaps[0], overlap / (orders - 1))
    third = min(tangent.gaps[1] if orders > 3 else overlap - second, second)
    rest = min((overlap - second - third) / max(orders - 3, 1), third) if orders > 3 else third
    square = second**2 + third**2 + (orders - 3) * rest**2
    parts.append(weight * (200.0 * (second - rest) + 2.0 * rest * overlap - square))  # B9
    price[SECOND] += weight * 200.0 * (second - third)  # B9
    return (
        [*parts, _third_price(terms, box, weight * 200.0 * (third - rest), price, average)] if third > rest else parts
    )


def _third_price(terms: Terms, box: Box, weight: float, price: Array, average: Array) -> float:
    """P_3 = A_2 * (P_3 / A_2) from above by a plane: of the two, that which is nearer at the tangent. B10."""
    least_a, least_b = _least_shares(terms, box)
    one = box.tangent.third + least_b * box.tangent.second - least_b
    other = least_a * box.tangent.third + box.tangent.second - least_a
    on_price, on_average = (1.0, least_b) if one < other else (least_a, 1.0)
    price[THIRD] += weight * on_price  # B10
    average[SECOND] += weight * on_average  # B10
    return weight * on_price * on_average


def _least_shares(terms: Terms, box: Box) -> tuple[float, float]:
    """What A_2 and P_3 / A_2 cannot be below: the last price, and what the largest need leaves. B10."""
    _, most = ends(box.windows)
    second = 1.0 / float(most[SECOND])
    third = (1.0 + second) / float(most[THIRD])
    need, at_fill = box.largest[1], terms.need == "fill"
    pull = need if terms.sizing == "quote" else need / (1.0 + need)
    factors = []
    for u in (second, third):
        part = pull / u if at_fill else pull / (1.0 + u)
        factors.append(1.0 - part if (terms.sizing == "quote") == at_fill else 1.0 / (1.0 + part))
    below = (factors[1] if at_fill else 1.0) / (1.0 + need)
    return max(factors[0], terms.floor), max(below, terms.floor)
