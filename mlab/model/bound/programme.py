"""The bound of one box at given multipliers: a dynamic programme over orders, from the last to the second.

Formulas are numbered as in ``docs/bound.md``; symbols as in :mod:`mlab.model.bound.grid`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.model.bound.grid import FAR, Grid
from mlab.model.bound.lagrangian import NU, TAU, Lagrangian
from mlab.model.bound.needs import least
from mlab.model.compiled import BOUNDS
from mlab.model.ladder import Array

ROUNDING = 1e-12  # of the scale, for each order: what rounding may have added. B19
FLAT = 1e-30  # a bend of nothing


@dataclass(frozen=True, slots=True)
class Pass:
    """A backward pass: the bound, and the costs from each order on by node of u, kind of growth and G; (K, N, C, G)."""

    bound: float
    costs: Array


def backward(lagrangian: Lagrangian, grid: Grid) -> Pass:
    """The bound: no ladder of the box whose growths lie in the grid's windows scores below it."""
    terms = lagrangian.terms
    own = _own_costs(lagrangian, grid)
    drop = drops(lagrangian, grid)
    costs = np.empty((*own.shape, grid.g.shape[1]))
    first = _filled(costs, own, drop, lagrangian.wave, grid)
    scale = lagrangian.scale + float(np.abs(own).max(axis=(1, 2)).sum()) + float(np.abs(grid.g).max())
    return Pass(first + lagrangian.constant - ROUNDING * terms.orders * scale, costs)  # B19


def _own_costs(lagrangian: Lagrangian, grid: Grid) -> Array:
    """What each order costs by its own u and kind of growth alone, shape (K, N, C)."""
    x, asked = lagrangian.x, grid.asked
    own = asked.spread(least(lagrangian, asked.u, asked.most, asked.row)[0])
    other = x[NU] * grid.log_held  # B5
    other[-1] += x[TAU] * (lagrangian.terms.least_spread - 1.0 - grid.u[-1])  # B5
    own += other[..., None]
    return own


def drops(lagrangian: Lagrangian, grid: Grid) -> Array:
    """How far below a straight line the costs may lie between two nodes of u, at most, shape (K,). B15."""
    bend = grid.bend + lagrangian.x[NU] + _bend_of_needs(lagrangian, grid.u[:, 0])
    return np.asarray(np.maximum(bend * np.expm1(grid.step[:, 0]) ** 2 / 8.0, FLAT))  # B15


def _bend_of_needs(lagrangian: Lagrangian, least_u: Array) -> Array:
    """What x^2 f'' of the terms of needs does not exceed from each order on, shape (K,). B15."""
    terms, most = lagrangian.terms, lagrangian.box.largest[1]
    against = np.maximum(-lagrangian.factor, 0.0)
    pull = most if terms.sizing == "quote" else most / (1.0 + most)
    part = pull / least_u
    if terms.sizing == "quote" and terms.need == "fill":
        kept = np.minimum(part, 1.0 - terms.floor)
        bend = np.maximum(1.0 / (1.0 - kept) ** 2 - 1.0, 2.0 * part / terms.floor)  # B15
    elif terms.sizing == "base" and terms.need == "path":
        bend = 1.0 / (1.0 - pull / (1.0 + least_u)) ** 2 - 1.0  # B15
    else:
        bend = 2.0 * part  # B15
    each = against * bend + 2.0 * (lagrangian.price + lagrangian.average) * most / least_u  # B15
    return np.asarray(np.cumsum(each[::-1])[::-1])


def _filled(costs: Array, own: Array, drop: Array, wave: Array, grid: Grid) -> float:
    """Fills the costs (K, N, C, G) from the last order to the second; what the first of them comes to."""
    last = grid.cost[-1][:, None] + (1.0 - grid.share[-1])[:, None] * grid.g[-1]  # B2
    reach, chord, faster = grid.reach, grid.chord, BOUNDS.after(1)
    if faster:
        ways = reach.left, reach.low, reach.high, reach.between, grid.closed, np.array(reach.levels)
        return float(faster.filled(costs, own, last, drop, wave, ways, (chord.left, chord.part)))
    np.add(own[-1][..., None], last[:, None], out=costs[-1])
    for j in range(len(costs) - 1, 0, -1):
        ahead = least_of_kinds(least_ahead(costs[j], drop[j], grid, j), wave)
        np.add(own[j - 1][..., None], _blended(ahead, grid, j - 1), out=costs[j - 1])
    return float(least_ahead(costs[0], drop[0], grid, 0)[:, 0, 0].min())


def least_ahead(costs: Array, drop: float, grid: Grid, j: int) -> Array:
    """The least cost that growths of each kind lead to from each node before: (C, N, G) of costs (N, C, G). B16."""
    reach, shape, size = grid.reach, costs.shape, costs.shape[1]
    rows = costs.reshape(-1, shape[2])
    rise = rows[size:] - rows[:-size]
    whole = np.empty((reach.levels[j], *shape))
    whole[0, :-1] = dip(rows[:-size], rise, drop, 0.0, 1.0).reshape(-1, *shape[1:])
    whole[0, -1] = FAR
    for level in range(1, len(whole)):
        half = 2 ** (level - 1)
        count = shape[0] - 2 * half
        np.minimum(whole[level - 1, :count], whole[level - 1, half : half + count], out=whole[level, :count])
    left = reach.left[j]
    parts = dip(
        rows.take(left, axis=0), rise.take(left, axis=0), drop, reach.low[j][..., None], reach.high[j][..., None]
    )
    between = whole.reshape(-1, shape[2]).take(reach.between[j], axis=0)
    np.minimum(parts, between, out=parts)
    nearest = np.minimum(parts[0], parts[1], out=parts[0])
    nearest += grid.closed[j][..., None]
    return np.asarray(nearest)


def dip(left: Array, rise: Array, drop: float, low: Array | float, high: Array | float) -> Array:
    """Least of the parabola that no cost goes below, between ``low`` and ``high`` of a cell. B16."""
    place = rise * (-0.125 / drop)
    place += 0.5
    np.maximum(place, low, out=place)
    np.minimum(place, high, out=place)
    value = place - 1.0
    value *= 4.0 * drop
    value += rise
    value *= place
    value += left  # B16
    return np.asarray(value)


def least_of_kinds(nearest: Array, wave: Array) -> Array:
    """The least over the next kind, for each kind of growth before it; both (C, N, G). B3."""
    ahead = nearest[0] + wave[:, 0, None, None]
    for kind in range(1, len(wave)):
        np.minimum(ahead, nearest[kind] + wave[:, kind, None, None], out=ahead)
    return np.asarray(ahead)


def _blended(ahead: Array, grid: Grid, j: int) -> Array:
    """What is ahead (C, N, G) of the nodes of row j and of G before it, (N, C, G). B14."""
    whole = ahead.reshape(-1)
    left, value = whole.take(grid.chord.left[j]), whole.take(grid.chord.right[j])
    value -= left
    value *= grid.chord.part[j]
    value += left  # B14
    return np.asarray(value)
