"""The steps of a run as tasks: what their functions did counts, whatever becomes of Prefect."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest
from prefect._internal.concurrency.cancellation import CancelledError
from prefect.states import Cancelled

from flows import tasks
from flows.cluster import Cluster
from flows.tasks import Attempt, TaskSteps
from mlab.core.errors import EvaluationError, LabError, WorkerLost
from mlab.core.state import State
from mlab.search import run
from mlab.store import Store
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")

HERE = Cluster("", "")
GONE = ConnectionError("Prefect is gone")


def as_task(monkeypatch: pytest.MonkeyPatch, run_task: Callable[[Callable[[], Any]], Any]) -> list[str]:
    """Have tasks run their functions like that, rather than by Prefect; the names of tasks that were begun."""
    names: list[str] = []

    def task(*, task_run_name: str, **_options: Any) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        names.append(task_run_name)
        return lambda function: lambda: run_task(function)

    monkeypatch.setattr(tasks, "task", task)
    return names


def gone(_function: Callable[[], Any]) -> None:
    raise GONE


def gone_behind(function: Callable[[], Any]) -> None:
    function()
    raise GONE


def double(number: int) -> int:
    return 2 * number


def fail() -> None:
    raise EvaluationError("the score is nan")


def test_a_step_is_a_task_named_after_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    names = as_task(monkeypatch, lambda function: function())
    steps = TaskSteps(1, HERE)

    assert steps.take(double, 21) == 42
    assert (names, steps.fault) == (["double"], None)


def test_where_prefect_fails_before_a_step_it_is_taken_without_and_so_are_all_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = as_task(monkeypatch, gone)
    steps = TaskSteps(1, HERE)

    assert (steps.take(double, 21), steps.take(double, 4)) == (42, 8)
    assert (names, steps.fault) == (["double"], GONE)


def test_what_a_step_did_counts_although_prefect_fails_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    as_task(monkeypatch, gone_behind)
    calls: list[int] = []

    assert TaskSteps(1, HERE).take(lambda number: calls.append(number), 1) is None  # noqa: PLW0108 - a function of ours
    assert calls == [1]
    with pytest.raises(EvaluationError, match="the score is nan"):
        TaskSteps(1, HERE).take(fail)


def test_a_step_that_prefect_interrupts_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    as_task(monkeypatch, lambda function: function())
    steps, calls = TaskSteps(1, HERE), []

    def interrupted() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise CancelledError  # as when the lease of a deployment's slot cannot be renewed
        return "through"

    assert steps.take(interrupted) == "through"
    assert len(calls) == 2
    assert isinstance(steps.fault, CancelledError)


def test_a_retry_counts_as_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def retried(function: Callable[[], Any]) -> Any:
        assert function().is_failed()
        return function()

    as_task(monkeypatch, retried)
    calls: list[int] = []

    def second_time_lucky() -> str:
        calls.append(1)
        if len(calls) == 1:
            fail()
        return "lucky"

    assert TaskSteps(1, HERE).take(second_time_lucky) == "lucky"


def test_a_signal_cancels_the_task_and_stops_the_run() -> None:
    attempt = Attempt(runs.interrupt)

    state = attempt()

    assert (type(state), state.name) == (type(Cancelled()), "Cancelled")
    with pytest.raises(KeyboardInterrupt):
        attempt.result()


# Cells


def searched(state: State, steps: TaskSteps) -> str:
    """How a tiny run ends that is searched like that."""
    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store)
        try:
            run.execute(state, store, experiment, config, steps)
        finally:
            status = runs.stored(store, experiment.run_id).status
        assert [cell.finished for cell in store.cells(experiment.exp_id)] == [True, True]
    return status


def test_each_cell_is_a_task(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    names = as_task(monkeypatch, lambda function: function())

    assert searched(state, TaskSteps(1, HERE)) == "COMPLETED"
    assert names == ["10 % x 4", "10 % x 5"]


@pytest.mark.parametrize("broken", [gone, gone_behind])
def test_cells_are_searched_without_a_prefect_that_is_gone(
    broken: Callable[[Callable[[], Any]], None], state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_task(monkeypatch, broken)

    assert searched(state, TaskSteps(1, HERE)) == "COMPLETED"


class Runner:
    """Stands where a task runner of Prefect's would be; every future ends in the same way."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def submit(self, _task: Any, _parameters: Any) -> Any:
        future: Any = Future()
        future.set_exception(self._error)
        return future


def runner_fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    @contextmanager
    def runner_of(_cluster: Cluster, _workers: int) -> Iterator[Runner]:
        yield Runner(error)

    monkeypatch.setattr(tasks, "runner_of", runner_of)


def test_workers_that_prefect_loses_are_replaced_by_plain_ones(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    runner_fails(monkeypatch, GONE)
    plain: list[int] = []
    monkeypatch.setattr(run.Plain, "search", lambda self, *_arguments: plain.append(self.workers))
    steps = TaskSteps(2, HERE)

    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store)
        run.execute(state, store, experiment, config, steps)

    assert (plain, steps.fault) == ([2], GONE)


def test_a_worker_that_dies_ends_the_run(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    runner_fails(monkeypatch, BrokenExecutor("a process died"))

    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store)
        with pytest.raises(WorkerLost, match="with fewer workers"):
            run.execute(state, store, experiment, config, TaskSteps(2, HERE))
        assert runs.stored(store, experiment.run_id).status == "FAILED"


def test_what_a_search_raises_in_a_worker_is_no_fault_of_prefects_and_holds_no_secret(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_assignment: object) -> NoReturn:
        error = ValueError("password=hunter22")
        error.add_note("In worker host:1: Traceback ...")
        raise error

    monkeypatch.setattr(tasks.pools, "search_cell", broken)
    with pytest.raises(LabError) as raised:
        tasks.search.fn(None)
    assert "hunter22" not in "".join(traceback.format_exception(raised.value))
    assert "In worker host:1" in "".join(traceback.format_exception(raised.value))

    runner_fails(monkeypatch, raised.value)
    steps = TaskSteps(2, HERE)
    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store)
        with pytest.raises(LabError, match="ValueError"):
            run.execute(state, store, experiment, config, steps)
        assert (runs.stored(store, experiment.run_id).status, steps.fault) == ("FAILED", None)


def test_a_failure_is_told_to_prefect_without_its_secrets() -> None:
    def broken() -> NoReturn:
        raise KeyError("token=hunter22")

    failure = Attempt(broken)()

    assert failure.is_failed()
    assert failure.message.startswith("KeyError: ")
    assert "hunter22" not in repr(failure)
