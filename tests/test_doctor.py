"""``mlab doctor`` and ``mlab sync``: what is wrong is found, and what MLflow lacks is delivered."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from base64 import b64encode
from collections import namedtuple
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from threading import Thread

import psutil
import pytest

from mlab import tracking
from mlab.cli import doctor
from mlab.core.state import State
from mlab.model import loops
from mlab.model.compiled import Loops
from mlab.store import Store
from mlab.tracking.publisher import follow
from tests import runs
from tests.test_cli import crashed, mlab

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, str]:
    """A completed run of which MLflow knows everything, and its id."""
    state = State(tmp_path_factory.mktemp("made"))
    with Store.open(state.database) as store:
        run_id = runs.searched(state, store)
        run = runs.stored(store, run_id)
        store.delivered([key for key, _, _ in store.owed(run.exp_id)])
        store.delivered_ending(run)
    return state, run_id


@pytest.fixture
def run_id(made: tuple[State, str], state: State) -> str:
    """The same run, for one test."""
    shutil.copytree(made[0].root, state.root)
    return made[1]


# The doctor


def test_a_healthy_folder_and_an_empty_one_need_nothing(
    state: State, run_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status, out, _ = mlab(capsys, "doctor")
    assert (status, out.splitlines()[-1]) == (0, "All is well.")
    assert "intact, every row as it was written: 1 COMPLETED" in out

    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "empty"))
    assert mlab(capsys, "doctor")[0] == 0
    assert not (tmp_path / "empty").exists(), "the doctor makes nothing"


def damage(state: State, _: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(state.database)) as connection:
        connection.execute("UPDATE results SET score = score / 2")
        connection.commit()


def truncate(state: State, _: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(state.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with state.database.open("r+b") as file:
        file.truncate(state.database.stat().st_size // 2)


def orphan(state: State, _: pytest.MonkeyPatch) -> None:
    killed = runs.Watch(1, lambda: os.kill(os.getpid(), signal.SIGKILL))
    runs.dying(lambda: runs.searched(state, Store.open(state.database), watch=killed))


def search(state: State, _: pytest.MonkeyPatch) -> None:
    with Store.open(state.database) as store:
        runs.searched(state, store)


def crash_again_and_again(state: State, _: pytest.MonkeyPatch) -> None:
    crashed(state, *[ValueError(str(number)) for number in range(3)])


def fill_disk(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_usage", lambda _: namedtuple("Usage", "free")(100 * 2**20))


def other_version(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "3.0.0" if name == "sqlalchemy" else version(name))


def no_prefect(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://me:hunter2@127.0.0.1:{runs.free_port()}/api")


def no_mlflow(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{runs.free_port()}")


def own_database(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{state.database}")


def folder(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:///srv/mlruns")


def no_mode(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLAB_MODE", "Offline")


@pytest.mark.parametrize(
    ("harm", "found", "remedy"),
    [
        (damage, "is not as it was written", "restore a copy"),
        (truncate, "damaged", "docs/faults.md"),
        (orphan, "left by a process that died: 20", "--resume 20"),
        (search, "numbers and the ending of 1 run", ".venv/bin/mlab sync"),
        (crash_again_and_again, "3 in the last 7 days, 1 kind of them again and again", ".venv/bin/mlab crashes ls"),
        (fill_disk, "100 MB free", "free some"),
        (other_version, "sqlalchemy is 3.0.0, must be <", "make clean"),
        (no_prefect, "does not answer", "start or mend that server"),
        (no_mlflow, "does not serve: Connection refused", "start or mend that server"),
        (own_database, "must not be the database of the experiments", "MLFLOW_TRACKING_URI otherwise"),
        (folder, "file:///srv/mlruns is a folder", "sqlite:///FILE"),
        (no_mode, "MLAB_MODE: must be online or offline, was 'Offline'", "MLAB_MODE otherwise"),
    ],
)
def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(
    state: State,
    run_id: str,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[State, pytest.MonkeyPatch], None],
    found: str,
    remedy: str,
) -> None:
    harm(state, monkeypatch)
    wrong = [one for one in doctor.examine(state) if one.remedy]
    assert [one for one in wrong if found in one.found and remedy in one.remedy], wrong
    assert len(wrong) == 1
    assert "hunter2" not in str(wrong)
    if harm is orphan:
        with Store.open(state.database) as store:
            assert len(store.orphans()) == 1, "looking changes nothing"


@pytest.mark.parametrize("harm", [no_mlflow, own_database, folder, no_mode])
def test_sync_is_advised_where_it_can_help(
    state: State, monkeypatch: pytest.MonkeyPatch, harm: Callable[[State, pytest.MonkeyPatch], None]
) -> None:
    search(state, monkeypatch)
    pending = [one for one in doctor.examine(state) if "not yet delivered" in one.found]
    assert [one.remedy for one in pending] == [".venv/bin/mlab sync"]
    harm(state, monkeypatch)
    *_, pending_now, wrong, _ = doctor.examine(state)
    assert pending_now.remedy == "mend what is said of MLflow below, then .venv/bin/mlab sync"
    assert wrong.remedy


def test_a_run_whose_mlflow_is_a_folder_says_what_to_mend(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search(state, monkeypatch)
    folder(state, monkeypatch)
    with Store.open(state.database) as store:
        (run,) = store.experiments()
        why = follow(state, run.run_id)
        line = tracking.undelivered(store, run, why)
    assert "environment: MLFLOW_TRACKING_URI: must name a server or a database, as sqlite:///FILE" in line
    assert (
        f"Once that is mended, deliver it with .venv/bin/mlab sync, or .venv/bin/mlab run --resume {run.run_id}" in line
    )
    status, out, _ = mlab(capsys, "sync")
    assert (status, out.count("must name a server or a database")) == (1, 1)


def test_the_doctor_ends_with_1_where_something_is_wrong(
    state: State, run_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk(state, monkeypatch)
    status, out, _ = mlab(capsys, "doctor")
    assert status == 1
    assert out.splitlines()[-1] in {"1 of 7 checks need attention.", "1 of 8 checks need attention."}  # one with numba


def test_a_numba_that_is_installed_and_not_used_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed", lambda: True)
    monkeypatch.setattr(doctor.metadata, "version", lambda name: {"numba": "0.64.0"}[name])
    for name in ("LADDERS", "BOUNDS", "REPLAYS"):
        fresh = Loops("mlab.model.loops")
        monkeypatch.setattr(doctor, name, fresh)
        monkeypatch.setattr(fresh, "_tried", True)
        monkeypatch.setattr(fresh, "_found", loops)
    (used,) = doctor._numba()
    monkeypatch.setattr(doctor.BOUNDS, "_found", None)
    monkeypatch.setattr(doctor.BOUNDS, "refused", "OSError: no room")
    (refused,) = doctor._numba()
    assert (used.found, used.remedy) == ("0.64.0, used by long searches, proofs and replays", "")
    assert refused.found == "0.64.0 is not used, proofs: OSError: no room"
    assert refused.remedy.startswith("nothing needs it")


def test_a_state_folder_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = {one.name: one for one in doctor.examine(State(tmp_path / "file"))}
    assert "cannot be written" in found["state folder"].found
    assert "MLAB_STATE_DIR" in found["state folder"].remedy


# What is not yet delivered to MLflow


def test_sync_with_nothing_pending_needs_no_mlflow(
    state: State, capsys: pytest.CaptureFixture[str], run_id: str
) -> None:
    assert mlab(capsys, "sync")[:2] == (0, "All is delivered to MLflow.\n")


@pytest.mark.parametrize("password", ["", "me:hunter2"])
def test_the_doctor_asks_prefect_what_needs_the_password(
    state: State, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    class Prefect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            known = self.headers["Authorization"] == f"Basic {b64encode(b'me:hunter2').decode()}"
            self.send_response(200 if known else 401)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)  # its page of health
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Prefect) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.server_port}/api")
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", password)
        (found,) = (one for one in doctor.examine(state) if one.name == "PREFECT_API_URL")
        server.shutdown()
    assert found.found.endswith("/api answers" if password else "/api does not answer: Unauthorized")
    assert bool(found.remedy) is not bool(password)


@pytest.mark.integration
@pytest.mark.usefixtures("sketches")
def test_an_offline_run_starts_nothing_and_is_delivered_later_each_metric_once(
    state: State, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLAB_MODE", "offline")
    runs.furnish(state)
    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store)
        before = set(psutil.Process().children())
        with tracking.Sidecar(state, experiment.run_id) as sidecar:
            assert set(psutil.Process().children()) <= before
            runs.execute(state, store, experiment, config)
        assert tracking.undelivered(store, runs.stored(store, experiment.run_id), sidecar.answer) == (
            "MLflow has not been told of this run, which was offline; "
            ".venv/bin/mlab sync delivers 44 numbers and the ending with its artifacts"
        )
    assert not (state.root / "tracking.log").exists()

    query = "SELECT count(*), count(DISTINCT run_uuid || key || step) FROM metrics"
    counts = []
    for line in ("delivered 44 numbers and the ending", "All is delivered"):
        status, out, _ = mlab(capsys, "sync")
        assert (status, line in out) == (0, True)
        with closing(sqlite3.connect(state.mlflow_database)) as database:
            counts.append(database.execute(query).fetchone())
    # Two batches of eleven numbers in each of two cells, each for the cell and for the run; summaries of both.
    assert counts[0][0] == counts[0][1] > 2 * 2 * 2 * 11
    assert counts == [counts[0]] * 2


@pytest.mark.integration
@pytest.mark.usefixtures("sketches")
def test_sync_delivers_what_is_pending_once_mlflow_is_there(
    state: State, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.furnish(state)
    search(state, monkeypatch)
    orphan(state, monkeypatch)
    no_mlflow(state, monkeypatch)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    status, out, _ = mlab(capsys, "sync")
    assert status == 1
    assert out.count("not yet delivered to MLflow") == 2, "that of the dead process, too"
    assert out.count("Connection refused") == 2

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    status, out, _ = mlab(capsys, "sync")
    assert status == 0
    assert out.count(": delivered ") == 2
    with closing(sqlite3.connect(state.mlflow_database)) as database:
        query = "SELECT status FROM runs JOIN tags USING (run_uuid) WHERE key = 'mlab.key' AND value NOT LIKE '%/%'"
        assert sorted(database.execute(query).fetchall()) == [("FINISHED",), ("KILLED",)]
    assert mlab(capsys, "sync")[1] == "All is delivered to MLflow.\n"
