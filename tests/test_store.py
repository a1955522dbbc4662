from __future__ import annotations

import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine
from sqlalchemy.event import listen, remove

from mlab.core import state
from mlab.core.errors import LabError, RunBusy, StoreError
from mlab.core.events import recorder
from mlab.core.records import Batch, Candidate, Cell, CellResult, Experiment, Metric, Trial
from mlab.store import Saved, Store, database, rows
from mlab.store.schema import Base

RUN = "20260102-030405-abcdef"
CELLS = (Cell(0, 10.0, 3), Cell(1, 20.0, 3))
CONFIG = {"name": "default", "seed": 42, "ladder": {"overlap_pct": [10, 20]}}
PROCESSES = multiprocessing.get_context("spawn")


def candidate(
    cell: Cell, batch: int, index: int, score: float, run: str = RUN, shift: float | None = None
) -> Candidate:
    """One with a ladder of its own, unless ``shift`` makes it the same as others."""
    second = 1 / 3 + (batch + index / 10 if shift is None else shift)
    contract = {
        "score": score,
        "max_need": 0.1 + 0.2,
        "var_need": 1e-300,
        "tail": 1e22,
        "schedule": {"indent_pct": [0.0, second, 10.0], "volume_pct": [1.0, 33.333333333333336, 65.66666666666666]},
        "sanity": {"max_need_mismatch": False, "collapse_indents": True, "tail_overflow": False},
        "diagnostics": {"wci": 0.5, "sign_flips": 2, "gini": 0.25, "entropy": 0.75},
        "penalties": {"P_gini": 0.25, "P_wave": 0.0},
    }
    name = state.candidate_id(run, cell.index, batch, index)
    return Candidate(name, cell, batch, 10 * batch + index, score, contract, {"need_before_fill": [0.0, 1.5, 9.25]})


def batch_of(cell: Cell, index: int, *scores: float, run: str = RUN, shift: float | None = None) -> Batch:
    found = tuple(candidate(cell, index, i, score, run, shift) for i, score in enumerate(scores))
    trials = tuple(
        Trial(
            one.trial, index, {"head": 0.1, "end": 1 / 3}, "COMPLETE", one.score, (9.5, one.score), 7, one.candidate_id
        )
        for one in found
    )
    failed = Trial(10 * index + 9, index, {"head": 0.2}, "FAIL", None, (), 3, None, error="need is not finite")
    pruned = Trial(10 * index + 8, index, {"head": 0.3}, "PRUNED", 9.0, (9.0,), 1, None)
    metrics = (Metric("score/best", min(scores), index, 1_700_000_000_000 + index),)
    return Batch(cell, index, (*trials, pruned, failed), found, metrics)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "experiments.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


@pytest.fixture
def run(store: Store) -> Experiment:
    return store.create_experiment(RUN, "dca", CONFIG, "a note", CELLS)


def sql(path: Path, *statements: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        found = [connection.execute(statement).fetchall() for statement in statements]
        connection.commit()
        return found[-1]


def counts(path: Path) -> dict[str, int]:
    return {table: sql(path, f"SELECT count(*) FROM {table}")[0][0] for table in ("trials", "results", "outbox")}  # noqa: S608


def events(name: str) -> list[dict[str, Any]]:
    return [event for event in recorder.recent if event["event"] == name]


@contextmanager
def queries() -> Iterator[list[str]]:
    """The statements that read, while the block runs."""
    found: list[str] = []

    def heard(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            found.append(statement)

    listen(Engine, "before_cursor_execute", heard)
    try:
        yield found
    finally:
        remove(Engine, "before_cursor_execute", heard)


@contextmanager
def steps() -> Iterator[list[None]]:
    """What SQLite does inside the context, a mark for every ten steps of its virtual machine."""
    taken: list[None] = []

    def watch(connection: Any, *_others: Any) -> None:
        connection.connection.driver_connection.set_progress_handler(lambda: taken.append(None), 10)

    listen(Engine, "before_cursor_execute", watch)
    try:
        yield taken
    finally:
        remove(Engine, "before_cursor_execute", watch)


def scores(store: Store, run: Experiment, cell: int | None = None) -> list[float]:
    return [found.score for found in store.results(run.exp_id, cell)]


# What goes in comes out


def test_a_batch_reads_back_as_it_was_sent(store: Store, run: Experiment) -> None:
    batch = batch_of(CELLS[1], 0, 2.5, 1.5)

    assert store.commit_batch(run.exp_id, batch, top_k=50, elapsed_s=1.25) == Saved(rows=2, held=2, best_score=1.5)
    assert store.verify(run.exp_id, batch) == 2
    assert store.trials(run.exp_id, 1) == sorted(batch.trials, key=lambda trial: trial.number)
    assert store.results(run.exp_id) == [batch.candidates[1], batch.candidates[0]]
    assert [(cell, metric) for _, cell, metric in store.owed(run.exp_id)] == [(1, batch.metrics[0])]


def test_the_run_counts_what_its_batches_found(store: Store, run: Experiment) -> None:
    first, second = batch_of(CELLS[0], 0, 3.0, 2.0), batch_of(CELLS[1], 0, 4.0)
    store.commit_batch(run.exp_id, first, 50, 1.0)
    store.commit_batch(run.exp_id, second, 50, 2.5)
    store.finish_cell(run.exp_id, 0, stopped_early=True)
    store.set_flow_run(run.exp_id, "flow")
    store.set_mlflow_run(run.exp_id, "mlflow")

    found = store.experiment(RUN)
    assert found is not None
    assert (found.config, found.notes, found.status) == (CONFIG, "a note", "PENDING")
    assert (found.best_score, found.eval_count, found.elapsed_s) == (2.0, 7 + 7 + 4 + 7 + 4, 2.5)
    assert (found.flow_run_id, found.mlflow_run_id) == ("flow", "mlflow")
    assert store.cells(run.exp_id) == [
        CellResult(CELLS[0], first.candidates[1], 18, 4, 1, 1, finished=True, stopped_early=True),
        CellResult(CELLS[1], second.candidates[0], 11, 3, 1, 1, finished=False, stopped_early=False),
    ]


def test_how_far_a_run_has_come_takes_as_many_queries_for_400_cells_as_for_one(store: Store) -> None:
    cells = [Cell(index, 1.0 + index // 20, 3 + index % 20) for index in range(400)]
    run = store.create_experiment(RUN, "dca", CONFIG, "", cells)
    for index in (0, 7, 399):
        store.commit_batch(run.exp_id, batch_of(cells[index], 0, 3.0 + index, 2.0 + index), 50, 1.0)

    with queries() as all_of_them:
        found = store.cells(run.exp_id)
    with queries() as of_one:
        one = store.cell(run.exp_id, 399)

    assert (len(all_of_them), len(of_one)) == (2, 2)
    assert [result.cell for result in found] == cells
    assert {result.cell.index: result.best.score for result in found if result.best} == {0: 2.0, 7: 9.0, 399: 401.0}
    assert one == found[399]
    with pytest.raises(StoreError, match="no cell 400"):
        store.cell(run.exp_id, 400)


def test_a_batch_takes_as_many_queries_after_400_cells_as_in_the_first(store: Store) -> None:
    cells = [Cell(index, 1.0 + index // 20, 3 + index % 20) for index in range(400)]
    run = store.create_experiment(RUN, "dca", CONFIG, "", cells)
    taken = []
    for cell in (cells[0], *cells[1::40], cells[399]):
        batch = batch_of(cell, 0, 3.0 + cell.index, 2.0 + cell.index)
        with queries() as found:
            store.commit_batch(run.exp_id, batch, 50, 1.0)
            store.verify(run.exp_id, batch)
        taken.append(len(found))

    assert len(set(taken)) == 1, taken
    assert taken[0] <= 10


def test_one_cell_is_read_in_as_many_steps_among_many_cells_and_runs_as_alone(store: Store) -> None:
    def steps_of_one() -> int:
        with steps() as taken:
            store.cell(1, 0)
        return len(taken)

    cells = [Cell(index, 1.0 + index, 5) for index in range(30)]
    alone = 0
    for run_id in (RUN, "20260102-030405-fedcba"):
        run = store.create_experiment(run_id, "dca", CONFIG, "", cells)
        for cell in cells:
            store.commit_batch(run.exp_id, batch_of(cell, 0, 3.0, 2.0, run=run_id), 50, 1.0)
            alone = alone or steps_of_one()

    assert steps_of_one() <= alone * 1.1


def test_results_are_listed_by_cell_then_score_then_id(store: Store, run: Experiment) -> None:
    store.commit_batch(run.exp_id, batch_of(CELLS[1], 0, 0.5), 50, 0.0)
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 1, 2.0, 1.0), 50, 0.0)
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 1.0), 50, 0.0)

    assert [(one.cell.index, one.score, one.batch) for one in store.results(run.exp_id)] == [
        (0, 1.0, 0), (0, 1.0, 1), (0, 2.0, 1), (1, 0.5, 0),
    ]  # fmt: skip
    assert scores(store, run, 1) == [0.5]
    assert [one.batch for one in store.results(run.exp_id, 0, limit=1)] == [0]


def test_runs_are_listed_newest_first_without_the_deleted(store: Store, path: Path) -> None:
    for number in range(4):
        store.create_experiment(f"20260102-03040{number}-abcdef", "dca", {}, "", CELLS)
    sql(path, "UPDATE experiments SET deleted = 1 WHERE id = 3")

    assert [run.exp_id for run in store.experiments()] == [4, 2, 1]
    assert [run.exp_id for run in store.experiments(limit=2)] == [4, 2]
    assert store.experiment("20260102-030409-abcdef") is None


def test_what_was_delivered_is_no_longer_owed(store: Store, run: Experiment) -> None:
    for index in range(3):
        store.commit_batch(run.exp_id, batch_of(CELLS[0], index, 1.0), 50, 0.0)
    first, second, third = (key for key, _, _ in store.owed(run.exp_id))

    store.delivered([first, third])
    store.delivered([])

    assert [key for key, _, _ in store.owed(run.exp_id)] == [second]


def test_each_write_says_what_it_did(store: Store, run: Experiment) -> None:
    recorder.recent.clear()
    batch = batch_of(CELLS[1], 4, 2.0, 1.0, 3.0)
    store.commit_batch(run.exp_id, batch, top_k=2, elapsed_s=0.0)
    store.verify(run.exp_id, batch)

    written, verified = recorder.recent
    assert {"event": "DB.UPSERT_RES", "rows": 2, "held": 2, "best_score": 1.0}.items() <= written.items()
    assert {"event": "DB.VERIFY", "rows": 2}.items() <= verified.items()
    assert {"exp_id": run.exp_id, "span_id": "batch-0004", "overlap": 20.0, "orders": 3}.items() <= verified.items()


# One transaction a batch


@pytest.mark.parametrize(
    "step", ["INSERT ON trials", "INSERT ON results", "DELETE ON results", "INSERT ON outbox", "UPDATE ON experiments"]
)
def test_a_commit_that_fails_at_any_step_leaves_nothing(store: Store, run: Experiment, path: Path, step: str) -> None:
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 3.0, 2.0), 2, 1.0)
    before, experiment = counts(path), store.experiment(RUN)
    sql(path, f"CREATE TRIGGER fault BEFORE {step} BEGIN SELECT RAISE(ABORT, 'injected fault'); END")

    with pytest.raises(StoreError, match="injected fault"):
        store.commit_batch(run.exp_id, batch_of(CELLS[0], 1, 1.0), 2, 2.0)

    assert (counts(path), store.experiment(RUN)) == (before, experiment)
    sql(path, "DROP TRIGGER fault")
    assert store.commit_batch(run.exp_id, batch_of(CELLS[0], 1, 1.0), 2, 2.0) == Saved(1, 2, 1.0)


def test_a_commit_cut_by_a_signal_leaves_nothing(
    store: Store, run: Experiment, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rows, "outbox_rows", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 1.0), 50, 0.0)

    assert counts(path) == {"trials": 0, "results": 0, "outbox": 0}
    assert store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 1.0), 50, 0.0).rows == 1


def test_a_cell_keeps_its_best_and_the_others_theirs(store: Store, run: Experiment) -> None:
    store.commit_batch(run.exp_id, batch_of(CELLS[1], 0, 9.0, 8.0), 3, 0.0)
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 5.0, 3.0, 3.0), 3, 0.0)
    late = batch_of(CELLS[0], 1, 4.0, 3.0, 2.0)

    assert store.commit_batch(run.exp_id, late, 3, 0.0) == Saved(rows=1, held=3, best_score=2.0)
    assert store.verify(run.exp_id, late) == 1
    assert [(one.score, one.batch) for one in store.results(run.exp_id, 0)] == [(2.0, 1), (3.0, 0), (3.0, 0)]
    assert scores(store, run, 1) == [8.0, 9.0]


def test_a_ladder_that_is_found_again_is_counted_and_told_by_its_best_candidate(store: Store, run: Experiment) -> None:
    first = batch_of(CELLS[0], 0, 3.0, 3.0 + 1e-9, shift=1.0)
    better, other = batch_of(CELLS[0], 1, 3.0 - 1e-9, 3.0, shift=1.0 + 4e-8), batch_of(CELLS[0], 2, 5.0, shift=2.0)
    elsewhere = batch_of(CELLS[1], 0, 9.0, shift=1.0)

    assert store.commit_batch(run.exp_id, first, 2, 0.0) == Saved(rows=1, held=1, best_score=3.0)
    assert store.commit_batch(run.exp_id, better, 2, 0.0) == Saved(rows=1, held=1, best_score=3.0 - 1e-9)
    assert store.commit_batch(run.exp_id, other, 2, 0.0) == Saved(rows=1, held=2, best_score=3.0 - 1e-9)
    store.commit_batch(run.exp_id, elsewhere, 2, 0.0)
    assert [store.verify(run.exp_id, one) for one in (first, better, other, elsewhere)] == [0, 1, 1, 1]

    best = better.candidates[0]
    assert store.results(run.exp_id) == [best, other.candidates[0], elsewhere.candidates[0]]
    assert [one.found for one in store.results(run.exp_id)] == [4, 1, 1]
    assert [one.best.found for one in store.cells(run.exp_id) if one.best] == [4, 1]
    twins = (*first.candidates, *better.candidates)
    assert [store.kept(run.exp_id, twin.candidate_id) for twin in twins] == [best] * 4
    assert store.kept(run.exp_id, other.candidates[0].candidate_id) == other.candidates[0]
    assert store.kept(run.exp_id, state.candidate_id(RUN, 0, 7, 0)) is None

    store.commit_batch(run.exp_id, first, 2, 0.0)
    assert [one.found for one in store.results(run.exp_id)] == [4, 1, 1], "a batch that is there is counted once"


def test_as_many_ladders_are_kept_however_often_the_best_are_found(store: Store, run: Experiment) -> None:
    for index in range(4):
        store.commit_batch(run.exp_id, batch_of(CELLS[0], index, 1.0, 1.0, shift=1.0), 2, 0.0)
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 4, 3.0, 2.0, 4.0), 2, 0.0)
    assert [(one.score, one.found) for one in store.results(run.exp_id)] == [(1.0, 8), (2.0, 1)]
    assert store.kept(run.exp_id, state.candidate_id(RUN, 0, 4, 0)) is None, "better ones have its place"


def test_a_batch_that_comes_too_late_is_dropped_whole(store: Store, run: Experiment) -> None:
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 1.0), 1, 0.0)
    worse = batch_of(CELLS[0], 1, 2.0)

    assert store.commit_batch(run.exp_id, worse, 1, 0.0) == Saved(rows=0, held=1, best_score=1.0)
    assert store.verify(run.exp_id, worse) == 0


def test_committing_a_batch_twice_changes_nothing(store: Store, run: Experiment, path: Path) -> None:
    batch = batch_of(CELLS[0], 0, 3.0, 2.0)
    saved = store.commit_batch(run.exp_id, batch, 50, 1.0)
    before, experiment = counts(path), store.experiment(RUN)

    assert store.commit_batch(run.exp_id, batch, 50, 9.0) == saved
    assert (counts(path), store.experiment(RUN)) == (before, experiment)


def test_another_batch_with_the_same_number_is_refused(store: Store, run: Experiment) -> None:
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 3.0), 50, 1.0)

    with pytest.raises(StoreError, match="batch 0 is stored with other trials"):
        store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 2.0), 50, 1.0)
    assert scores(store, run) == [3.0]


def test_a_batch_in_which_all_failed_is_stored(store: Store, run: Experiment) -> None:
    failed = Trial(0, 0, {"head": 0.2}, "FAIL", None, (), 3, None, error="need is not finite")
    batch = Batch(CELLS[0], 0, (failed,), (), ())

    assert store.commit_batch(run.exp_id, batch, 50, 0.0) == Saved(rows=0, held=0, best_score=None)
    assert store.verify(run.exp_id, batch) == 0
    assert store.trials(run.exp_id, 0) == [failed]


# What reading back detects

TAMPERINGS = {
    "a number of the ladder": (
        "UPDATE results SET payload_json = replace(payload_json, '33.3', '33.4') WHERE trial = 1",
        "i001 is not as it was written",
    ),
    "a score": ("UPDATE results SET score = 1.75 WHERE trial = 1", "i001 is not as it was written"),
    "a checksum": ("UPDATE results SET checksum = 'x' WHERE trial = 0", "i000 is not as it was written"),
    "a lost result": ("DELETE FROM results WHERE trial = 1", "i001 is missing"),
    "a lost trial": ("DELETE FROM trials WHERE number = 8", "trials do not read back"),
    "a trial": ("UPDATE trials SET score = 0.5 WHERE number = 0", "trial 0 of experiment 1, cell 0 is not as it was"),
    "the best score": ("UPDATE experiments SET best_score = 0.5", r"row \(1,\) of experiments is not as it was"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_verify_detects(store: Store, run: Experiment, path: Path, what: str) -> None:
    batch = batch_of(CELLS[0], 0, 2.0, 1.5)
    store.commit_batch(run.exp_id, batch, 50, 0.0)
    statement, complaint = TAMPERINGS[what]
    sql(path, statement)

    with pytest.raises(StoreError, match=complaint):
        store.verify(run.exp_id, batch)


def test_verify_compares_with_what_was_sent(store: Store, run: Experiment) -> None:
    batch = batch_of(CELLS[0], 0, 2.0)
    store.commit_batch(run.exp_id, batch, 50, 0.0)
    sent = replace(batch, candidates=(replace(batch.candidates[0], risk={"need_before_fill": [0.0, 1.5, 9.5]}),))

    with pytest.raises(StoreError, match="results do not read back"):
        store.verify(run.exp_id, sent)


def test_a_tampered_ladder_is_never_listed(store: Store, run: Experiment, path: Path) -> None:
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 2.0), 50, 0.0)
    sql(path, "UPDATE results SET risk_json = '{}'")

    with pytest.raises(StoreError, match="is not as it was written"):
        store.results(run.exp_id)


# What is refused


def _with(**fields: Any) -> Callable[[Batch], Batch]:
    return lambda batch: replace(batch, candidates=(replace(batch.candidates[0], **fields),))


def _contract(**fields: Any) -> Callable[[Batch], Batch]:
    return lambda batch: _with(contract=batch.candidates[0].contract | fields)(batch)


def _trial(**fields: Any) -> Callable[[Batch], Batch]:
    return lambda batch: replace(batch, trials=(replace(batch.trials[0], **fields),))


REFUSED: dict[str, tuple[Callable[[Batch], Batch], str]] = {
    "nan in the ladder": (
        _contract(schedule={"indent_pct": [0.0, float("nan")]}),
        r"i000\.schedule\.indent_pct\[1\].*nan",
    ),
    "an infinite penalty": (_contract(penalties={"P_gini": float("inf")}), r"i000\.penalties\.P_gini.*inf"),
    "a numpy number": (_contract(max_need=np.float64(1.0)), r"i000\.max_need.*numpy\.float64"),
    "an array": (_contract(tail=np.zeros(2)), r"i000\.tail.*numpy\.ndarray"),
    "a tuple": (_contract(tail=(1.0, 2.0)), r"i000\.tail.*tuple"),
    "a key that is no text": (_with(risk={1: 1.0}), r"i000\.risk: keys must be text"),
    "an endless integer": (_with(risk={"n": 2**70}), r"i000\.risk.*64-bit"),
    "a score that is nan": (_with(score=float("nan")), r"i000\.score.*nan"),
    "a report that is nan": (_trial(reports=(1.0, float("nan"))), r"trial 0: reports\[1\].*nan"),
    "a parameter of numpy": (_trial(params={"head": np.float64(1)}), r"trial 0: params\.head.*numpy"),
    "a trial's score": (_trial(score=float("inf")), r"trial 0\.score.*inf"),
    "a trial's number of numpy": (_trial(number=np.int64(3)), r"trial 3\.number.*numpy\.int64"),
    "a trial's batch of numpy": (_trial(batch=np.int64(0)), r"trial 0\.batch.*numpy\.int64"),
    "evaluations of numpy": (_trial(evaluations=np.int32(7)), r"trial 0\.evaluations.*numpy\.int32"),
    "a candidate's trial of numpy": (_with(trial=np.int64(0)), r"i000\.trial.*numpy\.int64"),
    "a candidate's batch of numpy": (_with(batch=np.uint8(0)), r"i000\.batch.*numpy\.uint8"),
    "a batch of numpy": (lambda batch: replace(batch, index=np.int64(0)), r"batch 0\.index.*numpy\.int64"),
    "a cell of numpy": (
        lambda batch: replace(batch, cell=replace(batch.cell, index=np.int64(0)), trials=(), candidates=()),
        r"batch 0\.cell_index.*numpy\.int64",
    ),
    "a step of numpy": (
        lambda batch: replace(batch, metrics=(Metric("need/max", 1.0, np.int64(0), 1),)),
        r"metric need/max\.step.*numpy\.int64",
    ),
    "a time of numpy": (
        lambda batch: replace(batch, metrics=(Metric("need/max", 1.0, 0, np.int64(1)),)),
        r"metric need/max\.timestamp_ms.*numpy\.int64",
    ),
    "a metric that is nan": (
        lambda batch: replace(batch, metrics=(Metric("need/max", float("nan"), 0, 1),)),
        r"metric need/max\.value.*nan",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_plain_json_is_refused_by_name(store: Store, run: Experiment, path: Path, what: str) -> None:
    spoil, complaint = REFUSED[what]

    with pytest.raises(StoreError, match=complaint):
        store.commit_batch(run.exp_id, spoil(batch_of(CELLS[0], 0, 1.0)), 50, 0.0)
    assert counts(path) == {"trials": 0, "results": 0, "outbox": 0}


@pytest.mark.parametrize("number", [np.int64(1), np.uint8(1)])
def test_a_number_of_numpy_finds_nothing_and_is_not_stored(store: Store, run: Experiment, number: Any) -> None:
    with pytest.raises(StoreError, match=r"elapsed_s: .*numpy"):
        store.finish(run.exp_id, "STOPPED", number)
    with pytest.raises(StoreError, match=r"5 % x 3\.cell_index.*numpy"):
        store.create_experiment("20260102-030409-abcdef", "dca", {}, "", [Cell(number, 5.0, 3)])
    with pytest.raises(StoreError, match="no experiment 1"):
        store.finish(number, "STOPPED", 1.0)
    with pytest.raises(StoreError, match=r"top_k.*numpy"):
        store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 1.0), number, 0.0)


def test_what_does_not_exist_is_named(store: Store, run: Experiment) -> None:
    with pytest.raises(StoreError, match="no run 20990101-000000-000000"):
        store.claim("20990101-000000-000000")
    with pytest.raises(StoreError, match="no experiment 77"):
        store.finish(77, "STOPPED", 0.0)
    with pytest.raises(StoreError, match="no cell 9"):
        store.finish_cell(run.exp_id, 9, stopped_early=False)
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.commit_batch(run.exp_id, batch_of(Cell(9, 1.0, 3), 0, 1.0), 50, 0.0)


def test_a_run_id_is_used_once(store: Store, run: Experiment) -> None:
    with pytest.raises(StoreError, match=r"UNIQUE constraint failed: experiments\.run_id"):
        store.create_experiment(run.run_id, "dca", {}, "", CELLS)


# Who executes a run


def _hold(path: Path, line: Connection) -> None:
    with Store.open(path) as store:
        store.claim(RUN)
        line.send("held")
        line.recv()


@contextmanager
def another_process_holds(path: Path) -> Iterator[int | None]:
    line, far_end = PROCESSES.Pipe()
    other = PROCESSES.Process(target=_hold, args=(path, far_end))
    other.start()
    try:
        assert line.poll(30)
        yield other.pid
    finally:
        other.kill()
        other.join()


def test_a_run_belongs_to_a_living_process_until_that_is_killed(store: Store, run: Experiment, path: Path) -> None:
    store.claims.let_go(RUN)
    with another_process_holds(path) as pid:
        with pytest.raises(RunBusy, match=rf"{RUN} .* process {pid};"):
            store.claim(RUN)
        with pytest.raises(RunBusy):
            store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 1.0), 50, 0.0)
        with pytest.raises(RunBusy):
            store.finish(run.exp_id, "FAILED", 0.0)
        assert store.reconcile() == []
        assert [one.status for one in store.experiments()] == ["RUNNING"]

    assert [one.status for one in store.experiments()] == ["STOPPED"]
    assert store.claim(RUN).status == "RUNNING"


def test_runs_left_by_the_dead_are_stopped(store: Store, run: Experiment, path: Path) -> None:
    store.claims.let_go(RUN)
    with another_process_holds(path):
        pass

    assert [(orphan.run_id, orphan.status) for orphan in store.reconcile()] == [(run.run_id, "STOPPED")]
    assert store.reconcile() == []
    assert store.claim(RUN).status == "RUNNING"


def test_a_run_is_claimed_once_and_let_go_of(store: Store, run: Experiment) -> None:
    claimed = store.claim(RUN)
    assert (claimed.status, claimed.finished_at) == ("RUNNING", None)
    with pytest.raises(RunBusy, match=str(os.getpid())):
        store.claim(RUN)

    stopped = store.finish(run.exp_id, "STOPPED", 12.5)
    assert (stopped.status, stopped.elapsed_s) == ("STOPPED", 12.5)
    assert stopped.finished_at is not None

    again = store.claim(RUN)
    assert (again.status, again.finished_at, again.started_at) == ("RUNNING", None, claimed.started_at)


def test_a_completed_run_stays_completed(store: Store, run: Experiment) -> None:
    store.claim(RUN)
    done = store.finish(run.exp_id, "COMPLETED", 1.0)

    assert store.claim(RUN) == done
    assert store.experiment(RUN) == done


# The schema


def test_migrations_make_the_tables_that_the_program_expects(path: Path) -> None:
    Store.open(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    expected = create_engine("sqlite://")
    Base.metadata.create_all(expected)
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    with expected.connect() as connection:
        declared = {name: " ".join(text.split()) for name, text in connection.exec_driver_sql(query)}
    assert {name: " ".join(text.split()) for name, text in sql(path, query)} == declared
    engine.dispose()
    expected.dispose()


def test_opening_again_keeps_everything(store: Store, run: Experiment, path: Path) -> None:
    store.commit_batch(run.exp_id, batch_of(CELLS[0], 0, 1.0), 50, 0.0)
    store.close()

    with Store.open(path) as again:
        assert again.experiment(RUN) is not None
        assert scores(again, run) == [1.0]
    assert events("DB.INIT")[-1]["revision"] == "0006"


def test_the_schema_of_a_later_program_is_refused(store: Store, path: Path) -> None:
    store.close()
    sql(path, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreError, match="schema 9999 is newer than this program"):
        Store.open(path)


def test_every_connection_is_durable_and_patient(store: Store) -> None:
    with store.database.writing() as session:
        pragmas = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "busy_timeout": 30_000, "foreign_keys": 1, "synchronous": 2}


# Several processes


def _write(path: Path, number: int) -> None:
    run = f"20260102-03040{number}-abcdef"
    with Store.open(path) as store:
        exp_id = store.create_experiment(run, "dca", {}, "", CELLS).exp_id
        store.claim(run)
        for index in range(15):
            batch = batch_of(CELLS[0], index, 20.0 - index, 30.0, run=run)
            store.commit_batch(exp_id, batch, 50, 0.0)
            store.verify(exp_id, batch)
        store.finish(exp_id, "COMPLETED", 1.0)


def test_two_processes_that_create_and_write_at_once_lose_nothing(path: Path) -> None:
    writers = [PROCESSES.Process(target=_write, args=(path, number)) for number in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0, 0]
    assert counts(path) == {"trials": 2 * 15 * 4, "results": 2 * 15 * 2, "outbox": 2 * 15}
    with Store.open(path) as store:
        assert [(run.status, run.best_score) for run in store.experiments()] == [("COMPLETED", 6.0)] * 2


def test_reading_waits_for_no_writer(store: Store, run: Experiment, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.experiment(RUN) == run
        Store.open(path).close()


# Failures of file and disk


def _locked(path: Path) -> None:
    with Store.open(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.create_experiment(RUN, "dca", {}, "", CELLS)


def _limited(pragma: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with Store.open(path) as store:
            with store.database.reading() as session:
                session.connection().exec_driver_sql(f"PRAGMA {pragma}")
            store.create_experiment(RUN, "dca", {"filler": "x" * 100_000}, "", CELLS)

    return write


def _locked_before_it_is_ours(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        Store.open(path)


def _not_a_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("these are notes, not a database\n" * 100)
    Store.open(path)


def _damaged(path: Path) -> None:
    Store.open(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    Store.open(path)


def _folder_is_a_file(path: Path) -> None:
    path.parent.write_text("")
    Store.open(path)


def _file_is_a_folder(path: Path) -> None:
    path.mkdir(parents=True)
    Store.open(path)


@pytest.mark.parametrize(
    ("fail", "complaint"),
    [
        (_locked, "locked by another program"),
        (_locked_before_it_is_ours, "locked by another program"),
        (_limited("query_only = ON"), "read-only; make the file"),
        (_limited("max_page_count = 20"), "disk is full; free some space"),
        (_not_a_database, "not an SQLite database; move it away"),
        (_damaged, "damaged; restore a copy"),
        (_folder_is_a_file, "make its folder writable"),
        (_file_is_a_folder, "cannot be opened"),
    ],
    ids=["locked", "locked when new", "read-only", "full", "not a database", "damaged", "no folder", "folder"],
)
def test_failures_end_in_one_line_with_file_and_remedy(
    path: Path, fail: Callable[[Path], None], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    recorder.recent.clear()

    with pytest.raises(LabError, match=complaint) as caught:
        fail(path)

    assert caught.value.exit_status == 4
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert [event["msg"] for event in events("DB.ERROR")] == [str(caught.value)]


def test_a_database_that_its_owner_took_out_of_wal_mode_stays_so_and_takes_several_writers(path: Path) -> None:
    with Store.open(path) as store:
        assert sql(path, "PRAGMA journal_mode") == [("wal",)]
        run = store.create_experiment(RUN, "dca", CONFIG, "", CELLS)
    assert sql(path, "PRAGMA journal_mode = DELETE") == [("delete",)]

    with Store.open(path) as first, Store.open(path, first.holder) as second:
        first.claim(RUN)
        for index in range(3):
            first.commit_batch(run.exp_id, batch_of(CELLS[0], index, 2.0 + index), top_k=9, elapsed_s=1.0)
            second.commit_batch(run.exp_id, batch_of(CELLS[1], index, 1.0 + index), top_k=9, elapsed_s=1.0)
        assert len(first.results(run.exp_id)) == 6
    assert sql(path, "PRAGMA journal_mode") == [("delete",)]
