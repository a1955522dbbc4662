"""The bound of one box at given multipliers: a dynamic programme over orders, from the last to the second.

Formulas are numbered as in ``docs/bound.md``; symbols as in :mod:`mlab.model.bound.grid`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.model.bound.grid import FAR, Grid, Reach
from mlab.model.bound.lagrangian import NU, TAU, Lagrangian
from mlab.model.bound.needs import least
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
    drop = _drops(lagrangian, grid)
    costs = np.empty((*grid.u.shape, grid.windows.shape[1], grid.g.shape[1]))
    volumes = grid.cost[-1][:, None] + (1.0 - grid.share[-1])[:, None] * grid.g[-1]  # B2
    costs[-1] = own[-1][..., None] + volumes[:, None, :]
    for j in range(terms.steps - 1, 0, -1):
        nearest = _least_ahead(costs[j], drop[j], grid.reach[j], int(grid.levels[j]))
        nearest += grid.closed[j, ..., None]
        ahead = _after(nearest, lagrangian.wave)
        ahead += (lagrangian.x[NU] * grid.log_before[j])[:, None, None]  # B5
        np.matmul(ahead, grid.blend[j - 1], out=costs[j - 1])  # B14
        costs[j - 1] += own[j - 1][..., None]
    first = _least_ahead(costs[0], drop[0], grid.reach[0].rows(1), int(grid.levels[0]))[0, :, 0] + grid.closed[0, 0]
    scale = lagrangian.scale + float(np.abs(own).max(axis=(1, 2)).sum()) + float(np.abs(grid.g).max())
    return Pass(float(first.min()) + lagrangian.constant - ROUNDING * terms.orders * scale, costs)  # B19


def _own_costs(lagrangian: Lagrangian, grid: Grid) -> Array:
    """What each order costs by its own u and kind of growth alone, shape (K, N, C), C 1 where kinds are alike."""
    x = lagrangian.x
    own, _ = least(lagrangian, np.broadcast_to(grid.u[..., None], grid.most.shape), grid.most)
    own -= x[NU] * grid.log_u[..., None]  # B5
    held = 1.0 + grid.u[-1][:, None]
    own[-1] += x[NU] * np.log(held) + x[TAU] * (lagrangian.terms.least_spread - held)  # B5
    return own


def _drops(lagrangian: Lagrangian, grid: Grid) -> Array:
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


def _least_ahead(costs: Array, drop: float, reach: Reach, levels: int) -> Array:
    """From each node before, the least cost (N, C, G) that growths of each kind lead to. B16."""
    rise = costs[1:] - costs[:-1]
    whole = np.full((levels, *costs.shape), FAR)
    whole[0, :-1] = _dip(costs[:-1], rise, drop, 0.0, 1.0)
    for level in range(1, levels):
        half = 2 ** (level - 1)
        np.minimum(whole[level - 1, :-half], whole[level - 1, half:], out=whole[level, :-half])
    kind = np.arange(costs.shape[1])
    parts = _dip(costs[reach.cell, kind], rise[reach.cell, kind], drop, reach.low[..., None], reach.high[..., None])
    between = np.minimum(whole[reach.level, reach.first, kind], whole[reach.level, reach.last, kind])
    return np.asarray(np.minimum(np.minimum(parts[0], parts[1]), between))


def _dip(left: Array, rise: Array, drop: float, low: Array | float, high: Array | float) -> Array:
    """Least of the parabola that no cost goes below, between ``low`` and ``high`` of a cell. B16."""
    place = np.clip(0.5 - rise / (8.0 * drop), low, high)
    return np.asarray(left + place * (rise - 4.0 * drop * (1.0 - place)))  # B16


def _after(nearest: Array, wave: Array) -> Array:
    """The least over the next kind, for each kind of growth before it, shape (N, C, G). B3."""
    ahead = nearest[:, 0, None, :] + wave[:, 0, None]
    for kind in range(1, len(wave)):
        np.minimum(ahead, nearest[:, kind, None, :] + wave[:, kind, None], out=ahead)
    return np.asarray(ahead)
