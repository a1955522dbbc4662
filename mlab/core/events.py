"""Events: one JSON object a line, in the order in which things happened.

Ids (run, experiment, batch) are bound once with :func:`bound` and appear in every event below it. Each
event goes to a ring buffer (live trace, crash snapshots), to the event log of its run, and to the logger
``mlab`` of the standard library, from where the terminal and Prefect read it.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import orjson

from mlab.core.event_log import EventLog
from mlab.core.redaction import redacted

Name: TypeAlias = Literal[
    "APP.START", "APP.STOP",
    "BUILD.CONFIG",
    "ORCH.START", "ORCH.BATCH", "ORCH.SAVE_OK", "ORCH.PRUNE", "ORCH.EARLY_STOP", "ORCH.DONE", "ORCH.ERROR",
    "EVAL.CALL", "EVAL.RETURN", "EVAL.ERROR",
    "DB.INIT", "DB.UPSERT_EXP", "DB.UPSERT_RES", "DB.VERIFY", "DB.ERROR",
    "UI.CLICK_START", "UI.CLICK_STOP", "UI.RESULTS_LOAD", "UI.EXPORT",
]  # fmt: skip

NAMES: frozenset[str] = frozenset(get_args(Name))
QUIET: frozenset[str] = frozenset({"EVAL.CALL", "EVAL.RETURN", "DB.UPSERT_RES", "DB.VERIFY"})
"""Several a batch: always in the event log, in other logs only with MLAB_DEBUG=1."""

Event: TypeAlias = dict[str, Any]


class Recorder:
    """Holds the last events in memory and appends them to the event log that is open."""

    def __init__(self, size: int) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=size)
        self._log: FileIO | None = None
        self._torn = False
        self._others: EventLog | None = None
        self._waiting: list[bytes] = []

    def open(self, path: Path) -> None:
        """Append to ``path`` from now on, beginning with what was emitted before a log was open."""
        self.close()
        with _harmless():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer each line is one write, so that lines of several processes never mix.
            self._log = path.open("ab", buffering=0)
            self._others = EventLog(path, EventLog.size(path))
            self._torn = _is_torn(path)
        for line in self._waiting:
            self._write(line)
        self._waiting.clear()

    def close(self) -> None:
        """Close the event log; events go on to the ring buffer."""
        log, self._log = self._log, None
        if log is not None:
            with _harmless():
                log.close()

    def record(self, event: Event) -> None:
        """Keep one event."""
        line = _line(event)
        self.recent.append(orjson.loads(line))
        if self._log is not None:
            self._write(line)
        elif len(self._waiting) < 100:
            self._waiting.append(line)

    def _write(self, line: bytes) -> None:
        log = self._log
        if log is not None:
            whole = b"\n" * self._torn + line + b"\n"  # what a full disk or a kill has cut short stays by itself
            written = 0
            with _harmless():
                written = log.write(whole)
            self._torn = written < len(whole)

    def relay(self) -> None:
        """Show here what workers have appended to the open log since: in the ring buffer and the logger ``mlab``."""
        for event in self._others.news() if self._others and self._log else ():
            if "worker" in event:
                self.recent.append(event)
                _show(event)


def _is_torn(path: Path) -> bool:
    """Whether the last line of a log has no end, and nobody is about to write it."""
    sizes = set()
    for _ in range(2):
        with path.open("rb") as log:
            sizes.add(log.seek(0, os.SEEK_END))
            if not log.tell() or (log.seek(-1, os.SEEK_END), log.read())[1] == b"\n":
                return False
        time.sleep(0.01)
    return len(sizes) == 1


@contextmanager
def _harmless() -> Iterator[None]:
    """A log that cannot be written, or that another thread has closed, never stops a search."""
    try:
        yield
    except (OSError, ValueError) as error:
        logging.getLogger("mlab").warning("event log: %s", error)


def _line(event: Event) -> bytes:
    """One event as JSON; what JSON cannot hold (half a character, 70 bits) is spelt out."""
    try:
        return _json(event)
    except orjson.JSONEncodeError:
        return _json({key: _spelt(value) for key, value in event.items()})


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=lambda other: redacted(str(other)), option=orjson.OPT_SERIALIZE_NUMPY)


def _spelt(value: Any) -> Any:
    try:
        _json(value)
    except orjson.JSONEncodeError:
        return ascii(value)
    return value


recorder = Recorder(size=int(os.environ.get("MLAB_TRACE_N") or 5000))
"""The events of this process."""


def debugging() -> bool:
    """Whether MLAB_DEBUG=1 asked for every event in every log."""
    return os.environ.get("MLAB_DEBUG") == "1"


def _show(event: Event) -> None:
    """Hand an event to the logger ``mlab``: a readable line, with the fields beside it."""
    if event["event"] not in QUIET or debugging():
        level = logging.getLevelNamesMapping()[event["lvl"]]
        logging.getLogger("mlab").log(level, "%s %s", event["event"], event["msg"], extra={"mlab": dict(event)})


def emit(name: Name, msg: str, *, level: Literal["debug", "info", "warning", "error"] = "info", **fields: Any) -> None:
    """Emit one event: its message is one plain sentence, its fields are JSON values; None where one does not apply."""
    head = {"ts": datetime.now(UTC).isoformat(timespec="milliseconds"), "lvl": level.upper(), "event": name, "msg": msg}
    ids_and_fields = _bound.get() | fields
    event = redacted(head | {key: value for key, value in ids_and_fields.items() if value is not None})
    recorder.record(event)
    _show(event)


_bound: ContextVar[Event] = ContextVar("bound", default={})  # noqa: B039 - never changed, only replaced


@contextmanager
def bound(**ids: Any) -> Iterator[None]:
    """Bind ids to every event emitted inside the context, in this thread or task."""
    token = _bound.set(_bound.get() | ids)
    try:
        yield
    finally:
        _bound.reset(token)
