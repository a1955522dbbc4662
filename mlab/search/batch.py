"""One batch of a cell: the starts asked, refined, evaluated in full and written as records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlab.config import Config
from mlab.core.errors import EvaluationError
from mlab.core.events import emit
from mlab.core.records import Batch, Candidate, Cell, Json, Metric, Outcome, Trial
from mlab.core.redaction import redacted
from mlab.core.state import candidate_id
from mlab.model.annealing import GENERATIONS, Refinement, Start
from mlab.model.contract import contract, risk
from mlab.model.ladder import Array
from mlab.model.limits import broken_limits
from mlab.model.objective import Objective
from mlab.model.scoring import Evaluation, evaluate
from mlab.model.space import Space
from mlab.search.stopping import worth_keeping
from mlab.search.study import Study
from mlab.search.timeout import watched


@dataclass(frozen=True, slots=True)
class Problem:
    """What a cell asks for: everything that its search needs besides the study."""

    run_id: str
    cell: Cell
    seed: int
    base_price: float
    space: Space
    prune_factor: float
    timeout_s: float

    @classmethod
    def of(cls, config: Config, run_id: str, cell: Cell) -> Problem:
        """The task of a cell in the terms of the pure modules."""
        ladder, search = config.ladder, config.search
        objective = Objective(config.score, ladder.limits, ladder.sizing)
        return cls(
            run_id=run_id,
            cell=cell,
            seed=config.seed,
            base_price=ladder.base_price,
            space=Space.of(cell, objective),
            prune_factor=search.prune_factor,
            timeout_s=search.batch_timeout_s,
        )


@dataclass(frozen=True, slots=True)
class _Refined:
    """What the refinement of a batch left: the reports of each trial, its outcome, and the best growths."""

    reports: list[list[float]]
    outcomes: list[Outcome]
    evaluations: list[int]
    evaluation: Evaluation


def search_batch(problem: Problem, study: Study, index: int, size: int, best: Candidate | None) -> Batch:
    """Ask for a batch of starts, refine them and write down what came of each.

    Args:
        problem: the cell's task.
        study: gives the starts; the outcomes are told to it by the caller, once they are stored.
        index: the batch within its cell.
        size: trials of the batch.
        best: best candidate of the cell so far, None at first.

    Raises:
        EvaluationError: an evaluation failed, or did not end in time.
    """
    starts = study.ask(index, size, warm=best is not None)
    emit("EVAL.CALL", f"refine {size} starts", adapter=study.sampler_name)
    began = time.perf_counter()
    try:
        with watched(problem.timeout_s):
            refined = _refine(problem, study, starts, index, best)
            trials, candidates = _records(problem, study, index, refined)
    except Exception as error:  # whatever it is
        text = redacted(f"{type(error).__name__}: {error}".removesuffix(": "))
        emit("EVAL.ERROR", text, level="error", inputs=study.params())
        raise EvaluationError(f"{problem.cell.label}, batch {index}: {text}") from error
    seconds = time.perf_counter() - began
    evaluations = sum(refined.evaluations)
    batch_best = min((candidate.score for candidate in candidates), default=None)
    emit(
        "EVAL.RETURN",
        f"{evaluations} ladders in {seconds:.2f} s",
        duration_ms=round(seconds * 1000.0, 3),
        evaluations=evaluations,
        score=batch_best,
    )
    least = min((candidate.score for candidate in [*candidates, best] if candidate), default=0.0)
    kept = tuple(candidate for candidate in candidates if worth_keeping(candidate.score, least, problem.prune_factor))
    pruned = sum(trial.outcome == "PRUNED" for trial in trials)
    emit("ORCH.PRUNE", f"{pruned} trials pruned", pruned=pruned, not_kept=len(candidates) - len(kept))
    metrics = _metrics(index, trials, candidates, least, evaluations / seconds)
    return Batch(problem.cell, index, tuple(trials), kept, metrics)


def _refine(problem: Problem, study: Study, starts: Sequence[Start], index: int, best: Candidate | None) -> _Refined:
    """Anneal all starts together, reporting each generation; the pruner may end some."""
    # The fourth number keeps this sequence apart from the sampler's, which is seeded by the first three.
    seed = np.random.SeedSequence([problem.seed, problem.cell.index, index, 1])
    refinement = Refinement(problem.space, starts, _growths(best), seed)
    reports: list[list[float]] = [[] for _ in starts]
    outcomes: list[Outcome] = ["COMPLETE"] * len(starts)
    for generation in range(GENERATIONS):
        refinement.generation()
        for trial in refinement.active.tolist():
            score = float(refinement.best.score[trial])
            if not np.isfinite(score):
                raise EvaluationError(f"the score of trial {trial} is {score}")
            reports[trial].append(score)
            if study.should_prune(trial, generation, score):
                refinement.stop(trial)
                outcomes[trial] = "PRUNED"
        if not refinement.active.size:
            break
    indent, volume, _ = problem.space.priced(refinement.best.growth)
    evaluation = evaluate(indent, volume, problem.space.objective)
    if not evaluation.finite:
        raise EvaluationError("an evaluation has a number that is not finite")
    return _Refined(reports, outcomes, refinement.evaluations.tolist(), evaluation)


def _growths(best: Candidate | None) -> Array | None:
    """The growths of a stored ladder: what is stored is all that a resumed search knows of it."""
    if best is None:
        return None
    return 1.0 + np.array(best.contract["schedule"]["martingale_pct"][1:]) / 100.0


def _records(problem: Problem, study: Study, index: int, refined: _Refined) -> tuple[list[Trial], list[Candidate]]:
    """The trials of the batch, and a candidate for each that finished."""
    trials, candidates = [], []
    for i, params in enumerate(study.params()):
        ladder = contract(refined.evaluation, i, problem.base_price, problem.space.objective)
        name = candidate_id(problem.run_id, problem.cell.index, index, i)
        number = study.first_number() + i
        broken = broken_limits(ladder["schedule"], problem.space.objective.limits)
        if broken:
            raise EvaluationError(f"{name} breaks {', '.join(broken)}")
        finished = refined.outcomes[i] == "COMPLETE"
        trials.append(
            Trial(
                number=number,
                batch=index,
                params=params,
                outcome=refined.outcomes[i],
                score=ladder["score"],
                reports=tuple(refined.reports[i]),
                evaluations=refined.evaluations[i],
                candidate_id=name if finished else None,
            )
        )
        if finished:
            block = risk(refined.evaluation, i, problem.space.objective)
            candidates.append(Candidate(name, problem.cell, index, number, ladder["score"], ladder, block))
    return trials, candidates


def failed_batch(problem: Problem, study: Study, index: int, error: Exception) -> Batch:
    """The batch that failed as error records: what was asked and what went wrong. They are never ranked."""
    trials = tuple(
        Trial(
            number=study.first_number() + i,
            batch=index,
            params=params,
            outcome="FAIL",
            score=None,
            reports=(),
            evaluations=0,
            candidate_id=None,
            error=str(error),
        )
        for i, params in enumerate(study.params())
    )
    return Batch(problem.cell, index, trials, (), ())


def _metrics(
    index: int, trials: Sequence[Trial], candidates: Sequence[Candidate], best: float, speed: float
) -> tuple[Metric, ...]:
    """What MLflow shows of the batch; penalties are those of its best ladder."""
    values = {
        "pruned": float(sum(trial.outcome == "PRUNED" for trial in trials)),
        "evaluations_per_second": speed,
    }
    if candidates:
        leader = min(candidates, key=lambda candidate: candidate.score)
        penalties: Json = leader.contract["penalties"]
        values |= {"best_score": best, "batch_best": leader.score}
        values |= {f"penalty/{name}": value for name, value in penalties.items()}
    now = time.time_ns() // 1_000_000
    return tuple(Metric(key, value, index, now) for key, value in values.items())
