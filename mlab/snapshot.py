"""Crash snapshots: what a person needs to understand a failure after the fact, in one JSON file."""

from __future__ import annotations

import hashlib
import secrets
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psutil

from mlab.events import recorder
from mlab.identity import State
from mlab.records import Json
from mlab.redaction import redacted

KEPT = 20
"""Snapshots kept; older ones are deleted when a new one is written."""

RECENT_LOGS = 200
"""Last events that a snapshot holds."""


def write(state: State, error: BaseException, run_id: str, exp_id: int, application: Json, config: Json) -> Path:
    """Write a snapshot of a failure, free of secrets, and return its path.

    Args:
        state: where snapshots lie.
        error: what ended the run.
        run_id: the run.
        exp_id: its experiment.
        application: what the engine was doing.
        config: the run's config.
    """
    now = datetime.now(UTC)
    snapshot_id = f"crash_{now:%Y%m%d_%H%M%S}_{secrets.token_hex(2)}"
    mark = fingerprint(error)
    state.crashes.mkdir(parents=True, exist_ok=True)
    content = {
        "snapshot_id": snapshot_id,
        "run_id": run_id,
        "exp_id": exp_id,
        "timestamp": now.isoformat(timespec="milliseconds"),
        "error_context": {
            "type": type(error).__name__,
            "message": str(error),
            "traceback": traceback.format_exception(error),
            "fingerprint": mark,
            "seen_before": sum(_mark(known) == mark for _, known in _stored(state.crashes)),
        },
        "system_stats": _system_stats(state.root),
        "application_state": application,
        "recent_logs": list(recorder.recent)[-RECENT_LOGS:],
        "configuration": config,
    }
    path = state.crashes / f"{snapshot_id}.json"
    path.write_bytes(orjson.dumps(redacted(content), option=orjson.OPT_INDENT_2, default=str))
    for old in sorted(state.crashes.glob("crash_*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def of_run(state: State, run_id: str) -> list[Path]:
    """The snapshots of one run, oldest first."""
    return [path for path, content in _stored(state.crashes) if content.get("run_id") == run_id]


def fingerprint(error: BaseException) -> str:
    """The same for the same kind of error raised at the same place, whatever its message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = [f"{Path(frame.filename).name}:{frame.name}" for frame in frames]
    return hashlib.sha256("|".join([type(error).__name__, *place]).encode()).hexdigest()[:12]


def _mark(content: Json) -> object:
    context = content.get("error_context")
    return context.get("fingerprint") if isinstance(context, dict) else None


def _stored(folder: Path) -> Iterator[tuple[Path, Json]]:
    """The snapshots in a folder, oldest first; a damaged one counts as none."""
    for path in sorted(folder.glob("crash_*.json")):
        try:
            content = orjson.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            yield path, content


def _system_stats(root: Path) -> Json:
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
