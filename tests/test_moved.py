"""State folders with odd names, and those that were moved: MLflow's database has its artifacts where the folder is."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from flows import services
from mlab import tracking
from mlab.cli import doctor
from mlab.core.errors import StoreError
from mlab.core.state import State
from mlab.store import Store
from mlab.tracking import database
from mlab.tracking.client import Client, refusal
from mlab.tracking.publisher import follow
from tests import runs
from tests.test_cli import mlab

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]

ODD = "a?b%41#c d'é"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """A delivered run in a folder with an odd name."""
    parent = tmp_path_factory.mktemp("odd")
    state = State(parent / ODD / "state")
    with pytest.MonkeyPatch.context() as environment, Store.open(state.database) as store:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert follow(state, runs.searched(state, store)) == ""
        assert [path.name for path in parent.iterdir()] == [ODD], "nothing is made beside it"
        yield state


@pytest.fixture
def moved(made: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    state = State(tmp_path / "elsewhere")
    shutil.copytree(made.root, state.root)
    monkeypatch.setenv("MLAB_STATE_DIR", str(state.root))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return state


def places(state: State) -> set[str]:
    """The folders of artifacts that the database names."""
    with closing(sqlite3.connect(state.mlflow_database)) as opened:
        statement = "SELECT artifact_location FROM experiments UNION SELECT artifact_uri FROM runs"
        found = {place for (place,) in opened.execute(statement)}
    return {place.partition("/artifacts")[0] for place in found}


def found_by_the_doctor(state: State) -> list[str]:
    return [one.found for one in doctor.examine(state) if "moved or copied" in one.found]


def test_a_folder_with_an_odd_name_holds_all_of_it(made: State) -> None:
    assert places(made) == {made.root.as_uri()}
    assert list(made.artifacts.rglob("report.html"))
    url = services._of_prefect(made, "")["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    assert url.endswith("/a%3Fb%2541%23c%20d%27%C3%A9/state/prefect/prefect.db")
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in services._of_prefect(State(Path("/plain folder")), "")


def test_the_places_of_a_folder_that_was_moved_follow_it(
    made: State, moved: State, capsys: pytest.CaptureFixture[str]
) -> None:
    assert places(moved) == {made.root.as_uri()}
    (found,) = found_by_the_doctor(moved)
    assert made.artifacts.as_uri() in found
    before = sorted(made.artifacts.rglob("*"))

    with Store.open(moved.database) as store:
        assert follow(moved, runs.searched(moved, store)) == ""

    assert places(moved) == {moved.root.as_uri()}
    assert found_by_the_doctor(moved) == []
    assert len(list(moved.artifacts.rglob("report.html"))) == 2
    assert sorted(made.artifacts.rglob("*")) == before, "nothing is written to the former place"
    client = MlflowClient(database.address(moved.mlflow_database))
    for run in client.search_runs([Client.open(moved).experiment]):
        assert client.list_artifacts(run.info.run_id)


def test_sync_with_nothing_pending_has_them_follow_too(moved: State, capsys: pytest.CaptureFixture[str]) -> None:
    assert mlab(capsys, "sync")[:2] == (0, "All is delivered to MLflow.\n")
    assert places(moved) == {moved.root.as_uri()}


def test_they_follow_whole_or_not_at_all(made: State, moved: State) -> None:
    with closing(sqlite3.connect(moved.mlflow_database)) as opened, opened:
        opened.execute("CREATE TRIGGER no BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'not now'); END")
    with pytest.raises(StoreError, match=r"mlflow\.db: not now"):
        tracking.follow_folder(moved)
    assert places(moved) == {made.root.as_uri()}


def test_artifacts_that_people_keep_elsewhere_stay_there(moved: State) -> None:
    with closing(sqlite3.connect(moved.mlflow_database)) as opened, opened:
        opened.execute("UPDATE experiments SET artifact_location = 's3://bucket/artifacts' WHERE experiment_id = 1")
    tracking.follow_folder(moved)
    assert places(moved) == {moved.root.as_uri(), "s3://bucket"}


def test_a_database_of_ones_own_is_left_alone(
    made: State, moved: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = State(tmp_path)
    shutil.copy(moved.mlflow_database, own.mlflow_database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{own.mlflow_database}")
    assert mlab(capsys, "sync")[0] == 0
    Client.open(moved)
    assert places(own) == places(moved) == {made.root.as_uri()}
    assert found_by_the_doctor(moved) == []


def test_artifacts_in_a_database_of_ones_own_lie_in_the_state_folder(
    moved: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/own.db")
    client = Client.open(moved)
    assert client.mlflow.get_experiment(client.experiment).artifact_location == moved.artifacts.as_uri()
    assert refusal(f"sqlite:///{tmp_path}/own.db") == ""


def test_a_damaged_database_is_told_in_one_line(moved: State, monkeypatch: pytest.MonkeyPatch) -> None:
    moved.mlflow_database.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"mlflow\.db: file is not a database"):
        Client.open(moved)
    (found,) = (one for one in doctor.examine(moved) if "not a database" in one.found)
    assert found.remedy == "move that file away; the next run makes a new one"
    assert "not a database" in refusal(f"sqlite:///{moved.mlflow_database}")
    assert refusal(f"sqlite:///{moved.root}/none.db") == ""
    assert not (moved.root / "none.db").exists()
    assert "frob" in refusal("frob://host/x")
