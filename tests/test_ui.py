from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows import ui
from flows.server import address_file
from mlab.identity import State
from mlab.store import Store
from mlab.tracking import Courier
from tests import runs
from tests.runs import TINY, command_line

SECONDS = 180


def ports() -> tuple[int, int]:
    return runs.free_port(), runs.free_port()


# What can be said without starting anything


@pytest.mark.parametrize("option", ["--prefect-port", "--mlflow-port"])
def test_an_occupied_port_is_one_line_that_names_the_remedy(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "state"))
    before = signal.getsignal(signal.SIGTERM)
    chosen = dict(zip(("--prefect-port", "--mlflow-port"), ports(), strict=True))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        chosen[option] = other.getsockname()[1]
        try:
            status = ui.main([word for pair in chosen.items() for word in map(str, pair)])
        finally:
            signal.signal(signal.SIGTERM, before)

    out, err = capsys.readouterr()
    assert (status, out) == (1, "")
    assert err == f"error: port {chosen[option]} is not free: end what uses it, or choose another with {option}\n"
    assert not (tmp_path / "state").exists()


# Both servers over one finished run


@dataclass(frozen=True)
class Pages:
    state: State
    run_id: str
    prefect: int
    mlflow: int
    process: subprocess.Popen[bytes]

    @property
    def prefect_url(self) -> str:
        return f"http://127.0.0.1:{self.prefect}"

    @property
    def mlflow_url(self) -> str:
        return f"http://127.0.0.1:{self.mlflow}"


def asked(url: str, **body: Any) -> Any:
    """The JSON answer to a JSON question."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own servers
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    state = runs.furnish(State(tmp_path_factory.mktemp("ui")))
    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store)
        with Courier(state, experiment.run_id):
            runs.execute(state, store, experiment, config)
    prefect, mlflow = ports()
    command = ("-m", "flows.ui", "--prefect-port", str(prefect), "--mlflow-port", str(mlflow))
    with runs.python(*command, state=state.root) as process:
        try:
            runs.wait_until(lambda: process.poll() is not None or address_file(state).exists(), SECONDS)
            yield Pages(state, experiment.run_id, prefect, mlflow, process)
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.integration
def test_both_pages_show_the_runs_and_end_together(pages: Pages) -> None:
    assert pages.process.poll() is None, list(pages.state.services.glob("*.log"))
    assert runs.answers(pages.prefect_url)
    assert runs.answers(pages.mlflow_url)
    mlflow_knows(pages, {pages.run_id})

    assert address_file(pages.state).read_text() == f"{pages.prefect_url}/api"
    answer = joined(pages)
    assert [run["name"] for run in asked(f"{pages.prefect_url}/api/flow_runs/filter")] == [
        f"tiny, 2 cells, {answer['run_id'][-6:]}"
    ]
    mlflow_knows(pages, {pages.run_id, answer["run_id"]})

    ended(pages)


def mlflow_knows(pages: Pages, run_ids: set[str]) -> None:
    """MLflow lists these runs as finished, each with its best score."""
    api = f"{pages.mlflow_url}/api/2.0/mlflow"
    (experiment,) = [
        one for one in asked(f"{api}/experiments/search", max_results=9)["experiments"] if one["name"] != "Default"
    ]
    found = asked(f"{api}/runs/search", experiment_ids=[experiment["experiment_id"]], max_results=50)["runs"]
    parents = [run for run in found if {"key": "status", "value": "COMPLETED"} in run["data"]["tags"]]
    tags = [{tag["key"]: tag["value"] for tag in run["data"]["tags"]} for run in parents]

    assert {tag["run_id"] for tag in tags} == run_ids
    assert all(run["info"]["status"] == "FINISHED" for run in found)
    assert all("best_score" in {metric["key"] for metric in run["data"]["metrics"]} for run in parents)


def joined(pages: Pages) -> Any:
    """A run that is started meanwhile starts no server of its own."""
    with runs.python(*command_line("--json", overrides=TINY), state=pages.state.root) as process:
        out, err = process.communicate(timeout=SECONDS)

    assert process.returncode == 0, err.decode()
    assert not (pages.state.prefect / "server.log").exists()
    return json.loads(out)


def ended(pages: Pages) -> None:
    """SIGTERM ends both servers with all that they started, and the address is gone."""
    family = psutil.Process(pages.process.pid).children(recursive=True)
    assert len(family) >= 2

    pages.process.terminate()
    began = time.monotonic()
    assert pages.process.wait(30) == 0

    assert time.monotonic() - began < 15
    assert not address_file(pages.state).exists()
    runs.wait_until(lambda: not any(runs.alive(one.pid) for one in family), 10)
    assert not runs.answers(f"{pages.prefect_url}/api/health")
    assert not runs.answers(f"{pages.mlflow_url}/health")
