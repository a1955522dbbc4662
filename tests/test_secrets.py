"""Thirty secrets, and everything that a run leaves behind: none of them is in any file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mlab.core import redaction
from mlab.core.errors import EvaluationError
from mlab.core.state import State
from mlab.model.annealing import Refinement
from mlab.store import Store
from mlab.tracking import Sidecar
from mlab.tracking.publisher import follow
from tests import runs
from tests.planted import ENVIRONMENT, NOTES, SECRETS, failing
from tests.runs import ROOT, TINY, command_line
from tests.served import told

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]


def found(root: Path) -> dict[str, list[str]]:
    """By secret: the files below ``root`` that hold it, in capitals or not."""
    files = {path: path.read_bytes().lower() for path in root.rglob("*") if path.is_file()}
    assert files
    holders = {
        secret: [str(path.relative_to(root)) for path, content in files.items() if secret.lower().encode() in content]
        for secret in SECRETS
    }
    return {secret: paths for secret, paths in holders.items() if paths}


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def switch_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take redaction away: what the other tests find nothing of has to be found then."""
    monkeypatch.setattr(redaction, "_redacted", lambda value, _key, _known: value)
    monkeypatch.setattr(redaction, "_clean", lambda text, _known: text)


def leave(state: State, ending: type[BaseException] | None, monkeypatch: pytest.MonkeyPatch, *overrides: str) -> None:
    """A run with its delivery to MLflow, in this process."""
    runs.furnish(state)
    with Store.open(state.database) as store, monkeypatch.context() as broken:
        if ending is not None:
            broken.setattr(Refinement, "generation", failing)
            with pytest.raises(ending):
                runs.searched(state, store, f"notes={json.dumps(NOTES)}", *overrides)
        else:
            runs.searched(state, store, f"notes={json.dumps(NOTES)}", *overrides)
        follow(state, store.experiments()[0].run_id)


def test_there_are_thirty() -> None:
    assert len(set(SECRETS)) == len(SECRETS) == 30


@pytest.mark.usefixtures("planted")
def test_a_run_that_fails_and_one_that_succeeds_leave_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path)
    leave(state, EvaluationError, monkeypatch)
    leave(state, None, monkeypatch)

    assert found(state.root) == {}
    assert {"experiments.db", "mlflow.db", "artifacts", "crashes", "events"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert b"[hidden]" in state.database.read_bytes() + state.mlflow_database.read_bytes()


@pytest.mark.usefixtures("planted")
def test_without_redaction_every_secret_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch_off(monkeypatch)
    state = State(tmp_path)
    leave(state, EvaluationError, monkeypatch)

    holders = found(state.root)
    assert sorted(holders) == sorted(SECRETS)
    assert {path.partition("/")[0] for paths in holders.values() for path in paths} >= {
        *("experiments.db", "mlflow.db", "artifacts", "crashes", "events"),
    }


OFF = """
from mlab.core import redaction
redaction._redacted = lambda value, _key, _known: value
redaction._clean = lambda text, _known: text
"""
FAILING = """
from mlab.model.annealing import Refinement
from tests.planted import failing
Refinement.generation = failing
"""


def beginning_with(code: str, folder: Path) -> str:
    """A PYTHONPATH with which every Python begins with ``code``."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    return f"{folder}:{ROOT}"


@pytest.fixture
def holders(tmp_path: Path, prefect_url: str, prefect_database: Path) -> Callable[[str], dict[str, list[str]]]:
    """By secret: the files that hold it of all that the whole command leaves, whose Pythons begin with some code."""

    def of(code: str) -> dict[str, list[str]]:
        state = runs.furnish(State(tmp_path / "state"))
        command = command_line("--json", overrides=[*TINY, f"notes={json.dumps(NOTES)}"])
        path = beginning_with(code, tmp_path / "begin")
        variables = {**ENVIRONMENT, "PYTHONPATH": path, "PREFECT_API_URL": prefect_url}
        with runs.python(*command, state=state.root, log=subprocess.PIPE, **variables) as process:
            out, err = process.communicate(timeout=runs.SECONDS)
        assert (process.returncode, out) == (1, b""), err
        runs.wait_until(lambda: not list(state.root.glob("*.db-wal")))
        with Store.open(state.database) as store:
            (run,) = store.experiments()
        told(prefect_url, prefect_database, run.flow_run_id or "", state.prefect_database)
        with closing(sqlite3.connect(state.prefect_database)) as database:
            assert database.execute("SELECT count(*) FROM log WHERE message LIKE '%ORCH.ERROR%'").fetchone() == (1,)
        return found(state.root)

    return of


def test_the_whole_command_leaves_no_secret(holders: Callable[[str], dict[str, list[str]]]) -> None:
    assert holders(FAILING) == {}


@pytest.mark.soak
def test_without_redaction_the_whole_command_would_leave_them_all(
    holders: Callable[[str], dict[str, list[str]]],
) -> None:
    found_in = holders(OFF + FAILING)
    assert sorted(found_in) == sorted(SECRETS)
    assert any(path.startswith("prefect/prefect.db") for paths in found_in.values() for path in paths)  # or its -wal


# Failures that are skipped, and a server whose address has a password


@pytest.mark.usefixtures("planted")
def test_a_run_that_skips_failures_leaves_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Refinement, "generation", failing)
    state = State(tmp_path)
    with Store.open(state.database) as store:
        runs.searched(state, store, "search.on_error=skip", "search.max_failed_share=1")
        assert [trial.outcome for trial in store.trials(1, 0)] == ["FAIL"] * 4

    assert found(state.root) == {}


LOST = "http://ann:Linked0xQ7@127.0.0.1:9"


@pytest.mark.parametrize(
    ("code", "held"),
    [("", {}), pytest.param(OFF, {"Linked0xQ7": ["tracking.log"]}, marks=pytest.mark.soak)],
    ids=["on", "off"],
)
def test_the_password_of_an_mlflow_server_is_in_no_log(
    code: str, held: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", LOST)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("PYTHONPATH", beginning_with(code, tmp_path / "begin"))
    state = State(tmp_path / "state")
    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store)
        with Sidecar(state, experiment.run_id):
            runs.execute(state, store, experiment, config)

    assert found(state.root) == held
    log = (state.root / "tracking.log").read_text()
    assert "MLflow at http://ann:" in log
    assert "@127.0.0.1:9" in log
