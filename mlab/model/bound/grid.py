"""The chain of a ladder's volumes on a grid: all that depends on the windows of growth and on nothing else.

Formulas are numbered as in ``docs/bound.md``. Row j is that of order k = j + 2.

======== ============ ======================================================================================
symbol   shape        meaning
======== ============ ======================================================================================
u        (K, N)       u_k, what is held before order k over its volume: nodes at equal ratios
share    (K, N)       s_k = 1 / (1 + u_k)
g        (K, G)       G_{k-1}, what the volumes up to order k - 1 have cost: nodes at equal distances
======== ============ ======================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlab.model.bound.caps import most_needs
from mlab.model.bound.nodes import Nodes
from mlab.model.bound.terms import Terms, ends
from mlab.model.ladder import Array

NODES = 6  # of G
FAR = 1e100  # the cost of what is not allowed
BEND_WEIGHT, BEND_ENTROPY = 0.2963, 0.33  # largest x^2 f'' of a held share and of the entropy: B15


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the next u may lie from each node of u, by kind of growth; arrays (K, 2, C, N).

    The first of each pair is the cell that the largest growth leads into, the second that of the least. ``low`` and
    ``high`` say from where to where in these cells, 0 at one node and 1 at the next. Whole cells between are looked up
    in a table (levels, N, C) of the least over 2^level of them: the first and the last that lie between.
    """

    left: NDArray[np.int64]  # the node on the left of the cell, as a row of costs (N, C, ..)
    low: Array
    high: Array
    between: NDArray[np.int64]  # rows of the table
    levels: tuple[int, ...]  # of the table, by stage


@dataclass(frozen=True, slots=True)
class Chord:
    """Between which nodes of G_k the node of u_k and of G_{k-1} leads: arrays (K, N, 1 or C, G). B14."""

    left: NDArray[np.int64]  # the node on the left, as a place in costs (C, N, G)
    right: NDArray[np.int64]  # the node on the right
    part: Array  # how far from there to the next


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which u the least need is looked for, up to which: once where it is the same for all kinds of growth.

    First (N, C) for each order that the widest gaps bind, then (N,) for each other one; all in one row.
    """

    row: NDArray[np.int64]
    u: Array
    most: Array
    shape: tuple[int, ...]  # (K, N, C)
    bound: int  # how many orders they bind

    @classmethod
    def of(cls, u: Array, most: Array, bound: int, kinds: int) -> Asked:
        """Of the grid's u (K, N) and largest needs (K, N, C), or (K, N, 1) where none is bound."""
        row, count = np.arange(len(u)), u.shape[1]
        times = np.where(row < bound, most.shape[2], 1)
        return cls(
            np.repeat(row, times * count),
            np.concatenate((np.repeat(u[:bound].ravel(), most.shape[2]), u[bound:].ravel())),
            np.concatenate((most[:bound].ravel(), most[bound:, :, 0].ravel())),
            (*u.shape, kinds),
            bound,
        )

    def spread(self, value: Array) -> Array:
        """What was found for each, to all nodes and kinds (K, N, C)."""
        whole, bound = np.empty(self.shape), self.bound
        border = whole[:bound].size
        whole[:bound] = value[:border].reshape(whole[:bound].shape)
        whole[bound:] = value[border:].reshape(*whole[bound:].shape[:2], 1)
        return whole


@dataclass(frozen=True, slots=True)
class Grid:
    """Nodes, and where growths lead from each."""

    windows: Array
    closed: Array  # FAR where a kind of growth is closed, else 0, by the node before; shape (K, C, N)
    u: Array
    log_u: Array
    step: Array  # of log_u, shape (K, 1)
    log_held: Array  # ln(S_k / S_{k-1}) at the nodes; shape (K, N)
    share: Array
    asked: Asked
    cost: Array  # a_k at the nodes, shape (K, N)
    g: Array
    chord: Chord
    most_growth: Array  # that the first volume leaves, by the node before; shape (K, N)
    bend: Array  # of the volumes' cost: what x^2 f'' does not exceed, shape (K,)
    reach: Reach


def binary_entropy(share: Array) -> Array:
    """Entropy of two shares that sum to 1."""
    other = 1.0 - share
    with np.errstate(divide="ignore", invalid="ignore"):
        value = -share * np.log(share) - other * np.log1p(-share)
    return np.where((share > 0.0) & (other > 0.0), value, 0.0)


def volume_cost(terms: Terms, share: Array) -> Array:
    """a_k of orders 2..M, shape (K, ...) as the shares. B2."""
    tail = np.where(np.arange(2, terms.orders + 1) == terms.body, terms.tail, 0.0)
    each = terms.penalty * (2.0 / terms.orders + binary_entropy(share) / np.log(terms.orders))
    return np.asarray(-each - tail.reshape(-1, *[1] * (share.ndim - 1)))  # B2


def first_cost(terms: Terms) -> float:
    """G_1. B2."""
    return -terms.penalty * 2.0 / terms.orders - (terms.tail if terms.body == 1 else 0.0)  # B2


def grid(terms: Terms, windows: Array, ratio: float) -> Grid:
    """The grid of some windows, neighbouring nodes of u about ``1 + ratio`` apart at most."""
    is_open = windows[..., 0] <= windows[..., 1]
    nodes = Nodes.of(terms, *ends(windows), ratio)
    u, step = nodes.u, nodes.step
    share = 1.0 / (1.0 + u)
    cost = volume_cost(terms, share)
    g, lowest = _costs_reached(terms, share)
    held = np.ones(u.shape)
    held[1:] += u[:-1]
    reach, shut = _reach(nodes, held, is_open, windows)
    most = most_needs(terms, windows, u / nodes.near[:, None])  # B21
    return Grid(
        windows=windows,
        closed=np.where(shut, FAR, 0.0),
        u=u,
        log_u=np.log(u),
        step=step,
        log_held=np.log1p(1.0 / u),
        share=share,
        asked=Asked.of(u, most, len(terms.capped), windows.shape[1]),
        cost=cost,
        g=g[:-1],
        chord=_chord(cost, share, g, windows.shape[1]),
        bend=_bend(terms, lowest[:-1]),
        most_growth=nodes.most,
        reach=reach,
    )


def _costs_reached(terms: Terms, share: Array) -> tuple[Array, Array]:
    """Nodes of G from that after order 1 on, shape (M, G), and the largest |G|."""
    entropy = binary_entropy(share)
    high, low = share[:, :-1], share[:, 1:]
    most = np.maximum(entropy[:, :-1], entropy[:, 1:])
    most = np.where((low <= 0.5) & (high >= 0.5), np.log(2.0), most)
    least = np.minimum(entropy[:, :-1], entropy[:, 1:])
    base = volume_cost(terms, np.zeros((terms.steps, 1)))
    factor = terms.penalty / np.log(terms.orders)
    bottom = top = first_cost(terms)
    ends = [(bottom, bottom)]
    for j in range(terms.steps):
        bottom = float((base[j] - factor * most[j] + (1.0 - low[j]) * bottom).min()) - 1e-12
        top = float((base[j] - factor * least[j] + (1.0 - high[j]) * top).max()) + 1e-12
        ends.append((bottom, top))
    pairs = np.array(ends)
    return pairs[:, :1] + (pairs[:, 1:] - pairs[:, :1]) * np.linspace(0.0, 1.0, NODES), -pairs[:, 0]


def _chord(cost: Array, share: Array, g: Array, kinds: int) -> Chord:
    after, width = g[1:], (g[1:, 1] - g[1:, 0])[:, None, None]
    place = (cost[..., None] + (1.0 - share[..., None]) * g[:-1, None] - after[:, :1, None]) / width
    place = np.clip(place, 0.0, NODES - 1.0)  # also where the range of G is no wider than rounding: B19
    cell = np.minimum(place.astype(np.int64), NODES - 2)
    nodes = np.arange(cost.shape[1])[:, None, None]
    left = (np.arange(kinds)[:, None] * cost.shape[1] + nodes) * NODES + cell[:, :, None]
    return Chord(left, left + 1, (place - cell)[:, :, None])  # B14


def _bend(terms: Terms, lowest: Array) -> Array:
    """What x^2 f'' of the volumes' cost does not exceed, x = u_k. B15."""
    order = np.arange(2, terms.orders + 1)
    weights = lowest + terms.penalty * 2.0 / terms.orders * (terms.orders - order)
    weights += np.where(order <= terms.body, terms.tail, 0.0)
    return np.asarray(BEND_WEIGHT * weights + BEND_ENTROPY * terms.penalty / np.log(terms.orders))  # B15


def _reach(nodes: Nodes, held: Array, is_open: NDArray[np.bool_], windows: Array) -> tuple[Reach, NDArray[np.bool_]]:
    """Cells that each growth leads into, and which kinds (K, C, N) are shut. B1 and B22."""
    low = np.where(is_open, windows[..., 0], 1.0)[..., None]
    high = np.minimum(np.where(is_open, windows[..., 1], 1.0)[..., None], nodes.most[:, None])  # B22
    shut = ~is_open[..., None] | (high < low)
    growth = np.stack((np.maximum(high, low), np.broadcast_to(low, high.shape)), axis=1)
    return _cells(nodes.u, nodes.step, held[:, None, None] / growth), shut  # B1


def _cells(u: Array, step: Array, target: Array) -> Reach:
    """Between the two ends of targets (K, 2, C, N)."""
    count, kinds = u.shape[1], target.shape[2]
    place = np.log(target / u[:, :1, None, None]) / step[..., None, None]
    cell = np.clip(place.astype(np.int64), 0, count - 2)
    rows = np.arange(len(u))[:, None, None, None]
    left = u[rows, cell]
    where = np.clip((target - left) / (u[rows, cell + 1] - left), 0.0, 1.0)
    same = cell[:, 0] == cell[:, 1]
    low = np.stack((where[:, 0], np.where(same, where[:, 0], 0.0)), axis=1)
    high = np.stack((np.where(same, where[:, 1], 1.0), where[:, 1]), axis=1)
    whole = cell[:, 1] - cell[:, 0] - 1
    level = np.where(whole > 0, np.frexp(np.maximum(whole, 1))[1] - 1, 0)
    ends = np.stack((cell[:, 0] + 1, cell[:, 1] - 2**level), axis=1)
    ends = np.where(whole[:, None] > 0, ends, count - 1)  # the row behind the last cell costs FAR
    kind = np.arange(kinds)[:, None]
    between = (level[:, None] * count + ends) * kinds + kind
    return Reach(cell * kinds + kind, low, high, between, tuple((1 + level.max(axis=(1, 2))).tolist()))
