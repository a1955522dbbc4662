"""The score of ladders whose volumes rise. F1 to F17 of ``docs/model.md``; symbols as in :mod:`mlab.model.scoring`."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from mlab.model.compiled import jit
from mlab.model.ladder import Array
from mlab.model.loops.pricing import WIDTH, Kind

PENALTIES = {"P_gini", "P_entropy", "P_monotone", "P_smooth", "P_tailcap", "P_wave"}
"""Those of :func:`mlab.model.penalties.penalties` that are counted here; with others arrays do the scoring."""

Weights: TypeAlias = tuple[float, float, float, float, float]  # alpha, beta, gamma, lambda; cap of the last share
Wave: TypeAlias = tuple[bool, float, float]  # whether the rule is on, and from and up to which growth it counts, in %


@jit
def totalled(indent: Array, volume: Array, rows: Array) -> bool:
    """Volumes into ``rows`` (M + 1, B), and their sums below; whether they rise, and all is in range."""
    orders, ladders = volume.shape
    total, fine = rows[orders], True
    total[:] = 0.0
    for k in range(orders):
        depth, row, before, copy = indent[k], volume[k], volume[max(0, k - 1)], rows[k]
        for b in range(ladders):
            copy[b] = row[b]
            total[b] += row[b]
        for b in range(ladders):
            fine &= (before[b] > 0.0) & (row[b] >= before[b]) & (row[b] < np.inf)
        for b in range(ladders):
            fine &= (depth[b] > -np.inf) & (depth[b] < 100.0)
    return fine


@jit
def score(
    kind: Kind, weights: Weights, wave: Wave, log_orders: float, indent: Array, volume: Array, logs: Array
) -> Array:
    """As ``scores``, from logarithms: of the number of orders, and of volumes and their sums, (M + 1, B). F9."""
    orders, ladders = indent.shape
    alpha, beta, gamma, penalty_weight, cap = weights
    total = np.empty(ladders)
    need, step = np.empty((orders, WIDTH)), np.empty((orders, WIDTH))
    for start in range(0, ladders, WIDTH):
        part = slice(start, min(ladders, start + WIDTH))
        held, area, worst = needs(kind, indent, volume, part, need)
        back = steps(indent, part, step)
        information, tail = np.zeros(len(held)), np.zeros(len(held))
        for k in range(orders):
            row, log = volume[k, part], logs[k, part]
            for j in range(len(held)):
                information[j] += log[j] * row[j]
            if k >= 8 * orders // 10:
                for j in range(len(held)):
                    tail[j] += row[j]
        of_needs, of_steps, alike = variance(need, len(held)), variance(step, len(held)), waves(wave, volume, part)
        for j in range(len(held)):
            b = start + j
            penalty = min(max((orders + 1.0 - 2.0 * (area[j] / held[j])) / orders, 0.0), 1.0)  # F12
            penalty += 1.0 - (logs[orders, b] - information[j] / held[j]) / log_orders  # F13
            penalty -= back[j]  # F14
            penalty += of_steps[j] / 100.0  # F15
            penalty += max(0.0, volume[orders - 1, b] / held[j] / cap - 1.0)  # F16
            penalty += alike[j]  # F17
            total[b] = alpha * worst[j] + beta * of_needs[j] + gamma * (tail[j] / held[j])  # F9, F10
            total[b] += penalty_weight * penalty
    return total


@jit
def needs(kind: Kind, indent: Array, volume: Array, part: slice, need: Array) -> tuple[Array, Array, Array]:
    """Needs of some ladders into ``need``; what they hold in the end, what so far over all orders, the worst need."""
    quote, fill = kind
    orders, ladders = len(indent), part.stop - part.start
    price, money, coins, average = np.empty(ladders), np.zeros(ladders), np.zeros(ladders), np.ones(ladders)
    area, worst = np.zeros(ladders), np.full(ladders, -np.inf)
    held = money if quote else coins
    for k in range(orders):
        depth, row, at_order = indent[k, part], volume[k, part], need[k]
        for j in range(ladders):
            price[j] = depth[j] * -0.01 + 1.0  # F1
        for j in range(ladders):
            money[j] += row[j] if quote else row[j] * price[j]  # F2, F3
            coins[j] += row[j] / price[j] if quote else row[j]  # F2, F3
        for j in range(ladders):
            before, average[j] = average[j], money[j] / coins[j]
            at_order[j] = ((average[j] if fill else before) / price[j] - 1.0) * 100.0  # F4, F5
        if k == 0 and not fill:
            at_order[:] = 0.0
        for j in range(ladders):
            area[j] += held[j]
            worst[j] = max(worst[j], at_order[j])
    return held, area, worst


@jit
def steps(indent: Array, part: slice, step: Array) -> Array:
    """Distances between orders of some ladders into ``step``, the first its own indent; the sums of those below 0."""
    back = np.zeros(part.stop - part.start)
    for j in range(len(back)):
        step[0, j] = indent[0, part.start + j]
    for k in range(1, len(indent)):
        row, above, below = step[k], indent[k - 1, part], indent[k, part]
        for j in range(len(back)):
            row[j] = below[j] - above[j]
            back[j] += min(row[j], 0.0)
    return back


@jit
def variance(rows: Array, ladders: int) -> Array:
    """As ``variance`` of ladders."""
    mean, total = np.zeros(ladders), np.zeros(ladders)
    for row in rows:
        for j in range(ladders):
            mean[j] += row[j]
    for j in range(ladders):
        mean[j] /= len(rows)
    for row in rows:
        for j in range(ladders):
            total[j] += (row[j] - mean[j]) * (row[j] - mean[j])
    return total / len(rows)


@jit
def waves(rule: Wave, volume: Array, part: slice) -> Array:
    """As ``wave``, of some ladders."""
    enabled, strong, weak = rule
    pairs, unlike = np.zeros(part.stop - part.start), np.zeros(part.stop - part.start)
    kind, before = np.zeros(len(pairs)), np.zeros(len(pairs))  # of a growth: 2 strong, 1 weak, 0 neither
    for k in range(1, len(volume) if enabled else 1):
        row, last = volume[k, part], volume[k - 1, part]
        kind, before = before, kind
        for j in range(len(pairs)):
            growth = (row[j] / last[j] - 1.0) * 100.0  # F11
            kind[j] = 2.0 if growth >= strong else 1.0 if growth <= weak else 0.0
        for j in range(len(pairs)):
            pair = 1.0 if kind[j] * before[j] > 0.0 else 0.0
            pairs[j] += pair
            unlike[j] += pair if kind[j] != before[j] else 0.0
    for j in range(len(pairs)):
        pairs[j] = max(0.0, 0.2 * pairs[j] - 0.3 * unlike[j])  # F17
    return pairs
