"""What a worker does in the name of the process that holds the run, and what that process sees of it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.workers import fingerprint
from mlab.core.errors import ConfigError, EvaluationError, LabError, RunBusy, WorkerLost
from mlab.core.records import Cell, CellResult
from mlab.core.state import State
from mlab.search import batch, engine
from mlab.search.engine import Execution
from mlab.search.polling import StorePoller
from mlab.search.worker import Assignment, assignments, search_cell
from mlab.store import Holder, Store
from tests import runs
from tests.runs import Watch

pytestmark = pytest.mark.usefixtures("quick")

GRID = ("ladder.overlap_pct=[10, 20]", "ladder.num_orders=[4, 5]")


@pytest.fixture
def run(state: State, store: Store) -> Iterator[Execution]:
    """A run of four cells in this process's hands."""
    experiment, config = runs.opened(state, store, *GRID)
    with engine.execution(state, store, experiment, config) as current:
        yield current


class Told(Watch):
    """Remembers what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, int]] = []
        self.done: list[CellResult] = []

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        super().batch(cell, index, best_score, evaluations)
        self.told.append((cell.index, index))

    def cell_done(self, result: CellResult) -> None:
        self.done.append(result)


def test_unfinished_cells_are_handed_out_longest_first(run: Execution) -> None:
    todo = assignments(run, workers=2)
    assert [(task.cell.index, task.cell.num_orders) for task in todo] == [(1, 5), (3, 5), (0, 4), (2, 4)]
    assert {(task.root, task.run_id, task.holder) for task in todo} == {
        (run.state.root, run.experiment.run_id, run.store.holder)
    }
    assert pickle.loads(pickle.dumps(todo)) == todo  # noqa: S301 - our own

    search_cell(todo[0])
    assert [task.cell.index for task in assignments(run, workers=2)] == [3, 0, 2]


@pytest.mark.parametrize(("workers", "turns"), [(1, [4, 3, 2, 1]), (2, [2, 2, 1, 1]), (3, [2, 1, 1, 1]), (9, [1] * 4)])
def test_workers_share_the_time_left_by_turns(run: Execution, workers: int, turns: list[int]) -> None:
    assert [task.turns for task in assignments(run, workers)] == turns


def test_cells_searched_elsewhere_in_any_order_give_what_one_process_finds(state: State, store: Store) -> None:
    alone = runs.searched(state, store, *GRID)
    experiment, config = runs.opened(state, store, *GRID)
    with engine.execution(state, store, experiment, config) as current:
        for task in assignments(current, workers=2):
            search_cell(task)
            assert runs.stored(store, experiment.run_id).status == "RUNNING"

    assert fingerprint(state, experiment.run_id) == fingerprint(state, alone)
    here, there = runs.stored(store, alone), runs.stored(store, experiment.run_id)
    assert (there.status, there.best_score, there.eval_count) == ("COMPLETED", here.best_score, here.eval_count)


def test_elapsed_time_is_that_of_the_run(state: State, store: Store, run: Execution) -> None:
    task = assignments(run, workers=1)[0]
    search_cell(replace(task, began=task.began - 1000.0))
    assert 1000.0 < runs.stored(store, run.experiment.run_id).elapsed_s < 1100.0


def test_a_time_limit_ends_every_cell_after_a_batch(state: State, store: Store) -> None:
    limits = ("search.max_time_s=0.000001", "search.max_batches=500")
    experiment, config = runs.opened(state, store, *GRID, *limits)
    with engine.execution(state, store, experiment, config) as current:
        for task in assignments(current, workers=2):
            search_cell(task)
    assert [(cell.batches, cell.stopped_early) for cell in store.cells(experiment.exp_id)] == [(1, True)] * 4


def refused(task: Assignment) -> str:
    with pytest.raises(RunBusy) as error:
        search_cell(task)
    return str(error.value)


def test_a_worker_writes_nothing_once_the_run_has_ended(state: State, store: Store) -> None:
    experiment, config = runs.opened(state, store, *GRID)
    with engine.execution(state, store, experiment, config) as current:
        task = assignments(current, workers=1)[0]

    assert "is COMPLETED, and takes nothing more" in refused(task)
    assert [cell.batches for cell in store.cells(experiment.exp_id)] == [0] * 4


def test_a_worker_writes_nothing_once_another_process_holds_the_run(store: Store, run: Execution) -> None:
    task = replace(assignments(run, workers=1)[0], holder=Holder())

    assert "is being executed" in refused(task)
    assert [cell.batches for cell in store.cells(run.experiment.exp_id)] == [0] * 4


def test_a_failure_brings_the_traceback_of_the_worker(run: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "broken_limits", lambda *_: ["tail_cap_pct"])
    with pytest.raises(EvaluationError, match="breaks tail_cap_pct") as error:
        search_cell(assignments(run, workers=1)[0])
    again = pickle.loads(pickle.dumps(error.value))  # noqa: S301 - our own
    assert "search_batch" in "".join(again.__notes__)


@pytest.mark.parametrize(
    "error", [ConfigError("file", "field", "must be x", 3), RunBusy("busy"), WorkerLost("gone"), EvaluationError("nan")]
)
def test_errors_travel_between_processes(error: LabError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(again), str(again), again.exit_status) == (type(error), str(error), error.exit_status)


def test_the_events_of_a_worker_carry_the_ids_and_its_name(state: State, run: Execution) -> None:
    search_cell(assignments(run, workers=1)[0])
    log = [json.loads(line) for line in state.events(run.experiment.run_id).read_text().splitlines()]
    saved = [event for event in log if event["event"] == "ORCH.SAVE_OK"]
    assert [event["span_id"] for event in saved] == ["batch-0000", "batch-0001"]
    assert {(event["run_id"], event["exp_id"], event["orders"]) for event in saved} == {
        (run.experiment.run_id, run.experiment.exp_id, 5)
    }
    assert all(":" in event["worker"] for event in saved)


def test_a_poller_tells_of_every_batch_once_and_of_finished_cells(store: Store, run: Execution) -> None:
    told = Told()
    search_cell(assignments(run, workers=1)[0])  # before it looks for the first time
    poller = StorePoller(store, run.experiment.exp_id, told)
    poller.poll()
    assert (told.told, [result.cell.index for result in told.done]) == ([], [1])

    for task in assignments(run, workers=2)[:2]:
        search_cell(task)
    poller.poll()
    poller.poll()
    assert told.told == [(0, 0), (0, 1), (3, 0), (3, 1)]
    assert [result.cell.index for result in told.done] == [1, 0, 3]
    assert told.done == [cell for index in (1, 0, 3) for cell in store.cells(run.experiment.exp_id)[index : index + 1]]
