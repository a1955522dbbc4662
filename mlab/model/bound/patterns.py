"""Ladders by their growths alone, as the bound sees them: their Lagrangian, and how it changes with the multipliers.

Nothing here is part of the proof: patterns say which multipliers, boxes and windows are worth trying. Arrays are
(K, P), a row for each of the orders 2..M and a column a pattern, or (P,).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mlab.model.bound.grid import Grid, first_cost, volume_cost
from mlab.model.bound.lagrangian import CAPS, NU, TAU, Lagrangian
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
    pull: Array  # how much the cost would fall with a larger need, but for the variance; (K, P)
    factor: Array  # f_k, (K, P)
    price: Array  # P_k / A_{k-1}, (K, P)

    @classmethod
    def none(cls, terms: Terms) -> Patterns:
        """No pattern."""
        rows = np.zeros((terms.steps, 0))
        gradient = np.zeros((CAPS + len(terms.capped), 0))
        return cls(rows, rows.astype(np.int64), rows, np.zeros(0), gradient, rows, rows, rows)

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
    value, need = least(lagrangian, u)
    cost = Cost.of(lagrangian, u)
    log, slope, _ = cost.factor.log(need)
    gradient = _gradient(lagrangian, kind, need, np.cumsum(log, axis=0), np.log1p(1.0 / u).sum(axis=0), before)
    waves = lagrangian.wave[kind[:-1], kind[1:]].sum(axis=0)
    whole = value.sum(axis=0) + volumes + waves + lagrangian.constant
    whole += x[NU] * np.log1p(1.0 / u).sum(axis=0) + x[TAU] * (terms.least_spread - before)
    pull = -lagrangian.factor[:, None] * slope - lagrangian.own[:, None] / (1.0 + need)
    return Patterns(growth, kind, need, whole, gradient, pull, np.exp(log), cost.factor.price(need)[0])


def _gradient(
    lagrangian: Lagrangian, kind: NDArray[np.int64], need: Array, average: Array, total: Array, spread: Array
) -> Array:
    terms = lagrangian.terms
    before = average if terms.need == "fill" else np.vstack((np.zeros(need.shape[1]), average[:-1]))
    price = before - np.log1p(need)  # ln P_k
    alike = ((kind[:-1] == kind[1:]) & (kind[1:] != 1)).sum(axis=0)
    unlike = (np.abs(kind[:-1] - kind[1:]) == 2).sum(axis=0)
    capped = [level - price[k - 2] for k, level in zip(terms.capped, terms.capped_price, strict=True)]
    rows = [
        terms.depth + price[-1],
        total - np.log(terms.total),
        terms.least_spread - spread,
        terms.penalty * (0.2 * alike - 0.1 * unlike) * (terms.windows.shape[1] > 1),
        *capped,
    ]
    return np.array(rows)


def trace(terms: Terms, grid: Grid, done: Pass, wave: Array) -> tuple[Array, NDArray[np.int64]]:
    """Growths and kinds (K, 1) along which a backward pass found its bound, nearly."""
    growth, kinds = np.empty((terms.steps, 1)), np.empty((terms.steps, 1), dtype=np.int64)
    before, cost, last = 1.0, first_cost(terms), -1
    for j in range(terms.steps):
        nodes = grid.g[j]
        place = min(max((cost - nodes[0]) / max(nodes[1] - nodes[0], 1e-15), 0.0), len(nodes) - 1.001)
        cell = int(place)
        values = done.costs[j][:, :, cell] * (cell + 1 - place) + done.costs[j][:, :, cell + 1] * (place - cell)
        if last >= 0:
            values = values + wave[last]
        values = values + grid.closed[j]
        options = [
            _least_between(grid, j, values[:, c], before / grid.windows[j, c, ::-1]) for c in range(values.shape[1])
        ]
        last = min(range(len(options)), key=lambda c: options[c][0])
        low, high = grid.windows[j, last]
        growth[j, 0] = min(max(before / options[last][1], low), high)
        kinds[j, 0] = last
        share = 1.0 / (1.0 + before / growth[j, 0])
        cost = float(_cost_of(terms, j, share)) + (1.0 - share) * cost
        before = 1.0 + before / growth[j, 0]
    return growth, kinds


def _cost_of(terms: Terms, j: int, share: float) -> float:
    return float(volume_cost(terms, np.full((terms.steps, 1), share))[j, 0])


def _least_between(grid: Grid, j: int, values: Array, ends: Array) -> tuple[float, float]:
    """Least value and its u, from one u to another."""
    u, low, step = grid.u[j], grid.log_u[j, 0], float(grid.step[j, 0])
    first, last = (np.log(ends) - low) / step
    start, stop = int(np.ceil(first)), min(int(np.floor(last)), len(u) - 1)
    found = [(float(np.interp(end, u, values)), float(end)) for end in ends]
    if start <= stop:
        best = start + int(values[max(start, 0) : stop + 1].argmin())
        place = float(best)
        if start < best < stop:
            left, here, right = values[best - 1 : best + 2]
            bend = left - 2.0 * here + right
            place += 0.5 * (left - right) / bend if bend > 0.0 else 0.0
        found.append((float(values[best]) - 1e-15, float(np.exp(low + step * place))))
    return min(found)
