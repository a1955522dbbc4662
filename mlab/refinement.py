"""Refinement of starts by annealing over the pattern of growths.

J jumps at the thresholds of the wave rule, and good ladders sit exactly on them: alternately at the least
growth, just above the weak threshold, on the strong one. So a move sets a step to a level, shifts it a
little or exchanges two steps, and lets another step take up what the first volume leaves (F25). All trials
of a batch move together: one call of the evaluator scores ``PROPOSALS`` neighbours of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.ladder import Array
from mlab.scoring import Objective, scores
from mlab.space import Space, total_volume

GENERATIONS = 12
"""Temperatures of a refinement; each ends with a report, after which the pruner may stop the trial."""

MOVES = 10
"""Moves at each temperature."""

PROPOSALS = 64
"""Neighbours scored for each move of each trial."""

COOLING = 50.0
"""First temperature over the last."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a trial begins: what Optuna chooses.

    Attributes:
        head: growth of the first step, 0 least to 1 largest.
        end: growth of the last step, likewise.
        bend: how soon the growth goes from head to end; the exponent's natural logarithm.
        temperature: first temperature, as a share of the score.
        stride: first standard deviation of a shift, of the growth's natural logarithm.
    """

    head: float
    end: float
    bend: float
    temperature: float
    stride: float


class Refinement:
    """Anneals the trials of one batch; :meth:`generation` cools by one step, :meth:`stop` ends trials early."""

    def __init__(self, space: Space, objective: Objective, starts: list[Start], seed: np.random.SeedSequence) -> None:
        self.space, self.objective = space, objective
        self.random = np.random.default_rng(seed)
        self.temperature = np.array([start.temperature for start in starts])
        self.stride = np.array([start.stride for start in starts])
        self.current = space.feasible(_growths(space, starts))
        self.score = self._scores(self.current)
        self.best = self.current.copy()
        self.best_score = self.score.copy()
        self.active = np.arange(len(starts))
        self.evaluations = np.ones(len(starts), dtype=np.int64)
        self.done = 0

    def generation(self) -> None:
        """All moves of one temperature for the trials that are still active."""
        cooled = COOLING ** (-self.done / (GENERATIONS - 1))
        for _ in range(MOVES):
            self._move(cooled)
        self.evaluations[self.active] += MOVES * PROPOSALS
        self.done += 1

    def stop(self, trial: int) -> None:
        """End one trial; what it found so far stays."""
        self.active = self.active[self.active != trial]

    def _scores(self, growth: Array) -> Array:
        return scores(*self.space.ladders(growth), self.objective)

    def _move(self, cooled: float) -> None:
        """One move: draw a neighbour by its Boltzmann weight, then accept it by Metropolis' rule."""
        trials, lanes = self.active, np.arange(len(self.active))
        heat = self.temperature[trials] * cooled * self.best_score[trials]
        proposed = self._neighbours(np.repeat(self.current[:, trials], PROPOSALS, axis=1), cooled)
        score = self._scores(proposed).reshape(len(trials), PROPOSALS)
        noise = self.random.gumbel(size=score.shape)
        chosen = (score - heat[:, None] * noise).argmin(axis=1)
        risen = score[lanes, chosen] - self.score[trials]
        accepted = lanes[self.random.random(len(lanes)) < np.exp(np.minimum(0.0, -risen / heat))]
        self.current[:, trials[accepted]] = proposed[:, accepted * PROPOSALS + chosen[accepted]]
        self.score[trials[accepted]] = score[accepted, chosen[accepted]]
        least = score.argmin(axis=1)
        better = lanes[score[lanes, least] < self.best_score[trials]]
        self.best[:, trials[better]] = proposed[:, better * PROPOSALS + least[better]]
        self.best_score[trials[better]] = score[better, least[better]]

    def _neighbours(self, growth: Array, cooled: float) -> Array:
        """One changed ladder for each column of ``growth``, within the limits."""
        random, (steps, ladders) = self.random, growth.shape
        lane = np.arange(ladders)
        step, other, slack = random.integers(steps, size=(3, ladders))
        other = np.where(random.random(ladders) < 0.5, np.minimum(step + 1, steps - 1), other)
        kind = random.random(ladders)
        stride = np.repeat(self.stride[self.active], PROPOSALS) * cooled
        here, there = growth[step, lane], growth[other, lane]
        shifted = here * np.exp(stride * random.standard_normal(ladders))
        level, another = random.choice(self.space.levels, size=(2, ladders))
        exchange, two = kind < 0.25, (kind >= 0.25) & (kind < 0.45)
        growth[step, lane] = np.where(exchange, there, np.where(kind < 0.7, level, shifted))
        growth[other, lane] = np.where(exchange, here, np.where(two, another, growth[other, lane]))
        growth = np.clip(growth, self.space.growth_min, self.space.growth_max)
        full = total_volume(growth) > self.space.total_max
        growth = self.space.absorb(growth, slack, full | (random.random(ladders) < 0.5))
        return self.space.feasible(growth)


def _growths(space: Space, starts: list[Start]) -> Array:
    """Growths of the starts, shape (K, B): from head to end along a power of the position."""
    position = np.linspace(0.0, 1.0, space.steps)[:, None]
    head, end, bend = (np.array([getattr(s, name) for s in starts]) for name in ("head", "end", "bend"))
    shape = head + (end - head) * position ** np.exp(bend)
    return np.asarray(space.growth_min + (space.growth_max - space.growth_min) * shape)
