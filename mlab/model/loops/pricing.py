"""Prices that make the score least. F6 to F8 of ``docs/model.md``; symbols as in :mod:`mlab.model.pricing`."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from mlab.model.compiled import jit
from mlab.model.ladder import Array

WIDTH = 256  # ladders at a time, whose rows stay in the cache next to the processor

Kind: TypeAlias = tuple[bool, bool]  # whether volumes are money, and whether the needs that count are those at fills
Rule: TypeAlias = tuple[float, float, float, float, float]  # floor, least gap, widest, weight; share of a tight step
Line: TypeAlias = tuple[Array, Array, Array]  # top, base and pull of needs, all (B,)
Rows: TypeAlias = tuple[Array, Array, Array, Array]  # need, ratio, factor and slope, all (K, B)
Bounds: TypeAlias = tuple[Array, Array]  # least and largest needs, both (K, WIDTH)
Sums: TypeAlias = tuple[Array, Array, Array, Array]  # over orders, all (WIDTH,) or fewer


@jit
def lowered(kind: Kind, need: float, ratio: float) -> tuple[float, float]:
    """Factor and slope of ``Pricing._chain``, of one order. F6."""
    quote, fill = kind
    rest = 1.0 if quote else 1.0 / (1.0 + need)
    rate = ratio if quote else ratio * rest
    pull = need * ratio if quote else ratio - rate
    if quote == fill:
        factor = 1.0 - pull  # F6: quote, fill and base, path
        return factor, rate * rest / factor  # F6
    factor = 1.0 / (1.0 + pull)  # F6: quote, path and base, fill
    return factor, rate * rest * factor  # F6


@jit
def chain(kind: Kind, floor: float, need: Array, ratio: Array) -> tuple[Array, Array, Array]:
    """As ``Pricing._chain``; and the last price that follows over the one there must be: a depth is its logarithm."""
    steps, ladders = need.shape
    factor, slope, left = np.empty((steps, ladders)), np.empty((steps, ladders)), np.ones(ladders)
    for k in range(steps):
        for b in range(ladders):
            factor[k, b], slope[k, b] = lowered(kind, need[k, b], ratio[k, b])
        for b in range(ladders):
            left[b] *= factor[k, b]
    for b in range(ladders):
        slope[-1, b] += 1.0 / (1.0 + need[-1, b])  # F6
        left[b] /= (1.0 + need[-1, b]) * floor
    return factor, slope, left


@jit
def prices(kind: Kind, floor: float, need: Array, ratio: Array) -> Array:
    """As ``Pricing._prices``."""
    steps, ladders = need.shape
    price, average = np.ones((steps + 1, ladders)), np.ones(ladders)
    for k in range(steps):
        for b in range(ladders):
            factor, _ = lowered(kind, need[k, b], ratio[k, b])
            after = factor * average[b]  # F6
            price[k + 1, b] = (after if kind[1] else average[b]) / (1.0 + need[k, b])  # F6
            average[b] = after
    price[-1] = floor
    return price


@jit
def step(kind: Kind, rule: Rule, rows: Rows, line: Line, depth: Array) -> tuple[Array, ...]:
    """As ``Pricing._step`` from its chain and the depth that is left: needs, top, base and pull; tight by a share."""
    steps, ladders = rows[0].shape
    moved, new = np.empty((steps, ladders)), (np.empty(ladders), np.empty(ladders), np.empty(ladders))
    bounds = np.empty((steps, WIDTH)), np.empty((steps, WIDTH))
    for start in range(0, ladders, WIDTH):
        part = slice(start, min(ladders, start + WIDTH))
        if bounded(rule):
            limit(kind, rule, rows, part, bounds)
        draw(rule, rows, depth, line, part, bounds, new)
        follow(kind, rule, rows, new, part, bounds, moved)
    return moved, new[0], new[1], new[2]


@jit
def bounded(rule: Rule) -> bool:
    """Whether gaps limit the needs."""
    return rule[2] < np.inf or rule[4] > 0.0


@jit
def limit(kind: Kind, rule: Rule, rows: Rows, part: slice, bounds: Bounds) -> None:
    """As ``Pricing._limits``: into ``bounds``, of some ladders."""
    (quote, fill), (floor, closest, widest, _, share) = kind, rule
    steps, ladders = len(rows[0]), part.stop - part.start
    price, average, highest, deepest = np.ones(ladders), np.ones(ladders), np.empty(ladders), np.empty(ladders)
    for k in range(steps):
        need, ratio, factor = rows[0][k, part], rows[1][k, part], rows[2][k, part]
        below = steps - 1.0 - k  # orders that are still to come
        for j in range(ladders):
            deepest[j] = max(floor + below * closest, price[j] - widest)
            highest[j] = min(price[j] - closest if share > 0.0 else 1.0, floor + below * widest)
        for at, row in ((highest, bounds[0][k]), (deepest, bounds[1][k])):
            if not fill:
                for j in range(ladders):
                    row[j] = (average[j] - at[j]) / at[j]  # F8: path
            elif quote:
                for j in range(ladders):
                    row[j] = (average[j] - at[j]) / (average[j] * ratio[j] + at[j])  # F8: quote, fill
            else:
                for j in range(ladders):
                    row[j] = (average[j] - at[j]) / (at[j] * ratio[j] + at[j])  # F8: base, fill
        for j in range(ladders):
            after = factor[j] * average[j]
            price[j] = (after if fill else average[j]) / (1.0 + need[j])  # F6
            average[j] = after
    bounds[0][-1], bounds[1][-1] = 0.0, np.inf  # the price of the last order is given


@jit
def draw(rule: Rule, rows: Rows, depth: Array, line: Line, part: slice, bounds: Bounds, new: Line) -> None:
    """As ``Pricing._line``: into ``new``, of some ladders, from the ``line`` before."""
    (made, at_limits, fixed, held), (tops, high, low, square) = sums(rule, rows, line, part, bounds)
    weight = rule[3] * (len(rows[0]) + 1) / 2.0
    for j in range(len(made)):
        b = part.start + j
        still = 1.0 + held[j]
        spread = (high[j] + low[j]) / still
        lift = depth[b] + made[j] - at_limits[j]
        lift = lift - weight / high[j] * (square[j] + low[j] * spread) - fixed[j] * spread  # F7
        lift /= ((high[j] + low[j]) * spread + square[j]) / high[j] + high[j] / tops[j]
        pull = (lift + weight) / high[j]
        base = (lift + pull * low[j] + fixed[j]) / still
        new[0][b], new[1][b], new[2][b] = base + lift / tops[j], base, pull


@jit
def sums(rule: Rule, rows: Rows, line: Line, part: slice, bounds: Bounds) -> tuple[Sums, Sums]:
    """What ``draw`` adds up over orders, of some ladders.

    Depth so far, and of orders at limits depth, needs and number; of those at the top number and slopes, of the others
    slopes and their squares.
    """
    steps, ladders = len(rows[0]), part.stop - part.start
    at_limits = np.zeros(ladders), np.zeros(ladders), np.zeros(ladders)
    made, tops, high = np.zeros(ladders), np.zeros(ladders), np.zeros(ladders)
    low, square = np.zeros(ladders), np.zeros(ladders)
    wanted, at_top, free = np.empty(ladders), np.empty(ladders), np.ones(ladders)
    top, base, pull = line[0][part], line[1][part], line[2][part]
    for k in range(steps):
        need, slope = rows[0][k, part], rows[3][k, part]
        for j in range(ladders):
            made[j] += slope[j] * need[j]
        for j in range(ladders):
            wanted[j] = pull[j] * slope[j] + base[j]
        for j in range(ladders):
            at_top[j] = 1.0 if wanted[j] >= top[j] else 0.0
            wanted[j] = min(wanted[j], top[j])
        if bounded(rule):
            hold(slope, wanted, bounds[0][k], bounds[1][k], free, at_limits)
        for j in range(ladders):
            at_top[j] *= free[j]
            at_top[j] = 1.0 if k == steps - 1 and tops[j] == 0.0 else at_top[j]
        for j in range(ladders):
            tops[j] += at_top[j]
            at_top[j] *= slope[j]
            high[j] += at_top[j]
        for j in range(ladders):
            rest = free[j] * slope[j] - at_top[j]
            low[j] += rest
            square[j] += rest * rest
    return (made, *at_limits), (tops, high, low, square)


@jit
def hold(slope: Array, wanted: Array, least: Array, most: Array, free: Array, at_limits: Line) -> None:
    """Note which needs of an order are free of limits, and add up what ``sums`` has of the others."""
    depth, fixed, held = at_limits
    for j in range(len(free)):
        within = min(max(wanted[j], least[j]), most[j])
        free[j] = 1.0 if within == wanted[j] else 0.0
        wanted[j] = within * (1.0 - free[j])
    for j in range(len(free)):
        fixed[j] += wanted[j]
        depth[j] += slope[j] * wanted[j]
    for j in range(len(free)):
        held[j] += 1.0 - free[j]


@jit
def follow(kind: Kind, rule: Rule, rows: Rows, line: Line, part: slice, bounds: Bounds, moved: Array) -> None:
    """Needs along the line, into ``moved``, of some ladders. F7, F8."""
    (quote, fill), (floor, _, _, _, share) = kind, rule
    top, base, pull = line[0][part], line[1][part], line[2][part]
    for k in range(len(moved)):
        row, need, ratio, slope = moved[k, part], rows[0][k, part], rows[1][k, part], rows[3][k, part]
        least, most = bounds[0][k], bounds[1][k]
        for j in range(len(row)):
            row[j] = min(slope[j] * pull[j] + base[j], top[j])  # F7
        if bounded(rule):
            for j in range(len(row)):
                row[j] = min(max(row[j], least[j]), most[j])  # F8
        if quote and fill:
            for j in range(len(row)):
                row[j] = min(row[j], (1.0 - floor) / ratio[j])
        if share > 0.0:
            for j in range(len(row)):
                row[j] = need[j] + share * (row[j] - need[j])
        for j in range(len(row)):
            row[j] = max(row[j], 0.0)
