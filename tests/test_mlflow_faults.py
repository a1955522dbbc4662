"""Whatever befalls MLflow, a search goes on, and what is pending reaches it later, once."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

import psutil
import pytest
from mlflow import MlflowClient

from mlab.cli import doctor
from mlab.core.events import recorder
from mlab.core.lock import Taken
from mlab.core.state import State
from mlab.search import engine
from mlab.store import Store
from mlab.tracking import Backlog, Sidecar, publisher, sidecar
from mlab.tracking.client import Client
from mlab.tracking.faults import Faults, worded
from mlab.tracking.publisher import follow, publish_pending
from tests import runs
from tests.mlflow_server import Fault, Server, always, serving
from tests.runs import Watch

pytestmark = pytest.mark.usefixtures("quick", "sketches")

NUMBERS = 2 * 2 * 11
"""What a tiny run has for MLflow."""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a publisher however busy the machine is."""
    monkeypatch.setattr(sidecar, "DELIVERY_WAIT_S", 120.0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server, in good health until a test says otherwise, and a publisher that loses no time."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running.url)
    monkeypatch.setattr(publisher, "PERIOD_S", 0.05)
    monkeypatch.setattr(publisher, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(publisher, "GLANCE_S", 0.02)
    yield running
    running.fault, running.hit = None, always
    running.stop()
    running.start()


@pytest.fixture(scope="module")
def whole(running: Server, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, int, int]]:
    """The points of a run that was delivered without any fault."""
    state = State(tmp_path_factory.mktemp("whole"))
    with pytest.MonkeyPatch.context() as environment, Store.open(state.database) as store:
        environment.setenv("MLFLOW_TRACKING_URI", running.url)
        run_id = runs.searched(state, store)
        assert follow(state, run_id) == ""
    return running.points(run_id)


def backlog(store: Store, run_id: str) -> Backlog:
    return Backlog.of(store, runs.stored(store, run_id))


def delivered_once(server: Server, store: Store, run_id: str, whole: object, status: str = "FINISHED") -> None:
    assert not backlog(store, run_id)
    assert server.points(run_id) == whole
    assert server.endings(run_id) == [("", status), ("/0", status), ("/1", status)]


# In words


def test_a_fault_is_told_by_what_lies_at_its_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    def request() -> None:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as error:
            raise ValueError("API request failed with <object at 0x7f00>") from error

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:sesame@host:5000")
    with pytest.raises(ValueError, match="API") as caught:
        request()

    assert worded(caught.value) == "MLflow at http://me:[hidden]@host:5000: Connection refused"
    assert worded(Taken("another process is at it")) == "another process is at it"
    assert worded(RuntimeError("a\n  b")) == "MLflow at http://me:[hidden]@host:5000: RuntimeError: a b"


def test_each_kind_of_fault_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    faults = Faults()
    for number in range(1000):
        assert str(number) in faults.note("run x", OSError(f"request {number} to <object at {number:#x}> failed"))
        faults.note("run x", OSError("timed out"))

    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("run x: MLflow: request 0 to <object at 0x0> failed")
    assert second.endswith("run x: MLflow: timed out")


@pytest.mark.parametrize(
    ("pending", "words"),
    [
        (Backlog(44, ending=True), "44 numbers and the ending with its artifacts"),
        (Backlog(1, ending=False), "1 number"),
        (Backlog(0, ending=True), "the ending with its artifacts"),
    ],
)
def test_a_backlog_is_told_in_words(pending: Backlog, words: str) -> None:
    assert pending
    assert str(pending) == words
    assert not Backlog(0, ending=False)


# One at a time


@contextmanager
def taken(state: State, exp_id: int) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the right to deliver a run."""
    code = f"""if True:
        import time
        from pathlib import Path
        from mlab.core.lock import alone
        with alone(Path({str(publisher.lock(state))!r}), {exp_id}, 0.0):
            print(flush=True)
            time.sleep(600)"""
    with runs.python("-c", code, state=state.root) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


@pytest.mark.integration
def test_a_run_that_another_process_delivers_is_left_to_it(
    state: State, store: Store, server: Server, whole: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "LOCK_WAIT_S", 0.2)
    first, second = runs.searched(state, store), runs.searched(state, store)
    with taken(state, runs.stored(store, first).exp_id):
        assert follow(state, first) == "another process is at it"
        one, other = publish_pending(state, store)

        assert str(one) == (
            f"run {first}: not yet delivered to MLflow: {NUMBERS} numbers and the ending with its artifacts: "
            "another process is at it"
        )
        assert str(other) == f"run {second}: delivered {NUMBERS} numbers and the ending with its artifacts"
        assert server.endings(first) == []

    delivered_once(server, store, second, whole)
    assert [one.run_id for one in publish_pending(state, store)] == [first]
    delivered_once(server, store, first, whole)
    assert list(publish_pending(state, store)) == []


@pytest.mark.integration
def test_of_two_at_once_on_a_new_folder_the_second_makes_the_database_that_the_first_was_killed_over(
    state: State, store: Store
) -> None:
    first, second = runs.searched(state, store), runs.searched(state, store)
    with (
        runs.python("-m", "mlab.tracking", first, state=state.root) as one,
        runs.python("-m", "mlab.tracking", second, state=state.root) as other,
    ):
        found: list[subprocess.Popen[bytes]] = []
        runs.wait_until(lambda: bool(found.extend(filter(makes_database, (one, other))) or found))
        (maker,) = found
        (waiting,) = {one, other} - {maker}
        maker.kill()
        assert waiting.wait(runs.SECONDS) == 0

    assert store.owing() == []
    with closing(sqlite3.connect(state.mlflow_database)) as database:
        names = database.execute("SELECT name, lifecycle_stage FROM experiments ORDER BY name").fetchall()
        most = database.execute("SELECT max(n) FROM (SELECT count(*) n FROM metrics GROUP BY run_uuid, key, step)")
        assert names == [("Default", "active"), ("martingale-lab", "active")]
        assert most.fetchone() == (1,)
    assert mlflow_runs(state) == {"FINISHED": 6}


# A server that fails


@pytest.mark.integration
@pytest.mark.parametrize("fault", ["500", "slow", pytest.param("lost", marks=pytest.mark.soak)])
def test_whichever_request_fails_all_arrives_and_nothing_twice(
    fault: Fault,
    state: State,
    store: Store,
    server: Server,
    whole: object,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: set[str] = set()
    if fault == "slow":
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")

    def first_time(path: str) -> bool:
        """Every kind of request fails once; of the slow ones those that write, which are carried out all the same."""
        new = path not in seen and (fault != "slow" or path in {"runs/create", "runs/log-batch"})
        seen.add(path)
        return new

    run_id = runs.searched(state, store)
    server.fault, server.hit = fault, first_time

    follow(state, run_id, over=lambda: not store.owing())

    delivered_once(server, store, run_id, whole)
    assert {"runs/create", "runs/log-batch", "runs/update", "artifacts"} <= seen
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 3
    assert all(f"run {run_id}: MLflow at {server.url}: " in line for line in lines)


@pytest.mark.integration
@pytest.mark.parametrize("fault", ["refused", pytest.param("cut", marks=pytest.mark.soak)])
def test_what_a_server_in_trouble_lacks_is_said_and_delivered_when_it_is_well(
    fault: Fault, state: State, store: Store, server: Server, whole: object
) -> None:
    words = {"refused": "Connection refused", "cut": "Remote end closed connection without response"}
    if fault == "refused":
        server.stop()
    else:
        server.fault = fault
    first, second = runs.searched(state, store), runs.searched(state, store)

    assert follow(state, first) == f"MLflow at {server.url}: {words[fault]}"
    before = server.requests
    assert [(one.left, one.why) for one in publish_pending(state, store)] == [
        (Backlog(NUMBERS, ending=True), f"MLflow at {server.url}: {words[fault]}")
    ] * 2
    assert server.requests - before <= 1  # one is enough to see that it is in trouble
    assert [runs.stored(store, run_id).status for run_id in (first, second)] == ["COMPLETED"] * 2

    server.fault = None
    server.stop()
    server.start()
    assert [(one.run_id, one.before, bool(one.left), one.why) for one in publish_pending(state, store)] == [
        (first, Backlog(NUMBERS, ending=True), False, ""),
        (second, Backlog(NUMBERS, ending=True), False, ""),
    ]
    for run_id in (first, second):
        delivered_once(server, store, run_id, whole)


@contextmanager
def followed(state: State, run_id: str) -> Iterator[list[str]]:
    """A run that is followed while the block lasts; afterwards why something of it is pending."""
    ended: list[bool] = []
    why: list[str] = []
    thread = Thread(target=lambda: why.append(follow(state, run_id, lambda: bool(ended))))
    thread.start()
    try:
        yield why
    finally:
        ended.append(True)
        thread.join()


@pytest.mark.integration
def test_a_server_that_dies_and_comes_back_in_mid_run_gets_everything(
    state: State, store: Store, server: Server, whole: object, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment, settings = runs.opened(state, store)
    run_id = experiment.run_id

    def die() -> None:
        runs.wait_until(lambda: len(server.points(run_id)) > 0)
        server.stop()

    with followed(state, run_id) as why:
        with engine.execution(state, store, experiment, settings) as run:
            first, second = settings.cells()
            run.search(first, Watch(1, die))
            assert backlog(store, run_id).numbers > 0
            runs.wait_until(lambda: "Connection refused" in capsys.readouterr().err)
            server.start()
            runs.wait_until(lambda: backlog(store, run_id).numbers == 0)
            run.search(second, Watch())
        recorder.close()

    assert why == [""]
    delivered_once(server, store, run_id, whole)


@pytest.mark.integration
def test_a_run_that_somebody_deletes_in_mlflow_goes_on_in_a_new_one(state: State, store: Store, server: Server) -> None:
    experiment, settings = runs.opened(state, store)
    client = MlflowClient(server.url)

    def delete() -> None:
        runs.wait_until(lambda: backlog(store, experiment.run_id).numbers == 0)
        name = runs.stored(store, experiment.run_id).mlflow_run_id
        assert name is not None
        client.delete_run(name)

    with followed(state, experiment.run_id) as why:
        runs.execute(state, store, experiment, settings, Watch(2, delete, rest_s=0.3))

    # The deletion may meet a delivery under way, be it the last.
    assert why == [""] or [bool(one.left) for one in publish_pending(state, store)] == [False]
    assert not backlog(store, experiment.run_id)
    assert server.endings(experiment.run_id) == [("", "FINISHED"), ("/0", "FINISHED"), ("/1", "FINISHED")]
    steps = {step for cell, key, step, _ in server.points(experiment.run_id) if (cell, key) == ("", "best_score")}
    assert steps == {2, 3}


@pytest.mark.integration
def test_an_experiment_that_somebody_deletes_in_mlflow_is_restored(state: State, server: Server) -> None:
    before = Client.open(state)
    before.mlflow.delete_experiment(before.experiment)

    after = Client.open(state)

    assert after.experiment == before.experiment
    assert after.mlflow.get_experiment(after.experiment).lifecycle_stage == "active"


@pytest.mark.integration
def test_a_run_that_is_resumed_while_its_old_ending_is_delivered_is_followed_to_the_new_one(
    state: State, store: Store, server: Server, whole: object
) -> None:
    run_id = runs.stopped(state, store, after=3)
    with followed(state, run_id) as why:
        runs.wait_until(lambda: not store.owing())
        assert server.endings(run_id) == [("", "KILLED"), ("/0", "FINISHED"), ("/1", "KILLED")]
        runs.resumed(state, store, run_id)

    assert why == [""]
    assert not backlog(store, run_id)
    assert server.endings(run_id) == [("", "FINISHED"), ("/0", "FINISHED"), ("/1", "FINISHED")]
    numbers = {(cell, key, step) for cell, key, step, _ in server.points(run_id)}
    assert numbers >= {(cell, key, step) for cell, key, step, _ in whole}  # and the summary of the first ending
    assert all(times == 1 for *_, times in server.points(run_id))


@pytest.mark.integration
def test_the_doctor_asks_mlflow_what_a_delivery_asks(
    state: State, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url.replace("//", "//me:hunter2@"))
    (found,) = (one for one in doctor.examine(state) if one.name == "MLFLOW_TRACKING_URI")
    assert (found.found.rpartition(" ")[2], found.remedy) == ("answers", "")

    server.fault, server.hit = "403", lambda path: path != "/health"  # a name that it was not told of
    (found,) = (one for one in doctor.examine(state) if one.name == "MLFLOW_TRACKING_URI")
    assert "does not serve: 403 Invalid Host header" in found.found
    assert "mend that server" in found.remedy
    assert "hunter2" not in found.found


# MLflow's own database


@pytest.mark.integration
def test_a_locked_database_is_caught_up_when_it_is_free(state: State, store: Store, patient: None) -> None:
    Client.open(runs.furnish(state))
    experiment, settings = runs.opened(state, store)
    hold = f"""if True:
        import sqlite3, time
        sqlite3.connect({str(state.mlflow_database)!r}).execute("BEGIN EXCLUSIVE")
        print(flush=True)
        time.sleep(600)"""
    with runs.python("-c", hold, state=state.root) as locker:
        assert locker.stdout is not None
        locker.stdout.readline()
        with Sidecar(state, experiment.run_id) as busy:
            runs.execute(state, store, experiment, settings)
        assert busy.answer is not None
        assert "database is locked" in busy.answer
        assert backlog(store, experiment.run_id) == Backlog(NUMBERS, ending=True)
    assert "Traceback" not in (state.root / "tracking.log").read_text()

    runs.wait_until(lambda: busy._process is not None and busy._process.poll() is not None)
    assert [bool(one.left) for one in publish_pending(state, store)] in (
        [],
        [False],
    )  # or the publisher did
    assert mlflow_runs(state) == {"FINISHED": 3}


# A loss of power


@pytest.mark.integration
def test_a_run_killed_with_its_publisher_is_killed_in_mlflow_by_the_next_run_which_does_not_wait_for_that(
    state: State, store: Store, patient: None
) -> None:
    runs.furnish(state)
    orphan, _ = runs.opened(state, store)
    store.claims.let_go(orphan.run_id)
    code = f"""if True:
        import time
        from mlab.core.state import State
        from mlab.store import Store
        from mlab.tracking import Sidecar
        state = State.here()
        store = Store.open(state.database)
        store.claim({orphan.run_id!r})
        with Sidecar(state, {orphan.run_id!r}):
            time.sleep(600)"""
    with runs.python("-c", code, state=state.root):
        runs.wait_until(lambda: runs.stored(store, orphan.run_id).mlflow_run_id is not None)
    assert mlflow_runs(state) == {"RUNNING": 1}  # the block has killed both
    store.reconcile()

    experiment, settings = runs.opened(state, store)
    with Sidecar(state, experiment.run_id) as own:
        runs.execute(state, store, experiment, settings)
    assert own.answer == ""
    assert [run.run_id for run in store.owing()] == [orphan.run_id]

    runs.wait_until(lambda: not store.owing())
    assert mlflow_runs(state) == {"FINISHED": 3, "KILLED": 1}
    log = state.root / "tracking.log"
    runs.wait_until(
        lambda: log.read_text().endswith(f" run {orphan.run_id}: delivered the ending with its artifacts\n")
    )
    assert log.read_text().count("\n") == 1


def makes_database(process: subprocess.Popen[bytes]) -> bool:
    return any("mlflow.new" in file.path for file in psutil.Process(process.pid).open_files())


def mlflow_runs(state: State) -> dict[str, int]:
    """How many runs MLflow has by status."""
    with closing(sqlite3.connect(state.mlflow_database)) as database:
        return dict(database.execute("SELECT status, count(*) FROM runs GROUP BY status").fetchall())
