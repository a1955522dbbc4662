"""Flow runs of a deployment, executed by a worker of a real server: cancelled, killed, and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest
from prefect.workers.process import ProcessWorker

from benchmarks.workers import fingerprint
from mlab.config import Config, from_tree
from mlab.events import recorder
from mlab.identity import State
from mlab.records import Experiment
from mlab.store import Store
from tests import runs
from tests.runs import ROOT, command_line
from tests.test_flow import mlflow_status

pytestmark = pytest.mark.integration

SEARCH = {"batch_size": 4, "max_batches": 8, "patience": 8, "pruner": "none"}
CONFIG: dict[str, Any] = {
    "name": "deployed",
    "seed": 7,
    "ladder": {"overlap_pct": [10, 20], "num_orders": 8},
    "search": SEARCH,
}
SECONDS = 120


@dataclass(frozen=True)
class Prefect:
    """A server with the manual deployment, and where its runs lie."""

    url: str
    environment: dict[str, str]
    state: State

    @contextmanager
    def server(self) -> Iterator[psutil.Process]:
        """The server, until the end of the block."""
        port = self.url.split(":")[2].removesuffix("/api")
        with ended(self.program("prefect", "server", "start", "--host", "127.0.0.1", "--port", port)) as process:
            runs.wait_until(lambda: runs.answers(f"{self.url}/health"), SECONDS)
            yield psutil.Process(process.pid)

    def program(self, *command: str) -> subprocess.Popen[bytes]:
        """A program that stands beside this Python."""
        program = str(Path(sys.executable).with_name(command[0]))
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([program, *command[1:]], cwd=ROOT, env=self.environment, **quiet)  # noqa: S603

    def run(self, *command: str) -> None:
        assert self.program(*command).wait(SECONDS) == 0, command

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        with ended(self.program("prefect", "worker", "start", "--pool", "martingale")) as process:
            yield process

    def api(self, method: str, path: str, **body: Any) -> Any:
        answer = httpx.request(method, f"{self.url}/{path}", json=body or None, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def start(self, **parameters: Any) -> str:
        """Start the manual deployment; the id of the flow run."""
        deployment = self.api("GET", "deployments/name/optimize/manual")["id"]
        flow_run = self.api("POST", f"deployments/{deployment}/create_flow_run", parameters=parameters)
        return str(UUID(flow_run["id"]))

    def state_of(self, flow_run: str) -> tuple[str, str]:
        """Name and message of a flow run's state."""
        state = self.api("GET", f"flow_runs/{flow_run}")["state"]
        return state["name"], state["message"] or ""

    def set_state(self, flow_run: str, kind: str, name: str) -> None:
        self.api("POST", f"flow_runs/{flow_run}/set_state", state={"type": kind, "name": name}, force=False)

    def search_of(self, flow_run: str, store: Store) -> Experiment:
        """The run, once the flow run has saved two batches of it."""

        def saved() -> bool:
            run_id = store.run_of_flow(flow_run)
            log = self.state.events(run_id or "")
            return log.exists() and log.read_text().count('"ORCH.SAVE_OK"') >= 2

        runs.wait_until(saved, SECONDS)
        return runs.stored(store, store.run_of_flow(flow_run) or "")


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process, and what it has started, until the end of the block."""
    try:
        yield process
    finally:
        kill(process.pid)
        process.wait()


def kill(pid: int) -> None:
    if runs.alive(pid):
        for one in (*psutil.Process(pid).children(recursive=True), psutil.Process(pid)):
            one.kill()


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    folder, port = tmp_path_factory.mktemp("deployed"), runs.free_port()
    url = f"http://127.0.0.1:{port}/api"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    state = runs.furnish(State(folder / "state"))
    own = {"PREFECT_HOME": str(state.prefect), "PREFECT_API_URL": url, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    own |= {"MLAB_HOME": str(ROOT), "MLAB_STATE_DIR": str(state.root), "PYTHONPATH": str(ROOT)}
    prefect = Prefect(url, inherited | own, state)
    with prefect.server():
        template = ProcessWorker.get_default_base_job_template()
        prefect.api("POST", "work_pools/", name="martingale", type="process", base_job_template=template)
        prefect.run("prefect", "--no-prompt", "deploy", "--name", "manual")
        yield prefect


@pytest.fixture(scope="module")
def store(prefect: Prefect) -> Iterator[Store]:
    with Store.open(prefect.state.database) as store:
        yield store


@pytest.fixture(scope="module")
def uncut(prefect: Prefect, store: Store) -> str:
    """What a search finds that nobody cuts: its fingerprint."""
    config: Config = from_tree(CONFIG, "test")
    overrides = [f"{key}.{name}={value}" for key in ("ladder", "search") for name, value in CONFIG[key].items()]
    run_id = runs.searched(prefect.state, store, "name=deployed", "seed=7", *overrides)
    assert from_tree(runs.stored(store, run_id).config, "stored") == config
    return fingerprint(prefect.state, run_id)


def orphan(prefect: Prefect, store: Store) -> str:
    """A run that a dead process holds; its flow run, which Prefect takes for a running one."""
    experiment, _ = runs.opened(prefect.state, store)
    recorder.close()
    code = """if True:
        import sys
        from mlab import store, identity
        store.Store.open(identity.State.here().database).claim(sys.argv[1])"""
    with runs.python("-c", code, experiment.run_id, state=prefect.state.root) as process:
        assert process.wait(30) == 0
    flow = prefect.api("POST", "flows/", name="optimize")["id"]
    flow_run = prefect.api("POST", "flow_runs/", flow_id=flow, state={"type": "RUNNING"})["id"]
    store.set_flow_run(experiment.exp_id, flow_run)
    return str(flow_run)


def test_a_flow_run_ends_orphans_stops_at_once_when_it_is_cancelled_and_is_finished_by_the_command_line(
    prefect: Prefect, store: Store, uncut: str
) -> None:
    lost = orphan(prefect, store)
    with prefect.worker():
        flow_run = prefect.start(config=CONFIG)
        run_id = prefect.search_of(flow_run, store).run_id
        assert runs.stored(store, store.run_of_flow(lost) or "").status == "STOPPED"
        assert prefect.state_of(lost)[0] == "Crashed"
        prefect.set_state(flow_run, "CANCELLING", "Cancelling")
        cancelled = time.monotonic()
        runs.wait_until(lambda: runs.stored(store, run_id).status == "STOPPED", 15)
        seconds = time.monotonic() - cancelled
        runs.wait_until(lambda: prefect.state_of(flow_run)[0] == "Cancelled", 30)
    shown = prefect.api("GET", f"flow_runs/{flow_run}")
    artifacts = prefect.api("POST", "artifacts/filter", artifacts={"flow_run_id": {"any_": [flow_run]}})

    assert seconds < 5
    assert shown["name"] == f"deployed, 2 cells, {run_id[-6:]}"
    assert shown["tags"] == ["manual", "config:deployed", "STOPPED"]
    assert any(f"# Run `{run_id}`, STOPPED" in str(artifact["data"]) for artifact in artifacts)
    assert len(store.results(runs.stored(store, run_id).exp_id)) > 0
    runs.wait_until(lambda: mlflow_status(prefect.state, run_id) == "KILLED")
    command = command_line("--json", "--resume", run_id)
    with runs.python(*command, state=prefect.state.root, PREFECT_API_URL=prefect.url) as process:
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert fingerprint(prefect.state, run_id) == uncut


@pytest.mark.soak
def test_a_flow_run_that_was_killed_with_its_worker_is_crashed_within_two_minutes_and_a_retry_goes_on_with_it(
    prefect: Prefect, store: Store, uncut: str
) -> None:
    prefect.run("python", "-m", "flows.heartbeat")
    prefect.run("python", "-m", "flows.heartbeat")  # a second time renews it
    with prefect.worker() as worker:
        flow_run = prefect.start(config=CONFIG)
        run_id = prefect.search_of(flow_run, store).run_id
        everyone = [*psutil.Process(worker.pid).children(recursive=True), psutil.Process(worker.pid)]
        for one in everyone:
            one.suspend()  # none of them sees another die
        for one in everyone:
            one.kill()
    killed = time.monotonic()
    assert prefect.state_of(flow_run)[0] == "Running"
    runs.wait_until(lambda: prefect.state_of(flow_run)[0] == "Crashed", 150)
    seconds = time.monotonic() - killed
    assert "No heartbeat" in prefect.state_of(flow_run)[1]

    prefect.set_state(flow_run, "SCHEDULED", "AwaitingRetry")
    with prefect.worker():
        runs.wait_until(lambda: prefect.state_of(flow_run)[0] == "Completed", SECONDS)

    assert seconds < 120
    assert store.run_of_flow(flow_run) == run_id
    assert runs.stored(store, run_id).status == "COMPLETED"
    assert fingerprint(prefect.state, run_id) == uncut
    assert len(prefect.api("POST", "automations/filter")) == 1


@pytest.mark.soak
@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGKILL])
def test_a_flow_run_does_not_need_the_server_to_search_and_does_not_wait_for_it(
    blow: signal.Signals, prefect: Prefect, store: Store, uncut: str
) -> None:
    url = f"http://127.0.0.1:{runs.free_port()}/api"
    other = replace(prefect, url=url, environment=prefect.environment | {"PREFECT_API_URL": url})
    with other.server() as server, other.worker() as worker:
        flow_run = other.start(config=CONFIG)
        run_id = other.search_of(flow_run, store).run_id
        engines = [one for one in psutil.Process(worker.pid).children() if "prefect.engine" in one.cmdline()]
        for one in (*server.children(recursive=True), server):
            one.send_signal(blow)
        runs.wait_until(lambda: runs.stored(store, run_id).status != "RUNNING", SECONDS)
        searched = time.monotonic()
        runs.wait_until(lambda: not any(one.is_running() for one in engines), SECONDS)
        seconds = time.monotonic() - searched

    assert len(engines) == 1
    assert seconds < 15
    assert runs.stored(store, run_id).status == "COMPLETED"
    assert fingerprint(prefect.state, run_id) == uncut
    assert not prefect.state.crashes.exists()
