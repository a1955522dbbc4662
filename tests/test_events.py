"""Events: order, fields, secrets, and that the log can never harm a search."""

from __future__ import annotations

import contextvars
import json
import logging
import multiprocessing
import re
import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from mlab.core import events
from mlab.core.event_log import EventLog
from mlab.core.events import NAMES, QUIET, Name, Recorder, bound, emit

VOCABULARY = re.findall(
    r"\S+",
    """APP.START APP.STOP BUILD.CONFIG ORCH.START ORCH.BATCH ORCH.SAVE_OK ORCH.PRUNE ORCH.EARLY_STOP ORCH.DONE
ORCH.ERROR EVAL.CALL EVAL.RETURN EVAL.ERROR DB.INIT DB.UPSERT_EXP DB.UPSERT_RES DB.VERIFY DB.ERROR UI.CLICK_START
UI.CLICK_STOP UI.RESULTS_LOAD UI.EXPORT""",
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """An event log that is open during the test."""
    path = tmp_path / "events" / "run.jsonl"
    events.recorder.open(path)
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_names_are_the_vocabulary() -> None:
    assert sorted(VOCABULARY) == sorted(NAMES)
    assert NAMES > QUIET


def test_every_name_reaches_the_log_in_order(log: Path) -> None:
    for name in VOCABULARY:
        emit(cast("Name", name), f"about {name}")
    assert [event["event"] for event in lines(log)] == VOCABULARY
    assert list(events.recorder.recent) == lines(log)


def test_time_level_name_and_message_come_first(log: Path) -> None:
    emit("ORCH.PRUNE", "two given up", level="warning", pruned=2)
    event = lines(log)[0]
    assert list(event) == ["ts", "lvl", "event", "msg", "pruned"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", event["ts"])
    assert (event["lvl"], event["msg"], event["pruned"]) == ("WARNING", "two given up", 2)


def test_fields_that_do_not_apply_are_left_out_but_zero_and_false_stay(log: Path) -> None:
    emit("ORCH.BATCH", "first", score=None, eval_count=0, pruned=False)
    assert {"eval_count": 0, "pruned": False}.items() <= lines(log)[0].items()
    assert "score" not in lines(log)[0]


def test_ids_are_bound_inside_and_gone_outside(log: Path) -> None:
    with bound(run_id="r", exp_id=1):
        with bound(span_id="batch-0001"):
            emit("ORCH.BATCH", "inner")
        emit("ORCH.DONE", "outer")
    emit("APP.STOP", "after")
    ids = [{k: v for k, v in event.items() if k.endswith("_id")} for event in lines(log)]
    assert ids == [{"run_id": "r", "exp_id": 1, "span_id": "batch-0001"}, {"run_id": "r", "exp_id": 1}, {}]


def test_ids_are_gone_after_an_error(log: Path) -> None:
    with pytest.raises(RuntimeError), bound(run_id="r"):
        raise RuntimeError
    emit("APP.STOP", "after")
    assert "run_id" not in lines(log)[0]


def test_threads_keep_their_own_ids_and_every_line_is_whole(log: Path) -> None:
    def work(name: str) -> None:
        with bound(run_id=name):
            for count in range(100):
                emit("EVAL.CALL", "x" * 500, count=count)

    threads = [threading.Thread(target=work, args=(f"run-{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines(log)
    for i in range(4):
        assert [event["count"] for event in found if event["run_id"] == f"run-{i}"] == list(range(100))


def test_a_thread_that_copies_the_context_inherits_the_ids(log: Path) -> None:
    with bound(run_id="parent"):
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(emit, "EVAL.CALL", "in the thread"))
    thread.start()
    thread.join()
    assert lines(log)[0]["run_id"] == "parent"


def test_ring_holds_the_last_events() -> None:
    recorder = Recorder(size=3)
    for count in range(5):
        recorder.record({"event": "EVAL.CALL", "count": count})
    assert [event["count"] for event in recorder.recent] == [2, 3, 4]


def test_what_came_before_the_log_was_open_is_its_beginning(tmp_path: Path) -> None:
    recorder = Recorder(size=10)
    recorder.record({"event": "ORCH.START"})
    recorder.open(tmp_path / "run.jsonl")
    recorder.record({"event": "BUILD.CONFIG"})
    recorder.close()
    assert [event["event"] for event in lines(tmp_path / "run.jsonl")] == ["ORCH.START", "BUILD.CONFIG"]


def test_opening_again_appends_and_another_run_gets_its_own(tmp_path: Path) -> None:
    recorder = Recorder(size=10)
    for name, path in (("ORCH.START", "a"), ("ORCH.DONE", "a"), ("APP.START", "b")):
        recorder.open(tmp_path / path)
        recorder.record({"event": name})
        recorder.close()
    assert [event["event"] for event in lines(tmp_path / "a")] == ["ORCH.START", "ORCH.DONE"]
    assert [event["event"] for event in lines(tmp_path / "b")] == ["APP.START"]


def test_a_full_disk_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(size=10)
    recorder.open(Path("/dev/full"))
    with caplog.at_level(logging.WARNING, "mlab"):
        recorder.record({"event": "ORCH.BATCH"})
    recorder.close()
    assert "No space left" in caplog.text
    assert len(recorder.recent) == 1


def test_a_log_that_cannot_be_opened_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "events").write_text("a file where the folder should be")
    recorder = Recorder(size=10)
    with caplog.at_level(logging.WARNING, "mlab"):
        recorder.open(tmp_path / "events" / "run.jsonl")
    recorder.record({"event": "ORCH.BATCH"})
    recorder.close()
    assert "event log" in caplog.text
    assert len(recorder.recent) == 1


@pytest.mark.parametrize("value", [2**70, "\udc80", {1: {2: 3}}, {None: 1}, object(), {1, 2}, b"\xff", Path("x")])
def test_no_value_can_stop_an_event(log: Path, value: Any) -> None:
    emit("EVAL.ERROR", "odd", value=value)
    assert lines(log)[0]["event"] == "EVAL.ERROR"
    assert "value" in lines(log)[0]


def test_numpy_numbers_stay_numbers(log: Path) -> None:
    emit("ORCH.SAVE_OK", "saved", score=np.float64(1.5), rows=np.int64(3))
    assert (lines(log)[0]["score"], lines(log)[0]["rows"]) == (1.5, 3)


def test_secrets_reach_no_log(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Engine:
        def __str__(self) -> str:
            return "Engine(http://ann:hunter2@host)"

    with caplog.at_level(logging.INFO, "mlab"):
        emit("ORCH.START", "to http://ann:hunter2@host", config={"api_key": "hunter2"}, engine=Engine())
    assert "hunter2" not in log.read_text()
    assert "hunter2" not in json.dumps(list(events.recorder.recent))
    assert "hunter2" not in caplog.text
    assert "hunter2" not in str(caplog.records[0].__dict__["mlab"])


@pytest.mark.usefixtures("log")
def test_the_callers_values_are_not_changed() -> None:
    config = {"password": "hunter2", "list": [1]}
    emit("ORCH.START", "start", config=config)
    assert config == {"password": "hunter2", "list": [1]}


@pytest.mark.usefixtures("log")
def test_events_reach_standard_logging_as_readable_lines(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "mlab"):
        emit("ORCH.ERROR", "100 % broken", level="error", rows=3)
    record = caplog.records[0]
    assert (record.levelname, record.getMessage()) == ("ERROR", "ORCH.ERROR 100 % broken")
    assert record.__dict__["mlab"]["rows"] == 3


@pytest.mark.parametrize(("debug", "count"), [("0", 0), ("1", len(QUIET))])
def test_quiet_events_reach_other_logs_only_when_debugging(
    log: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, debug: str, count: int
) -> None:
    monkeypatch.setenv("MLAB_DEBUG", debug)
    with caplog.at_level(logging.DEBUG, "mlab"):
        for name in sorted(QUIET):
            emit(cast("Name", name), "often")
    assert len(caplog.records) == count
    assert len(lines(log)) == len(QUIET)


# Several processes


def write_long_lines(path: Path, worker: int) -> None:
    recorder = Recorder(size=1)
    recorder.open(path)
    for count in range(200):
        recorder.record({"event": "ORCH.SAVE_OK", "worker": worker, "count": count, "msg": "x" * 20_000})


def test_lines_of_several_processes_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_long_lines, args=(path, worker)) for worker in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    seen = [(event["worker"], event["count"]) for event in lines(path)]
    assert sorted(seen) == [(worker, count) for worker in range(3) for count in range(200)]


def test_what_workers_append_is_shown_here_once(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    emit("ORCH.START", "here")
    with log.open("a") as elsewhere:
        there = {"ts": "2026", "lvl": "INFO", "event": "ORCH.SAVE_OK", "msg": "there", "worker": "host:1"}
        elsewhere.write(json.dumps(there) + "\n" + '{"ts": "half of a li')
        elsewhere.flush()
        caplog.set_level(logging.INFO, "mlab")
        events.recorder.relay()
        events.recorder.relay()
        elsewhere.write('ne", "lvl": "INFO", "event": "ORCH.PRUNE", "msg": "late", "worker": "host:1"}\n')
    events.recorder.relay()

    assert [event["msg"] for event in events.recorder.recent] == ["here", "there", "late"]
    assert [record.getMessage() for record in caplog.records] == ["ORCH.SAVE_OK there", "ORCH.PRUNE late"]


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "events" / "a.jsonl"
    recorder = Recorder(10)
    recorder.open(path)
    recorder.record({"event": "ORCH.BATCH", "msg": "first"})
    with path.open("ab") as log:  # a process is killed in the middle of a line
        log.write(b'{"event": "ORCH.SA')
    again = Recorder(10)
    again.open(path)
    again.record({"event": "ORCH.BATCH", "msg": "second"})
    again.close()
    assert [event["msg"] for event in EventLog(path).news()] == ["first", "second"]


def test_a_line_that_a_full_disk_has_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    recorder = Recorder(10)
    recorder.open(path)

    class Full:
        """Takes half of what it is given, once."""

        def __init__(self, log: Any) -> None:
            self.log, self.room = log, 10

        def write(self, line: bytes) -> int:
            taken, self.room = line[: self.room], len(line) + 1000
            return int(self.log.write(taken))

    recorder._log = Full(recorder._log)  # type: ignore[assignment]
    recorder.record({"event": "ORCH.BATCH", "msg": "lost"})
    recorder.record({"event": "ORCH.BATCH", "msg": "kept"})
    assert [event["msg"] for event in EventLog(path).news()] == ["kept"]


def test_a_log_is_read_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    log = EventLog(path)
    assert list(log.news()) == []
    path.write_bytes(b'{"msg": 1}\n{"msg"')
    assert [event["msg"] for event in log.news()] == [1]
    with path.open("ab") as file:
        file.write(b": 2}\n")
    assert [event["msg"] for event in log.news()] == [2]
    assert list(log.news()) == []
