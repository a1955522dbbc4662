"""Prefect gone, hung or broken, at the start, in the middle and at the end: no search knows the difference."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.workers import fingerprint
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.runs import command_line

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]

CONFIG = (
    "name=faults", "seed=7", "ladder.overlap_pct=[10, 20]", "ladder.num_orders=8", "search.batch_size=4",
    "search.max_batches=4", "search.patience=4", "search.miss_chance=0", "search.pruner=none",
)  # fmt: skip

COMPLAINT = "Prefect could not be told of all of this run"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    return State(tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="module")
def alone(state: State) -> str:
    """What a search without Prefect finds: its fingerprint."""
    with Store.open(state.database) as store:
        return fingerprint(state, runs.searched(state, store, *CONFIG))


@dataclass(frozen=True)
class Server:
    """A Prefect server that may be ill-treated."""

    home: Path
    process: subprocess.Popen[bytes]
    url: str

    def state_of(self, flow_run_id: str | None) -> str | None:
        """What its database says of a flow run."""
        with closing(sqlite3.connect(f"file:{self.home / 'prefect.db'}?mode=ro", uri=True)) as database:
            for name, state in database.execute("SELECT id, state_type FROM flow_run"):
                if name.replace("-", "") == (flow_run_id or "").replace("-", ""):
                    return str(state)
        return None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.furnish(State(tmp_path_factory.mktemp("server"))).prefect


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    with runs.prefect_server(home) as (url, process):
        yield Server(home, process, url)


@contextmanager
def broken(healthy: int) -> Iterator[str]:
    """An API that answers everything with status 500, but so many questions after its health."""
    left = [healthy]

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fine = self.path == "/api/health" and left[0] > 0
            left[0] -= fine
            self.send_response(200 if fine else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PATCH = do_GET  # noqa: N815 - the names that the library looks for

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as answering:
        threading.Thread(target=answering.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{answering.server_port}/api"
        answering.shutdown()


class Run:
    """One run of the command line, what it left, and how long it took after its search; MLflow has no part in it."""

    def __init__(
        self,
        state: State,
        url: str,
        then: Callable[[Run], None] = lambda _: None,
    ) -> None:
        self.state, before = state, set(state.root.glob("events/*"))
        command = command_line("--json", overrides=CONFIG)
        variables = {"PREFECT_API_URL": url, "MLAB_MODE": "offline"}
        with runs.python(*command, state=state.root, pace="slow", **variables) as process:
            runs.wait_until(lambda: bool(set(state.root.glob("events/*")) - before))
            self.id = (set(state.root.glob("events/*")) - before).pop().stem
            then(self)
            out, err = process.communicate(timeout=runs.SECONDS)
            ended = time.time()
        self.status, self.answer, self.err = process.returncode, json.loads(out or b"{}"), err.decode()
        (done,) = [datetime.fromisoformat(event["ts"]) for event in self.events("ORCH.DONE")]
        self.seconds_after = ended - done.timestamp()

    def events(self, name: str) -> list[dict[str, str]]:
        return [event for event in runs.events(self.state.events(self.id)) if event["event"] == name]

    def stored(self) -> Experiment:
        with Store.open(self.state.database) as store:
            return runs.stored(store, self.id)

    def until_prefect_knows_it(self) -> None:
        with Store.open(self.state.database) as store:
            runs.wait_until(lambda: bool((run := store.experiment(self.id)) and run.flow_run_id))

    def until_searched(self) -> None:
        with Store.open(self.state.database) as store:
            runs.wait_until(lambda: runs.stored(store, self.id).status != "RUNNING")

    def check(self, alone: str) -> None:
        """That it is complete, that nothing looks like a failure, and that nobody had to wait."""
        assert (self.status, self.answer["status"]) == (0, "COMPLETED"), self.err
        assert fingerprint(self.state, self.id) == alone
        assert self.events("ORCH.ERROR") == []
        assert not self.state.crashes.exists()
        assert self.seconds_after < 15 * runs.slowness()
        assert "Traceback" not in self.err


def complaints(run: Run) -> int:
    return sum(line.startswith(COMPLAINT) for line in run.err.splitlines())


def test_an_api_that_is_not_there_costs_one_line_without_its_password(state: State, alone: str) -> None:
    place = f"127.0.0.1:{runs.free_port()}/api"
    run = Run(state, f"http://ann:sesame11@{place}")

    run.check(alone)
    assert f"{COMPLAINT}: http://ann:[hidden]@{place} does not answer" in run.err.splitlines()
    assert complaints(run) == 1, run.err
    assert "sesame11" not in run.err
    assert run.stored().flow_run_id is None


def test_an_api_that_answers_500_costs_one_line(state: State, alone: str) -> None:
    with broken(healthy=1) as url:
        run = Run(state, url)

    run.check(alone)
    assert complaints(run) == 1, run.err


def struck(blow: signal.Signals, server: Server) -> Callable[[Run], None]:
    """What befalls the server in the middle of a search that it knows of."""

    def then(run: Run) -> None:
        run.until_prefect_knows_it()
        runs.wait_until(lambda: run.stored().status == "RUNNING")
        server.process.send_signal(blow)

    return then


def test_a_server_that_dies_in_the_middle_costs_one_line(server: Server, state: State, alone: str) -> None:
    run = Run(state, server.url, then=struck(signal.SIGKILL, server))

    run.check(alone)
    assert complaints(run) == 1, run.err


@pytest.mark.soak
def test_a_server_that_hangs_in_the_middle_costs_one_line_and_is_told_the_end_by_the_next_run(
    server: Server, state: State, alone: str
) -> None:
    run = Run(state, server.url, then=struck(signal.SIGSTOP, server))
    server.process.send_signal(signal.SIGCONT)

    run.check(alone)
    assert complaints(run) == 1, run.err
    time.sleep(15)  # nobody tells it any more
    Run(state, server.url).check(alone)
    assert server.state_of(run.stored().flow_run_id) == "COMPLETED"


@pytest.mark.soak
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_hangs_at_the_end_costs_one_line(
    blow: signal.Signals, server: Server, state: State, alone: str
) -> None:
    def strike(run: Run) -> None:
        run.until_prefect_knows_it()
        run.until_searched()
        server.process.send_signal(blow)

    run = Run(state, server.url, then=strike)

    run.check(alone)
    assert complaints(run) == 1, run.err
