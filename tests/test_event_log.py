"""Event logs packed and unpacked: nothing lost, nothing doubled, whoever is killed, and whoever writes meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlab.core import event_log
from mlab.core.events import EventLog, Recorder

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
    recorder(None, "info", {"event": "UI.EXPORT", "msg": text})
    recorder.close()


def told(path: Path) -> list[str]:
    return [event["msg"] for event in EventLog(path).news()]


ALL = [f"batch {number}" for number in range(500)]


def test_a_packed_log_reads_as_before_and_is_unpacked_by_who_writes(log: Path) -> None:
    saved = event_log.pack(log)
    assert saved == len(LINES) - event_log.packed(log).stat().st_size > 0.9 * len(LINES)
    assert not log.exists()
    assert told(log) == ALL
    assert EventLog.size(log) == len(LINES), "places in it stay what they were"
    assert list(EventLog(log, len(LINES)).news()) == []
    assert event_log.pack(log) == 0, "once is enough"

    append(log, "more")
    assert not event_log.packed(log).exists()
    assert log.read_bytes().startswith(LINES)
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


@pytest.mark.parametrize("step", range(4))
def test_who_unpacks_may_be_killed_at_any_step(log: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    event_log.pack(log)
    with killed_at(monkeypatch, step) as done, pytest.raises(Killed):
        event_log.opened(log)
    assert len(done) == step
    assert told(log) == ALL
    append(log, "more")
    append(log, "yet more")
    assert told(log) == [*ALL, "more", "yet more"]


def test_a_log_that_is_being_written_is_left_alone(log: Path) -> None:
    with event_log.opened(log), event_log.opened(log):
        assert event_log.pack(log) == 0
    assert event_log.pack(log) > 0


def test_writers_and_packers_at_once_lose_nothing_and_double_nothing(log: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mlab.core import event_log; path = Path(sys.argv[1])\n"
        "for number in range(150):\n"
        "    if sys.argv[2] == 'pack':\n"
        "        event_log.pack(path)\n"
        "    else:\n"
        "        with event_log.opened(path) as log:\n"
        '            log.write(b\'{"msg":"%s %d"}\\n\' % (sys.argv[2].encode(), number))\n'
    )
    names = ["pack", "pack", "one", "other"]
    command = [sys.executable, "-c", code, str(log)]
    processes = [subprocess.Popen([*command, name]) for name in names]  # noqa: S603 - ourselves
    assert [process.wait(60.0) for process in processes] == [0] * len(names)
    found = told(log)
    assert found[:500] == ALL
    for name in ("one", "other"):
        assert [line for line in found if line.startswith(name)] == [f"{name} {number}" for number in range(150)]
    assert len(found) == 800


def test_who_opened_a_log_just_before_it_was_packed_writes_to_the_one_that_counts(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    existing, packed = event_log._existing, []

    def slow(path: Path) -> object:
        found = existing(path)
        if not packed:
            packed.append(event_log.pack(path))
        return found

    monkeypatch.setattr(event_log, "_existing", slow)
    append(log, "more")
    assert packed[0] > 0
    assert told(log) == [*ALL, "more"]


def test_who_was_about_to_pack_a_log_that_has_been_packed_and_written_since_packs_that(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, others = event_log._locked, []

    def slow(file: object, how: int) -> bool:
        if not others:
            others.append(file)
            assert event_log.pack(log) > 0
            append(log, "more")
        return locked(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(event_log, "_locked", slow)
    event_log.pack(log)
    assert told(log) == [*ALL, "more"]


def test_a_full_disk_leaves_the_log_as_it_is(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            event_log.pack(log)
    assert [path.name for path in log.parent.iterdir()] == [log.name]
    assert told(log) == ALL


def test_a_damaged_packed_log_is_kept_and_stops_nobody(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    event_log.pack(log)
    whole = event_log.packed(log).read_bytes()
    event_log.packed(log).write_bytes(whole[: len(whole) // 2])
    assert told(log) == []
    assert EventLog.size(log) == 0
    append(log, "more")
    assert "damaged" in caplog.text
    assert event_log.packed(log).read_bytes() == whole[: len(whole) // 2]
