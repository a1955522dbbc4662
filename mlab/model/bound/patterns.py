"""Ladders by their growths alone, as the bound sees them: their Lagrangian, and how it changes with the multipliers.

Nothing here is part of the proof: patterns say which multipliers, boxes and windows are worth trying. Arrays are
(K, P), a row for each of the orders 2..M and a column a pattern, or (P,).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, exp, floor, log

import numpy as np
from numpy.typing import NDArray

from mlab.model.bound.caps import most_needs_of
from mlab.model.bound.grid import Grid, first_cost, volume_cost
from mlab.model.bound.lagrangian import NU, TAU, Lagrangian, bounds, excess
from mlab.model.bound.needs import Cost, least
from mlab.model.bound.programme import Pass
from mlab.model.bound.terms import Terms
from mlab.model.ladder import Array


@dataclass(frozen=True, slots=True)
class Patterns:
    """Growths with the needs that are least for them at some multipliers."""

    growth: Array
    kind: NDArray[np.int64]
    need: Array
    value: Array  # of the Lagrangian, (P,)
    gradient: Array  # by the multipliers, (multipliers, P)
    factor: Array  # f_k, (K, P)
    price: Array  # P_k / A_{k-1}, (K, P)

    @classmethod
    def none(cls, terms: Terms) -> Patterns:
        """No pattern."""
        rows = np.zeros((terms.steps, 0))
        gradient = np.zeros((len(bounds(terms)[0]), 0))
        return cls(rows, rows.astype(np.int64), rows, np.zeros(0), gradient, rows, rows)

    def __len__(self) -> int:
        return int(self.growth.shape[1])

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Patterns:
        """Some of them."""
        return Patterns(*(getattr(self, item.name)[..., chosen] for item in fields(self)))

    def join(self, other: Patterns) -> Patterns:
        """These and others."""
        pairs = ((getattr(self, item.name), getattr(other, item.name)) for item in fields(self))
        return Patterns(*(np.concatenate(pair, axis=-1) for pair in pairs))

    def inside(self, windows: Array) -> NDArray[np.bool_]:
        """Which have all growths in the windows."""
        rows = np.arange(len(windows))[:, None]
        low, high = windows[rows, self.kind, 0], windows[rows, self.kind, 1]
        return np.asarray(((self.growth >= low - 1e-12) & (self.growth <= high + 1e-12)).all(axis=0))


def judged(lagrangian: Lagrangian, growth: Array, kind: NDArray[np.int64]) -> Patterns:
    """Growths (K, P) of given kinds, at the multipliers of the Lagrangian."""
    terms, x = lagrangian.terms, lagrangian.x
    u = np.empty(growth.shape)
    before = np.ones(growth.shape[1])
    for row, ratio in zip(u, growth, strict=True):
        row[:] = before / ratio
        before = 1.0 + row
    share = 1.0 / (1.0 + u)
    volumes = np.full(growth.shape[1], first_cost(terms))
    for part, cost in zip(share, volume_cost(terms, share), strict=True):
        volumes = cost + (1.0 - part) * volumes
    value, need = least(lagrangian, u, most_needs_of(terms, lagrangian.box.windows, u, kind))
    cost = Cost.of(lagrangian, u)
    logs = cost.factor.log(need)
    gradient = _gradient(lagrangian, kind, need, np.cumsum(logs, axis=0), np.log1p(1.0 / u).sum(axis=0), before)
    waves = lagrangian.wave[kind[:-1], kind[1:]].sum(axis=0)
    whole = value.sum(axis=0) + volumes + waves + lagrangian.constant
    whole += x[NU] * np.log1p(1.0 / u).sum(axis=0) + x[TAU] * (terms.least_spread - before)
    return Patterns(growth, kind, need, whole, gradient, np.exp(logs), cost.factor.price(need))


def _gradient(
    lagrangian: Lagrangian, kind: NDArray[np.int64], need: Array, average: Array, total: Array, spread: Array
) -> Array:
    terms, (kink, most) = lagrangian.terms, lagrangian.box.largest
    before = average if terms.need == "fill" else np.vstack((np.zeros(need.shape[1]), average[:-1]))
    price = before - np.log1p(need)  # ln P_k
    alike = ((kind[:-1] == kind[1:]) & (kind[1:] != 1)).sum(axis=0)
    unlike = (np.abs(kind[:-1] - kind[1:]) == 2).sum(axis=0)
    capped = [level - price[k - 2] for k, level in zip(terms.capped, terms.capped_price, strict=True)]
    taken = most - kink if excess(terms, lagrangian.over) > 0.0 else 0.0  # B7
    rows = [
        terms.depth + price[-1],
        total - np.log(terms.total),
        terms.least_spread - spread,
        terms.penalty * (0.2 * alike - 0.1 * unlike) * (terms.windows.shape[1] > 1),
        *capped,
        *(np.maximum(need - kink, 0.0) - taken),
    ]
    return np.array(rows)


def trace(terms: Terms, grid: Grid, done: Pass, wave: Array) -> tuple[Array, NDArray[np.int64]]:
    """Growths and kinds (K, 1) along which a backward pass found its bound, nearly."""
    growth, kinds = np.empty((terms.steps, 1)), np.empty((terms.steps, 1), dtype=np.int64)
    before, volumes, last = 1.0, first_cost(terms), -1
    windows = grid.windows.copy()
    for j in range(terms.steps):
        values = _at_cost(done.costs[j], grid.g[j], volumes)
        found = []
        kept = float(np.interp(before - 1.0, grid.u[j - 1], grid.most_growth[j])) if j else np.inf
        windows[j, :, 1] = np.minimum(windows[j, :, 1], kept)
        for kind in np.flatnonzero(windows[j, :, 0] <= windows[j, :, 1]).tolist():
            least, most = windows[j, kind].tolist()
            value, u = _least_between(grid, j, values[:, kind], (before / most, before / least))
            added = float(wave[last, kind]) if last >= 0 else 0.0
            found.append((value + added, kind, min(max(before / u, least), most)))
        _, last, ratio = min(found)
        growth[j, 0], kinds[j, 0] = ratio, last
        u = before / ratio
        volumes = float(np.interp(log(u), grid.log_u[j], grid.cost[j])) + u / (1.0 + u) * volumes
        before = 1.0 + u
    return growth, kinds


def _at_cost(costs: Array, nodes: Array, volumes: float) -> Array:
    """Costs (N, C) where the volumes so far have cost that much."""
    place = min(max((volumes - nodes[0]) / max(nodes[1] - nodes[0], 1e-15), 0.0), len(nodes) - 1.001)
    cell = int(place)
    return np.asarray(costs[:, :, cell] * (cell + 1 - place) + costs[:, :, cell + 1] * (place - cell))


def _least_between(grid: Grid, j: int, values: Array, ends: tuple[float, float]) -> tuple[float, float]:
    """Least value and its u, from one u to another."""
    low, step, top = float(grid.log_u[j, 0]), float(grid.step[j, 0]), len(values) - 1
    found = []
    for end in ends:
        place = min(max((log(end) - low) / step, 0.0), top - 1e-9)
        cell = int(place)
        left, right = values[cell : cell + 2].tolist()
        found.append((left + (place - cell) * (right - left), end))
    start, stop = max(ceil((log(ends[0]) - low) / step), 0), min(floor((log(ends[1]) - low) / step), top)
    if start <= stop:
        best = start + int(values[start : stop + 1].argmin())
        value, place = float(values[best]), float(best)
        if start < best < stop:
            left, right = float(values[best - 1]), float(values[best + 1])
            bend = left - 2.0 * value + right
            place += 0.5 * (left - right) / bend if bend > 0.0 else 0.0
        found.append((value - 1e-15, exp(low + step * place)))
    return min(found)
