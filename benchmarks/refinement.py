"""How close to the best known ladders several searches come in the same processor time.

``python -m benchmarks.refinement [--seconds 2] [--seeds 3] [--methods annealing,random ...]``

All work on the growths of :class:`mlab.model.space.Space`, are kept within its limits, price and score ladders by the
same code, and start again as often as the time allows. The last of the annealing methods is the project's search; all
but Optuna's own, a ladder a trial, score whole populations at once.

The CMA-ES variants get what helps them: the starts of the annealing, and growths near a level set onto it
(``SNAP``), since J jumps there. Population, step size and snap were chosen out of some 120 settings on five
of the cells; "plain" is the library without these aids.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import mean, median
from time import process_time
from typing import Any

import cmaes  # type: ignore[import-untyped]
import numpy as np
import optuna
from optuna.distributions import FloatDistribution

from benchmarks.cells import Target, targets
from benchmarks.record import save, show
from mlab.core.records import Trial
from mlab.model.annealing import GENERATIONS, Refinement
from mlab.model.ladder import Array
from mlab.model.scoring import scores
from mlab.model.space import Space
from mlab.search import malloc
from mlab.search.study import Study

CHECKPOINTS = (0.1, 0.25)
"""Shares of the time after which the best is noted, besides its end."""

MARKS = (1.0, 0.1)
"""Gaps in percent that methods are timed to."""

SIGMA, SNAP = 0.1, 0.15
"""First standard deviation, and distance within which a growth snaps to a level; both of its logarithm."""

Search = Iterator[tuple[float, int]]
"""Best score of each step, and the ladders that the step evaluated."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One cell whose best ladders are known."""

    target: Target
    space: Space

    @classmethod
    def of(cls, target: Target) -> Problem:
        """Under the default limits and weights."""
        return cls(target, target.space)

    @property
    def ends(self) -> tuple[float, float]:
        """Bounds of the logarithm of growth."""
        return float(np.log(self.space.growth_min)), float(np.log(self.space.growth_max))

    def scores(self, log_growth: Array, snap: float = 0.0) -> Array:
        """Scores of the ladders with these logarithms of growth, (K, B) -> (B,), within the limits.

        Those nearer than ``snap`` to a level are scored as if on it.
        """
        log_growth = np.clip(log_growth, *self.ends)
        if snap:
            levels = np.log(self.space.levels)
            nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2.0, log_growth)]
            log_growth = np.where(np.abs(log_growth - nearest) < snap, nearest, log_growth)
        indent, volume, _ = self.space.priced(self.space.feasible(np.exp(log_growth)))
        return scores(indent, volume, self.space.objective)


def annealing(
    problem: Problem, seed: int, *, warm: bool = True, sampler: str = "random", pruner: str = "none", size: int = 16
) -> Search:
    """The project's search: starts by one of Optuna's samplers, hopeless trials given up by one of its pruners.

    ``warm``: whether every other trial begins with the best ladder so far.
    """
    study = Study(problem.space.cell, sampler, pruner, seed)
    leader, least, batch = None, np.inf, 0
    while True:
        starts = study.ask(batch, size, warm=warm and leader is not None)
        random = np.random.SeedSequence([seed, batch])
        refinement = Refinement(problem.space, starts, leader, random)
        reports: list[list[float]] = [[] for _ in starts]
        pruned: set[int] = set()
        for generation in range(GENERATIONS):
            cooled = refinement.active.tolist()
            yield _step(refinement)
            for trial in cooled:
                reports[trial].append(float(refinement.best.score[trial]))
                if study.should_prune(trial, generation, reports[trial][-1]):
                    refinement.stop(trial)
                    pruned.add(trial)
            if not refinement.active.size:
                break
        study.tell([_trial(i, batch, tuple(report), pruned=i in pruned) for i, report in enumerate(reports)])
        best = int(refinement.best.score.argmin())
        if refinement.best.score[best] < least:
            least, leader = float(refinement.best.score[best]), refinement.best.growth[:, best].copy()
        batch += 1


def one_by_one(sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Callable[[Problem, int], Search]:
    """Optuna by itself: every growth a parameter, every ladder a trial."""

    def search(problem: Problem, seed: int) -> Search:
        study = optuna.create_study(direction="minimize", sampler=sampler(seed))
        low, high = problem.ends
        space = {str(k): FloatDistribution(low, high) for k in range(problem.space.steps)}
        while True:
            trial = study.ask(fixed_distributions=space)
            score = float(problem.scores(np.array([list(trial.params.values())]).T)[0])
            study.tell(trial, score)
            yield score, 1

    return search


def library(kind: Callable[..., Any], population: int, snap: float) -> Callable[[Problem, int], Search]:
    """The ``cmaes`` library, restarted as soon as it has converged; without snap, from anywhere."""

    def search(problem: Problem, seed: int) -> Search:
        random = np.random.default_rng(seed)
        while True:
            start = _means(problem, random, 1)[0] if snap else random.uniform(*problem.ends, problem.space.steps)
            optimizer = kind(mean=start, sigma=SIGMA, population_size=population, seed=int(random.integers(2**31)))
            best, stale = np.inf, 0
            while not optimizer.should_stop() and stale < 25:
                asked = [optimizer.ask() for _ in range(population)]
                found = problem.scores(np.array(asked).T, snap)
                optimizer.tell(list(zip(asked, found.tolist(), strict=True)))
                least = float(found.min())
                stale = 0 if least < best * (1.0 - 1e-5) else stale + 1
                best = min(best, least)
                yield least, population

    return search


def naive(problem: Problem, seed: int) -> Search:
    """Random growths, 512 at a time."""
    random = np.random.default_rng(seed)
    low, high = problem.ends
    while True:
        yield float(problem.scores(random.uniform(low, high, (problem.space.steps, 512))).min()), 512


METHODS: dict[str, Callable[[Problem, int], Search]] = {
    "annealing from random shapes": partial(annealing, warm=False),
    "+ half from the best": annealing,
    "+ TPE": partial(annealing, sampler="tpe"),
    "+ TPE, median pruner": partial(annealing, sampler="tpe", pruner="median"),
    "cmaes CMA": library(cmaes.CMA, 32, SNAP),
    "cmaes SepCMA": library(cmaes.SepCMA, 64, SNAP),
    "cmaes CMA plain": library(cmaes.CMA, 32, 0.0),
    "random": naive,
    "Optuna TPE, a ladder a trial": one_by_one(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "Optuna CMA-ES, a ladder a trial": one_by_one(lambda seed: optuna.samplers.CmaEsSampler(seed=seed)),
}


def _step(refinement: Refinement) -> tuple[float, int]:
    before = int(refinement.evaluations.sum())
    refinement.generation()
    return float(refinement.best.score.min()), int(refinement.evaluations.sum()) - before


def _means(problem: Problem, random: np.random.Generator, count: int) -> Array:
    """Logarithms of the growths of random shapes, shape (count, K)."""
    starts = Study(problem.space.cell, "random", "none", int(random.integers(2**31))).ask(0, count, warm=False)
    refinement = Refinement(problem.space, starts, None, np.random.SeedSequence(0))
    return np.asarray(np.log(refinement.best.growth).T)


def _trial(index: int, batch: int, reports: tuple[float, ...], *, pruned: bool) -> Trial:
    return Trial(index, batch, {}, "PRUNED" if pruned else "COMPLETE", reports[-1], reports, 0, None)


def searched(method: Callable[[Problem, int], Search], problem: Problem, seed: int, seconds: float) -> dict[str, Any]:
    """Gap in percent at the checkpoints and at the end, ladders, and processor seconds to each of the marks."""
    known = problem.target.best
    checkpoints = [share * seconds for share in CHECKPOINTS]
    best, ladders, gaps = np.inf, 0, []
    until = dict.fromkeys(MARKS, float("inf"))
    began = process_time()
    for score, count in method(problem, seed):
        spent = process_time() - began
        while checkpoints and spent > checkpoints[0]:  # what came too late for a checkpoint does not count for it
            checkpoints.pop(0)
            gaps.append((best / known - 1.0) * 100.0)
        if spent > seconds:
            break
        best, ladders = min(best, score), ladders + count
        for mark in MARKS:
            if best <= known * (1.0 + mark / 100.0):
                until[mark] = min(until[mark], spent)
    return {"gaps": [*gaps, (best / known - 1.0) * 100.0], "ladders": ladders, "until": until}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refinement", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="processor seconds a cell and method")
    parser.add_argument("--seeds", type=int, default=2, help="repetitions; the table shows their mean")
    parser.add_argument("--methods", default="", help="all, or some by the beginnings of their names, with commas")
    asked = parser.parse_args()
    malloc.keep()
    names = [name for name in METHODS if name.startswith(tuple(asked.methods.split(",")))]
    problems = [Problem.of(target) for target in targets()]
    rows = []
    for name in names:
        runs = [searched(METHODS[name], p, seed, asked.seconds) for p in problems for seed in range(asked.seeds)]
        rows.append(_summary(name, runs, asked.seconds))
        print(rows[-1], flush=True)
    show(f"{len(problems)} cells, {asked.seconds:g} s of processor time each, {asked.seeds} seeds", rows)
    save("refinement", {"seconds": asked.seconds, "seeds": asked.seeds, "cells": len(problems), "rows": rows})


def _summary(name: str, runs: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    row: dict[str, Any] = {"method": name}
    for place, share in enumerate((*CHECKPOINTS, 1.0)):
        row[f"gap % at {share * seconds:g} s"] = mean(run["gaps"][place] for run in runs)
    row["worst %"] = max(run["gaps"][-1] for run in runs)
    for mark in MARKS:
        row[f"within {mark:g} %"] = f"{mean(run['until'][mark] < np.inf for run in runs):.0%}"
        row[f"s to {mark:g} %"] = median(run["until"][mark] for run in runs)
    row["ladders/s"] = mean(run["ladders"] for run in runs) / seconds
    return row


if __name__ == "__main__":
    main()
