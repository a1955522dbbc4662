"""All that ``make serve`` starts, and its Prefect as tests talk to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from benchmarks.workers import fingerprint
from mlab import background
from mlab.config import from_tree
from mlab.identity import State
from mlab.pages import Pages
from mlab.records import Experiment
from mlab.store import Store
from tests import runs

SECONDS = 120
SEARCH = {"batch_size": 4, "max_batches": 8, "patience": 8, "pruner": "none"}
LONGER: dict[str, Any] = {
    "name": "deployed",
    "seed": 7,
    "ladder": {"overlap_pct": [10, 20], "num_orders": 8},
    "search": SEARCH,
}
"""A search of some seconds."""


@dataclass(frozen=True)
class Prefect:
    """A server with our deployments, and where their runs lie."""

    url: str
    state: State

    def api(self, method: str, path: str, **body: Any) -> Any:
        answer = httpx.request(method, f"{self.url}/{path}", json=body or None, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> Any:
        return self.api("GET", f"deployments/name/optimize/{name}")

    def start(self, deployment: str = "manual", **parameters: Any) -> str:
        """Start a deployment; the id of the flow run."""
        found = self.deployment(deployment)["id"]
        flow_run = self.api("POST", f"deployments/{found}/create_flow_run", parameters=parameters)
        return str(UUID(flow_run["id"]))

    def flow_runs(self, deployment: str) -> list[Any]:
        """The flow runs of a deployment, the first to begin first."""
        found = self.deployment(deployment)["id"]
        which = {"deployment_id": {"any_": [found]}}
        return list(self.api("POST", "flow_runs/filter", flow_runs=which, sort="EXPECTED_START_TIME_ASC"))

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
        """The lines that ``make serve`` prints."""
        own = {"PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2"}
        with runs.python("-m", "flows.serve", *options, state=self.state.root, log=subprocess.STDOUT, **own) as process:
            out, _ = process.communicate(timeout=2 * SECONDS)
        assert process.returncode == 0, out.decode()
        return out.decode().splitlines()

    def processes(self) -> dict[str, int]:
        found = {name: background.running(self.state, name) for name in background.NAMES}
        return {name: one.process.pid for name, one in found.items() if one}


@contextmanager
def serving(state: State) -> Iterator[tuple[Served, list[str]]]:
    """All of it over a new folder, on free ports, until the end of the block; and what was printed."""
    runs.furnish(state)
    ports = runs.free_port(), runs.free_port()
    pages = Pages(*(f"http://127.0.0.1:{port}" for port in ports))
    with runs.python("-c", "import time; time.sleep(3600)", state=state.root) as bystander:
        served = Served(state, pages, bystander)
        try:
            yield served, served.serve("--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1]))
        finally:
            served.serve("--stop")


def uncut(state: State, store: Store) -> str:
    """What LONGER finds where nobody cuts it: its fingerprint."""
    overrides = [f"{key}.{name}={value}" for key in ("ladder", "search") for name, value in LONGER[key].items()]
    run_id = runs.searched(state, store, "name=deployed", "seed=7", *overrides)
    assert from_tree(runs.stored(store, run_id).config, "stored") == from_tree(LONGER, "test")
    return fingerprint(state, run_id)
