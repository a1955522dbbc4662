"""The multipliers for which the bound of a box is best, by a proximal bundle method.

Nothing here is part of the proof: any multipliers give a bound. Each backward pass gives the bound at some multipliers,
and a pattern whose Lagrangian is a plane that the best bound cannot be above. The next multipliers are where the lowest
of all planes is highest, less a penalty for going far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.model.bound.grid import Grid
from mlab.model.bound.lagrangian import Box, Lagrangian, bounds
from mlab.model.bound.patterns import Patterns, judged, trace
from mlab.model.bound.programme import Pass, backward
from mlab.model.bound.terms import Terms
from mlab.model.ladder import Array

MOVES = 120  # of weight between two planes, in one search for the next multipliers
NEARER, FARTHER = 0.6, 2.0  # what the reach of the next multipliers is multiplied by after a failure, after a success
NEAREST, FARTHEST = 1e-4, 1e4
LEVEL = 0.05  # of the tolerance: planes of heights no farther apart count as equally high


@dataclass(frozen=True, slots=True)
class Effort:
    """When to stop: after some passes, as soon as the bound is enough, or when it is that near to the best there is."""

    passes: int
    enough: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class Found:
    """The best bound of a box, its multipliers, and the patterns that hold it up with their weights."""

    bound: float
    x: Array
    patterns: Patterns
    weights: Array  # (P,), of sum 1
    slack: float  # by how much the grid alone may have lowered the bound
    done: Pass  # that found it


def highest(terms: Terms, box: Box, grid: Grid, start: tuple[Array, Array], known: Patterns, effort: Effort) -> Found:
    """The best bound that the effort finds, from multipliers with how far they may move, and from patterns known."""
    bundle = _Bundle(terms, box, grid, start, known)
    at, weights = start[0], np.zeros(0)
    for _ in range(effort.passes):
        bundle.add(at)
        if bundle.best >= effort.enough:
            break
        at = bundle.next(effort.tolerance)
        weights = bundle.weights.copy()
        if bundle.hoped - bundle.best < effort.tolerance:
            break
    held = np.zeros(len(bundle.patterns))
    held[: len(weights)] = weights
    if not held.any():
        held[-1] = 1.0
    return Found(bundle.best, bundle.centre, bundle.patterns, held, bundle.slack, bundle.done)


class _Bundle:
    """All planes so far, and the multipliers of the best bound."""

    def __init__(self, terms: Terms, box: Box, grid: Grid, start: tuple[Array, Array], known: Patterns) -> None:
        self.centre, self._radius = start
        self._terms, self._box, self._grid, self._ends = terms, box, grid, bounds(terms)
        held = known.take(known.inside(box.windows))
        self.patterns = judged(Lagrangian.of(terms, box, self.centre), held.growth, held.kind)
        self._heights = (
            self.patterns.value - self.centre @ self.patterns.gradient
        )  # of the planes where multipliers are 0
        self.weights = np.zeros(len(held))
        self.best, self.slack, self.hoped = -np.inf, 0.0, np.inf
        self.done = Pass(-np.inf, np.empty(0))
        self._reach = 1.0

    def add(self, at: Array) -> None:
        """One pass more."""
        lagrangian = Lagrangian.of(self._terms, self._box, at)
        done = backward(lagrangian, self._grid)
        new = judged(lagrangian, *trace(self._terms, self._grid, done, lagrangian.wave))
        lost = max(float(new.value[0]) - done.bound, 0.0)
        if self.best == -np.inf:
            self._heights = self._heights - lost  # as far above the bound as the new one
        self._heights = np.append(self._heights, min(done.bound, float(new.value[0])) - at @ new.gradient[:, 0])
        self.patterns = self.patterns.join(new)
        self.weights = np.append(self.weights, 0.0)
        if done.bound <= self.best:
            self._reach = max(NEARER * self._reach, NEAREST)
            return
        if done.bound > self.best + 0.2 * (self.hoped - self.best):
            self._reach = min(FARTHER * self._reach, FARTHEST)
        self.best, self.centre, self.slack, self.done = done.bound, at, lost, done

    def next(self, tolerance: float) -> Array:
        """Multipliers that promise a better bound, unless none do."""
        for _ in range(6):
            room = self._reach * self._radius * self._radius
            at, self.hoped = self._highest_of_planes(room, LEVEL * tolerance)
            if self.hoped - self.best >= tolerance or self._reach >= 100.0:
                break
            self._reach *= 10.0
        return at

    def _highest_of_planes(self, room: Array, close: float) -> tuple[Array, float]:
        """Where the lowest plane, less half the squared distance over ``room``, is highest; and its height there.

        By the dual of this: weight moves from the highest plane that has some to the lowest.
        """
        heights, gradient, ends = self._heights, self.patterns.gradient, self._ends
        total = self.weights.sum()
        self.weights = self.weights / total if total > 0.0 else np.eye(len(heights))[-1]
        slope = gradient @ self.weights
        at = np.clip(self.centre + room * slope, *ends)
        for _ in range(MOVES):
            planes = heights + at @ gradient
            low = int(planes.argmin())
            high = int(np.where(self.weights > 1e-12, planes, -np.inf).argmax())
            if planes[high] - planes[low] < close:
                break
            change = gradient[:, low] - gradient[:, high]
            move = self._move(low, high, at, slope, room)
            if move < 1e-14:
                break
            self.weights[low] += move
            self.weights[high] = self.weights[high] - move if self.weights[high] - move > 1e-13 else 0.0
            slope = slope + move * change
            at = np.clip(self.centre + room * slope, *ends)
        return at, float((heights + at @ gradient).min())

    def _move(self, low: int, high: int, at: Array, slope: Array, room: Array) -> float:
        """How much weight to move from one plane to another: until they are equally high, or it has none left."""
        heights, gradient, (least, most) = self._heights, self.patterns.gradient, self._ends
        change = gradient[:, low] - gradient[:, high]
        bend = np.where((at > least) & (at < most), 1.0, 1e-3) * change * change * room
        excess = float(heights[high] - heights[low] - at @ change)
        move = min(float(self.weights[high]), excess / max(float(bend.sum()), 1e-300))
        while move >= 1e-14:  # what is at an end may come off it
            moved = np.clip(self.centre + room * (slope + move * change), least, most)
            if heights[low] - heights[high] + moved @ change <= 1e-12:
                break
            move *= 0.5
        return move
