"""What a search loses where MLflow is in trouble: ``python -m benchmarks.faults [PAIRS]``.

The same search with a publisher beside it, in turn with an MLflow in good health and with one that is not: seconds from
its first batch to its end, and the seconds of processor that its process and the publisher's used. What else uses the
cores blurs them.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import numpy as np
import psutil

from benchmarks.record import save, show
from mlab.config import load
from mlab.core.events import recorder
from mlab.core.probe import answers
from mlab.core.records import Json
from mlab.core.state import State
from mlab.search import experiments
from mlab.search import run as search
from mlab.search.watcher import Watcher
from mlab.store import Store
from mlab.tracking import Backlog, Sidecar
from mlab.tracking.client import Client

SEARCH = ("ladder.overlap_pct=20", "ladder.num_orders=10", "search.max_batches=30", "search.patience=30")
"""Long enough for a publisher to get ready and to deliver for some time."""

MIDDLE = 20
"""Batches after which a server dies."""

SLOW_S = 30.0

Trouble = Callable[[State], AbstractContextManager[Callable[[], None]]]
"""Sets up an MLflow, and yields what happens to it in mid-run."""


class Watch(Watcher):
    """Does something in mid-run."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._batches, self._then = 0, then

    def batch(self, *_batch: object) -> None:
        """Count."""
        self._batches += 1
        if self._batches == MIDDLE:
            self._then()


def nothing() -> None:
    """MLflow goes on as it began."""


@contextmanager
def at(url: str) -> Iterator[None]:
    """Deliver there."""
    os.environ["MLFLOW_TRACKING_URI"] = url
    try:
        yield
    finally:
        del os.environ["MLFLOW_TRACKING_URI"]


@contextmanager
def well(_state: State) -> Iterator[Callable[[], None]]:
    """The database in the state folder."""
    yield nothing


@contextmanager
def locked(state: State) -> Iterator[Callable[[], None]]:
    """The same, but another program holds it."""
    with closing(sqlite3.connect(state.mlflow_database)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield nothing


@contextmanager
def refused(_state: State) -> Iterator[Callable[[], None]]:
    """An address at which nobody listens."""
    with at(f"http://127.0.0.1:{free_port()}"):
        yield nothing


def slow(_state: State) -> AbstractContextManager[Callable[[], None]]:
    """A server that lets everybody wait for half a minute, and then hangs up."""
    return answering(lambda _: time.sleep(SLOW_S))


def failing(_state: State) -> AbstractContextManager[Callable[[], None]]:
    """A server that answers 500."""
    return answering(lambda one: one.wfile.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))


@contextmanager
def answering(answer: Callable[[StreamRequestHandler], object]) -> Iterator[Callable[[], None]]:
    """A server that answers everything alike."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            answer(self)

    ThreadingTCPServer.daemon_threads, ThreadingTCPServer.block_on_close = True, False
    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with at(f"http://127.0.0.1:{server.server_address[1]}"):
            yield nothing
        server.shutdown()


@contextmanager
def dying(state: State) -> Iterator[Callable[[], None]]:
    """A real server, killed in mid-run."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{state.mlflow_database}"]
    command += ["--artifacts-destination", str(state.artifacts)]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = subprocess.DEVNULL
    server = subprocess.Popen(  # noqa: S603 - a program of our own environment
        command, env=os.environ | quiet, stdout=log, stderr=log, process_group=0
    )
    try:
        while not answers(f"http://127.0.0.1:{port}/health"):
            time.sleep(0.5)
        with at(f"http://127.0.0.1:{port}"):
            yield lambda: os.killpg(server.pid, 9)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 9)
        server.wait()


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measured(trouble: Trouble) -> Json:
    """One search with a publisher beside it, in a state folder of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        state = State(Path(folder))
        Client.open(state)
        with Store.open(state.database) as store, trouble(state) as happens:
            config = load(None, SEARCH)
            run = experiments.create(state, store, config)
            beside = Sidecar(state, run.run_id)
            beside.skip_wait()
            with beside:
                used = time.process_time()
                search.execute(state, store, run, config, watcher=Watch(happens))
                used = time.process_time() - used
            recorder.close()
            left = Backlog.of(store, run)
        before = _used_by_children()
        for child in psutil.Process().children():
            child.kill()  # the publisher, which may still hope
            child.wait()
        events = [json.loads(line) for line in state.events(run.run_id).read_text().splitlines()]
        moments = [datetime.fromisoformat(event["ts"]) for event in events if event["event"].startswith("ORCH.")]
        first = next(datetime.fromisoformat(event["ts"]) for event in events if event["event"] == "ORCH.BATCH")
        return {
            "MLflow": trouble.__name__,
            "search s": (moments[-1] - first).total_seconds(),
            "cpu s": used,
            "publisher cpu s": _used_by_children() - before,
            "pending": left.numbers,
            "log lines": len((state.root / "tracking.log").read_text().splitlines()),
        }


def _used_by_children() -> float:
    """Seconds of processor of all processes that this one has started and that are gone."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print and record the ratios; an argument sets the number of pairs, 3 unless given."""
    pairs = int(sys.argv[1] if len(sys.argv) > 1 else 3)
    rows, ratios = [], []
    for trouble in (locked, refused, slow, failing, dying):
        both = [(measured(trouble), measured(well)) for _ in range(pairs)]
        rows += [row for pair in both for row in pair]
        ratios.append(
            {"MLflow": trouble.__name__}
            | {
                f"{name} ratio": float(np.median([one[f"{name} s"] / other[f"{name} s"] for one, other in both]))
                for name in ("search", "cpu", "publisher cpu")
            }
            | {name: max(one[name] for one, _ in both) for name in ("pending", "log lines")}
        )
    show("Each search", rows)
    show("Against an MLflow in good health, median over the pairs", ratios)
    save("faults", {"pairs": pairs, "ratios": ratios, "rows": rows})


if __name__ == "__main__":
    main()
