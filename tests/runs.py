"""Small runs for tests of everything around the engine."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Literal

import psutil

from flows import connection
from mlab.config import Config, config_of, load
from mlab.core.events import recorder
from mlab.core.probe import answers
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.search import experiments, run
from mlab.search.watcher import Watcher
from mlab.store import Store

ROOT = Path(__file__).parents[1]
TINY = ("name=tiny", "ladder.overlap_pct=10", "ladder.num_orders=[4, 5]", "search.batch_size=2", "search.max_batches=2")

Pace = Literal["short", "slow", "whole"]
"""How a process searches: in a smaller neighbourhood, with rests, too, so that a test can meet it in the middle, or as
the product does."""

SECONDS = 300.0
"""Longest wait for anything that a test waits for, on a machine that has other things to do."""

WATCHER = Watcher()
"""Watches nothing."""


class Watch(Watcher):
    """Counts batches, does something after one of them, and lets the search rest after each."""

    def __init__(self, after: int | None = None, then: Callable[[], None] = lambda: None, rest_s: float = 0.0) -> None:
        self.batches, self._after, self._then, self._rest_s = 0, after, then, rest_s

    def batch(self, *_batch: object) -> None:
        self.batches += 1
        if self.batches == self._after:
            self._then()
        time.sleep(self._rest_s)


def tiny(*overrides: str) -> Config:
    return load(None, [*TINY, *overrides])


def opened(state: State, store: Store, *overrides: str) -> tuple[Experiment, Config]:
    """A new tiny run, PENDING."""
    config = tiny(*overrides)
    return experiments.create(state, store, config), config


def searched(state: State, store: Store, *overrides: str, watch: Watcher = WATCHER) -> str:
    """A tiny run, executed in this process; its id."""
    experiment, config = opened(state, store, *overrides)
    execute(state, store, experiment, config, watch)
    return experiment.run_id


def interrupt() -> None:
    raise KeyboardInterrupt


def stopped(state: State, store: Store, *overrides: str, after: int = 2) -> str:
    """A run that is interrupted after some batches; its id."""
    experiment, config = opened(state, store, *overrides)
    assert execute(state, store, experiment, config, Watch(after, interrupt)) == 128 + signal.SIGINT
    return experiment.run_id


def execute(
    state: State, store: Store, experiment: Experiment, config: Config, watcher: Watcher = WATCHER, workers: int = 1
) -> int:
    """Search a run in this process; 0, or the exit status of what stopped it."""
    try:
        return run.execute(state, store, experiment, config, run.Plain(workers), watcher)
    finally:
        recorder.close()


def resumed(state: State, store: Store, run_id: str, watcher: Watcher = WATCHER) -> int:
    """Search what is left of a run."""
    experiment = experiments.find(store, run_id)
    return execute(state, store, experiment, config_of(experiment), watcher)


def stored(store: Store, run_id: str) -> Experiment:
    experiment = store.experiment(run_id)
    assert experiment is not None
    return experiment


def _heed_interrupts() -> None:
    """What a shell starts in the background inherits that it ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def python(
    *command: str,
    state: Path,
    log: IO[bytes] | int = subprocess.PIPE,
    pace: Pace = "short",
    **variables: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python of our own on a state folder; neither it nor what it started outlives the block."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, *command],
        cwd=ROOT,
        env=inherited
        | {"MLAB_STATE_DIR": str(state), "PYTHONPATH": f"{ROOT / 'tests/start' / pace}:{ROOT}"}
        | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - the tests that use it have no threads of their own
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            for one in family(process.pid):
                with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                    one.kill()
        process.communicate()


def command_line(*arguments: str, overrides: Sequence[str] = ()) -> list[str]:
    """What follows ``python`` to start a run."""
    return ["-m", "flows.run", *arguments, *(part for override in overrides for part in ("--set", override))]


def family(pid: int) -> list[psutil.Process]:
    """A process with all that it has started, itself last."""
    return [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]


def wait_until(happened: Callable[[], bool], seconds: float = SECONDS, every: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"nothing happened in {seconds} s"
        time.sleep(every)


def slowness() -> float:
    """How much longer anything takes here than on a machine that has nothing else to do: 1 or more."""
    began, used = time.perf_counter(), time.process_time()
    sum(range(10_000_000))
    return max(1.0, (time.perf_counter() - began) / (time.process_time() - used))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """See that the block takes no longer, by a machine that has nothing else to do."""
    slow, began = slowness(), time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds * max(slow, slowness())


def events(path: Path) -> list[dict[str, Any]]:
    """The events of a log; what follows the last line break is still being written."""
    return [json.loads(line) for line in path.read_text().rpartition("\n")[0].splitlines()]


def dying(act: Callable[[], object]) -> None:
    """Do something in a process, forked from this one, that dies over it or at once afterwards."""
    recorder.close()
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


def abandoned(state: State, store: Store) -> Experiment:
    """A run whose process died before its first batch."""
    experiment, _ = opened(state, store)
    store.claims.let_go(experiment.run_id)
    dying(lambda: Store.open(state.database).claim(experiment.run_id))
    return experiment


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    """A port on which nobody listens but who is told of it."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    _PLACES.append(place)
    return int(place.getsockname()[1])


_PLACES: list[socket.socket] = []
"""Bound and never listening: a server may listen there all the same, and the system gives the port to nobody else."""

FURNITURE = ROOT / ".pytest_cache" / f"mlflow-{version('mlflow')}-prefect-{version('prefect')}"
"""Where the databases lie that :func:`furnish` copies."""


def furnish(state: State) -> State:
    """Put new databases into a state folder: to make those of Prefect and MLflow takes 15 s, so they are made once."""
    FURNITURE.mkdir(parents=True, exist_ok=True)
    with (FURNITURE / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = State(FURNITURE / "made")
        if not made.root.exists():
            new = State(FURNITURE / "new")
            shutil.rmtree(new.root, ignore_errors=True)
            command = "from mlab.tracking import client as c; c._make_database(c.State.here())"
            with python("-c", command, state=new.root) as making, prefect_server(new.prefect) as (_, running):
                running.terminate()
                running.wait(SECONDS)
                assert making.wait(SECONDS) == 0
            new.root.rename(made.root)
        if not state.mlflow_database.exists():
            shutil.copytree(made.root, state.root, dirs_exist_ok=True)
    Store.open(state.database).close()  # and our own tables
    return state


@contextmanager
def prefect_server(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Prefect server with this home: the address of its API, and its process."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    command = ("-m", "tests.prefect_server", str(port))
    with python(*command, state=home, log=subprocess.DEVNULL, **of_server(home)) as process:
        wait_until(lambda: process.poll() is not None or answers(f"{url}/health"))
        yield url, process


@contextmanager
def shared_prefect(state: State) -> Iterator[str]:
    """The Prefect server over a state folder, for all processes of a test run; it ends with the last that uses it."""
    furnish(state)
    users, address = state.prefect / "users", state.prefect / "address"
    with users.open("ab") as used, (state.prefect / "turn").open("ab") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(used, fcntl.LOCK_SH)
        if not (address.exists() and answers(f"{address.read_text()}/health")):
            port = free_port()
            url = f"http://127.0.0.1:{port}/api"
            subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "tests.prefect_server", str(port), str(users)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | of_server(state.prefect),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            wait_until(lambda: answers(f"{url}/health"))
            address.write_text(url)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield address.read_text()


def of_server(home: Path) -> dict[str, str]:
    """The settings of a Prefect server."""
    return connection.SETTINGS | {"PREFECT_HOME": str(home)}
