"""How close to the best known ladders several searches come in the same processor time.

``python -m benchmarks.refinement [--seconds 2] [--seeds 3] [--methods annealing,sep-cma ...]``

All work on the growths of :class:`mlab.space.Space`, are kept within the limits by ``Space.feasible``, score a
whole population with one call of ``mlab.scoring.scores``, and start again as often as the time allows.

The CMA-ES variants get what helps them: the starts of the annealing, and growths near a level set onto it
(``SNAP``), since J jumps there. Population, step size and snap were chosen out of some 120 settings on five
of the cells; "plain" is the library without these aids.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from time import process_time
from typing import Any

import cmaes  # type: ignore[import-untyped]
import numpy as np

from benchmarks.cma import LaneCma
from benchmarks.record import save, show
from mlab.ladder import Array
from mlab.records import Cell, Trial
from mlab.refinement import GENERATIONS, Refinement, Start
from mlab.scoring import Objective, Wave, scores
from mlab.search import Study
from mlab.search.study import START
from mlab.space import Limits, Space

BEST_KNOWN = Path(__file__).parents[1] / "tests" / "data" / "best_known.json"
WAVE = Wave(50.0, 10.0)
CHECKPOINTS = (0.1, 0.25)
"""Shares of the time after which the best is noted, besides its end."""

SIGMA, SNAP = 0.1, 0.15
"""First standard deviation, and distance within which a growth snaps to a level; both of its logarithm."""

Search = Iterator[tuple[float, int]]
"""Best score of each step, and the ladders that the step evaluated."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One best known cell."""

    row: dict[str, Any]
    space: Space
    objective: Objective

    @classmethod
    def of(cls, row: dict[str, Any]) -> Problem:
        """From a row of the best known ladders, under the default limits and weights."""
        limits = Limits(0.05, row["max_gap_ratio"], (1.0, 100.0), 1.0, 40.0)
        cell = Cell(0, row["overlap_pct"], row["num_orders"])
        objective = Objective(row["sizing"], row["need"], 0.5, 0.3, 0.2, 0.1, WAVE, 40.0, 0.05)
        return cls(row, Space.of(cell, limits, row["sizing"], row["need"], WAVE), objective)

    @property
    def label(self) -> str:
        """For the table."""
        cap = "" if self.row["max_gap_ratio"] is None else " capped"
        return f"{self.space.cell.label} {self.row['sizing']} {self.row['need']}{cap}"

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
        return scores(*self.space.ladders(self.space.feasible(np.exp(log_growth))), self.objective)


def annealing(problem: Problem, seed: int, size: int = 8) -> Search:
    """The project's refinement from random starts, no pruning."""
    random = np.random.default_rng(seed)
    while True:
        yield from _annealed(
            problem, _random_starts(random, size), np.random.SeedSequence([seed, int(random.integers(2**31))])
        )


def annealing_tpe(problem: Problem, seed: int, size: int = 8) -> Search:
    """The project's whole search: Optuna chooses the starts and gives up the hopeless."""
    study = Study(problem.space.cell, "tpe", "median", seed)
    batch = 0
    while True:
        starts = study.ask(batch, size)
        refinement = Refinement(problem.space, problem.objective, starts, np.random.SeedSequence([seed, batch]))
        reports: list[list[float]] = [[] for _ in starts]
        for generation in range(GENERATIONS):
            yield _step(refinement)
            for trial in refinement.active.tolist():
                reports[trial].append(float(refinement.best_score[trial]))
                if study.hopeless(trial, generation, reports[trial][-1]):
                    refinement.stop(trial)
        study.tell([_trial(i, batch, tuple(report)) for i, report in enumerate(reports)])
        batch += 1


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


def lanes(*, full: bool, snap: float, count: int = 16, population: int = 32) -> Callable[[Problem, int], Search]:
    """CMA-ES over several restarts at once: one call scores the populations of all of them."""

    def search(problem: Problem, seed: int) -> Search:
        random = np.random.default_rng(seed)
        while True:
            cma = LaneCma(_means(problem, random, count), SIGMA, population, full=full, random=random)
            best, stale = np.inf, 0
            while stale < 20:
                points = cma.ask()
                found = problem.scores(points.reshape(-1, points.shape[-1]).T, snap).reshape(count, population)
                cma.tell(points, found)
                least = float(found.min())
                stale = 0 if least < best * (1.0 - 1e-5) else stale + 1
                best = min(best, least)
                yield least, found.size

    return search


def naive(problem: Problem, seed: int) -> Search:
    """Random growths, 512 at a time."""
    random = np.random.default_rng(seed)
    low, high = problem.ends
    while True:
        yield float(problem.scores(random.uniform(low, high, (problem.space.steps, 512))).min()), 512


METHODS: dict[str, Callable[[Problem, int], Search]] = {
    "annealing": annealing,
    "annealing + TPE": annealing_tpe,
    "cmaes CMA": library(cmaes.CMA, 32, SNAP),
    "cmaes SepCMA": library(cmaes.SepCMA, 64, SNAP),
    "cmaes CMA plain": library(cmaes.CMA, 32, 0.0),
    "own CMA x 16": lanes(full=True, snap=SNAP),
    "own sep-CMA x 16": lanes(full=False, snap=SNAP),
    "random": naive,
}


def _step(refinement: Refinement) -> tuple[float, int]:
    before = int(refinement.evaluations.sum())
    refinement.generation()
    return float(refinement.best_score.min()), int(refinement.evaluations.sum()) - before


def _annealed(problem: Problem, starts: list[Start], seed: np.random.SeedSequence) -> Search:
    refinement = Refinement(problem.space, problem.objective, starts, seed)
    for _ in range(GENERATIONS):
        yield _step(refinement)


def _random_starts(random: np.random.Generator, size: int) -> list[Start]:
    """Starts spread as Optuna's random sampler spreads them."""

    def drawn(low: float, high: float, *, log: bool) -> float:
        return float(np.exp(random.uniform(np.log(low), np.log(high))) if log else random.uniform(low, high))

    ranges = {name: vars(dist) for name, dist in START.items()}
    return [
        Start(**{name: drawn(r["low"], r["high"], log=r["log"]) for name, r in ranges.items()}) for _ in range(size)
    ]


def _means(problem: Problem, random: np.random.Generator, count: int) -> Array:
    """Logarithms of the growths of random starts, shape (count, K)."""
    refinement = Refinement(problem.space, problem.objective, _random_starts(random, count), np.random.SeedSequence(0))
    return np.asarray(np.log(refinement.best).T)


def _trial(index: int, batch: int, reports: tuple[float, ...]) -> Trial:
    outcome = "COMPLETE" if len(reports) == GENERATIONS else "PRUNED"
    return Trial(index, batch, {}, outcome, reports[-1], reports, 0, None)  # type: ignore[arg-type]


def searched(method: Callable[[Problem, int], Search], problem: Problem, seed: int, seconds: float) -> dict[str, Any]:
    """Gap to the best known in percent, at the checkpoints and at the end, and the ladders evaluated."""
    known = problem.row["best_J"]
    marks = [share * seconds for share in CHECKPOINTS]
    best, evaluations, gaps = np.inf, 0, []
    began = process_time()
    for score, count in method(problem, seed):
        spent = process_time() - began
        while marks and spent > marks[0]:  # what came too late for a mark does not count for it
            marks.pop(0)
            gaps.append((best / known - 1.0) * 100.0)
        if spent > seconds:
            break
        best, evaluations = min(best, score), evaluations + count
    return {"gaps": [*gaps, (best / known - 1.0) * 100.0], "evaluations": evaluations}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refinement", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="processor seconds a cell and method")
    parser.add_argument("--seeds", type=int, default=3, help="repetitions; the table shows their mean")
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated: " + ", ".join(METHODS))
    asked = parser.parse_args()
    names = asked.methods.split(",")
    problems = [Problem.of(row) for row in json.loads(BEST_KNOWN.read_text())]
    runs = {
        (problem.label, name): [searched(METHODS[name], problem, s, asked.seconds) for s in range(asked.seeds)]
        for problem in problems
        for name in names
    }
    gap = {key: mean(run["gaps"][-1] for run in several) for key, several in runs.items()}
    by_cell = [{"cell": p.label} | {name: gap[p.label, name] for name in names} for p in problems]
    show(f"Gap to the best known in %, {asked.seconds:g} s of processor time, mean of {asked.seeds} seeds", by_cell)
    summary = [_summary(name, [runs[p.label, name] for p in problems], asked.seconds) for name in names]
    show("All cells", summary)
    save("refinement", {"seconds": asked.seconds, "seeds": asked.seeds, "gap_pct": by_cell, "summary": summary})


def _summary(name: str, cells: list[list[dict[str, Any]]], seconds: float) -> dict[str, Any]:
    ends = [run["gaps"][-1] for cell in cells for run in cell]
    early = {
        f"mean gap at {share * seconds:g} s": mean(run["gaps"][i] for cell in cells for run in cell)
        for i, share in enumerate(CHECKPOINTS)
    }
    return {
        "method": name,
        **early,
        "mean gap %": mean(ends),
        "median gap %": median(ends),
        "worst gap %": max(ends),
        "evaluations/s": mean(run["evaluations"] for cell in cells for run in cell) / seconds,
    }


if __name__ == "__main__":
    main()
