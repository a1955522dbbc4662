"""The multipliers for which the bound of a box is best, by a proximal bundle method.

Nothing here is part of the proof: any multipliers give a bound. Each backward pass gives the bound at some multipliers
and a pattern, whose Lagrangian is a plane that the best bound cannot be above. The next multipliers are where the lowest
of all planes is highest, less a penalty for going far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.model.bound.grid import Grid
from mlab.model.bound.lagrangian import Box, Lagrangian, bounds
from mlab.model.bound.patterns import Patterns, judged, trace
from mlab.model.bound.programme import backward
from mlab.model.bound.terms import Terms
from mlab.model.ladder import Array

MOVES = 120  # of weight between two planes, in one search for the next multipliers


@dataclass(frozen=True, slots=True)
class Found:
    """The best bound of a box, its multipliers, and the patterns that hold it up with their weights."""

    bound: float
    x: Array
    patterns: Patterns
    weights: Array
    slack: float  # by how much the grid alone may have lowered the bound
    passes: int


def highest(
    terms: Terms, box: Box, grid: Grid, x: Array, radius: Array, known: Patterns | None, passes: int, enough: float, tolerance: float
) -> Found:
    """The best bound within some passes; ends as soon as it is ``enough``, or nearer to the best than the tolerance."""
    least, most = bounds(terms)
    patterns = None
    if known is not None:
        held = known.take(known.inside(box.windows))
        if len(held):
            patterns = judged(Lagrangian.of(terms, box, x), held.growth, held.kind)
    best, centre, slack, at, reach = -np.inf, x, 0.0, x, 1.0
    weights = best_weights = np.zeros(0 if patterns is None else len(patterns))
    hoped, heights = np.inf, np.zeros(0) if patterns is None else patterns.value - patterns.gradient.T @ x
    for run in range(passes):
        lagrangian = Lagrangian.of(terms, box, at)
        done = backward(lagrangian, grid)
        new = judged(lagrangian, *trace(terms, grid, done, lagrangian.wave))
        lost = max(float(new.value[0]) - done.bound, 0.0)
        if run == 0:
            heights = heights - lost
        heights = np.append(heights, min(done.bound, float(new.value[0])) - new.gradient[:, 0] @ at)
        patterns = new if patterns is None else patterns.join(new)
        weights = np.append(weights, 0.0)
        if done.bound > best:
            reach = min(2.0 * reach, 1e4) if run and done.bound > best + 0.2 * (hoped - best) else reach
            best, centre, slack = done.bound, at, lost
        else:
            reach = max(0.6 * reach, 1e-4)
        if best >= enough:
            break
        for _ in range(6):
            at, weights, hoped = _next(heights, patterns.gradient, weights, centre, reach * radius * radius, (least, most))
            if hoped - best >= tolerance or reach >= 100.0:
                break
            reach *= 10.0
        best_weights = weights
        if hoped - best < tolerance:
            break
    assert patterns is not None
    held_up = np.zeros(len(patterns))
    held_up[: len(best_weights)] = best_weights
    if not held_up.any():
        held_up[-1] = 1.0
    return Found(best, centre, patterns, held_up, slack, run + 1)


def _next(
    heights: Array, gradient: Array, weights: Array, centre: Array, room: Array, ends: tuple[Array, Array]
) -> tuple[Array, Array, float]:
    """Where the lowest plane, less half the squared distance over ``room``, is highest; weights of planes; its height.

    Solved by its dual: weight moves from the highest plane that has some to the lowest.
    """
    weights = weights / weights.sum() if weights.sum() > 0.0 else np.eye(len(heights))[-1]
    slope = gradient @ weights
    at = np.clip(centre + room * slope, *ends)
    for _ in range(MOVES):
        planes = heights + at @ gradient
        low = int(planes.argmin())
        high = int(np.where(weights > 1e-12, planes, -np.inf).argmax())
        excess = planes[high] - planes[low]
        if excess < 1e-8:
            break
        change = gradient[:, low] - gradient[:, high]
        free = (at > ends[0]) & (at < ends[1])
        move = min(weights[high], excess / max(float((np.where(free, 1.0, 1e-3) * change * change * room).sum()), 1e-300))
        for _ in range(20):
            moved = np.clip(centre + room * (slope + move * change), *ends)
            if heights[low] - heights[high] + moved @ change <= 1e-12 or move < 1e-14:
                break
            move *= 0.5
        if move < 1e-14:
            break
        weights[low] += move
        weights[high] = weights[high] - move if weights[high] - move > 1e-13 else 0.0
        slope = slope + move * change
        at = np.clip(centre + room * slope, *ends)
    return at, weights, float((heights + at @ gradient).min())
