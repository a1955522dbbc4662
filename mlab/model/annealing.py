"""Refinement of starts by annealing over the pattern of growths.

J jumps at the thresholds of the wave rule, and good ladders sit exactly on them: alternately at the least
growth, just above the weak threshold, on the strong one. So a move turns a stretch of steps about or moves it on
by one, sets a step or two to levels, or shifts one a little, and lets another step take up what the first volume
leaves (F25). All trials of a batch move together: one call of the evaluator scores ``PROPOSALS`` neighbours of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlab.model.ladder import Array
from mlab.model.pricing import Needs
from mlab.model.scoring import scores
from mlab.model.space import Space

GENERATIONS = 24  # coolings of a trial at most; each ends with a report, after which the pruner may stop the trial
STALE = 2  # coolings in a row that bring nothing, after which a trial has finished
NOTHING = 1e-6  # share of the score by which it falls at most where a cooling brings nothing
MOVES = 16  # moves of a cooling at most; a ladder of few steps needs one a step
PROPOSALS = 128  # neighbours scored for each move of each trial
STRETCHED, SET, PAIRED = 0.25, 0.2, 0.3  # shares of the kinds of neighbours; the rest are shifted
COOLING = 300.0  # first temperature of a cooling over its last


@dataclass(frozen=True, slots=True)
class Shape:
    """A burst of the largest growths among the least."""

    place: float  # where it is strongest, 0 the first step to 1 the last; beyond them it is at the end
    width: float  # distance over which it fades, as a share of the steps

    def growths(self, steps: int) -> Array:
        """Growth of each step, 0 least to 1 largest, shape (steps,)."""
        distance = np.linspace(0.0, 1.0, steps) - min(1.0, max(0.0, self.place))
        return np.asarray(np.exp(-((distance / self.width) ** 2)))


@dataclass(frozen=True, slots=True)
class Start:
    """Where a trial begins, and how far it anneals: what Optuna chooses."""

    temperature: float  # the first of a cooling, as a share of the score
    stride: float  # first standard deviation of a shift, of the growth's natural logarithm
    shape: Shape | None = None  # None where the trial begins with the best ladder of its cell


@dataclass(frozen=True, slots=True)
class Ladders:
    """Ladders on the way: growths (K, B), scores (B,), and the needs that their prices follow from."""

    growth: Array
    score: Array
    needs: Needs

    def of(self, ladders: NDArray[np.int64]) -> Ladders:
        """Some of them, in that order."""
        return Ladders(np.take(self.growth, ladders, axis=1), self.score[ladders], self.needs.of(ladders))

    def put(self, ladders: NDArray[np.int64], other: Ladders) -> None:
        """Replace some of them."""
        self.growth[:, ladders], self.score[ladders] = other.growth, other.score
        self.needs.put(ladders, other.needs)


class Refinement:
    """Anneals the trials of one batch; :meth:`generation` cools them once, :meth:`stop` ends trials early.

    A trial has one start; ``leader`` holds the growths (K,) of the cell's best ladder so far.

    Raises:
        ValueError: a start without a shape where there is no leader.

    Example:
        >>> from mlab.core.records import Cell
        >>> from mlab.model.objective import Objective
        >>> space = Space.of(Cell(index=0, overlap_pct=20.0, num_orders=4), Objective())
        >>> start = Start(temperature=0.005, stride=0.2, shape=Shape(place=0.0, width=0.3))
        >>> refinement = Refinement(space, [start], leader=None, seed=np.random.SeedSequence(1))
        >>> refinement.best.score.round(3).tolist()
        [4.306]
        >>> refinement.generation()
        >>> refinement.best.score.round(3).tolist()
        [3.406]
    """

    def __init__(
        self, space: Space, starts: Sequence[Start], leader: Array | None, seed: np.random.SeedSequence
    ) -> None:
        self.space = space
        self.random = np.random.default_rng(seed)
        self.temperature = np.array([start.temperature for start in starts])
        self.stride = np.array([start.stride for start in starts])
        self.active = np.arange(len(starts))  # the trials that go on
        self.stale = np.zeros(len(starts), dtype=np.int64)  # coolings in a row that brought nothing
        self.best = self._priced(self._first(starts, leader))
        self.evaluations = np.ones(len(starts), dtype=np.int64)

    def generation(self) -> None:
        """One cooling of the trials that are still active, each from the best ladder that it knows.

        Scores in ``best`` fall or stay; ``evaluations`` counts the ladders scored, both of shape (B,).
        """
        self.current, self.lowest = self.best.of(self.active), self.best.of(self.active)
        moves = min(MOVES, self.space.steps)
        for move in range(moves):
            self._move(COOLING ** (-move / max(1, moves - 1)))
        # Neighbours are priced by a short way; what lasts is priced from nothing.
        exact = self._priced(self.lowest.growth)
        fallen = exact.score < self.best.score[self.active] * (1.0 - NOTHING)
        self.stale[self.active] = np.where(fallen, 0, self.stale[self.active] + 1)
        better = np.flatnonzero(exact.score < self.best.score[self.active])
        self.best.put(self.active[better], exact.of(better))
        self.evaluations[self.active] += moves * PROPOSALS + 1
        self.active = self.active[self.stale[self.active] < STALE]

    def stop(self, trial: int) -> None:
        """End one trial; what it found so far stays."""
        self.active = self.active[self.active != trial]

    def _first(self, starts: Sequence[Start], leader: Array | None) -> Array:
        """Growths of the starts, shape (K, B), within the limits."""
        low, high, steps = self.space.growth_min, self.space.growth_max, self.space.steps
        shapes = [start.shape.growths(steps) if start.shape else np.zeros(steps) for start in starts]
        growth = self.space.scaled(low + (high - low) * np.array(shapes).T)
        for trial, start in enumerate(starts):
            if start.shape is None:
                if leader is None:
                    raise ValueError("a start without a shape needs a leader")
                growth[:, [trial]] = self.space.feasible(leader[:, None])
        return growth

    def _priced(self, growth: Array) -> Ladders:
        indent, volume, needs = self.space.priced(growth)
        return Ladders(growth, scores(indent, volume, self.space.objective), needs)

    def _move(self, cooled: float) -> None:
        """One move: draw a neighbour by its Boltzmann weight, then accept it by Metropolis' rule."""
        trial = np.arange(len(self.active))
        heat = self.temperature[self.active] * cooled * self.lowest.score
        changed = self._neighbours(self.stride[self.active] * cooled)
        growth, indent, volume, needs = self.space.near(changed, self.current.needs.of(np.tile(trial, PROPOSALS)))
        proposed = Ladders(growth, scores(indent, volume, self.space.objective), needs)
        score = proposed.score.reshape(PROPOSALS, -1)
        chosen = (score - heat * self.random.gumbel(size=score.shape)).argmin(axis=0)
        risen = score[chosen, trial] - self.current.score
        accepted = trial[self.random.random(len(trial)) < np.exp(np.minimum(0.0, -risen / heat))]
        self.current.put(accepted, proposed.of((chosen * len(trial) + trial)[accepted]))
        least = score.argmin(axis=0)
        better = trial[score[least, trial] < self.lowest.score]
        self.lowest.put(better, proposed.of((least * len(trial) + trial)[better]))

    def _neighbours(self, stride: Array) -> Array:
        """``PROPOSALS`` changed ladders of each active trial: one of each, then another of each, and so on."""
        growth = np.tile(self.current.growth, PROPOSALS)
        random, (steps, ladders) = self.random, growth.shape
        lane = np.arange(ladders)
        step, other, slack = random.integers(steps, size=(3, ladders))
        level, another = random.choice(self.space.levels, size=(2, ladders))
        ends = [round(share * ladders) for share in np.cumsum([STRETCHED, SET, PAIRED])]
        stretched, leveled, paired, shifted = (
            slice(ends[0]),
            slice(ends[0], ends[2]),
            slice(*ends[1:]),
            slice(ends[2], None),
        )
        growth[:, stretched] = _stretched(growth[:, stretched], step[stretched], other[stretched])
        growth[step[leveled], lane[leveled]] = level[leveled]
        beside = np.less(random.random(ends[2] - ends[1]), 0.5)
        second = np.where(beside, np.minimum(step[paired] + 1, steps - 1), other[paired])
        growth[second, lane[paired]] = another[paired]
        strides = np.tile(stride, PROPOSALS)[shifted]
        growth[step[shifted], lane[shifted]] *= np.exp(strides * random.standard_normal(strides.shape))
        self.space.absorb(growth, slack, np.less(random.random(ladders), 0.5))  # F25
        return growth


def _stretched(growth: Array, step: NDArray[np.int64], other: NDArray[np.int64]) -> Array:
    """Growths (K, B) of which the steps between two (B,) are turned about, or, in every other ladder, moved on by one.

    Where weak and least growths take turns, that makes them begin with the other one, which no change of a
    step or two does without a fall between.
    """
    row, turned = np.arange(len(growth))[:, None], np.arange(growth.shape[1]) % 2 == 0
    low, high = np.minimum(step, other), np.maximum(step, other)
    moved = np.where(row == other, step, row + np.sign(other - step))
    source = np.where((low <= row) & (row <= high), np.where(turned, low + high - row, moved), row)
    return np.asarray(np.take_along_axis(growth, source, axis=0))
