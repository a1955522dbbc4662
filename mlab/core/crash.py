"""Crash snapshots: what a person needs to understand a failure after the fact, in one JSON file."""

from __future__ import annotations

import hashlib
import json
import secrets
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from mlab.core.errors import LabError, one_line, reason
from mlab.core.events import recorder
from mlab.core.records import Crash, Json
from mlab.core.redaction import redacted
from mlab.core.state import State

KEPT, KEPT_DAYS = 50, 90
"""How many snapshots are kept, and for how long; the others are deleted when a new one is written."""

FILES = "crash_*.json"  # sorted by name they are the oldest first
SHOW = ".venv/bin/mlab crashes show"
RECENT_LOGS = 200
"""Last events that a snapshot holds."""


def write(
    state: State, error: BaseException, run_id: str | None, exp_id: int | None, application: Json, config: Json
) -> Path:
    """Write a snapshot of a failure, free of secrets, and return its path; a note on the error says how to read it.

    ``run_id`` and ``exp_id`` are None where there is no run yet; ``application`` is what the engine was doing.
    """
    now = datetime.now(UTC)
    snapshot_id = f"crash_{now:%Y%m%d_%H%M%S}_{secrets.token_hex(2)}"
    mark, told = fingerprint(error), traceback.TracebackException.from_exception(error)
    state.crashes.mkdir(parents=True, exist_ok=True)
    content = {
        "snapshot_id": snapshot_id,
        "run_id": run_id,
        "exp_id": exp_id,
        "timestamp": now.isoformat(timespec="milliseconds"),
        "error_context": {
            "type": type(error).__name__,
            "message": str(told),
            "traceback": list(told.format()),
            "fingerprint": mark,
            "seen_before": sum(known.fingerprint == mark for known in listed(state)),
        },
        "system_stats": _system_stats(state.root),
        "application_state": application,
        "recent_logs": list(recorder.recent)[-RECENT_LOGS:],
        "configuration": config,
    }
    path = state.crashes / f"{snapshot_id}.json"
    try:
        path.write_bytes(_json(redacted(content)))
    except OSError:
        path.unlink(missing_ok=True)  # half of it tells nothing
        raise
    error.add_note(f"{SHOW} {snapshot_id} tells more")
    prune(state)
    return path


def words(error: BaseException) -> str:
    """An error in one line, with the snapshot that tells more of it."""
    if isinstance(error, LabError):
        told = str(error)
    elif isinstance(error, OSError):
        told = f"{error.filename or type(error).__name__}: {reason(error)}"
    else:
        told = f"{type(error).__name__}: {error}"
    notes = [note for note in getattr(error, "__notes__", []) if note.startswith(SHOW)]
    return one_line(redacted("; ".join([told, *notes])))


def listed(state: State) -> list[Crash]:
    """The stored snapshots, oldest first; a damaged one counts as none."""
    crashes = [crash for path in sorted(state.crashes.glob(FILES)) if (crash := _crash(path)) is not None]
    return sorted(crashes, key=lambda crash: crash.timestamp)


def of_run(state: State, run_id: str) -> list[Path]:
    """The snapshots of one run, oldest first."""
    return [crash.path for crash in listed(state) if crash.run_id == run_id]


def prune(state: State, *, dry: bool = False) -> int:
    """Delete the snapshots that are too old or too many, unless ``dry``; how many those are."""
    oldest = f"crash_{datetime.now(UTC) - timedelta(days=KEPT_DAYS):%Y%m%d_%H%M%S}"
    files = sorted(state.crashes.glob(FILES))
    gone = [path for number, path in enumerate(files) if number < len(files) - KEPT or path.name < oldest]
    for path in () if dry else gone:
        path.unlink(missing_ok=True)
    return len(gone)


def fingerprint(error: BaseException) -> str:
    """The same for the same kind of error raised first at the same place, whatever its message."""
    while error.__cause__ is not None:
        error = error.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    place = [f"{Path(frame.filename).name}:{frame.name}" for frame in frames]
    return hashlib.sha256("|".join([type(error).__name__, *place]).encode()).hexdigest()[:12]


def _json(content: Json) -> bytes:
    try:
        return orjson.dumps(content, option=orjson.OPT_INDENT_2, default=str)
    except orjson.JSONEncodeError:  # half a character, or 70 bits
        return json.dumps(content, indent=2, default=str).encode()


def _crash(path: Path) -> Crash | None:
    try:
        content = orjson.loads(path.read_bytes())
        context = content["error_context"]
        error = f"{context['type']}: {context['message']}"
        return Crash(path, path.stem, content["timestamp"], content["run_id"], context["fingerprint"], error, content)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _system_stats(root: Path) -> Json:
    import psutil  # noqa: PLC0415 - late, for it is seldom needed

    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(root))
    process = psutil.Process()
    return {
        "cpu_count": psutil.cpu_count(),
        "load_average": list(psutil.getloadavg()),
        "memory_total_mb": memory.total // 2**20,
        "memory_available_mb": memory.available // 2**20,
        "process_memory_mb": process.memory_info().rss // 2**20,
        "disk_free_mb": disk.free // 2**20,
        "disk_used_pct": disk.percent,
    }
