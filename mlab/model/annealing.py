"""Refinement of starts by annealing over the pattern of growths.

J jumps at the thresholds of the wave rule, and good ladders sit exactly on them: alternately at the least
growth, just above the weak threshold, on the strong one. So a move sets a step to a level, shifts it a
little or exchanges two steps, and lets another step take up what the first volume leaves (F25). All trials
of a batch move together: one call of the evaluator scores ``PROPOSALS`` neighbours of each.
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

GENERATIONS = 12  # coolings of a refinement; each ends with a report, after which the pruner may stop the trial
MOVES = 32  # moves of a cooling
PROPOSALS = 64  # neighbours scored for each move of each trial
COOLING = 50.0  # first temperature of a cooling over its last


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
        return Ladders(self.growth[:, ladders], self.score[ladders], self.needs.of(ladders))

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
        self.active = np.arange(len(starts))
        self.best = self._priced(self._first(starts, leader))
        self.evaluations = np.ones(len(starts), dtype=np.int64)

    def generation(self) -> None:
        """One cooling of the trials that are still active, each from the best ladder that it knows.

        Scores in ``best`` fall or stay; ``evaluations`` counts the ladders scored, both of shape (B,).
        """
        self.current, self.lowest = self.best.of(self.active), self.best.of(self.active)
        for move in range(MOVES):
            self._move(COOLING ** (-move / (MOVES - 1)))
        # Neighbours are priced by a short way; what lasts is priced from nothing.
        exact = self._priced(self.lowest.growth)
        better = np.flatnonzero(exact.score < self.best.score[self.active])
        self.best.put(self.active[better], exact.of(better))
        self.evaluations[self.active] += MOVES * PROPOSALS + 1

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
        lanes = np.arange(len(self.active))
        origin = np.repeat(lanes, PROPOSALS)
        heat = self.temperature[self.active] * cooled * self.lowest.score
        growth = self._neighbours(origin, self.stride[self.active] * cooled)
        indent, volume, needs = self.space.near(growth, self.current.needs.of(origin))
        proposed = Ladders(growth, scores(indent, volume, self.space.objective), needs)
        score = proposed.score.reshape(-1, PROPOSALS)
        first = lanes * PROPOSALS
        chosen = (score - heat[:, None] * self.random.gumbel(size=score.shape)).argmin(axis=1)
        risen = score[lanes, chosen] - self.current.score
        accepted = lanes[self.random.random(len(lanes)) < np.exp(np.minimum(0.0, -risen / heat))]
        self.current.put(accepted, proposed.of((first + chosen)[accepted]))
        least = score.argmin(axis=1)
        better = lanes[score[lanes, least] < self.lowest.score]
        self.lowest.put(better, proposed.of((first + least)[better]))

    def _neighbours(self, origin: NDArray[np.int64], stride: Array) -> Array:
        """One changed ladder for each of the trials ``origin``, within the limits."""
        growth = self.current.growth[:, origin]
        random, (steps, ladders) = self.random, growth.shape
        lane = np.arange(ladders)
        step, other, slack = random.integers(steps, size=(3, ladders))
        other = np.where(random.random(ladders) < 0.5, np.minimum(step + 1, steps - 1), other)
        kind = random.random(ladders)
        here, there = growth[step, lane], growth[other, lane]
        shifted = here * np.exp(stride[origin] * random.standard_normal(ladders))
        level, another = random.choice(self.space.levels, size=(2, ladders))
        exchange, two = kind < 0.25, kind < 0.45
        growth[step, lane] = np.where(exchange, there, np.where(kind < 0.7, level, shifted))
        growth[other, lane] = np.where(exchange, here, np.where(two, another, growth[other, lane]))
        self.space.absorb(growth, slack, np.less(random.random(ladders), 0.5))  # F25
        return self.space.feasible(growth)  # F23, F24
