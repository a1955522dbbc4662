"""The steps of a run as tasks of Prefect's, one a cell; where Prefect fails, they are plain calls from then on.

What counts of a task is what its function did: it has returned, or raised, whatever Prefect makes of that. So no fault
of Prefect's ends a search or falsifies it, while retries, durations, failures and concurrency limits are Prefect's own.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from prefect import task
from prefect._internal.concurrency.cancellation import CancelledError
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from flows.cluster import Cluster
from mlab.core.errors import LabError, WorkerLost
from mlab.core.redaction import redacted
from mlab.search import forkserver, pools
from mlab.search.engine import Execution
from mlab.search.run import Plain
from mlab.search.watcher import Watcher
from mlab.search.worker import Assignment

P = ParamSpec("P")
T = TypeVar("T")

FAULTS = (Exception, CancelledError)
"""What Prefect may raise: its own cancellation, of a lease that it could not renew, is no Exception."""


@contextmanager
def runner_of(cluster: Cluster, workers: int) -> Iterator[TaskRunner[Any]]:
    """Prefect's task runner over so many processes of this machine, or over a cluster.

    Raises:
        WorkerLost: the cluster does not start.
    """
    on_termination = signal.getsignal(signal.SIGTERM)
    try:
        runner = _runner(cluster, workers).__enter__()
    except Exception as error:
        raise WorkerLost(f"{cluster.kind or 'workers'}: {error}") from error
    signal.signal(signal.SIGTERM, on_termination)  # Ray takes it over
    try:
        with pools.killed_when_cut():
            yield runner
    finally:
        runner.__exit__(None, None, None)


def _runner(cluster: Cluster, workers: int) -> TaskRunner[Any]:
    if cluster.kind == "dask":
        from prefect_dask.task_runners import DaskTaskRunner

        local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        dask = DaskTaskRunner(address=cluster.address) if cluster.address else DaskTaskRunner(cluster_kwargs=local)
        _ = dask.client  # connects now, where a failure can be told from one of the search
        return dask
    if cluster.kind == "ray":
        from prefect_ray.task_runners import RayTaskRunner

        options = {"log_to_driver": False} | ({} if cluster.address else {"num_cpus": workers})
        ray: TaskRunner[Any] = RayTaskRunner(address=cluster.address or None, init_kwargs=options)
        return ray
    return ProcessPoolTaskRunner(workers, initializer=pools.begin_worker)


class Attempt(Generic[T]):
    """A function as a task runs it, once or again: what it returned or raised last, known here.

    To Prefect it fails or is cancelled without an exception: those hold causes and values, and with them secrets.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._value: T
        self._error: BaseException | None = None
        self.over = False

    def __call__(self) -> Any:
        """Run it; what Prefect is to make of it."""
        self.over, self._error = False, None
        try:
            self._value = self._function()
        except CancelledError:  # an interruption of Prefect's, and no answer
            raise
        except BaseException as error:  # noqa: BLE001 - raised by result()
            self.over, self._error = True, error
            if isinstance(error, Exception):
                return Failed(message=redacted(f"{type(error).__name__}: {error}"))
            return Cancelled(message="Stopped; what was saved is kept.")
        self.over = True
        return Completed()

    def result(self) -> T:
        """What it returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._value


class TaskSteps:
    """Takes each step as a task, and searches each cell as one: here, over processes, or on a cluster.

    Attributes:
        fault: what Prefect failed with, None as long as it has not.
    """

    def __init__(self, workers: int, cluster: Cluster) -> None:
        self._workers, self._cluster, self._plain = workers, cluster, Plain(workers)
        self.fault: BaseException | None = None

    def take(self, step: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Take one step as a task that is named after its function."""
        name = step.__name__
        return self._as_task(name, name.replace("_", " "), partial(step, *arguments, **named))

    def search(self, run: Execution, watcher: Watcher) -> None:
        """Search all cells of a run, each as a task."""
        cells = run.config.cells()
        workers = self._workers if self._cluster.address else min(self._workers, len(cells))
        if workers == 1 and not self._cluster.kind:
            for cell in cells:
                self._as_task("search", cell.label, partial(run.search, cell, watcher))
            return
        if self.fault is None:
            try:
                self._hand_out(run, workers, watcher)
            except LabError:
                raise
            except FAULTS as fault:
                self.fault = fault
        if self.fault is not None:
            self._plain.search(run, watcher)

    def _as_task(self, name: str, label: str, function: Callable[[], T]) -> T:
        """Run a function as a task; plainly where Prefect has failed, or does before the function is through."""
        if self.fault is None:
            attempt = Attempt(function)
            try:
                of_step = task(name=name, task_run_name=label, cache_policy=NO_CACHE, persist_result=False)
                as_task: Any = of_step(attempt.__call__)
                as_task()
            except FAULTS as fault:
                if not attempt.over:
                    self.fault = fault
            if attempt.over:
                return attempt.result()
        return function()

    def _hand_out(self, run: Execution, workers: int, watcher: Watcher) -> None:
        forkserver.one_thread_each()
        with runner_of(self._cluster, workers) as runner:

            def submit(assignment: Assignment) -> Future[None]:
                of_cell = search.with_options(task_run_name=assignment.cell.label)
                # An interrupt from the keyboard is for this process alone; what is started now inherits that.
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
                future = runner.submit(of_cell, {"assignment": assignment})
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
                return _plain_future(future)

            pools.hand_out(run, workers, watcher, submit)


@task(name="search", cache_policy=NO_CACHE, persist_result=False)
def search(assignment: Assignment) -> None:
    """Search one cell in a worker.

    Raises:
        LabError: the search failed. Nothing else, and no cause: Prefect writes down what it sees of an exception.
    """
    try:
        pools.search_cell(assignment)
    except LabError as error:
        raise error from None
    except Exception as error:  # noqa: BLE001 - whatever it is
        failure = LabError(f"{type(error).__name__}: {error}")
        for note in error.__notes__:
            failure.add_note(note)
        raise failure from None


def _plain_future(future: PrefectFuture[None]) -> Future[None]:
    """A future of Prefect's as others wait for it."""
    plain: Future[None] = Future()

    def settle(done: PrefectFuture[None]) -> None:
        try:
            done.result()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised to who waits
            plain.set_exception(error)
        else:
            plain.set_result(None)

    future.add_done_callback(settle)
    return plain
