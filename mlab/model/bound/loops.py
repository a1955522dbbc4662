"""What takes most of a proof's time as loops over numbers, for numba to compile.

They do what arrays do in :mod:`mlab.model.bound.needs` and :mod:`mlab.model.bound.programme`, on the same numbers in
the same order, so that bounds are the same to the last bit. Logarithms stay with numpy: another library may round their
last bit otherwise. Import this by :data:`mlab.model.compiled.BOUNDS` alone.
"""

from __future__ import annotations

import sys
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlab.core.records import Cell, Need, Sizing
from mlab.model.bound.factors import average_slopes, log_slopes, price_slopes
from mlab.model.bound.prover import Prover
from mlab.model.compiled import BOUNDS, jit
from mlab.model.ladder import Array
from mlab.model.limits import Limits
from mlab.model.objective import Objective, Score
from mlab.model.space import Space

FAR = 1e100  # as in the grid
FORMULAS = (
    "1d4956fb87161652"  # digest of factors.py: what is compiled is kept for as long as this file alone stays as it is
)

Cells: TypeAlias = NDArray[np.int64]
Weights: TypeAlias = tuple[float, float, float, float, float]  # of ln f, ln(1 + c), price and average; and the ratio
Ways: TypeAlias = tuple[Cells, Array, Array, Cells, Array, Cells]  # of a grid: its reach, what is closed, and levels


def agree() -> bool:
    """Whether they bound as arrays do on this machine, in short proofs; with that they are compiled, too."""
    found = []
    for module in (None, sys.modules[__name__]):
        with BOUNDS.trying(module):
            found.append([_proved(*kind) for kind in (("fill", "quote", 2.5), ("path", "base", None))])
    return found[0] == found[1]


def _proved(need: Need, sizing: Sizing, widest: float | None) -> tuple[float, bytes]:
    """What a few boxes prove of one kind of cell."""
    space = Space.of(Cell(0, 20.0, 6), Objective(Score(need=need), Limits(max_gap_ratio=widest), sizing))
    prover = Prover(space)
    prover.advance(1e3, boxes=3)
    return prover.lower, np.asarray(prover.ladder).tobytes()


of_log, of_price, of_average = jit(log_slopes), jit(price_slopes), jit(average_slopes)


@jit
def slopes(
    kind: tuple[bool, bool], most: float, setting: tuple[float, float, float, float], weights: Weights, need: float
) -> tuple[float, float]:
    """As `Cost.slopes`, of one entry."""
    _, middle, spread, _ = setting
    mu, own, price, average, ratio = weights
    first, second = of_log(kind, most, ratio, need)
    one = 1.0 / (1.0 + need)
    first = 2.0 * spread * (need - middle) + mu * first + own * one
    second = 2.0 * spread + mu * second - own * one * one
    if price != 0.0 or average != 0.0:
        price1, price2 = of_price(kind, ratio, need)
        average1, average2 = of_average(kind, ratio, need)
        first -= price * price1 + average * average1
        second -= price * price2 + average * average2
    return first, second


@jit
def convex(
    kind: tuple[bool, bool], share: float, setting: tuple[float, float, float, float], steps: int, *rows: Array
) -> tuple[Array, Array]:
    """As ``_convex`` of needs, of entries in one row: weights, ratio, largest need and least curvature."""
    mu, own, price, average, over, ratio, most, low = rows
    kink, middle, _, close = setting
    size = len(ratio)
    need, bottom, top, extra = np.empty(size), np.empty(size), np.empty(size), np.zeros(size)
    loss, move = np.zeros(size), np.empty(size)
    for i in range(size):
        slope, _ = slopes(kind, share, setting, (mu[i], own[i], price[i], average[i], ratio[i]), kink)
        bottom[i], top[i] = 0.0, min(kink, most[i])
        if slope + over[i] < 0.0 and kink < most[i]:
            bottom[i], top[i], extra[i] = kink, most[i], over[i]
        need[i] = min(max(middle, bottom[i]), top[i])
    for step in range(steps + 1):
        worst = 0.0
        for i in range(size):
            slope, second = slopes(kind, share, setting, (mu[i], own[i], price[i], average[i], ratio[i]), need[i])
            slope += extra[i]
            if (need[i] <= bottom[i] and slope > 0.0) or (need[i] >= top[i] and slope < 0.0):
                slope = 0.0
            loss[i] = slope * slope / (2.0 * low[i])
            move[i] = slope / max(second, low[i])
            worst = max(worst, loss[i])
        if step == steps or worst <= close:
            break
        for i in range(size):
            need[i] = min(max(need[i] - move[i], bottom[i]), top[i])
    return need, extra * (need - kink) - loss


@jit
def dip(left: float, right: float, drop: float, low: float, high: float) -> float:
    """As ``dip`` of programme."""
    rise = right - left
    place = min(max(rise * (-0.125 / drop) + 0.5, low), high)
    return ((place - 1.0) * (4.0 * drop) + rise) * place + left


@jit
def table(costs: Array, drop: float, whole: Array) -> None:
    """Fills the least over 1, 2, 4 .. whole cells; rows (N, C * G) of costs, and as many for each level."""
    cells, width = len(costs) - 1, costs.shape[1]
    for n in range(cells):
        here, there, found = costs[n], costs[n + 1], whole[0, n]
        for e in range(width):
            found[e] = dip(here[e], there[e], drop, 0.0, 1.0)
    whole[0, cells] = FAR
    for level in range(1, len(whole)):
        half = 2 ** (level - 1)
        count = (cells - 2 * half + 1) * width
        one, two = whole[level - 1].reshape(-1), whole[level - 1, half:].reshape(-1)
        found = whole[level].reshape(-1)
        for e in range(count):
            found[e] = min(one[e], two[e])


@jit
def ahead(
    costs: Array, whole: Array, drop: float, ends: tuple[Cells, Array, Array, Cells], closed: Array, nearest: Array
) -> None:
    """Fills the least cost that growths lead to from each node before, as ``least_ahead``; costs are (N, C, G)."""
    left, low, high, between = ends
    _, kinds, size = costs.shape
    rows, least = costs.reshape(-1), whole.reshape(-1)
    for kind in range(kinds):
        for n in range(nearest.shape[1]):
            found = nearest[kind, n]
            found[:] = np.inf
            for end in range(2):
                here = rows[left[end, kind, n] * size :]
                there, inner = here[kinds * size :], least[between[end, kind, n] * size :]
                for g in range(size):
                    value = dip(here[g], there[g], drop, low[end, kind, n], high[end, kind, n])
                    found[g] = min(found[g], value, inner[g])
            for g in range(size):
                found[g] += closed[kind, n]


@jit
def after(nearest: Array, wave: Array, found: Array) -> None:
    """Fills the least over the next kind, for each kind before it, as ``least_of_kinds``."""
    for before in range(len(wave)):
        to = found[before].reshape(-1)
        for kind in range(len(wave)):
            of, added = nearest[kind].reshape(-1), wave[before, kind]
            for e in range(len(to)):
                to[e] = min(to[e], of[e] + added) if kind else of[e] + added


@jit
def filled(
    costs: Array, own: Array, last: Array, drop: Array, wave: Array, ways: Ways, chord: tuple[Cells, Array]
) -> float:
    """As ``_filled`` of programme."""
    orders, count, kinds, size = costs.shape
    left, low, high, between, closed, levels = ways
    whole = np.empty((levels.max(), count, kinds * size))
    nearest, found = np.empty((kinds, count, size)), np.empty((kinds, count, size))
    place, part, flat = *chord, found.reshape(-1)
    for j in range(orders - 1, -1, -1):
        for n in range(count):
            for kind in range(kinds):
                for g in range(size):
                    value = last[n, g]
                    if j < orders - 1:
                        at = place[j, n, kind, g]
                        value = (flat[at + 1] - flat[at]) * part[j, n, 0, g] + flat[at]
                    costs[j, n, kind, g] = own[j, n, kind] + value
        table(costs[j].reshape(count, -1), drop[j], whole[: levels[j]])
        ends = left[j], low[j], high[j], between[j]
        ahead(costs[j], whole, drop[j], ends, closed[j], nearest if j else nearest[:, :1])
        if j:
            after(nearest, wave, found)
    return float(nearest[:, 0, 0].min())
