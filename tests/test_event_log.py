"""Event logs packed: nothing lost, nothing doubled, whoever is killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from mlab.core import event_log, lock
from mlab.core.event_log import EventLog
from mlab.core.events import Recorder

LINES = b"".join(b'{"event":"ORCH.BATCH","msg":"batch %d"}\n' % number for number in range(500))


class Killed(BaseException):
    """The process is gone: nothing of it tidies up."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "20260102-030405-abcdef.jsonl"
    path.write_bytes(LINES)
    return path


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, step: int) -> Iterator[list[str]]:
    """Cut before the given step that reaches the disk: writing, putting in place, removing."""
    done: list[str] = []

    def counted(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def cut(*arguments: object, **named: object) -> object:
            if len(done) == step:
                raise Killed
            done.append(name)
            return work(*arguments, **named)

        return cut

    with monkeypatch.context() as patched:
        for name in ("fsync",):
            patched.setattr(os, name, counted(name, getattr(os, name)))
        for name in ("rename", "unlink"):
            patched.setattr(Path, name, counted(name, getattr(Path, name)))
        yield done


def append(path: Path, text: str) -> None:
    recorder = Recorder(size=10)
    recorder.open(path)
    recorder.record({"event": "UI.EXPORT", "msg": text})
    recorder.close()


def told(path: Path) -> list[str]:
    return [event["msg"] for event in EventLog(path).news()]


ALL = [f"batch {number}" for number in range(500)]


def test_a_packed_log_reads_as_before_and_who_appends_after_all_begins_a_plain_one(log: Path) -> None:
    saved = event_log.pack(log)
    assert saved == len(LINES) - event_log.packed(log).stat().st_size > 0.9 * len(LINES)
    assert not log.exists()
    assert told(log) == ALL
    assert EventLog.size(log) == len(LINES), "places in it stay what they were"
    assert list(EventLog(log, len(LINES)).news()) == []
    assert event_log.pack(log) == 0, "once is enough"

    before = event_log.packed(log).read_bytes()
    append(log, "more")
    assert event_log.packed(log).read_bytes() == before
    assert told(log) == [*ALL, "more"]
    assert [event["msg"] for event in EventLog(log, len(LINES)).news()] == ["more"]
    assert EventLog.size(log) == len(LINES) + log.stat().st_size

    assert event_log.pack(log) == 0
    assert told(log) == [*ALL, "more"]


@pytest.mark.parametrize("step", range(4))
def test_who_packs_may_be_killed_at_any_step(log: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    with killed_at(monkeypatch, step) as done, pytest.raises(Killed):
        event_log.pack(log)
    assert len(done) == step
    assert told(log) == ALL
    append(log, "more")
    assert told(log) == [*ALL, "more"]
    assert event_log.pack(log) > 0
    assert sorted(path.name for path in log.parent.iterdir()) == [event_log.packed(log).name]
    assert told(log) == [*ALL, "more"]


@pytest.mark.parametrize("step", ["fsync", "rename", "unlink"])
def test_two_may_pack_the_same_log_at_once(log: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    place: object = os if step == "fsync" else Path
    work = getattr(place, step)
    others: list[int] = []

    def meanwhile(*arguments: object, **named: object) -> object:
        others.append(event_log.pack(log))
        return work(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(place, step, meanwhile)
        assert event_log.pack(log) > 0
    assert others
    assert set(others) == {0}
    assert [path.name for path in log.parent.iterdir()] == [event_log.packed(log).name]
    assert told(log) == ALL


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_what_is_written_while_a_log_is_packed_is_kept(log: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    place: object = os if step == "fsync" else Path
    work = getattr(place, step)

    def meanwhile(*arguments: object, **named: object) -> object:
        monkeypatch.undo()
        append(log, "more")
        return work(*arguments, **named)

    monkeypatch.setattr(place, step, meanwhile)
    assert event_log.pack(log) == 0
    assert told(log) == [*ALL, "more"]
    assert event_log.pack(log) > 0
    assert told(log) == [*ALL, "more"]
    assert not log.exists()


def test_who_would_pack_a_log_that_another_has_packed_leaves_what_was_begun_since(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = lock.locked

    def late(file: IO[bytes], *, shared: bool) -> bool | None:
        monkeypatch.undo()
        event_log.pack(log)
        append(log, "more")
        return find(file, shared=shared)

    monkeypatch.setattr(lock, "locked", late)
    assert event_log.pack(log) == 0
    assert told(log) == [*ALL, "more"]
    log.unlink()
    assert event_log.pack(log) == 0, "gone is packed, too"


def test_a_log_that_belongs_to_no_run_begins_anew_when_it_is_large(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event_log.limit(log)
    assert told(log) == ALL
    monkeypatch.setattr(event_log, "LARGEST", 1000)
    for text in ("second", "third"):
        event_log.limit(log)
        append(log, text)
    assert told(log) == ["second", "third"]
    assert (log.parent / f"{log.name}.old").read_bytes() == LINES
    event_log.limit(log.parent / "none")


def test_a_full_disk_leaves_the_log_as_it_is(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            event_log.pack(log)
    assert [path.name for path in log.parent.iterdir()] == [log.name]
    assert told(log) == ALL


def test_a_damaged_packed_log_is_kept_and_stops_nobody(log: Path) -> None:
    event_log.pack(log)
    whole = event_log.packed(log).read_bytes()
    event_log.packed(log).write_bytes(whole[: len(whole) // 2])
    assert told(log) == []
    assert EventLog.size(log) == 0
    append(log, "more")
    assert log.read_text().count("more") == 1
    with pytest.raises(OSError, match="damaged"):
        event_log.pack(log)
    assert event_log.packed(log).read_bytes() == whole[: len(whole) // 2]
