"""Small runs for tests of everything around the engine."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO
from unittest import mock

import psutil

from flows import server
from mlab.config import Config, load
from mlab.core.events import recorder
from mlab.core.records import Cell, CellResult, Experiment
from mlab.core.state import State
from mlab.search import engine
from mlab.store import Store

ROOT = Path(__file__).parents[1]
TINY = ("name=tiny", "ladder.overlap_pct=10", "ladder.num_orders=[4, 5]", "search.batch_size=2", "search.max_batches=2")

SMALLER = {"PROPOSALS": 8, "MOVES": 3}
"""A refinement in a smaller neighbourhood, for tests of everything around the search."""


class Watch:
    """Counts batches, does something after one of them, and lets the search rest after each."""

    def __init__(self, after: int | None = None, then: Callable[[], None] = lambda: None, rest_s: float = 0.0) -> None:
        self.batches, self._after, self._then, self._rest_s = 0, after, then, rest_s

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        del cell, index, best_score, evaluations
        self.batches += 1
        if self.batches == self._after:
            self._then()
        time.sleep(self._rest_s)

    def cell_done(self, result: CellResult) -> None:
        pass


def tiny(*overrides: str) -> Config:
    return load(None, [*TINY, *overrides])


def opened(state: State, store: Store, *overrides: str) -> tuple[Experiment, Config]:
    """A new tiny run, PENDING."""
    config = tiny(*overrides)
    return engine.open_experiment(state, store, config), config


def searched(state: State, store: Store, *overrides: str, watch: Watch | None = None) -> str:
    """A tiny run, executed in this process; its id."""
    experiment, config = opened(state, store, *overrides)
    execute(state, store, experiment, config, watch)
    return experiment.run_id


def execute(state: State, store: Store, experiment: Experiment, config: Config, watch: Watch | None = None) -> None:
    try:
        engine.run(state, store, experiment, config, watch or Watch())
    finally:
        recorder.close()


def stored(store: Store, run_id: str) -> Experiment:
    experiment = store.experiment(run_id)
    assert experiment is not None
    return experiment


def _heed_interrupts() -> None:
    """What a shell starts in the background inherits that it ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def python(
    *command: str, state: Path, log: IO[bytes] | int = subprocess.PIPE, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python of our own on a state folder; neither it nor what it started outlives the block."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, *command],
        cwd=ROOT,
        env=inherited | {"MLAB_STATE_DIR": str(state), "PYTHONPATH": str(ROOT)} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - the tests that use it have no threads of their own
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            family = psutil.Process(process.pid)
            for one in (*family.children(recursive=True), family):
                one.kill()
        process.communicate()


def command_line(*arguments: str, overrides: Sequence[str] = ()) -> list[str]:
    """What follows ``python`` to start a run."""
    return ["-m", "flows.run", *arguments, *(part for override in overrides for part in ("--set", override))]


def wait_until(happened: Callable[[], bool], seconds: float = 60.0, every: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"nothing happened in {seconds} s"
        time.sleep(every)


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a page is there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as page:  # noqa: S310 - our own server
            return bool(page.status == 200)
    except OSError:
        return False


furniture = Path(tempfile.gettempdir()) / f"furniture-{os.getpid()}"
"""Where the databases lie that :func:`furnish` copies; tests that run together share one folder."""


def furnish(state: State) -> State:
    """Put new databases of Prefect and MLflow into a state folder: making them takes 15 s, so they are made once."""
    furniture.mkdir(parents=True, exist_ok=True)
    with (furniture / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = State(furniture / "state")
        if not made.mlflow_database.exists():
            command = "from mlab.tracking import client as c; c._make_database(c.State.here())"
            with python("-c", command, state=made.root) as making, prefect_server(made.prefect) as (_, running):
                running.terminate()
                running.wait(30.0)
                assert making.wait(120.0) == 0
        if not state.mlflow_database.exists():
            shutil.copytree(made.root, state.root, dirs_exist_ok=True)
    return state


@contextmanager
def prefect_server(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Prefect server with this home: the address of its API, and its process."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    with python("-m", "flows.server", str(port), state=home, log=subprocess.DEVNULL, PREFECT_HOME=str(home)) as process:
        wait_until(lambda: process.poll() is not None or answers(f"{url}/health"), 120.0)
        yield url, process


@contextmanager
def shared_prefect(state: State) -> Iterator[str]:
    """The Prefect server over a state folder, which ends with the last that uses it; the address of its API."""
    furnish(state)
    with ExitStack() as using:
        with mock.patch.dict(os.environ):
            for name in [name for name in os.environ if name.startswith("PREFECT_")]:
                del os.environ[name]
            url = using.enter_context(server.api(state))
        yield url


def servers(state: State) -> set[int]:
    """The Prefect servers that runs have started over a state folder."""
    lines = {process.pid: process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])}
    return {pid for pid, line in lines.items() if "flows.server" in line and str(state.prefect / "users") in line}


def until_told(state: State) -> None:
    """Wait until nobody tells Prefect anything any more, which on a new folder starts more slowly than the run ends.

    Then its server ends and writes what it has not yet.
    """
    with (state.prefect / "users").open("ab") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
    wait_until(lambda: not servers(state), 20)
