"""The engine as a plain function: what it stores, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.workers import fingerprint
from mlab import cli
from mlab.config import Config, config_of, load
from mlab.core import crash, events
from mlab.core.errors import EvaluationError, RunBusy, StoreError
from mlab.core.records import Cell, CellResult, Experiment
from mlab.core.state import State
from mlab.model.scoring import Evaluation
from mlab.search import batch, engine, experiments, machine, run
from mlab.search.stopping import Evidence
from mlab.search.watcher import Watcher
from mlab.store import Store
from tests import runs
from tests.scalar import Settings
from tests.scalar import contract as scalar_contract

pytestmark = pytest.mark.usefixtures("quick")

SMALL = [
    "ladder.overlap_pct=[10, 20]",
    "ladder.num_orders=6",
    "search.batch_size=4",
    "search.max_batches=3",
    "search.patience=3",
]


class Follower(Watcher):
    """Counts what it is told, and may stop the search after some batches."""

    def __init__(self, stop_after: int | None = None, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.batches: list[tuple[int, int]] = []
        self.cells: list[CellResult] = []
        self._stop_after, self._error = stop_after, error

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        self.batches.append((cell.index, index))
        if len(self.batches) == self._stop_after:
            raise self._error

    def cell_done(self, result: CellResult) -> None:
        self.cells.append(result)


def config(*overrides: str) -> Config:
    return load(None, [*SMALL, *overrides])


def execute(state: State, settings: Config, follower: Follower | None = None) -> Experiment:
    """Run a config to its end and return the stored row."""
    with Store.open(state.database) as store:
        experiment = experiments.create(state, store, settings)
        assert run.execute(state, store, experiment, settings, run.Plain(), watcher=follower or Follower()) == 0
    return stored(state, experiment.run_id)


def resume(state: State, run_id: str, follower: Follower | None = None) -> None:
    with Store.open(state.database) as store:
        experiment = experiments.find(store, run_id)
        settings = config_of(experiment)
        assert run.execute(state, store, experiment, settings, run.Plain(), watcher=follower or Follower()) == 0


def stored(state: State, run_id: str) -> Experiment:
    events.recorder.close()
    with Store.open(state.database) as store:
        found = store.experiment(run_id)
    assert found is not None
    return found


def log(state: State, run_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in state.events(run_id).read_text().splitlines()]


def names(state: State, run_id: str) -> list[str]:
    return [event["event"] for event in log(state, run_id)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, Experiment, Follower]:
    """A completed run of two cells, in a folder of its own, and what was told while it went on."""
    state, follower = State(tmp_path_factory.mktemp("whole")), Follower()
    return state, execute(state, config(), follower), follower


def test_a_run_stores_the_best_of_every_cell(whole: tuple[State, Experiment, Follower]) -> None:
    state, experiment, follower = whole
    assert experiment.status == "COMPLETED"
    assert follower.batches == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    with Store.open(state.database) as store:
        results = store.results(experiment.exp_id)
        cells = store.cells(experiment.exp_id)
    assert cells == follower.cells
    assert experiment.best_score == min(candidate.score for candidate in results)
    assert experiment.eval_count == sum(cell.evaluations for cell in cells) > 0
    assert all(cell.finished and cell.trials == 12 for cell in cells)
    for cell in cells:
        assert cell.best is not None
        assert cell.best.score == min(c.score for c in results if c.cell == cell.cell)


def test_stored_ladders_score_what_the_scalar_route_says(state: State) -> None:
    settings = config("score.need=path", "ladder.sizing=base")
    experiment = execute(state, settings)
    with Store.open(state.database) as store:
        results = store.results(experiment.exp_id)
    for candidate in results:
        schedule = candidate.contract["schedule"]
        again = scalar_contract(schedule["indent_pct"], schedule["volume_pct"], Settings(sizing="base", need="path"))
        assert candidate.score == pytest.approx(again["score"], rel=1e-9)
        assert candidate.contract["max_need"] == pytest.approx(again["max_need"], rel=1e-9)
        assert not any(candidate.contract["sanity"].values())


def test_events_come_in_the_order_of_the_run(whole: tuple[State, Experiment, Follower]) -> None:
    state, experiment, _ = whole
    seen = names(state, experiment.run_id)

    of_a_batch = ["ORCH.BATCH", "EVAL.CALL", "EVAL.RETURN", "ORCH.PRUNE", "DB.UPSERT_RES", "DB.VERIFY", "ORCH.SAVE_OK"]
    assert seen == [
        "DB.INIT", "ORCH.START", "DB.UPSERT_EXP", "BUILD.CONFIG", "DB.UPSERT_EXP",
        *of_a_batch * 6,
        "DB.UPSERT_EXP", "ORCH.DONE",
    ]  # fmt: skip


def test_events_carry_the_ids_that_apply(whole: tuple[State, Experiment, Follower]) -> None:
    state, experiment, _ = whole
    trace = log(state, experiment.run_id)
    started, built = (next(e for e in trace if e["event"] == name) for name in ("ORCH.START", "BUILD.CONFIG"))
    assert started["config"] == experiment.config
    assert built["exp_id"] == experiment.exp_id

    saved = [event for event in trace if event["event"] == "ORCH.SAVE_OK"]
    assert [event["span_id"] for event in saved] == ["batch-0000", "batch-0001", "batch-0002"] * 2
    assert [event["overlap"] for event in saved] == [10.0] * 3 + [20.0] * 3
    assert all(event["run_id"] == experiment.run_id and event["orders"] == 6 for event in saved)
    assert saved[0]["rows"] > 0
    returned = [event for event in trace if event["event"] == "EVAL.RETURN"]
    assert all(event["duration_ms"] > 0 and event["evaluations"] > 0 for event in returned)
    assert trace[-1]["eval_count"] == experiment.eval_count


def test_a_cell_that_no_longer_improves_stops_early(state: State) -> None:
    experiment = execute(state, config("ladder.num_orders=3", "search.max_batches=30", "search.patience=2"))
    with Store.open(state.database) as store:
        cells = store.cells(experiment.exp_id)
        evidence = [Evidence.of(store.trials(experiment.exp_id, cell.cell.index)) for cell in cells]
    assert all(cell.stopped_early and cell.batches < 30 for cell in cells)
    assert [Evidence(cell.independent, cell.ends) for cell in cells] == evidence, "tables tell what the search went by"
    assert names(state, experiment.run_id).count("ORCH.EARLY_STOP") == 2


def test_a_time_limit_ends_the_search_and_keeps_a_batch_of_every_cell(state: State) -> None:
    experiment = execute(state, config("search.max_time_s=0.000001", "search.max_batches=500"))
    with Store.open(state.database) as store:
        cells = store.cells(experiment.exp_id)
    assert experiment.status == "COMPLETED"
    assert [cell.batches for cell in cells] == [1, 1]
    assert all(cell.best is not None and cell.stopped_early for cell in cells)


@pytest.mark.parametrize(("sampler", "pruner"), [("tpe", "median"), ("cmaes", "hyperband")])
def test_a_run_cut_anywhere_ends_as_one_that_was_not(state: State, sampler: str, pruner: str) -> None:
    settings = config(f"search.sampler={sampler}", f"search.pruner={pruner}")
    whole = execute(state, settings)

    with Store.open(state.database) as store:
        experiment = experiments.create(state, store, settings)
        for cut in (1, 3):
            assert run.execute(state, store, experiment, settings, run.Plain(), watcher=Follower(stop_after=cut)) == 130
            assert stored(state, experiment.run_id).status == "STOPPED"
    resume(state, experiment.run_id)

    ended = stored(state, experiment.run_id)
    assert (ended.status, ended.eval_count, ended.best_score) == ("COMPLETED", whole.eval_count, whole.best_score)
    assert fingerprint(state, experiment.run_id) == fingerprint(state, whole.run_id)


def test_the_seed_decides_what_is_found(state: State) -> None:
    first, again, other = (execute(state, config("ladder.overlap_pct=10", f"seed={seed}")) for seed in (1, 1, 2))
    assert fingerprint(state, first.run_id) == fingerprint(state, again.run_id)
    assert fingerprint(state, first.run_id) != fingerprint(state, other.run_id)


def test_resuming_a_finished_run_changes_nothing(state: State) -> None:
    experiment = execute(state, config("ladder.overlap_pct=10"))
    follower = Follower()
    resume(state, experiment.run_id, follower)
    assert follower.batches == []
    assert stored(state, experiment.run_id) == experiment


def test_what_is_too_far_from_the_best_is_not_kept(state: State) -> None:
    loose, strict = (
        execute(state, config("ladder.overlap_pct=10", "ladder.num_orders=15", f"search.prune_factor={factor}"))
        for factor in (1000, 1.0001)
    )
    with Store.open(state.database) as store:
        kept = [len(store.results(run.exp_id)) for run in (loose, strict)]
    assert kept[1] < kept[0]


def test_only_the_best_of_a_cell_are_kept(state: State) -> None:
    all_kept, few = (execute(state, config(f"search.top_k={k}", "search.pruner=none")) for k in (50, 2))
    with Store.open(state.database) as store:
        for cell in (0, 1):
            best = store.results(all_kept.exp_id, cell)[:2]
            assert [c.score for c in store.results(few.exp_id, cell)] == [c.score for c in best]


def in_second_batch(monkeypatch: pytest.MonkeyPatch, fault: Callable[[batch.Refinement], None]) -> None:
    """Do something with the refinement of the second batch after its first generation."""
    seen: list[batch.Refinement] = []
    generation = batch.Refinement.generation

    def faulty(self: batch.Refinement) -> None:
        generation(self)
        if not any(self is one for one in seen):
            seen.append(self)
            if len(seen) == 2:
                fault(self)

    monkeypatch.setattr(batch.Refinement, "generation", faulty)


def broken(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """Make one generation fail: it raises ``error``, or scores NaN."""

    def fault(refinement: batch.Refinement) -> None:
        if error is not None:
            raise error
        refinement.best.score[:] = np.nan

    in_second_batch(monkeypatch, fault)


FAULTS = [ValueError("boom"), TypeError("boom"), RuntimeError("boom"), MemoryError(), FloatingPointError("inf"), None]


@pytest.mark.parametrize("error", FAULTS)
def test_a_failed_evaluation_ends_the_run_with_a_snapshot(
    state: State, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    broken(monkeypatch, error)
    with Store.open(state.database) as store:
        experiment = experiments.create(state, store, config())
        with pytest.raises(EvaluationError):
            run.execute(state, store, experiment, config(), run.Plain())

    assert stored(state, experiment.run_id).status == "FAILED"
    trace = log(state, experiment.run_id)
    assert [event["event"] for event in trace][-3:] == ["EVAL.ERROR", "ORCH.ERROR", "DB.UPSERT_EXP"]
    assert len(trace[-3]["inputs"]) == 4
    assert "Traceback" in trace[-2]["traceback"]
    crash = json.loads(Path(trace[-2]["snapshot"]).read_text())
    assert crash["run_id"] == experiment.run_id
    assert {name: crash["application_state"][name] for name in ("cells", "cells_finished", "batches_saved")} == {
        "cells": 2, "cells_finished": 0, "batches_saved": 1,
    }  # fmt: skip
    with Store.open(state.database) as store:
        assert store.cells(experiment.exp_id)[0].batches == 1, "the batch before the failure is kept"


@pytest.mark.parametrize("error", [ValueError("boom"), None])
def test_a_failed_evaluation_can_be_skipped_and_is_never_ranked(
    state: State, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    broken(monkeypatch, error)
    experiment = execute(state, config("search.on_error=skip"))
    assert experiment.status == "COMPLETED"
    with Store.open(state.database) as store:
        trials = store.trials(experiment.exp_id, 0)
        results = store.results(experiment.exp_id)
    failed = [trial for trial in trials if trial.outcome == "FAIL"]
    assert [trial.batch for trial in failed] == [1] * 4
    assert all(trial.score is None and trial.error and trial.params for trial in failed)
    assert all(candidate.batch != 1 for candidate in results if candidate.cell.index == 0)
    assert names(state, experiment.run_id).count("EVAL.ERROR") == 1
    (path,) = crash.of_run(state, experiment.run_id)
    assert "20 % x 6" not in (text := path.read_text())
    assert "10 % x 6, batch 1" in text


@pytest.mark.parametrize("field", ["score", "var_need", "penalties"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_a_failed_evaluation(
    state: State, monkeypatch: pytest.MonkeyPatch, field: str, value: float
) -> None:
    evaluate = batch.evaluate

    def spoilt(*arguments: Any) -> Evaluation:
        found = evaluate(*arguments)
        array = found.penalties["P_gini"] if field == "penalties" else getattr(found, field)
        array[-1] = value
        return found

    monkeypatch.setattr(batch, "evaluate", spoilt)
    with pytest.raises(EvaluationError, match=r"10 % x 6, batch 0: EvaluationError: .* not finite"):
        execute(state, config())
    with Store.open(state.database) as store:
        assert store.results(1) == []


def test_an_evaluation_that_hangs_is_a_failed_one(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    in_second_batch(monkeypatch, lambda _: time.sleep(60))
    experiment = execute(state, config("search.on_error=skip", "search.batch_timeout_s=1"))

    assert experiment.status == "COMPLETED"
    with Store.open(state.database) as store:
        failed = [trial for trial in store.trials(experiment.exp_id, 0) if trial.outcome == "FAIL"]
    assert {(trial.batch, trial.error) for trial in failed} == {
        (1, "10 % x 6, batch 1: TimeoutError: no end after 1 s")
    }


@pytest.mark.parametrize(
    ("share", "batches", "status"), [(0.0, 0, "FAILED"), (0.4, 1, "FAILED"), (1.0, 3, "COMPLETED")]
)
def test_more_failures_than_the_config_allows_end_the_run(
    state: State, monkeypatch: pytest.MonkeyPatch, share: float, batches: int, status: str
) -> None:
    def always(self: batch.Refinement) -> None:
        raise ValueError("boom")

    monkeypatch.setattr(batch.Refinement, "generation", always)
    settings = config("search.on_error=skip", f"search.max_failed_share={share}", "ladder.overlap_pct=10")
    with Store.open(state.database) as store:
        experiment = experiments.create(state, store, settings)
        with pytest.raises(EvaluationError, match="max_failed_share") if status == "FAILED" else nullcontext():
            run.execute(state, store, experiment, settings, run.Plain())
        assert len(store.trials(experiment.exp_id, 0)) == 4 * batches
        assert store.results(experiment.exp_id) == []
    assert (stored(state, experiment.run_id).status, stored(state, experiment.run_id).best_score) == (status, None)


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_run_that_skipped_failures_resumes_to_the_same_end(
    state: State, monkeypatch: pytest.MonkeyPatch, pruner: str
) -> None:
    longer = ("search.max_batches=6", "search.patience=6", "search.miss_chance=0", "ladder.overlap_pct=10")
    settings = config("search.on_error=skip", f"search.pruner={pruner}", *longer)
    broken(monkeypatch, ValueError("boom"))
    whole = execute(state, settings)
    broken(monkeypatch, ValueError("boom"))
    with Store.open(state.database) as store:
        experiment = experiments.create(state, store, settings)
        assert run.execute(state, store, experiment, settings, run.Plain(), watcher=Follower(stop_after=3)) == 130
    resume(state, experiment.run_id)
    assert fingerprint(state, experiment.run_id) == fingerprint(state, whole.run_id)
    assert stored(state, experiment.run_id).eval_count == whole.eval_count


def test_a_ladder_that_breaks_a_limit_is_an_error_not_a_result(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "broken_limits", lambda *_: ["tail_cap_pct"])
    with pytest.raises(EvaluationError, match="breaks tail_cap_pct"):
        execute(state, config())


def test_a_running_run_cannot_be_executed_twice(state: State) -> None:
    with Store.open(state.database) as store:
        experiment = experiments.create(state, store, config())
        with engine.execution(state, store, experiment, config()), pytest.raises(RunBusy, match=experiment.run_id):
            resume(state, experiment.run_id)


def test_a_storage_failure_is_not_hidden_by_the_attempt_to_record_it(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(state.database) as store:
        experiment = experiments.create(state, store, config())

        def full(*_: object, **__: object) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(store, "commit_batch", full)
        monkeypatch.setattr(store, "finish", full)
        with pytest.raises(StoreError, match="the disk is full"):
            run.execute(state, store, experiment, config(), run.Plain())
    assert names(state, experiment.run_id)[-2:] == ["ORCH.ERROR", "ORCH.ERROR"]


def test_numbers_for_mlflow_are_owed_by_batch(whole: tuple[State, Experiment, Follower]) -> None:
    state, experiment, _ = whole
    with Store.open(state.database) as store:
        owed = store.owed(experiment.exp_id)
    of_first_cell = [metric for _, cell, metric in owed if cell == 0]
    assert {metric.key for metric in of_first_cell} >= {
        "best_score", "batch_best", "pruned", "evaluations_per_second", "penalty/P_gini", "penalty/P_wave",
    }  # fmt: skip
    assert sorted({metric.step for metric in of_first_cell}) == [0, 1, 2]
    best = [metric.value for metric in of_first_cell if metric.key == "best_score"]
    assert best == sorted(best, reverse=True)


# Kinds of machine


def kinds(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """What each process that searches computes on, one after another."""
    left = iter(names)
    monkeypatch.setattr(machine, "kind", lambda: next(left))


def test_a_run_that_goes_on_with_another_kind_of_processor_says_so_and_keeps_it(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds(monkeypatch, "x86_64 with AVX2", "x86_64 with AVX512", "x86_64 with AVX512")
    run_id = runs.stopped(state, store, after=1)
    for end in (runs.interrupt, lambda: None):
        events.recorder.recent.clear()
        assert runs.resumed(state, store, run_id, runs.Watch(1, end)) in {0, 130}
        (said,) = [one["msg"] for one in events.recorder.recent if one["event"] == "ORCH.START"]
        assert said.startswith(
            "began on x86_64 with AVX2 and goes on with x86_64 with AVX512: what it finds is not bit"
        )
        assert runs.stored(store, run_id).machines == ("x86_64 with AVX2", "x86_64 with AVX512")
    monkeypatch.setenv("MLAB_STATE_DIR", str(state.root))
    assert cli.main(["show"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "none of them alone gives these numbers bit for bit: x86_64 with AVX2; x86_64 with AVX512." in words


def test_where_a_run_was_cut_before_its_first_batch_is_of_no_account(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds(monkeypatch, "one", "another")
    experiment, settings = runs.opened(state, store)
    with pytest.raises(KeyboardInterrupt), engine.execution(state, store, experiment, settings):
        raise KeyboardInterrupt
    assert runs.resumed(state, store, experiment.run_id) == 0
    assert runs.stored(store, experiment.run_id).machines == ("another",)


def test_the_kind_of_a_machine_tells_what_numpy_uses_of_its_processor() -> None:
    used = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    code = "from mlab.search.machine import kind; print(kind())"
    fewer = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(used), "PYTHONPATH": str(runs.ROOT)}
    told = subprocess.run([sys.executable, "-c", code], env=fewer, capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert f"numpy {np.__version__}" in machine.kind()
    assert all(name in machine.kind() for name in used)
    assert not any(name in told for name in used)
