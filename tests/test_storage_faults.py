"""Storage that fails: a database locked by others, a disk without room, a folder that cannot be written."""

from __future__ import annotations

import ctypes
import errno
import io
import multiprocessing
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from mlab import cli
from mlab.api import runs as api
from mlab.core import crash as snapshots
from mlab.core.errors import StoreError
from mlab.core.state import State
from mlab.model import annealing
from mlab.store import Store, database, disk
from tests import crash, runs
from tests.crash import PROCESSES, Outcome
from tests.pace import SMALLER, shorten

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick")]

HERE = multiprocessing.get_context("fork")
"""Processes with the mounts of the one that starts them."""

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
"""Flags of ``unshare(2)``."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What a run comes to that nothing disturbs."""
    state = State(tmp_path_factory.mktemp("whole"))
    process = crash.life(state.root, "whole")
    process.join()
    return crash.outcome(state, crash.run_id(state, "whole"))


def attempt(state: State, most_pages: int | None = None, processes: Any = PROCESSES) -> str:
    """Begin the run in a process of its own, or go on with it; the line with which storage ended that, if it did."""
    line, far_end = processes.Pipe(duplex=False)
    process = processes.Process(target=_attempt, args=(far_end, state, most_pages))
    process.start()
    far_end.close()
    error = line.recv()
    process.join()
    if error is None:
        return ""
    assert error.exit_status == 4
    text = str(error)
    assert text.startswith(f"{state.database}: ")
    assert "\n" not in text
    return text


def _attempt(line: Connection, state: State, most_pages: int | None) -> None:
    shorten()
    if most_pages:
        event.listen(
            Engine, "connect", lambda connection, _: connection.execute(f"PRAGMA max_page_count = {most_pages}")
        )
    try:
        with Store.open(state.database) as store:
            run = crash.named(store, "run")
            if run:
                crash.resume(state, store, run.run_id)
            else:
                runs.searched(state, store, *crash.SMALL, "name=run")
    except StoreError as error:
        line.send(error)
    else:
        line.send(None)


def saved(state: State) -> int:
    """How many batches were reported as saved, all of which are there, in a database without a fault."""
    if state.database.exists():
        assert crash.intact(state.database)
    batches = {log.stem: crash.reported(log) for log in state.root.glob("events/*")}
    assert all(set(found) <= crash.held(state.database, run_id) for run_id, found in batches.items() if found)
    return sum(map(len, batches.values()))


def finished(state: State, processes: Any = PROCESSES) -> Outcome:
    """What the run comes to when nothing fails any more."""
    assert attempt(state, processes=processes) == ""
    assert crash.intact(state.database)
    return crash.outcome(state, crash.run_id(state, "run"))


# Locked


def _lock(path: Path, mode: str, seconds: float, line: Connection) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"BEGIN {mode}")
        line.send("locked")
        time.sleep(seconds)
        other.execute("ROLLBACK")


class Locker:
    """Another program, which locks the database for a while."""

    def __init__(self, state: State, mode: str, seconds: float) -> None:
        self._line, far_end = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=_lock, args=(state.database, mode, seconds, far_end))

    def lock(self) -> None:
        """Lock the database from now on."""
        self._process.start()
        assert self._line.poll(runs.SECONDS)

    def end(self) -> None:
        """End, and let go of the database."""
        self._process.kill()
        self._process.join()


@pytest.mark.parametrize(("mode", "after"), [("IMMEDIATE", 0), ("EXCLUSIVE", 2)])
def test_a_lock_is_waited_for(
    mode: str, after: int, expected: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 20.0)
    state = State(tmp_path)
    locker = Locker(state, mode, seconds=1.0)
    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store, *crash.SMALL)
        if not after:
            locker.lock()
        runs.execute(state, store, experiment, config, runs.Watch(after, then=locker.lock))
    assert crash.outcome(state, experiment.run_id) == expected


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_lock_that_lasts_ends_the_run_and_costs_nothing_that_was_saved(
    mode: str, expected: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.3)
    state = State(tmp_path)
    locker = Locker(state, mode, seconds=600.0)
    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store, *crash.SMALL, "name=run")
        with pytest.raises(StoreError, match="locked by another program") as caught:
            runs.execute(state, store, experiment, config, runs.Watch(2, then=locker.lock))
    assert caught.value.exit_status == 4
    assert str(caught.value).startswith(f"{state.database}: ")
    assert "\n" not in str(caught.value)
    assert saved(state) == 2
    locker.end()
    with Store.open(state.database) as store:
        assert [run.run_id for run in store.reconcile()] == [experiment.run_id], "it could not say so, but has let go"
    assert finished(state) == expected


def test_a_stop_that_cannot_be_stored_is_still_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    state = State(tmp_path)
    locker = Locker(state, "IMMEDIATE", seconds=600.0)

    def stop() -> None:
        locker.lock()
        raise KeyboardInterrupt

    with Store.open(state.database) as store:
        experiment, config = runs.opened(state, store, *crash.SMALL)
        assert runs.execute(state, store, experiment, config, runs.Watch(1, then=stop)) == 130
    locker.end()
    *_, failed, ended = crash.logged(state.events(experiment.run_id))
    assert (failed["event"], ended["event"]) == ("ORCH.ERROR", "ORCH.DONE")
    assert "locked by another program" in failed["msg"]
    assert saved(state) == 1


@pytest.mark.soak
@pytest.mark.integration
def test_a_command_waits_for_a_lock_of_10_s_and_ends_with_4_at_one_of_120_s(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with runs.python(*runs.command_line("--json", overrides=crash.LONG), state=state.root, pace="slow") as command:
        run_id = crash.searching(state, command, 2)
        Locker(state, "IMMEDIATE", seconds=10.0).lock()
        assert crash.searching(state, command, 2) == run_id
        locker = Locker(state, "EXCLUSIVE", seconds=120.0)
        locker.lock()
        _, words = command.communicate(timeout=runs.SECONDS)
    assert command.returncode == 4, words.decode()
    refusal = f"error: {state.database}: locked by another program for 30 s; close it and resume the run"
    told, _, more = words.decode().splitlines()[-1].partition("; .venv/bin/mlab crashes show ")
    assert told == refusal
    assert more.endswith(" tells more")
    assert "Traceback" not in words.decode()
    assert saved(state) >= 4
    locker.end()
    check_resumed(state, run_id)


def check_resumed(state: State, run_id: str) -> None:
    """See that a command goes on with a run to the end that it would have come to."""
    with runs.python(*runs.command_line("--json", "--resume", run_id), state=state.root) as command:
        _, words = command.communicate(timeout=runs.SECONDS)
    assert command.returncode == 0, words.decode()
    assert crash.intact(state.database)
    with mock.patch.multiple(annealing, **SMALLER):  # as in that command, in whatever process this is
        assert crash.outcome(state, run_id) == crash.found(state.root.parent / "alone", *crash.LONG)


# No room


@pytest.fixture(scope="module")
def whole_pages(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Pages of a database that holds the run."""
    state = State(tmp_path_factory.mktemp("pages"))
    assert attempt(state) == ""
    with closing(sqlite3.connect(state.database)) as connection:
        return int(connection.execute("PRAGMA page_count").fetchone()[0])


@pytest.mark.parametrize("sizes", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_a_run_whose_database_may_not_grow_ends_and_goes_on_when_it_may(
    sizes: int, whole_pages: int, expected: Outcome, tmp_path: Path
) -> None:
    limits = {*np.linspace(1, whole_pages - 1, sizes).astype(int).tolist()}
    batches = set()
    for limit in limits:
        state = State(tmp_path / str(limit))
        for _ in range(2):  # begun, and resumed
            assert "the disk is full; free some space" in attempt(state, limit), limit
        batches.add(saved(state))
        assert finished(state) == expected, limit
    assert {0, 5} <= batches, "from nothing to all but the last batch"


# A small disk, and one that is read-only: mounts of a process of its own


def with_mounts(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process that may mount what it likes, where only it sees it."""
    line, far_end = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_with_mounts, args=(far_end, function, arguments))
    process.start()
    far_end.close()
    value = line.recv()
    process.join()
    if isinstance(value, PermissionError):
        pytest.skip(f"mounts of one's own are not permitted here: {value}")
    return value


def _with_mounts(line: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    user, group = os.getuid(), os.getgid()
    try:
        if ctypes.CDLL(None).unshare(NEW_USER | NEW_MOUNTS):
            raise PermissionError("unshare")
        for name, text in {"setgroups": "deny", "uid_map": f"0 {user} 1", "gid_map": f"0 {group} 1"}.items():
            Path("/proc/self", name).write_text(text)
        mount("--make-rprivate", "/")
    except (AttributeError, OSError, subprocess.CalledProcessError) as error:
        line.send(PermissionError(str(error)))
    else:
        line.send(function(*arguments))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)  # noqa: S603, S607 - as the system has it


def _on_a_small_disk(root: Path, kilobytes: int) -> tuple[list[str], int, Outcome]:
    """The lines with which the run ends there, the batches it reported as saved, and what it comes to at last."""
    root.mkdir()
    mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(root))
    state = State(root)
    lines = [attempt(state, processes=HERE) for _ in range(2)]  # begun, and resumed
    mount("-o", "remount,size=64m", str(root))
    return lines, saved(state), finished(state, processes=HERE)


@pytest.mark.parametrize("sizes", [3, pytest.param(40, marks=pytest.mark.soak)])
def test_a_run_on_a_disk_that_fills_up_ends_and_goes_on_when_there_is_room(
    sizes: int, expected: Outcome, tmp_path: Path
) -> None:
    batches = set()
    for kilobytes in np.linspace(12, 400, sizes).astype(int).tolist():
        lines, number, outcome = with_mounts(_on_a_small_disk, tmp_path / str(kilobytes), kilobytes)
        assert all("the disk is full; free some space" in line for line in lines), (kilobytes, lines)
        assert outcome == expected, kilobytes
        batches.add(number)
    assert min(batches) == 0
    assert max(batches) >= 4


def _read_only(root: Path) -> tuple[list[str], Outcome]:
    """The lines with which a run cannot begin in a folder, nor go on, while nothing can be written there."""
    state, lines = State(root), []
    root.mkdir()
    mount("--bind", str(root), str(root))
    for step in ("new", "killed"):
        mount("-o", "remount,bind,ro", str(root))
        lines.append(attempt(state, processes=HERE))
        mount("-o", "remount,bind,rw", str(root))
        if step == "new":
            killed = crash.life(root, "run", step=80, processes=HERE)
            killed.join()
            assert killed.exitcode == -signal.SIGKILL
    assert saved(state) > 0
    return lines, finished(state, processes=HERE)


def test_a_run_in_a_folder_that_is_read_only_ends_and_goes_on_when_it_can_be_written(
    expected: Outcome, tmp_path: Path
) -> None:
    lines, outcome = with_mounts(_read_only, tmp_path / "state")
    assert all("make" in line and "writable" in line for line in lines), lines
    assert outcome == expected


def _command_on_a_full_disk(root: Path, api_url: str) -> None:
    """Fill the disk under a command, and resume when there is room again."""
    root.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(root))
    state, filler = State(root), root / "filler"
    line = runs.command_line("--json", overrides=crash.LONG)
    with runs.python(*line, state=root, pace="slow", PREFECT_API_URL=api_url) as command:
        run_id = crash.searching(state, command, 3)
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        _, words = command.communicate(timeout=runs.SECONDS)
    assert command.returncode == 4, words.decode()
    refusal = f"error: {state.database}: the disk is full; free some space and resume the run"
    assert words.decode().splitlines()[-1] == refusal
    assert "Traceback" not in words.decode()
    filler.unlink()
    assert saved(state) >= 3
    check_resumed(state, run_id)


@pytest.mark.soak
@pytest.mark.integration
def test_a_command_whose_disk_fills_up_ends_with_4_and_is_resumed(tmp_path: Path, prefect_url: str) -> None:
    with_mounts(_command_on_a_full_disk, tmp_path / "state", prefect_url)


def _archived(root: Path, leave: str) -> tuple[list[tuple[int, str]], str]:
    """What commands that read say of a run in a folder that cannot be written, and what a new run says."""
    state = State(root)
    with Store.open(state.database) as store:
        runs.searched(state, store, *crash.SMALL)
    if leave:
        _kill_a_writer(state, leave)
    mount("--bind", str(root), str(root))
    mount("-o", "remount,bind,ro", str(root))
    os.environ["MLAB_STATE_DIR"] = str(root)
    aside = root.parent / "aside"
    commands = ("ls", "show --json", "compare latest latest", f"export -o {aside}", f"report -o {aside}", "crashes ls")
    told = [_told(*command.split()) for command in commands]
    if not leave:
        status, line = _told("report")
        assert (status, line.count("\n")) == (4, 1), line
        assert line.endswith(".html cannot be written: Read-only file system; name another file with --output\n")
    if not leave:
        assert len(api.runs()) == 1
        assert api.open().status == "COMPLETED"
    return told, attempt(state, processes=HERE)


def _kill_a_writer(state: State, leave: str) -> None:
    """Leave what a process leaves that was killed after a commit: the changes beside the database."""
    code = f"""import os, sqlite3
connection = sqlite3.connect({str(state.database)!r})
connection.execute("PRAGMA user_version = 1")
connection.commit()
os._exit(0)"""
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
    if leave == "wal":
        state.database.with_name("experiments.db-shm").unlink()


def _told(*arguments: str) -> tuple[int, str]:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = cli.main(arguments)
    return status, err.getvalue() or out.getvalue()


@pytest.mark.parametrize("leave", ["", "wal and shm"])
def test_what_is_stored_in_a_folder_that_is_read_only_can_be_read(leave: str, tmp_path: Path) -> None:
    told, refused = with_mounts(_archived, tmp_path / "state", leave)
    assert [status for status, _ in told] == [0] * len(told), told
    assert "COMPLETED" in told[0][1]
    assert refused.endswith("Read-only file system; make its folder writable, or set MLAB_STATE_DIR")


def test_batches_that_cannot_be_read_there_are_not_left_out(tmp_path: Path) -> None:
    told, _ = with_mounts(_archived, tmp_path / "state", "wal")
    line = "read-only, and its last batches are in experiments.db-wal; copy both to where they can be written"
    assert [status for status, _ in told[:-1]] == [4] * 5
    assert all(text.endswith(f"experiments.db: {line}\n") and text.count("\n") == 1 for _, text in told[:-1]), told


def _earlier(root: Path) -> tuple[int, str]:
    state = State(root)
    with Store.open(state.database) as store:
        runs.searched(state, store, *crash.SMALL)
    with closing(sqlite3.connect(state.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    mount("--bind", str(root), str(root))
    mount("-o", "remount,bind,ro", str(root))
    os.environ["MLAB_STATE_DIR"] = str(root)
    return _told("ls")


def test_a_read_only_database_of_an_earlier_release_is_refused(tmp_path: Path) -> None:
    status, text = with_mounts(_earlier, tmp_path / "state")
    assert status == 4
    assert text.endswith("read-only and of an earlier version; copy it to where it can be brought up to date\n")


# Limits


@pytest.mark.parametrize("blocks", [8, 60])
def test_a_limit_on_files_is_told_as_one(blocks: int, tmp_path: Path) -> None:
    """In blocks of 1,024 bytes, as ``ulimit -f`` of bash has them; the tables alone need more than 8 of them."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (blocks * 1024, blocks * 1024))

    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, *runs.command_line("--offline", overrides=runs.TINY)],
        cwd=runs.ROOT,
        env=os.environ
        | {"MLAB_STATE_DIR": str(tmp_path), "PYTHONPATH": f"{runs.ROOT / 'tests/start/short'}:{runs.ROOT}"},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    line = "a file would outgrow the limit on files; raise it with ulimit -f and resume the run"
    assert f"error: {tmp_path}/experiments.db: {line}" in done.stderr.splitlines()[-1]


def test_a_quota_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says of it what it says of a broken disk."""

    def used_up(**_options: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    assert "check the disk" in database._reason(error, tmp_path)
    monkeypatch.setattr(disk, "TemporaryFile", used_up)
    assert database._reason(error, tmp_path) == "the disk quota is used up; free some space and resume the run"
    with pytest.raises(OSError, match="quota") as caught:
        used_up()
    assert snapshots.words(caught.value) == "OSError: the disk quota is used up; free some space"
