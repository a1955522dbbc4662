"""Whether MLflow is told, and which: what the environment says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows import app, run, services
from mlab import tracking
from mlab.core.errors import ConfigError
from mlab.core.state import State
from mlab.store import Store
from tests import runs


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("MLAB_MODE", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return State.here()


def test_runs_are_online_unless_they_are_told(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking.mode() == "online"
    monkeypatch.setenv("MLAB_MODE", "")
    assert tracking.mode() == "online"
    monkeypatch.setenv("MLAB_MODE", "offline")
    assert tracking.mode() == "offline"


OWN = [
    "sqlite:///{root}/experiments.db",
    "sqlite:///state/experiments.db",
    "sqlite:///./state/../state//experiments.db?timeout=5",
    "sqlite+pysqlite:///state/experiments.db",
    "SQLITE:///state/experiments.db",
    "sqlite:///link/experiments.db",
    "sqlite:///other.db",
    "sqlite:///hard.db",
    "sqlite:///file:state/experiments.db?uri=true",
    "sqlite:///file:///{root}/experiments.db?uri=true",
    "sqlite:///file://{root}/experiments.db?uri=true",
    "sqlite:///file:st%61te/experiments.db?uri=true",
]


@pytest.mark.parametrize("uri", OWN)
def test_the_database_of_the_experiments_is_not_given_to_mlflow(
    state: State, uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state.root.mkdir()
    state.database.write_bytes(b"")
    Path("link").symlink_to("state")
    Path("other.db").symlink_to("state/experiments.db")
    os.link(state.database, "hard.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(root=state.root))
    with pytest.raises(ConfigError, match="must not be the database of the experiments"):
        tracking.check(state)

    assert run.main(["--set", "ladder.num_orders=4"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: environment: MLFLOW_TRACKING_URI: must not be the database of the experiments")
    assert state.database.read_bytes() == b""


def test_nor_to_a_server_of_mlflow(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", f"sqlite:///{state.database}")
    with pytest.raises(ConfigError, match="environment: MLFLOW_BACKEND_STORE_URI: must not be the database of the exp"):
        services.mlflow(state, 5000)


@pytest.mark.parametrize("uri", [uri for uri in OWN if "other" not in uri and "hard" not in uri])
def test_it_is_not_given_before_it_is_there_either(state: State, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("link").symlink_to("state")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(root=state.root))
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI"):
        tracking.check(state)
    assert not state.root.exists()


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "sqlite:///mlflow.db",
        "sqlite://",
        "http://host/experiments.db",
        "postgresql://h/x",
    ],
)
def test_others_are(state: State, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking.tracking_uri(state) == uri


@pytest.mark.parametrize("uri", ["sqlite:///state/mlflow.db", "sqlite+pysqlite:///{root}/mlflow.db?timeout=5"])
def test_the_database_of_the_state_folder_may_be_named(state: State, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"):
        monkeypatch.setenv(variable, uri.format(root=state.root))
        assert tracking.tracking_uri(state, variable) == ""


TRACKING, BACKEND, PREFECT = "MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI", "PREFECT_SERVER_DATABASE_CONNECTION_URL"
ASYNC = "postgresql+asyncpg"
DRIVER, DB_HOST, NAME = (f"PREFECT_SERVER_DATABASE_{part}" for part in ("DRIVER", "HOST", "NAME"))


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({PREFECT: "sqlite+aiosqlite:///state/experiments.db"}, f"{PREFECT}: must not be the database of the exp"),
        ({PREFECT.replace("SERVER", "API"): "sqlite+aiosqlite:///state/mlflow.db"}, "must not be the database of MLf"),
        ({BACKEND: "sqlite:///state/prefect/prefect.db"}, f"{BACKEND}: must not be the database of Prefect"),
        ({PREFECT: "sqlite+aiosqlite:///x.db", TRACKING: "sqlite:///./x.db"}, "must not be the database of Prefect"),
        ({PREFECT: f"{ASYNC}://a:hunter2@DB:5432/lab", BACKEND: "postgresql+psycopg://b:hunter2@db/lab"}, "of Prefect"),
        ({PREFECT: f"{ASYNC}://a@localhost/lab", TRACKING: "postgresql://a@127.0.0.1/lab?connect_timeout=2"}, TRACKING),
        ({PREFECT: f"{ASYNC}://lab@/lab?host=/run/pg", BACKEND: "postgres://lab@localhost"}, BACKEND),
        ({DRIVER: ASYNC, DB_HOST: "db", NAME: "lab", BACKEND: "postgresql://a@db/lab"}, "the database of Prefect"),
        ({DRIVER: "sqlite+aiosqlite", NAME: "state/experiments.db"}, f"{NAME}: must not be the database of the exp"),
        ({BACKEND: "sqlite:///other/state/experiments.db"}, f"{BACKEND}: must not be a database of experiments"),
    ],
)
def test_nobody_is_given_a_database_of_anothers(
    state: State, told: dict[str, str], wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Store.open(Path("other/state/experiments.db")).close()
    for variable, uri in told.items():
        monkeypatch.setenv(variable, uri)
    for command in (["run"], ["ui"], ["serve"]):
        assert app.main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: environment: ")
        assert wrong in line
        assert "hunter2" not in line
    assert not state.root.exists()


@pytest.mark.parametrize(
    ("prefect", "mlflow"),
    [
        ("db/lab", "db/other"),
        ("db/lab", "other/lab"),
        ("db:5433/lab", "db/lab"),
        ("db/lab", "db/lab?options=-csearch_path%3Dmlflow"),
    ],
)
def test_databases_beside_each_other_are_no_one_database(
    state: State, prefect: str, mlflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PREFECT, f"{ASYNC}://lab@{prefect}")
    monkeypatch.setenv(BACKEND, f"postgresql+psycopg://lab@{mlflow}")
    tracking.check(state)


def test_a_server_is_given_no_folder(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(BACKEND, "file:///srv/runs")
    free = str(runs.free_port())
    assert app.main(["ui", "--prefect-port", free, "--mlflow-port", free]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: environment: {BACKEND}: must name a server or a database, as sqlite:///FILE")
    assert not state.root.exists()


def test_addresses_of_files_mean_the_same_to_a_process_that_works_elsewhere(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACKING, "sqlite:///a.db?timeout=5")
    monkeypatch.setenv(BACKEND, "sqlite:///file:b.db?uri=true")
    monkeypatch.setenv(PREFECT, f"sqlite+aiosqlite:///{tmp_path}/c.db")
    assert tracking.absolute_addresses() == {
        TRACKING: f"sqlite:///{tmp_path}/a.db?timeout=5",
        BACKEND: f"sqlite:///file:{tmp_path}/b.db?uri=true",
    }


def test_a_mode_that_there_is_not_is_refused_before_anything_is_written(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_MODE", "airplane")
    assert run.main([]) == 2
    line = "error: environment: MLAB_MODE: must be online or offline, was 'airplane'\n"
    assert (capsys.readouterr().err, state.root.exists()) == (line, False)


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        *((uri, True) for uri in ("file:///srv/runs", "FILE:runs", "/srv/runs", "runs", "./a/b")),
        *((uri, False) for uri in ("", "http://host", "sqlite:///x.db", "databricks", "databricks://me")),
    ],
)
def test_folders_are_told_from_what_mlflow_takes(uri: str, folder: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking.keeps_files(uri) is folder
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert not tracking.keeps_files(uri)
