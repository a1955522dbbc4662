"""Where cells are searched: in this process, in several of this machine, or on a cluster of Dask or Ray.

None of them knows anything of Prefect. All are pools in the sense of ``concurrent.futures``.
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
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from mlab.core.errors import ConfigError, LabError, WorkerLost

if TYPE_CHECKING:
    from mlab.search.worker import Assignment

VARIABLE = "MLAB_CLUSTER"
MOST = 256
"""Most workers that may be asked for."""

PACKAGES = {"dask": "distributed", "ray": "ray"}
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


@contextmanager
def workers(setting: Setting, count: int) -> Iterator[Executor | None]:
    """So many workers, on their way up; None where this process searches by itself. They end with the block.

    Raises:
        WorkerLost: a cluster does not start.
    """
    if not setting.kind and count == 1:
        yield None
        return
    on_termination = signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack:
        with losses(setting):
            pool = stack.enter_context(POOLS[setting.kind](setting.address, count))
        signal.signal(signal.SIGTERM, on_termination)  # Ray takes it over
        stack.push(_kill_children)
        yield pool


@contextmanager
def losses(setting: Setting, run_id: str = "") -> Iterator[None]:
    """Say in one line that workers are lost, and their run with them.

    Raises:
        WorkerLost: a worker died, or a cluster failed.
    """
    try:
        yield
    except LabError:
        raise
    except BrokenExecutor as error:
        what = f"a worker died, perhaps for want of memory; resume run {run_id}, with fewer workers"
        raise WorkerLost(what) from error
    except Exception as error:
        if not setting.kind:
            raise
        raise WorkerLost(f"{setting.kind}: {error}") from error


def search_cell(assignment: Assignment) -> None:
    """Search one cell in a worker."""
    from mlab.search import worker

    # Its events are in the log of the run, and are shown where the run is held.
    logging.getLogger("mlab").setLevel(logging.CRITICAL)
    worker.search_cell(assignment)


# Processes of this machine


@contextmanager
def _processes(_address: str, count: int) -> Iterator[Executor]:
    for name in BLAS:
        os.environ.setdefault(name, "1")
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin, (os.getpid(),)) as pool:
        # An interrupt from the keyboard is for this process alone; the others inherit that they do not see it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        for _ in range(count):
            pool.submit(importlib.import_module, "mlab.search.worker")  # what a search needs
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield pool


def _begin(parent: int) -> None:
    """Let a worker end with the process that started it, even one that had no time to say so."""

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _kill_children(_kind: object, error: BaseException | None, _at: object) -> None:
    """End the workers of a run that is cut. What they saved is saved; nobody waits for a batch that is half done."""
    for child in multiprocessing.active_children() if error else ():
        child.kill()


# Clusters


@contextmanager
def _dask(address: str, count: int) -> Iterator[Executor]:
    from distributed import Client, LocalCluster

    local = {"n_workers": count, "threads_per_worker": 1, "dashboard_address": None}
    place: Any = nullcontext(address) if address else LocalCluster(**local)  # type: ignore[no-untyped-call]
    with place as scheduler, Client(scheduler) as client:  # type: ignore[no-untyped-call]
        yield client.get_executor(pure=False)


@contextmanager
def _ray(address: str, count: int) -> Iterator[Executor]:
    import ray

    ray.init(address, log_to_driver=False) if address else ray.init(num_cpus=count, log_to_driver=False)
    try:
        yield _Ray()
    finally:
        ray.shutdown()


class _Ray(Executor):
    """Ray's tasks as ``concurrent.futures`` has them."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Have a worker of the cluster do it."""
        import ray

        future: Future[Any] = ray.remote(work).remote(*arguments, **named).future()
        return future


POOLS: dict[str, Callable[[str, int], AbstractContextManager[Executor]]] = {
    "": _processes,
    "dask": _dask,
    "ray": _ray,
}
