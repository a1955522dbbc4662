"""All that ``make serve`` starts, and its Prefect as tests talk to it."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from benchmarks.workers import fingerprint
from flows.mirror import STOPPED_PATIENCE_S
from flows.optimize import DRAIN_S, END_S
from mlab.config import from_tree
from mlab.core import pidfiles
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.store import Store
from mlab.tracking.sidecar import STOPPED_WAIT_S
from tests import runs

LONGER: dict[str, Any] = {
    "name": "deployed",
    "seed": 7,
    "ladder": {"overlap_pct": [10, 20], "num_orders": 8},
    "search": {"batch_size": 4, "max_batches": 5, "patience": 5, "miss_chance": 0, "pruner": "none"},
}
"""A search of some seconds, as every batch takes a rest."""

CLIENT = httpx.Client(timeout=30, verify=False)  # noqa: S501 - of plain http; reading certificates costs more than asking
SOONER = {
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
}
"""Prefect tries again, and plans, every few seconds; otherwise it does so every half minute, and every minute."""

STOPPING_S = 2 * STOPPED_PATIENCE_S + STOPPED_WAIT_S + END_S + 3 * DRAIN_S
"""Longest that the end of a run of the command line that was stopped waits for servers, however busy they are."""

ENDINGS = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
"""Types of states of which nothing more becomes by itself."""

PROXIES = {"http_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}
"""Of no use: whoever asks a server of this machine through one gets no answer."""


@dataclass(frozen=True)
class Prefect:
    """A server with our deployments, and where their runs lie."""

    url: str
    state: State

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """What Prefect answers, once its SQLite is not locked: until then it says 503, and every client asks again."""
        deadline, url = time.monotonic() + runs.SECONDS, f"{self.url}/{path}"
        while (answer := CLIENT.request(method, url, json=body)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> Any:
        return self.api("GET", f"deployments/name/optimize/{name}")

    def start(self, deployment: str = "manual", **parameters: Any) -> str:
        """Start a deployment; the id of the flow run."""
        found = self.deployment(deployment)["id"]
        flow_run = self.api("POST", f"deployments/{found}/create_flow_run", {"parameters": parameters})
        return str(UUID(flow_run["id"]))

    def flow_runs(self, deployment: str) -> list[Any]:
        """The flow runs of a deployment, the first to begin first."""
        found = self.deployment(deployment)["id"]
        which = {"flow_runs": {"deployment_id": {"any_": [found]}}, "sort": "EXPECTED_START_TIME_ASC"}
        return list(self.api("POST", "flow_runs/filter", which))

    def state_of(self, flow_run: str) -> tuple[str, str]:
        """Name and message of a flow run's state."""
        state = self.api("GET", f"flow_runs/{flow_run}")["state"]
        return state["name"], state["message"] or ""

    def states(self, flow_run: str) -> list[tuple[str, str, str]]:
        """All states of a flow run: when it got there, name, message."""
        told = self.api("GET", f"flow_run_states/?flow_run_id={flow_run}")
        return sorted((state["timestamp"], state["name"], state["message"] or "") for state in told)

    def ended(self, flow_run: str) -> str:
        """The state in which a flow run has ended, once it has."""

        def is_over() -> bool:
            return self.api("GET", f"flow_runs/{flow_run}")["state_type"] in ENDINGS

        runs.wait_until(is_over, every=0.5)
        return self.state_of(flow_run)[0]

    def set_state(self, flow_run: str, kind: str, name: str) -> None:
        wanted = {"state": {"type": kind, "name": name}, "force": False}
        self.api("POST", f"flow_runs/{flow_run}/set_state", wanted)

    def orphan(self, store: Store) -> str:
        """A flow run that Prefect takes for a running one; the process that held its run is dead."""
        experiment = runs.abandoned(self.state, store)
        flow = self.api("POST", "flows/", {"name": "optimize"})["id"]
        flow_run = self.api("POST", "flow_runs/", {"flow_id": flow, "state": {"type": "RUNNING"}})["id"]
        store.set_flow_run(experiment.exp_id, flow_run)
        return str(flow_run)

    def search_of(self, flow_run: str, store: Store) -> Experiment:
        """The run, once the flow run has saved two batches of it."""

        def saved() -> bool:
            run_id = store.run_of_flow(flow_run)
            log = self.state.events(run_id or "")
            return log.exists() and log.read_text().count('"ORCH.SAVE_OK"') >= 2

        runs.wait_until(saved, every=0.2)
        return runs.stored(store, store.run_of_flow(flow_run) or "")


def told(url: str, database: Path, flow_run: str, copy: Path) -> None:
    """Copy what the database of a server, which others use, too, has of a flow run, once all that was told is there."""
    name, last = f"prefect.flow-run.{flow_run}", str(uuid4())
    event = {"event": last, "resource": {"prefect.resource.id": name}, "id": last, "occurred": f"{datetime.now(UTC)}"}
    CLIENT.post(f"{url}/events", json=[event]).raise_for_status()
    waiting = (
        "SELECT (SELECT count(*) FROM events WHERE event = ?),"
        " (SELECT count(*) FROM task_run WHERE flow_run_id = ? AND end_time IS NULL)"
    )
    copy.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database)) as server, closing(sqlite3.connect(copy)) as own:
        runs.wait_until(lambda: server.execute(waiting, (last, flow_run)).fetchone() == (1, 0), every=0.2)
        server.backup(own)
        own.execute("DELETE FROM flow_run WHERE id != ?", (flow_run,))
        for table in ("task_run", "log", "artifact"):
            own.execute(f"DELETE FROM {table} WHERE flow_run_id IS NOT ?", (flow_run,))  # noqa: S608
        own.execute("DELETE FROM events WHERE resource_id != ?", (name,))
        own.commit()


@dataclass(frozen=True)
class Served:
    """What runs in the background, and a process that has nothing to do with it."""

    state: State
    pages: Pages
    bystander: subprocess.Popen[bytes]

    @property
    def prefect(self) -> Prefect:
        return Prefect(f"{self.pages.prefect}/api", self.state)

    def serve(self, *options: str) -> list[str]:
        """The lines that ``mlab serve`` prints."""
        return self._mlab("serve", *options)

    def stop(self) -> list[str]:
        """The lines that ``mlab stop`` prints."""
        return self._mlab("stop")

    def _mlab(self, *command: str) -> list[str]:
        line = ("-m", "flows.app", *command)
        with runs.python(
            *line, state=self.state.root, log=subprocess.STDOUT, pace="slow", **SOONER, **PROXIES
        ) as process:
            out, _ = process.communicate(timeout=runs.SECONDS)
        assert process.returncode == 0, out.decode()
        return out.decode().splitlines()

    def processes(self) -> dict[str, int]:
        found = {name: pidfiles.running(self.state, name) for name in pidfiles.NAMES}
        return {name: one.pid for name, one in found.items() if one}


@contextmanager
def serving(state: State) -> Iterator[tuple[Served, list[str]]]:
    """All of it over a new folder, on free ports, until the end of the block; and what was printed."""
    runs.furnish(state)
    ports = runs.free_port(), runs.free_port()
    pages = Pages.local(*ports)
    with runs.python("-c", "import time; time.sleep(3600)", state=state.root) as bystander:
        served = Served(state, pages, bystander)
        try:
            yield served, served.serve("--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1]))
        finally:
            served.stop()


def uncut(state: State, store: Store) -> str:
    """What LONGER finds where nobody cuts it: its fingerprint."""
    overrides = [f"{key}.{name}={value}" for key in ("ladder", "search") for name, value in LONGER[key].items()]
    run_id = runs.searched(state, store, "name=deployed", "seed=7", *overrides)
    assert from_tree(runs.stored(store, run_id).config, "stored") == from_tree(LONGER, "test")
    return fingerprint(state, run_id)
