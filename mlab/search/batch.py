"""One batch of a cell: the starts asked, refined, evaluated in full and written as records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlab.config import Config
from mlab.core.errors import EvaluationError
from mlab.core.events import emit
from mlab.core.records import Batch, Candidate, Cell, Json, Metric, Trial
from mlab.core.redaction import redacted
from mlab.core.state import candidate_id
from mlab.model.annealing import GENERATIONS, Refinement, Start
from mlab.model.contract import contract, risks
from mlab.model.limits import broken_limits
from mlab.model.scoring import evaluate
from mlab.model.space import Space
from mlab.search.stopping import worth_keeping
from mlab.search.study import Study
from mlab.search.timeout import watched


@dataclass(frozen=True, slots=True)
class Problem:
    """What a cell asks for: everything that its search needs besides the study."""

    config: Config
    run_id: str
    space: Space

    @classmethod
    def of(cls, config: Config, run_id: str, cell: Cell) -> Problem:
        """The task of a cell in the terms of the pure modules."""
        return cls(config, run_id, Space.of(cell, config.objective))


@dataclass(frozen=True, slots=True)
class Refined:
    """The starts of a batch, refined: the scores reported of each trial, and which the pruner gave up."""

    refinement: Refinement
    reports: list[list[float]]
    pruned: set[int]


def search_batch(problem: Problem, study: Study, index: int, best: Candidate | None) -> Batch:
    """Ask for a batch of starts, refine them and write down what came of each.

    The caller tells the study the outcomes, once they are stored. ``best`` is the cell's best candidate so far.

    Raises:
        EvaluationError: an evaluation failed, or did not end in time.
    """
    search, cell = problem.config.search, problem.space.cell
    starts = study.ask(index, search.batch_size, warm=best is not None)
    emit("EVAL.CALL", f"refine {len(starts)} starts", adapter=study.sampler_name)
    began = time.perf_counter()
    try:
        with watched(search.batch_timeout_s):
            refined = _refine(problem, study, starts, index, best)
            trials, candidates = _records(problem, study, index, refined)
    except Exception as error:  # whatever it is
        text = redacted(f"{type(error).__name__}: {error}".removesuffix(": "))
        emit("EVAL.ERROR", text, level="error", inputs=study.params())
        raise EvaluationError(f"{cell.label}, batch {index}: {text}") from error
    seconds = time.perf_counter() - began
    evaluations = sum(trial.evaluations for trial in trials)
    batch_best = min((candidate.score for candidate in candidates), default=None)
    emit(
        "EVAL.RETURN",
        f"{evaluations} ladders in {seconds:.2f} s",
        duration_ms=round(seconds * 1000.0, 3),
        evaluations=evaluations,
        score=batch_best,
    )
    least = min((candidate.score for candidate in [*candidates, best] if candidate), default=0.0)
    kept = tuple(candidate for candidate in candidates if worth_keeping(candidate.score, least, search.prune_factor))
    pruned = sum(trial.outcome == "PRUNED" for trial in trials)
    emit("ORCH.PRUNE", f"{pruned} trials pruned", pruned=pruned, not_kept=len(candidates) - len(kept))
    metrics = _metrics(index, pruned, candidates, least, evaluations / seconds)
    return Batch(cell, index, tuple(trials), kept, metrics)


def _refine(problem: Problem, study: Study, starts: Sequence[Start], index: int, best: Candidate | None) -> Refined:
    """Anneal all starts together, each until the pruner gives it up or it finds nothing more."""
    # The fourth number keeps this sequence apart from the sampler's, which is seeded by the first three.
    seed = np.random.SeedSequence([problem.config.seed, problem.space.cell.index, index, 1])
    # What is stored of the best ladder is all that a resumed search knows of it.
    leader = 1.0 + np.array(best.contract["schedule"]["martingale_pct"][1:]) / 100.0 if best else None
    refinement = Refinement(problem.space, starts, leader, seed)
    reports: list[list[float]] = [[] for _ in starts]
    pruned: set[int] = set()
    for generation in range(GENERATIONS):
        cooled = refinement.active.tolist()
        refinement.generation()
        for trial in cooled:
            score = float(refinement.best.score[trial])
            if not np.isfinite(score):
                raise EvaluationError(f"the score of trial {trial} is {score}")
            reports[trial].append(score)
            if study.should_prune(trial, generation, score):
                refinement.stop(trial)
                pruned.add(trial)
        if not refinement.active.size:
            break
    return Refined(refinement, reports, pruned)


def _records(problem: Problem, study: Study, index: int, refined: Refined) -> tuple[list[Trial], list[Candidate]]:
    """The trials of the batch, and a candidate for each that finished."""
    space, base_price, refinement = problem.space, problem.config.base_price, refined.refinement
    indent, volume, _ = space.priced(refinement.best.growth)
    evaluation = evaluate(indent, volume, space.objective)
    if not evaluation.finite:
        raise EvaluationError("an evaluation has a number that is not finite")
    blocks = risks(evaluation, space.objective)
    trials, candidates = [], []
    for i, params in enumerate(study.params()):
        ladder = contract(evaluation, i, base_price, space.objective)
        name = candidate_id(problem.run_id, space.cell.index, index, i)
        if broken := broken_limits(ladder["schedule"], space.objective.limits):
            raise EvaluationError(f"{name} breaks {', '.join(broken)}")
        finished = i not in refined.pruned
        trial = Trial(
            number=study.first_number + i,
            batch=index,
            params=params,
            outcome="COMPLETE" if finished else "PRUNED",
            score=ladder["score"],
            reports=tuple(refined.reports[i]),
            evaluations=int(refinement.evaluations[i]),
            candidate_id=name if finished else None,
        )
        trials.append(trial)
        if finished:
            candidates.append(Candidate(name, space.cell, index, trial.number, ladder["score"], ladder, blocks[i]))
    return trials, candidates


def failed_batch(problem: Problem, study: Study, index: int, error: Exception) -> Batch:
    """The batch that failed as error records: what was asked and what went wrong. They are never ranked."""
    text = str(error)
    trials = tuple(
        Trial(number, index, params, "FAIL", score=None, reports=(), evaluations=0, candidate_id=None, error=text)
        for number, params in enumerate(study.params(), start=study.first_number)
    )
    return Batch(problem.space.cell, index, trials, (), ())


def _metrics(index: int, pruned: int, candidates: Sequence[Candidate], best: float, speed: float) -> tuple[Metric, ...]:
    """What MLflow shows of the batch; penalties are those of its best ladder."""
    values = {"pruned": float(pruned), "evaluations_per_second": speed}
    if candidates:
        leader = min(candidates, key=lambda candidate: candidate.score)
        penalties: Json = leader.contract["penalties"]
        values |= {"best_score": best, "batch_best": leader.score}
        values |= {f"penalty/{name}": value for name, value in penalties.items()}
    now = time.time_ns() // 1_000_000
    return tuple(Metric(key, value, index, now) for key, value in values.items())
