"""Who executes a run: a live one is left alone wherever it is seen from, and a dead one is never shown as going on."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

import mlab
from mlab import cli
from mlab.core import lock
from mlab.core.errors import RunBusy, StoreError
from mlab.core.events import recorder
from mlab.core.state import State
from mlab.store import Holder, Store
from mlab.store.runs import seen
from mlab.store.schema import ExperimentRow
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")

ELSEWHERE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
"""What puts a process into a pid namespace of its own, as a container does."""

CLAIM = """if True:
    import sys, time
    from mlab.core.state import State
    from mlab.store import Store
    store = Store.open(State.here().database)
    store.claim(sys.argv[1])
    print(flush=True)
    time.sleep(600)"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "state"))
    return State(tmp_path / "state")


def left(state: State, store: Store) -> str:
    """A run that its process has left before it began; its id."""
    run, _ = runs.opened(state, store)
    store.claims.let_go(run.run_id)
    return run.run_id


@contextmanager
def in_a_container(*command: str) -> Iterator[None]:
    """A process that sees none of ours, once it has printed a line; none of its own outlives the block."""
    process = subprocess.Popen([*ELSEWHERE, sys.executable, *command], cwd=runs.ROOT, stdout=subprocess.PIPE)  # noqa: S603
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            pytest.skip("namespaces of one's own are not permitted here")
        yield
    finally:
        process.kill()
        process.communicate()


def shown(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert cli.main(command) == 0
    return capsys.readouterr().out


def test_a_run_in_another_container_is_seen_to_live_and_to_die(
    state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = left(state, store)
    with in_a_container("-c", CLAIM, run_id):
        assert store.reconcile() == []
        assert json.loads(shown(capsys, "ls", "--json"))["status"] == "RUNNING"
        for refused in (store.claim, store.check_free):
            with pytest.raises(RunBusy, match=f"run {run_id} is being executed by process 1;"):
                refused(run_id)
    runs.wait_until(lambda: json.loads(shown(capsys, "ls", "--json"))["status"] == "STOPPED")
    assert store.claim(run_id).status == "RUNNING"


def test_a_host_is_named_where_it_is_another() -> None:
    assert Holder(pid=7).name == "process 7"
    assert Holder(pid=7, host="3f2a9c").name == "process 7 of 3f2a9c"


@pytest.mark.parametrize("begun", [False, True], ids=["PENDING", "RUNNING"])
def test_a_dead_run_goes_on_nowhere_and_looking_changes_nothing(
    begun: bool, state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    other = runs.searched(state, store)
    run_id = left(state, store)
    if begun:
        with runs.python("-c", CLAIM, run_id, state=state.root) as process:
            assert process.stdout is not None
            process.stdout.readline()
    files = {path: path.stat().st_mtime_ns for path in (state.root / "running").glob("*")}

    assert runs.stored(store, run_id).status == "STOPPED"
    assert json.loads(shown(capsys, "ls", "--json").splitlines()[0])["status"] == "STOPPED"
    assert "STOPPED" in shown(capsys, "show", run_id)
    assert "RUNNING" not in shown(capsys, "compare", other, run_id)
    shown(capsys, "report", run_id)
    page = (state.reports / f"{run_id}.html").read_text()
    assert "STOPPED" in page
    assert ">RUNNING<" not in page
    assert [run["status"] for run in mlab.runs(state=state.root)] == ["STOPPED", "COMPLETED"]
    assert {path: path.stat().st_mtime_ns for path in (state.root / "running").glob("*")} == files
    assert [run.run_id for run in store.orphans()] == [run_id], "nobody has marked it"

    assert [run.run_id for run in store.reconcile()] == [run_id]
    assert store.orphans() == []
    assert list((state.root / "running").glob("*")) == []


def test_a_run_that_ends_while_it_is_read_is_not_taken_for_dead(state: State, store: Store) -> None:
    run, _ = runs.opened(state, store)
    store.claim(run.run_id)
    alive = store.claims.alive()
    with store.database.reading() as session:
        row = session.get_one(ExperimentRow, run.exp_id)
        with Store.open(state.database) as other, runs_of(other, store):
            other.finish(run.exp_id, "COMPLETED", 1.0)
        store.claims.let_go(run.run_id)
        assert seen(row, alive).status == "RUNNING"
    assert runs.stored(store, run.run_id).status == "COMPLETED"


@contextmanager
def runs_of(other: Store, store: Store) -> Iterator[None]:
    """Let a store write to what another holds, as a worker does."""
    before, other._holders = other._holders, [store.holder]
    yield
    other._holders = before


def test_a_run_is_free_when_its_store_is_closed(state: State, store: Store) -> None:
    with Store.open(state.database) as other:
        run, _ = runs.opened(state, other)
        other.claim(run.run_id)
        with pytest.raises(RunBusy):
            store.claim(run.run_id)
    assert store.claim(run.run_id).status == "RUNNING"


def test_a_forked_child_keeps_no_run(state: State, store: Store) -> None:
    run, _ = runs.opened(state, store)
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    try:
        store.close()
        with Store.open(state.database) as other:
            runs.wait_until(lambda: [one.run_id for one in other.orphans()] == [run.run_id])
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_lock_that_somebody_has_removed_is_there_again_with_the_next_batch(state: State) -> None:
    def tidy_up() -> None:
        shutil.rmtree(state.root / "running")

    with Store.open(state.database) as store, Store.open(state.database) as other:
        run, config = runs.opened(state, store)
        going: list[bool] = []
        watch = runs.Watch(2, lambda: going.append(other.orphans() == []))
        watch.batches = -1
        tidy_up()
        runs.execute(state, store, run, config, watch)
        assert runs.stored(store, run.run_id).status == "COMPLETED"
    assert going == [True]


def test_a_run_whose_folder_is_removed_ends_in_one_line(state: State) -> None:
    with Store.open(state.database) as store:
        run, config = runs.opened(state, store)
        with pytest.raises(StoreError, match="the folder is gone, and with it what was found") as caught:
            runs.execute(state, store, run, config, runs.Watch(1, lambda: shutil.rmtree(state.root)))
    assert "\n" not in str(caught.value)


def test_where_there_are_no_locks_nobody_is_taken_for_dead(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    recorder.recent.clear()
    run, _ = runs.opened(state, store)
    warned = [event["msg"] for event in recorder.recent if event["lvl"] == "WARNING"]
    assert warned == [f"{state.root / 'running'}: {NO_LOCKS}"]
    with Store.open(state.database) as other:
        assert other.reconcile() == []
        assert runs.stored(other, run.run_id).status == "PENDING"
        assert other.claim(run.run_id).status == "RUNNING", "who asks for it by name knows what they do"
        with pytest.raises(RunBusy):
            store.finish(run.exp_id, "STOPPED", 0.0)


NO_LOCKS = "there are no locks on this file system, so nobody else can tell whether the run goes on"


def test_who_only_asks_for_long_whether_a_run_is_free_keeps_nobody_from_it(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.touch()
    asking = path.open("rb")
    assert lock.locked(asking, shared=True)
    threading.Timer(3 * lock.ASKED_S, asking.close).start()
    taken = lock.taken(path)
    assert taken is not None
    assert lock.taken(path) is None
    taken.close()


def test_one_of_two_gets_a_run_where_a_lock_that_cannot_be_raised_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flock, sharing, turn = tmp_path / "run", fcntl.flock, set[object](), threading.Lock()
    path.touch()

    def as_on_nfs(file: Any, how: int) -> None:
        with turn:
            try:
                flock(file, how)
            except BlockingIOError:
                if file in sharing:
                    flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                raise
            if how & fcntl.LOCK_SH:
                sharing.add(file)

    monkeypatch.setattr(fcntl, "flock", as_on_nfs)
    asking = path.open("rb")
    assert lock.locked(asking, shared=True)
    threading.Timer(3 * lock.ASKED_S, asking.close).start()
    found: list[FileIO | None] = []
    for one in [threading.Thread(target=lambda: found.append(lock.taken(path)), daemon=True) for _ in range(2)]:
        one.start()
    runs.wait_until(lambda: len(found) == 2)
    assert found.count(None) == 1
    for file in found:
        if file is not None:
            file.close()


def test_a_lock_that_may_not_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert lock.held(tmp_path / "folder") is None
    assert lock.held(tmp_path / "nowhere") is False
