"""Searches on a schedule: all that ``make serve`` starts, what it executes, and that it ends again."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import psutil
import pytest
import yaml

from benchmarks.workers import fingerprint
from flows import app, ports, serve, services
from flows.connection import address_file
from flows.services import Program
from mlab.cli import doctor
from mlab.core import pidfiles
from mlab.core.errors import LabError
from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.served import LONGER, Served, serving, uncut
from tests.test_flow import mlflow_status

TINY: dict[str, Any] = {
    "name": "scheduled",
    "ladder": {"overlap_pct": 10, "num_orders": [4, 5]},
    "search": {"batch_size": 2, "max_batches": 2},
}

# What can be said without starting a server


@contextmanager
def background(state: State, name: str = "MLflow", port: int = 1, parent: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs in the background as make serve has left it, with a child of its own."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', '0'])"
    (state.root / "code").mkdir(parents=True, exist_ok=True)
    (state.root / "code/server_of_test.py").write_text(code)
    program = Program(name, ("-m", "server_of_test"), {"PYTHONPATH": f"{state.root / 'code'}:{runs.ROOT}"}, "", port)
    process = program.start(state, "-m", "mlab.core.keeper", name, str(parent))
    family = [psutil.Process(process.pid)]
    try:
        pidfiles.remember(state, name, process.pid, port)
        runs.wait_until(lambda: pidfiles.alive(state, name) and bool(family[0].children()))
        family += family[0].children()
        with mock.patch.object(services, "END_S", 0.5):  # nobody tells the child to end
            yield process
        runs.wait_until(lambda: not any(runs.alive(one.pid) for one in family))
    finally:
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def test_what_runs_in_the_background_is_known_by_its_lock_and_ended_with_all_of_it(tmp_path: Path) -> None:
    state = State(tmp_path)
    with background(state) as process:
        found = pidfiles.running(state, "MLflow")
        assert found is not None
        assert (found.pid, found.port) == (process.pid, 1)
        assert pidfiles.running(state, "Prefect") is None
        assert pidfiles.is_seen(state, "MLflow", process.pid)
        assert not pidfiles.is_seen(state, "MLflow", os.getpid()), "nor is anybody else taken for it"

        services.end(process.pid)
        process.wait(runs.SECONDS)
        assert pidfiles.running(state, "MLflow") is None


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
def test_a_server_ends_when_its_folder_is_gone(how: str, tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with background(state):
        state.root.rename(tmp_path / "elsewhere")
        if how == "removed":
            shutil.rmtree(tmp_path / "elsewhere")
        if how == "replaced":
            state.root.mkdir()


def test_a_server_of_mlab_ui_ends_when_that_is_killed_with_its_terminal(tmp_path: Path) -> None:
    code = """if True:
        import os, time
        from flows.services import Program
        from mlab.core.state import State
        server = Program("MLflow", ("-m", "http.server", "--bind", "127.0.0.1", "0"), {}, "")
        server.start(State.here(), "-m", "mlab.core.keeper", "MLflow", str(os.getpid()))
        time.sleep(600)"""
    with runs.python("-c", code, state=tmp_path) as process:
        runs.wait_until(lambda: pidfiles.alive(State(tmp_path), "MLflow"))
        process.kill()
        process.wait()
        runs.wait_until(lambda: not pidfiles.alive(State(tmp_path), "MLflow"))


def test_a_server_of_another_container_is_neither_taken_for_dead_nor_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State(tmp_path)
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    with background(state) as process, subprocess.Popen(["sleep", "60"]) as bystander:  # noqa: S607
        pidfiles.remember(state, "MLflow", bystander.pid, 1)  # the id that it has there is another's here
        assert app.main(["stop"]) == 1
        assert bystander.poll() is None
        assert process.poll() is None
        said = f"error: MLflow is process {bystander.pid} of {socket.gethostname()}, not seen from here: "
        assert capsys.readouterr().err == f"{said}make stop-serve there\n"
        assert pidfiles.running(state, "MLflow") is not None
        bystander.kill()
        services.end(process.pid)


def test_a_server_of_mlab_ui_is_no_second_time_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State(tmp_path)
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    with background(state) as process:
        (state.services / "mlflow.json").write_bytes(b"")  # nothing was noted, for nobody else is to end it
        assert app.main(["serve", "--prefect-port", str(runs.free_port()), "--mlflow-port", str(runs.free_port())]) == 1
        services.end(process.pid)
    said = f"error: MLflow runs over {tmp_path} already: end the mlab ui that has started it\n"
    assert capsys.readouterr().err == said


def test_the_doctor_says_what_has_died(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert [found for found in doctor.examine(state) if found.name == "make serve"] == []
    with background(state) as process:
        (alive,) = [found for found in doctor.examine(state) if found.name == "make serve"]
        services.end(process.pid)
    (dead,) = [found for found in doctor.examine(state) if found.name == "make serve"]

    assert (alive.found, alive.remedy) == ("running: MLflow", "")
    assert (dead.found, dead.remedy) == ("died: MLflow; searches on a schedule need all", "make serve")


def test_a_server_that_died_comes_back_where_it_was(tmp_path: Path) -> None:
    state, port = State(tmp_path), runs.free_port()
    with background(state, port=port) as process:
        services.end(process.pid)
    wanted = {"prefect": runs.free_port(), "mlflow": None}
    assert ports.chosen(state, wanted)["MLflow"] == port


def test_a_copy_of_the_folder_does_not_take_what_is_served_for_its_own(tmp_path: Path) -> None:
    state, copy = (State(tmp_path / name) for name in ("state", "copy"))
    with background(state) as process:
        shutil.copytree(state.root, copy.root)
        assert pidfiles.running(copy, "MLflow") is None
        assert pidfiles.known(copy, "MLflow") is None
        services.end(process.pid)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": null, "host": "", "port": 1}', "null"])
def test_a_damaged_record_is_none(content: str, tmp_path: Path) -> None:
    state = State(tmp_path)
    state.services.mkdir(parents=True)
    (state.services / "prefect.json").write_text(content)
    assert pidfiles.known(state, "Prefect") is None


def test_to_stop_where_nothing_is_served_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    assert app.main(["stop"]) == 0
    assert capsys.readouterr().out == f"Nothing is served from {tmp_path}.\n"


def test_a_server_is_not_moved_to_another_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    with background(State(tmp_path)) as process:
        free = str(runs.free_port())
        assert app.main(["serve", "--prefect-port", free, "--mlflow-port", free]) == 1
        services.end(process.pid)
    assert capsys.readouterr().err == "error: MLflow listens on port 1 already: make stop-serve ends it\n"


def test_a_program_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    broken = Program("Prefect", ("-c", "print('no such module')"), {}, "http://127.0.0.1:9/health")
    process = broken.start(State(tmp_path))
    with pytest.raises(LabError, match=r"Prefect does not answer; see .*prefect\.log"):
        broken.wait(State(tmp_path), process)
    process.wait()
    assert (tmp_path / "services" / "prefect.log").read_text() == "no such module\n"


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            "│ Deploying nightly │\n╰───╯\nAn exception occurred.\nTraceback (most recent call last):\n  File x\n"
            "httpx.HTTPStatusError: Client error\n\nThe above exception was the direct cause of the following:\n\n"
            "prefect.deployments.runner.DeploymentApplyError: Error creating deployment: Validation failed for field "
            "'env.MLAB_DEBUG'. Failure reason: 1 is not valid under any of the given schemas\n\nAn exception occurred.",
            "Error creating deployment: Validation failed for field 'env.MLAB_DEBUG'. "
            "Failure reason: 1 is not valid under any of the given schemas",
        ),
        (
            "│ Deploying nightly │\n╰───╯\n1 validation error for CronSchedule\ntimezone\n  Value error",
            "1 validation error for CronSchedule timezone Value error",
        ),
        (
            """prefect.exceptions.PrefectHTTPStatusError: Client error '409 Conflict' for url 'http://127.0.0.1/' - """
            """Response: {'detail': "Error updating deployment: no field 'x'"} - For more information check: that""",
            "Error updating deployment: no field 'x'",
        ),
        ("", ""),
    ],
)
def test_what_is_wrong_with_a_deployment_is_found_in_its_log(log: str, told: str) -> None:
    assert serve._fault(log) == told


@pytest.mark.parametrize("value", ["1", "true", "2.5", "[a]"])
def test_what_stands_in_env_without_quotes_is_refused(value: str, tmp_path: Path) -> None:
    file, text = tmp_path / "prefect.yaml", (runs.ROOT / "prefect.yaml").read_text()
    for right in (text, text.replace('FREQUENCY: "30"', "FREQUENCY: null"), "deployments: [", "", "deployments: [{}]"):
        file.write_text(right)
        serve._check_environments(file)
    file.write_text(text.replace('FREQUENCY: "30"', f"FREQUENCY: {value}"))
    with pytest.raises(LabError) as refused:
        serve._check_environments(file)
    line = "prefect.yaml: nightly: env.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: must be text, in quotes, was "
    assert str(refused.value) == f"{line}{yaml.safe_load(value)!r}"


def test_a_prefect_whose_database_is_locked_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    answers = [503, 503, 200, *[503] * serve.ATTEMPTS]
    transport = httpx.MockTransport(lambda _: httpx.Response(answers.pop(0), json=[]))
    with httpx.Client(transport=transport, base_url="http://prefect") as api:
        assert serve._asked(api, "/deployments/filter", {}) == []
        with pytest.raises(httpx.HTTPStatusError, match="503"):
            serve._asked(api, "/deployments/filter", {})


# All of it


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(State(tmp_path_factory.mktemp("served"))) as (served, told):
        assert told[1] == f"Prefect  {served.pages.prefect}   runs as they happen"
        assert re.fullmatch(rf"MLflow   {served.pages.mlflow}\S*   results side by side", told[2])
        planned = [line.split() for line in told if line.startswith("Next")]
        assert {words[-1] for words in planned} == {"maintenance", "nightly", "weekly-deep"}
        assert planned == sorted(planned)
        yield served


@pytest.fixture(scope="module")
def store(served: Served) -> Iterator[Store]:
    with Store.open(served.state.database) as store:
        yield store


@pytest.mark.integration
def test_serving_again_starts_what_has_died_and_leaves_alone_what_runs_and_what_people_have_paused(
    served: Served,
) -> None:
    before = served.processes()
    assert set(before) == {"Prefect", "MLflow", "worker"}
    temporary = {psutil.Process(process).environ()["TMPDIR"] for process in before.values()}
    assert temporary == {str(served.state.temporary)}, "nothing of another user's can be in the way there"
    nightly = served.prefect.deployment("nightly")
    place = f"deployments/{nightly['id']}/schedules/{nightly['schedules'][0]['id']}"
    served.prefect.api("PATCH", place, {"active": False})
    psutil.Process(before["worker"]).kill()
    runs.wait_until(lambda: "worker" not in served.processes())

    told = served.serve()

    after = served.processes()
    assert {name: after[name] for name in ("Prefect", "MLflow")} == {
        name: before[name] for name in ("Prefect", "MLflow")
    }
    assert after["worker"] != before["worker"]
    assert [line.split()[-1] for line in told if line.startswith("Next")] == ["maintenance", "weekly-deep"]
    assert len(served.prefect.api("POST", "automations/filter", {})) == 1
    (step,) = nightly["pull_steps"]
    assert list(step.values()) == [{"directory": "{{ $MLAB_HOME }}"}], "each worker has a checkout of its own"
    served.prefect.api("PATCH", place, {"active": True})


def completed(served: Served, store: Store, flow_run: str) -> str:
    """The id of the run of a flow run, once Prefect, the database and MLflow agree that it is complete."""
    assert served.prefect.ended(flow_run) == "Completed", served.prefect.states(flow_run)
    run = runs.stored(store, store.run_of_flow(flow_run) or "")
    assert run.status == "COMPLETED"
    assert run.flow_run_id == flow_run
    which = f"tags.run_id = '{run.run_id}' and tags.status = 'COMPLETED'"
    url = f"{served.pages.mlflow}/api/2.0/mlflow/runs/search"
    answer = httpx.post(url, json={"filter": which, "experiment_ids": ["0", "1"], "max_results": 9}).raise_for_status()
    (found,) = answer.json()["runs"]
    assert found["info"]["status"] == "FINISHED"
    assert found["info"]["run_id"] == run.mlflow_run_id
    return run.run_id


@dataclass(frozen=True)
class Begun:
    """Flow runs: one that died, one that was scheduled, and one by hand, with other parameters, started meanwhile."""

    lost: str
    scheduled: str
    by_hand: str


@pytest.fixture(scope="module")
def begun(served: Served, store: Store) -> Begun:
    prefect, nightly = served.prefect, served.prefect.deployment("nightly")["id"]
    lost = prefect.orphan(store)
    own = {"schedule": {"interval": 10}, "active": True, "slug": "soon", "parameters": {"config": TINY}}
    (added,) = prefect.api("POST", f"deployments/{nightly}/schedules", [own])

    under_way: list[Any] = []

    def begins() -> bool:
        under_way.extend(one for one in prefect.flow_runs("nightly") if one["state_type"] in {"PENDING", "RUNNING"})
        return bool(under_way)

    runs.wait_until(begins, every=0.5)
    by_hand = prefect.start("nightly", config=LONGER)
    prefect.api("DELETE", f"deployments/{nightly}/schedules/{added['id']}")
    assert under_way[0]["auto_scheduled"] is True
    return Begun(lost, under_way[0]["id"], by_hand)


@pytest.mark.integration
def test_what_is_scheduled_is_executed_and_ends_orphans(served: Served, store: Store, begun: Begun) -> None:
    run_id = completed(served, store, begun.scheduled)
    assert runs.stored(store, run_id).config["name"] == "scheduled"
    assert runs.stored(store, store.run_of_flow(begun.lost) or "").status == "STOPPED"
    assert served.prefect.state_of(begun.lost)[0] == "Crashed"


@pytest.mark.integration
def test_no_run_is_made_with_wrong_parameters(served: Served) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        served.prefect.start(config=TINY | {"seed": "many"})


@pytest.mark.integration
@pytest.mark.usefixtures("quick")
def test_a_run_by_hand_waits_for_another_stops_at_once_when_it_is_cancelled_and_goes_on_when_it_is_retried(
    served: Served, store: Store, begun: Begun
) -> None:
    prefect, flow_run = served.prefect, begun.by_hand
    run = prefect.search_of(flow_run, store)
    run_id = run.run_id
    prefect.set_state(flow_run, "CANCELLING", "Cancelling")
    runs.wait_until(lambda: runs.stored(store, run_id).status == "STOPPED")
    ended = [one for one in runs.events(served.state.events(run_id)) if one["event"] == "ORCH.DONE"]
    assert [one["status"] for one in ended] == ["STOPPED"], "by itself, for one that is killed says nothing"
    assert prefect.ended(flow_run) == "Cancelled"
    shown = prefect.api("GET", f"flow_runs/{flow_run}")
    artifacts = prefect.api("POST", "artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [flow_run]}}})

    assert shown["name"] == f"deployed, 2 cells, {run_id[-6:]}"
    assert shown["tags"] == ["nightly", "config:deployed", "STOPPED"]
    assert any(f"# Run `{run_id}`, STOPPED" in str(artifact["data"]) for artifact in artifacts)
    assert len(store.results(runs.stored(store, run_id).exp_id)) > 0
    runs.wait_until(lambda: mlflow_status(served.state, run_id) == "KILLED")
    finished_at = runs.stored(store, store.run_of_flow(begun.scheduled) or "").finished_at
    assert finished_at is not None
    assert finished_at < run.started_at
    assert "AwaitingConcurrencySlot" in {name for _, name, _ in prefect.states(flow_run)}
    prefect.set_state(flow_run, "SCHEDULED", "AwaitingRetry")
    assert completed(served, store, flow_run) == run_id
    names = [name for _, name, _ in prefect.states(flow_run)]
    assert names.count("Cancelled") == 1, "said once, when all of it is over, and not again while it is retried"
    assert fingerprint(served.state, run_id) == uncut(served.state, store)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("was", "instead", "told"),
    [
        pytest.param("timezone: UTC", "timezone: Mars/City", 'Invalid timezone: "Mars/City"', marks=pytest.mark.soak),
        ("num_orders: {min", "num_order: {min", "field 'config.ladder'. Failure reason: Additional properties"),
    ],
)
def test_what_is_wrong_in_prefect_yaml_is_said_by_its_field(
    served: Served, was: str, instead: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flows").symlink_to(runs.ROOT / "flows")
    (tmp_path / "prefect.yaml").write_text((runs.ROOT / "prefect.yaml").read_text().replace(was, instead))
    monkeypatch.setattr(services, "HOME", tmp_path)
    with pytest.raises(LabError) as refused:
        serve._deploy(served.state, services.worker(served.state, served.pages))
    assert told in str(refused.value)


@pytest.mark.integration
def test_to_stop_ends_all_that_was_started_nothing_else_and_a_search_in_order(served: Served, store: Store) -> None:
    endless = LONGER["search"] | {"max_batches": 1000, "patience": 1000, "miss_chance": 0}
    flow_run = served.prefect.start(config=LONGER | {"name": "cut", "search": endless})
    run_id = served.prefect.search_of(flow_run, store).run_id
    family = [
        one
        for pid in served.processes().values()
        for one in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    ]

    told = served.stop()

    assert told == ["ended worker", "ended MLflow", "ended Prefect"]
    assert not any(runs.alive(one.pid) for one in family)
    assert runs.alive(served.bystander.pid)
    assert runs.stored(store, run_id).status == "STOPPED"
    assert not address_file(served.state).exists()
    assert served.stop() == [f"Nothing is served from {served.state.root}."]
