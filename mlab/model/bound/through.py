"""Which growths no ladder of a box has that scores below a level, by what the bound is of all ladders that have them.

Formulas are numbered as in ``docs/bound.md``; symbols as in :mod:`mlab.model.bound.grid`. A forward pass after a
backward one adds up by how much the growths that lead to a node cost more than the least, and then looks at each growth
from there. Arrays by node before, kind of growth and G are (C, N, G), as those of the programme.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlab.model.bound.grid import FAR, Grid
from mlab.model.bound.lagrangian import Lagrangian
from mlab.model.bound.programme import ROUNDING, Pass, dip, drops, least_ahead, least_of_kinds
from mlab.model.bound.terms import CLOSED, WIDER
from mlab.model.ladder import Array

Places = NDArray[np.int64]


def tightened(lagrangian: Lagrangian, grid: Grid, done: Pass, level: float) -> Array:
    """Windows (K, C, 2) that hold all growths of ladders of the box that score less than ``level``. B23."""
    gap = level - done.bound + _margin(lagrangian, done)
    drop = drops(lagrangian, grid)
    windows = grid.windows.copy()
    more = np.empty(0)
    for j, costs in enumerate(done.costs):
        nearest = least_ahead(costs, drop[j], grid, j)
        before = _before(more, nearest, lagrangian.wave, grid, j)
        ways = _Ways.of(costs, drop[j], grid, j, before, before + nearest <= gap)
        ways.cut(windows[j], grid.u[j], 1.0 + grid.u[j - 1] if j else np.ones(1), gap)
        more = ways.arrived(costs.shape)
    return windows


def _margin(lagrangian: Lagrangian, done: Pass) -> float:
    """What rounding may have added, and what it has taken off the bound. B19."""
    sizes = np.abs(done.costs).max(axis=(1, 2, 3), initial=0.0, where=np.abs(done.costs) < FAR / 2.0)
    return float(ROUNDING * lagrangian.terms.orders * (lagrangian.scale + sizes.sum()))  # B19


def _before(more: Array, nearest: Array, wave: Array, grid: Grid, j: int) -> Array:
    """What to add to the costs of the next order for the excess up to there: (C, N, G). B23."""
    if j == 0:
        before = np.full(nearest.shape, FAR)
        before[:, 0, 0] = -nearest[:, 0, 0].min()
        return before
    reached = np.full(nearest.size, FAR)
    for node in (grid.chord.left[j - 1], grid.chord.right[j - 1]):  # B14
        np.minimum.at(reached, node.ravel(), more.ravel())
    reached = reached.reshape(nearest.shape) - least_of_kinds(nearest, wave)
    return np.asarray((reached[:, None] + wave[:, :, None, None]).min(axis=0))  # B3


@dataclass(frozen=True, slots=True)
class _Ways:
    """From where growths of each kind may lead on: kind, node before and node of G, in this order of weight.

    ``excess`` (ways, cells) says how much more than the least a ladder costs that goes into a cell, ``first`` or later.
    """

    kind: Places
    node: Places
    g: Places
    first: int
    excess: Array

    @classmethod
    def of(cls, costs: Array, drop: float, grid: Grid, j: int, before: Array, chosen: NDArray[np.bool_]) -> _Ways:
        """Those chosen (C, N, G)."""
        kind, node, g = np.nonzero(chosen)
        kinds, rows = costs.shape[1], np.arange(len(kind))
        ends = grid.reach.left[j][:, kind, node] // kinds
        first, last = int(ends.min()), int(ends.max()) + 1
        rise = costs[1:] - costs[:-1]
        excess = dip(costs[first:last], rise[first:last], drop, 0.0, 1.0).transpose(1, 2, 0)[kind, g]
        low, high = grid.reach.low[j][:, kind, node], grid.reach.high[j][:, kind, node]
        for end in (1, 0):  # B16
            part = dip(costs[ends[end], kind, g], rise[ends[end], kind, g], drop, low[end], high[end])
            excess[rows, ends[end] - first] = part
        excess += before[kind, node, g][:, None]  # B23
        cell = np.arange(first, last)
        excess[(cell < ends[0][:, None]) | (cell > ends[1][:, None])] = FAR
        return cls(kind, node, g, first, excess)

    def cut(self, windows: Array, u: Array, held: Array, gap: float) -> None:
        """Cut one order's windows (C, 2) to the growths that lead into cells of u with no more excess than the gap."""
        kept = self.excess <= gap
        some, left = kept.any(axis=1), self.first + kept.argmax(axis=1)
        right = self.first + kept.shape[1] - kept[:, ::-1].argmax(axis=1)
        least, most = held[self.node] / u[right], held[self.node] / u[left]  # B1
        for kind, window in enumerate(windows):
            chosen = some & (self.kind == kind)
            if chosen.any():
                window[0] = max(window[0], least[chosen].min() * (1.0 - WIDER))
                window[1] = min(window[1], most[chosen].max() * (1.0 + WIDER))
            if not chosen.any() or window[0] > window[1]:
                window[:] = CLOSED

    def arrived(self, shape: tuple[int, ...]) -> Array:
        """The least excess with which each node (N, C, G) is reached. B23."""
        group = self.kind * shape[2] + self.g
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        least = np.minimum.reduceat(self.excess[order], starts, axis=0).T
        kind, g = np.divmod(group[order][starts], shape[2])
        more = np.full(shape, FAR)
        for end in (0, 1):
            nodes = more[self.first + end : self.first + end + len(least)]
            nodes[:, kind, g] = np.minimum(nodes[:, kind, g], least)
        return more
