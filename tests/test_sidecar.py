from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from mlab.core.state import State
from mlab.store import Store
from mlab.tracking import Sidecar, sidecar
from tests import runs

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return runs.furnish(State(tmp_path))


def delivered(state: State) -> list[tuple[str, int]]:
    """Status and artifacts' time of each MLflow run that has ended."""
    if not state.mlflow_database.exists():
        return []
    with closing(sqlite3.connect(state.mlflow_database)) as database:
        try:
            return database.execute("SELECT status, end_time FROM runs WHERE end_time IS NOT NULL").fetchall()
        except sqlite3.OperationalError:  # its tables are being made
            return []


def test_the_end_of_a_run_waits_for_its_delivery(state: State, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar, "DELIVERY_WAIT_S", 120.0)  # on a machine that has other things to do
    experiment, config = runs.opened(state, store)
    with Sidecar(state, experiment.run_id) as own:
        runs.execute(state, store, experiment, config)

    assert own.answer == ""
    assert [status for status, _ in delivered(state)] == ["FINISHED"] * 3
    assert store.owed(experiment.exp_id) == []
    assert runs.stored(store, experiment.run_id).mlflow_run_id is not None


def test_a_publisher_that_does_not_start_is_no_affair_of_the_run(state: State, store: Store) -> None:
    (state.root / "tracking.log").mkdir()
    experiment, config = runs.opened(state, store)
    with Sidecar(state, experiment.run_id) as sidecar:
        runs.execute(state, store, experiment, config)

    assert runs.stored(store, experiment.run_id).status == "COMPLETED"
    assert sidecar.answer is not None
    assert sidecar.answer.startswith("the publisher did not start: ")


def test_a_publisher_that_dies_is_told_from_one_that_is_still_at_it(state: State, store: Store) -> None:
    experiment, _ = runs.opened(state, store)
    with Sidecar(state, experiment.run_id) as sidecar:
        assert sidecar._process is not None
        sidecar._process.kill()

    assert sidecar.answer == "the publisher died, see tracking.log"


@pytest.mark.parametrize(("ending", "patience"), [(KeyboardInterrupt, 0.2), (ValueError, 0.4)])
def test_who_wants_to_stop_does_not_wait_for_long(
    ending: type[BaseException], patience: float, state: State, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecar, "STOPPED_WAIT_S", 0.2)
    monkeypatch.setattr(sidecar, "DELIVERY_WAIT_S", 0.4)
    experiment, _ = runs.opened(state, store)
    store.claim(experiment.run_id)

    def end() -> None:
        with Sidecar(state, experiment.run_id) as busy:
            processes.append(busy)
            raise ending

    processes: list[Sidecar] = []
    began = time.monotonic()
    with pytest.raises(ending):
        end()

    assert patience <= time.monotonic() - began < 20.0
    process = processes[0]._process
    assert process is not None
    assert process.poll() is None  # it goes on by itself
    assert processes[0].answer is None
    process.kill()
    process.wait()


def test_a_run_killed_without_a_word_is_killed_in_mlflow_too(state: State, store: Store) -> None:
    experiment, _ = runs.opened(state, store)
    store.claims.let_go(experiment.run_id)
    code = f"""if True:
        import time
        from mlab.core.state import State
        from mlab.store import Store
        from mlab.tracking import Sidecar
        state = State.here()
        store = Store.open(state.database)
        store.claim({experiment.run_id!r})
        with Sidecar(state, {experiment.run_id!r}) as sidecar:
            print(sidecar._process.pid, flush=True)
            time.sleep(600)"""
    with runs.python("-c", code, state=state.root) as process:
        assert process.stdout is not None
        follower = int(process.stdout.readline())
        runs.wait_until(lambda: bool(runs.stored(store, experiment.run_id).mlflow_run_id))
        process.kill()
        process.wait()
        runs.wait_until(lambda: [status for status, _ in delivered(state)] == ["KILLED"])
        runs.wait_until(lambda: not runs.alive(follower))

    assert store.reconcile() == []  # its publisher has seen to that
    assert runs.stored(store, experiment.run_id).status == "STOPPED"


def test_a_publisher_whose_folder_is_gone_ends(tmp_path: Path) -> None:
    state = runs.furnish(State(tmp_path / "state"))
    with Store.open(state.database) as store:
        experiment, _ = runs.opened(state, store)
        store.claim(experiment.run_id)
        own = Sidecar(state, experiment.run_id)
        own.__enter__()
        assert own._process is not None
        runs.wait_until(lambda: bool(runs.stored(store, experiment.run_id).mlflow_run_id))
        state.root.rename(tmp_path / "elsewhere")
        runs.wait_until(lambda: own._process is not None and own._process.poll() is not None)
