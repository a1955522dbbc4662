"""A run searched from its first cell to its last, here or by several workers. Nothing in here knows Prefect.

``python -m flows.search RUN_ID WORKERS`` does so for a flow run of a deployment, in a process of its own: whatever
befalls Prefect, its API or its engine befalls the flow's process alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from types import TracebackType
from typing import Self

from flows.server import answers
from mlab.config import Config
from mlab.core import events
from mlab.core.errors import LabError
from mlab.core.process import Terminated, heed_termination
from mlab.core.records import Experiment, Status
from mlab.core.state import State
from mlab.search import engine, pools
from mlab.search.engine import Nobody, Watcher
from mlab.search.polling import LOOK_S, Lookout
from mlab.search.pools import Setting
from mlab.search.worker import Assignment, assignments
from mlab.store import Store

STOP_S = 10.0
"""Longest time that a search takes to stop in order."""

BEHIND_S = 8.0
"""Longest time that a flow's process goes on after its search where Prefect does not answer."""


def search(
    state: State,
    store: Store,
    found: tuple[Experiment, Config],
    workers: int,
    watcher: Watcher,
    claimed: Callable[[], None] = lambda: None,
) -> int:
    """Search all cells of a run that are not finished; 0, or the exit status of a run that a signal stopped.

    Args:
        state: the folder in which all lies.
        store: its database, open.
        found: the run and its config.
        workers: cells searched at a time.
        watcher: told of every batch.
        claimed: called once the run is in this process's hands.

    Raises:
        LabError: the run failed, or another process executes it.
    """
    experiment, config = found
    setting = Setting.here()
    workers = min(workers, len(config.cells()))
    try:
        # The workers outlive the execution: what they still do when that has ended is refused by the store.
        with (
            pools.workers(setting, workers) as pool,
            engine.execution(state, store, experiment, config) as run,
        ):
            claimed()
            if pool is None:
                for cell in config.cells():
                    run.search(cell, watcher)
            else:
                with pools.losses(setting, experiment.run_id):
                    _hand_out(pool, assignments(run, workers), Lookout(store, experiment.exp_id, watcher))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Terminated:
        return 128 + signal.SIGTERM
    return 0


class SearchProcess:
    """A search in a process of its own, for the process of a flow; a context.

    Args:
        state: where the run lies.
        run_id: the run.
        workers: cells searched at a time.
        start: where its event log goes on.
        api: address of Prefect's API; empty where the flow has one for itself.
    """

    def __init__(self, state: State, run_id: str, workers: int, start: int, api: str) -> None:
        self.run_id, self.start = run_id, start
        self._root, self._workers, self._api = state.root, workers, api

    def __enter__(self) -> Self:
        """Begin to search."""
        self._process = subprocess.Popen(  # noqa: S603 - our own module, and an id of our own making
            [sys.executable, "-m", "flows.search", self.run_id, str(self._workers)],
            env=os.environ | {"MLAB_STATE_DIR": str(self._root)},
            stdin=subprocess.DEVNULL,
        )
        if self._api:
            threading.Thread(target=self._end_behind, daemon=True).start()
        return self

    def going(self, status: Status) -> bool:
        """Whether it still searches, where this is the status of the run."""
        return status != "COMPLETED" and self._process.poll() is None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait for its end; only who is told to stop stops it."""
        try:
            if error is None or isinstance(error, Exception):
                self._process.wait()
        finally:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _end_behind(self) -> None:
        """End soon after the search where Prefect does not answer, whatever this process is waiting for."""
        self._process.wait()
        deadline = time.monotonic() + BEHIND_S
        while not answers(f"{self._api}/health"):
            if time.monotonic() > deadline:
                os._exit(1)
            time.sleep(0.5)


def _hand_out(pool: Executor, todo: list[Assignment], lookout: Lookout) -> None:
    """Have workers search cells, and look now and then how far they are; the first failure ends it."""
    lookout.look()
    waiting = {pool.submit(pools.search_cell, assignment) for assignment in todo}
    while waiting:
        done, waiting = wait(waiting, LOOK_S, FIRST_COMPLETED)
        events.relay()
        lookout.look()
        for future in done:
            future.result()


def _main(run_id: str, workers: int) -> int:
    from mlab.tracking import Sidecar

    heed_termination()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    state = State.here()
    try:
        with Store.open(state.database) as store, Sidecar(state, run_id) as sidecar:
            status = search(state, store, engine.find_experiment(state, store, run_id), workers, Nobody())
            if status:
                sidecar.skip_wait()
    except LabError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_status
    except (Terminated, KeyboardInterrupt):  # before the search began, or after it
        return 128 + signal.SIGTERM
    return status


def _end_with_parent(parent: int) -> None:
    """Stop in order where the flow's process is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    os._exit(_main(sys.argv[1], int(sys.argv[2])))  # as in flows/run.py
