"""Cells searched by several processes at a time: handed out, watched in the database, and ended with their run."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager

from mlab.core import events
from mlab.core.errors import WorkerLost
from mlab.search import forkserver, worker
from mlab.search.engine import Execution
from mlab.search.polling import PERIOD_S, StorePoller
from mlab.search.watcher import Watcher
from mlab.search.worker import Assignment, assignments


def hand_out(run: Execution, workers: int, watcher: Watcher, submit: Callable[[Assignment], Future[None]]) -> None:
    """Have workers search the unfinished cells, and look now and then how far they are; the first failure ends it.

    Args:
        run: in this process's hands.
        workers: how many there are.
        watcher: told of what they have saved.
        submit: has one of them search a cell.

    Raises:
        WorkerLost: a worker died.
    """
    poller = StorePoller(run.store, run.experiment.exp_id, watcher)
    poller.poll()
    waiting = {submit(assignment) for assignment in assignments(run, workers)}
    while waiting:
        done, waiting = wait(waiting, PERIOD_S, FIRST_COMPLETED)
        events.recorder.relay()
        poller.poll()
        for future in done:
            try:
                future.result()
            except BrokenExecutor as error:
                again = f"resume run {run.experiment.run_id}, with fewer workers"
                raise WorkerLost(f"a worker died, perhaps for want of memory; {again}") from error


@contextmanager
def processes(count: int) -> Iterator[Callable[[Assignment], Future[None]]]:
    """So many processes of this machine, on their way up; what has them search a cell. They end with the block."""
    with ProcessPoolExecutor(count, forkserver.begin(), begin_worker) as pool:
        for _ in range(count):
            pool.submit(importlib.import_module, worker.__name__)  # starts one each
        with killed_when_cut():
            yield lambda assignment: pool.submit(search_cell, assignment)


def begin_worker() -> None:
    """Let a worker end with the process that asked for it, even one that had no time to say so."""
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def search_cell(assignment: Assignment) -> None:
    """Search one cell in a worker, which says nothing: its events are shown where the run is held."""
    logging.getLogger("mlab").setLevel(logging.CRITICAL)
    worker.search_cell(assignment)


@contextmanager
def killed_when_cut() -> Iterator[None]:
    """End the workers of a run that is cut. What they saved is saved; nobody waits for a batch that is half done."""
    try:
        yield
    except BaseException:
        for child in multiprocessing.active_children():
            child.kill()
        raise
