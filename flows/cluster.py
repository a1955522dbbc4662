"""Where cells are searched: in this process, in several of this machine, or on a cluster of Dask or Ray.

Prefect sees one task a cell in all of them. On a cluster the task itself searches. Processes of this machine know
nothing of Prefect, which makes them ready in half the time and memory; there the tasks are threads that wait for them.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from mlab.errors import ConfigError, LabError, WorkerLost

if TYPE_CHECKING:
    from prefect.task_runners import TaskRunner

    from mlab.worker import Assignment

VARIABLE = "MLAB_CLUSTER"
MOST = 256
"""Most workers that may be asked for."""

PACKAGES = {"dask": "prefect_dask", "ray": "prefect_ray"}
BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""How many threads numpy's libraries use: one, where there is a process for every core."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The cluster that ``MLAB_CLUSTER`` names: its kind, empty for none, and its address, empty for a local one."""

    kind: str
    address: str

    @classmethod
    def here(cls) -> Self:
        """The setting of this process.

        Raises:
            ConfigError: it is none, or its package is missing.
        """
        value = os.environ.get(VARIABLE, "")
        kind, _, address = value.partition(":")
        if value and kind not in PACKAGES:
            raise ConfigError("environment", VARIABLE, "must be dask, ray, dask:ADDRESS or ray:ADDRESS", value)
        if value and importlib.util.find_spec(PACKAGES[kind]) is None:
            raise ConfigError("environment", VARIABLE, f"{kind} is missing; in the checkout: pip install '.[{kind}]'")
        return cls(kind, address)


# Processes of this machine

started: ContextVar[ProcessPoolExecutor | None] = ContextVar("started", default=None)
"""Processes that the caller of the flow has started, because they take a second to get ready."""


@contextmanager
def processes(setting: Setting, workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """Workers of this machine, on their way up; None where none are needed. They end with the block that began them."""
    if setting.kind or workers == 1 or started.get():
        yield started.get()
        return
    for name in BLAS:
        os.environ.setdefault(name, "1")
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (os.getpid(),))
    # An interrupt from the keyboard is for this process alone; the others inherit that they do not see it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    for _ in range(workers):
        pool.submit(_get_ready)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield pool
    finally:
        _kill_children()
        pool.shutdown()


def _begin(parent: int) -> None:
    """Let a worker end with the process that started it, even one that had no time to say so."""

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _get_ready() -> None:
    """Load what a search needs."""
    importlib.import_module("mlab.worker")


def _kill_children() -> None:
    """End the workers at once. What they saved is saved; nobody waits for a batch that is half done."""
    for child in multiprocessing.active_children():
        child.kill()


# Who carries the tasks


@dataclass(frozen=True, slots=True)
class Hands:
    """The task runner that carries the tasks of a run's cells, and what such a task does."""

    runner: TaskRunner[Any]
    search: Callable[[Assignment], None]


@contextmanager
def hands(setting: Setting, workers: int) -> Iterator[Hands | None]:
    """Where a run's cells are searched; None where this process does that itself.

    Raises:
        WorkerLost: a cluster failed.
    """
    if not setting.kind and workers == 1:
        yield None
        return
    on_termination = signal.getsignal(signal.SIGTERM)
    with processes(setting, workers) as pool, _task_runner(setting, workers) as runner:
        if setting.kind == "ray":
            signal.signal(signal.SIGTERM, on_termination)  # Ray has taken it over
        try:
            yield Hands(runner, partial(_search_in, pool) if pool else _search)
        except BaseException as error:
            _kill_children()  # the runner waits for what they do
            if setting.kind and isinstance(error, Exception) and not isinstance(error, LabError):
                raise WorkerLost(f"{setting.kind}: {error}") from error
            raise


def _task_runner(setting: Setting, workers: int) -> TaskRunner[Any]:
    """Prefect's task runner: threads that wait for processes, a cluster that is up, or one for this run alone."""
    if not setting.kind:
        from prefect.task_runners import ThreadPoolTaskRunner

        return ThreadPoolTaskRunner(max_workers=workers)
    if setting.kind == "dask":
        from prefect_dask.task_runners import DaskTaskRunner

        local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        return DaskTaskRunner(address=setting.address or None, cluster_kwargs=None if setting.address else local)
    from prefect_ray.task_runners import RayTaskRunner

    local = {"num_cpus": workers}
    ray: TaskRunner[Any] = RayTaskRunner(setting.address or None, None if setting.address else local)
    return ray


def _search_in(pool: ProcessPoolExecutor, assignment: Assignment) -> None:
    """Have a process of this machine search one cell, and wait for it.

    Raises:
        WorkerLost: the process died.
    """
    try:
        pool.submit(_search, assignment).result()
    except BrokenExecutor as error:
        what = f"a worker died, perhaps for want of memory; resume run {assignment.run_id}, with fewer workers"
        raise WorkerLost(what) from error


def _search(assignment: Assignment) -> None:
    """Search one cell in a worker."""
    from mlab.worker import search_cell

    # Its events are in the log of the run, and are shown where the run is held.
    logging.getLogger("mlab").setLevel(logging.CRITICAL)
    search_cell(assignment)
