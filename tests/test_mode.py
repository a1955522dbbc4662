"""Whether MLflow is told, and which: what the environment says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows import run, services
from mlab import tracking
from mlab.core.errors import ConfigError
from mlab.core.state import State


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
        "sqlite:///state/mlflow.db",
        "sqlite://",
        "http://host/experiments.db",
        "postgresql://h/x",
    ],
)
def test_others_are(state: State, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking.tracking_uri(state) == uri


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
