"""Where the nodes of u lie: from each, growths lead as far as the first volume leaves them.

Formulas are numbered as in ``docs/bound.md``. Row j is that of order k = j + 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.model.bound.terms import WIDER, Terms
from mlab.model.ladder import Array

ROUGH = 64  # nodes with which the range of u is looked at first
NARROWEST = 1e-7  # least range of nodes, as a share


@dataclass(frozen=True, slots=True)
class Nodes:
    """Nodes of u at equal ratios, and what is known at each.

    ``near`` (K,) is the least share of a ladder's u that a node which stands for it may have; ``most`` (K, N) the
    largest growth of an order by the node of the order before it, all alike for order 2.
    """

    u: Array
    step: Array  # of ln u, shape (K, 1)
    near: Array
    most: Array

    @classmethod
    def of(cls, terms: Terms, least: Array, most: Array, ratio: float) -> Nodes:
        """For growths (K,) from ``least`` to ``most``; neighbours about ``1 + ratio`` apart at most."""
        rough = _placed(terms, least, most, ROUGH)
        span = float(np.log(rough.u[:, -1] / rough.u[:, 0]).max())
        return _placed(terms, least, most, max(3, int(np.ceil(span / ratio)) + 1))


def _placed(terms: Terms, least: Array, most: Array, count: int) -> Nodes:
    shape = len(least), count
    nodes = Nodes(np.empty(shape), np.empty((len(least), 1)), np.empty(len(least)), np.empty(shape))
    before, near, part = np.zeros(count), 1.0, 0.0
    for j in range(len(least)):
        nodes.most[j] = np.maximum(most_growth(terms, least, most, j, before / near), least[j])
        low = float(((1.0 + before) / np.minimum(nodes.most[j], most[j])).min())  # B1
        high = max(float(1.0 + before[-1]) / least[j], low * (1.0 + NARROWEST))  # B1
        nodes.step[j] = step = np.log(high / low) / (count - 1)
        nodes.u[j] = low * np.exp(step * np.arange(count))
        nodes.u[j, -1] = high
        nodes.near[j] = near = (1.0 - part * (1.0 - near)) * np.exp(-step)  # B21
        before, part = nodes.u[j], high / (1.0 + high)
    return nodes


def most_growth(terms: Terms, least: Array, most: Array, j: int, u: Array) -> Array:
    """Largest growth of row j that leaves the first volume what it must have, by u of the order before. B22."""
    lowest = np.concatenate(([1.0], np.cumprod(least)))
    after = lowest[j + 1 :].sum() / lowest[j + 1]
    share = 1.0 / np.concatenate((np.cumprod(most[:j][::-1])[::-1], [1.0]))  # least v_i over that of the order before
    inverse = np.sort(share / lowest[: j + 1])
    held = np.maximum(share[:, None], lowest[: j + 1, None] * inverse).sum(axis=0)
    volume = 1.0 / np.interp(1.0 + u, held, inverse)  # B22
    return np.asarray((terms.total / volume - np.minimum(1.0 + u, held[-1])) / after * (1.0 + WIDER))  # B22
