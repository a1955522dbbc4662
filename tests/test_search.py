"""The study: a cut run that is replayed asks for the same starts as one that was never cut."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.pruners import MedianPruner
from optuna.trial import TrialState

from mlab.core.errors import StoreError
from mlab.core.records import Cell, Trial, TrialOutcome
from mlab.model.annealing import GENERATIONS, Start
from mlab.search.study import ANNEALING, FINISHED, PRUNERS, SAMPLERS, SHAPE, WARMUP, Study

CELL = Cell(3, 20.0, 10)
SIZE = 4


def goodness(start: Start, generation: int) -> float:
    """A made-up refinement: smooth in the start, falling with every generation; ahead where it begins with the best."""
    level = 1.0 + 100.0 * start.temperature + 5.0 * math.exp(-generation / 3.0)
    if start.shape is None:
        return level
    return level + (start.shape.place - 0.7) ** 2 + (start.shape.width - 0.2) ** 2


def searched(study: Study, batch: int, failing: frozenset[int] = frozenset()) -> list[Trial]:
    """Ask and refine one batch, as the engine does; the trials still have to be told."""
    starts = study.ask(batch, SIZE, warm=batch > 0)
    params = study.params()
    if batch in failing:
        return [trial(study, batch, i, params[i], "FAIL", ()) for i in range(SIZE)]
    reports: list[list[float]] = [[] for _ in starts]
    outcomes: list[TrialOutcome] = ["COMPLETE"] * SIZE
    for generation in range(GENERATIONS):
        for i, start in enumerate(starts):
            if outcomes[i] == "COMPLETE":
                reports[i].append(goodness(start, generation))
                if study.should_prune(i, generation, reports[i][-1]):
                    outcomes[i] = "PRUNED"
    return [trial(study, batch, i, params[i], outcomes[i], tuple(reports[i])) for i in range(SIZE)]


def trial(
    study: Study, batch: int, i: int, params: dict[str, float], outcome: TrialOutcome, reports: tuple[float, ...]
) -> Trial:
    score = reports[-1] if reports else None
    return Trial(study.first_number + i, batch, params, outcome, score, reports, 1, None)


def run(study: Study, batches: range, failing: frozenset[int] = frozenset()) -> list[Trial]:
    trials = []
    for batch in batches:
        trials += (ended := searched(study, batch, failing))
        study.tell(ended)
    return trials


def stored(trials: list[Trial]) -> list[Trial]:
    """The trials after a trip through JSON, as a database keeps them."""
    return [
        replace(t, params=json.loads(json.dumps(t.params)), reports=tuple(json.loads(json.dumps(t.reports))))
        for t in trials
    ]


@pytest.mark.parametrize("pruner", list(PRUNERS))
@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_cut_anywhere_and_replayed_is_as_if_never_cut(sampler: str, pruner: str) -> None:
    failing = frozenset({2})
    whole = run(Study(CELL, sampler, pruner, seed=42), range(6), failing)
    for cut in range(1, 6):
        study = Study(CELL, sampler, pruner, seed=42)
        study.replay(stored(whole[: cut * SIZE]))
        assert run(study, range(cut, 6), failing) == whole[cut * SIZE :], f"cut after {cut} batches"


def test_cut_many_times_is_as_if_never_cut() -> None:
    whole = run(Study(CELL, "tpe", "median", seed=1), range(5))
    kept: list[Trial] = []
    for batch in range(5):
        study = Study(CELL, "tpe", "median", seed=1)
        study.replay(stored(kept))
        searched(study, batch)  # asked and refined, then killed before it was stored
        study = Study(CELL, "tpe", "median", seed=1)
        study.replay(stored(kept))
        kept += run(study, range(batch, batch + 1))
    assert kept == whole


def test_nothing_stored_is_nothing_replayed() -> None:
    study = Study(CELL, "tpe", "median", seed=42)
    study.replay([])
    assert run(study, range(1)) == run(Study(CELL, "tpe", "median", seed=42), range(1))


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_starts_differ_within_a_batch_and_between_batches_cells_and_seeds(sampler: str) -> None:
    origins = [(CELL, 1), (CELL, 2), (Cell(4, 20.0, 15), 1)]
    studies = [Study(cell, sampler, "none", seed) for cell, seed in origins]
    points = [tuple(t.params.values()) for study in studies for t in run(study, range(3))]
    assert len(set(points)) == len(points)


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_starts_lie_in_their_ranges(sampler: str) -> None:
    for trial in run(Study(CELL, sampler, "median", seed=5), range(4)):
        assert trial.params.keys() in ({*ANNEALING}, {*ANNEALING, *SHAPE})
        for name, value in trial.params.items():
            assert (ANNEALING | SHAPE)[name].low <= value <= (ANNEALING | SHAPE)[name].high  # type: ignore[attr-defined]


def test_every_other_trial_begins_with_the_best_once_there_is_one() -> None:
    trials = run(Study(CELL, "random", "none", seed=5), range(3))
    warm = ["place" not in trial.params for trial in trials]
    assert warm == [False] * SIZE + [True, False] * (SIZE // 2) + [False, True] * (SIZE // 2)


@pytest.mark.parametrize("change", [{"temperature": 0.01}, {"stride": 0.1}, {"place": 1e-9}])
def test_stored_trials_that_do_not_follow_from_the_config_are_refused(change: dict[str, float]) -> None:
    trials = run(Study(CELL, "tpe", "median", seed=42), range(2))
    trials[5] = replace(trials[5], params=trials[5].params | change)
    with pytest.raises(StoreError, match="20 % x 10, batch 1"):
        Study(CELL, "tpe", "median", seed=42).replay(trials)


def test_another_seed_or_sampler_is_refused() -> None:
    trials = run(Study(CELL, "tpe", "median", seed=42), range(1))
    for sampler, seed in (("tpe", 43), ("qmc", 42)):
        with pytest.raises(StoreError):
            Study(CELL, sampler, "median", seed).replay(trials)


def test_numbers_count_on_over_batches_and_replay() -> None:
    study = Study(CELL, "random", "none", seed=1)
    trials = run(study, range(2))
    assert [trial.number for trial in trials] == list(range(8))
    again = Study(CELL, "random", "none", seed=1)
    again.replay(trials)
    again.ask(2, SIZE, warm=True)
    assert again.first_number == 8


def test_median_pruner_gives_up_what_is_worse_than_most_and_not_before_the_warm_up() -> None:
    study = Study(CELL, "random", "median", seed=1)
    run(study, range(4))
    study.ask(4, 2, warm=False)
    verdicts = [(study.should_prune(0, g, 99.0), study.should_prune(1, g, 0.1)) for g in range(GENERATIONS)]
    assert [bad for bad, _ in verdicts] == [g >= WARMUP for g in range(GENERATIONS)]
    assert not any(good for _, good in verdicts)


@pytest.mark.parametrize("seed", range(5))
def test_median_pruner_gives_up_what_optuna_s_own_does(seed: int) -> None:
    random = np.random.default_rng(seed)
    study = Study(CELL, "random", "median", seed)
    optunas = {
        kind: optuna.create_study(pruner=MedianPruner(n_startup_trials=FINISHED, n_warmup_steps=WARMUP))
        for kind in ("warm", "shaped")
    }
    given_up = 0
    for batch in range(8):
        starts = study.ask(batch, SIZE, warm=batch > 0)
        ended = []
        for i, start in enumerate(starts):
            kind = "warm" if start.shape is None else "shaped"
            asked = optunas[kind].ask()
            falls = random.integers(0, 3, size=random.integers(1, GENERATIONS + 1)) * random.choice([0.1, 0.25, 1 / 3])
            reports = (99.0 - np.cumsum(falls)).tolist()  # few values, so that many are the median itself
            verdicts = []
            for generation, score in enumerate(reports):
                asked.report(score, generation)
                verdicts.append(study.should_prune(i, generation, score))
                assert verdicts[-1] == asked.should_prune()
                if verdicts[-1]:
                    break
            told = tuple(reports[: len(verdicts)])
            ended.append((kind, asked, trial(study, batch, i, {}, "PRUNED" if verdicts[-1] else "COMPLETE", told)))
        for kind, asked, one in ended:
            for generation in range(len(one.reports), GENERATIONS):  # it would stay where it found nothing more
                asked.report(one.reports[-1], generation)
            optunas[kind].tell(asked, None if one.outcome == "PRUNED" else one.score, TrialState[one.outcome])
        study.tell([one for _, _, one in ended])
        given_up += sum(one.outcome == "PRUNED" for _, _, one in ended)
    assert given_up > 0


def test_median_pruner_waits_for_the_first_trials_to_finish() -> None:
    study = Study(CELL, "random", "median", seed=1)
    run(study, range(1))
    study.ask(1, 1, warm=False)
    assert not any(study.should_prune(0, g, 99.0) for g in range(GENERATIONS))


def test_no_pruner_gives_up_nothing() -> None:
    assert {t.outcome for t in run(Study(CELL, "random", "none", seed=1), range(6))} == {"COMPLETE"}


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruners_do_prune(pruner: str) -> None:
    trials = run(Study(CELL, "random", pruner, seed=1), range(8))
    pruned = [trial for trial in trials if trial.outcome == "PRUNED"]
    assert 0 < len(pruned) < len(trials)
    assert all(len(trial.reports) < GENERATIONS for trial in pruned)


def test_tpe_learns_from_what_it_is_told() -> None:
    trials = run(Study(CELL, "tpe", "none", seed=3), range(12))
    scores = [trial.score for trial in trials if trial.score is not None]
    assert sum(scores[-16:]) / 16 < sum(scores[:16]) / 16
