"""What processes that were killed have left in the folder for temporary files, which no start of the system empties."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from mlab.core.state import State

KEPT_DAYS = 10
"""For so many days, as on most systems, a temporary file is left alone after it was written."""


def prune(state: State, now: datetime, *, dry: bool = False) -> int:
    """Delete what nobody has written to for so long, unless ``dry``; how much that is."""
    before = (now - timedelta(days=KEPT_DAYS)).timestamp()
    gone = [path for path in state.temporary.glob("*") if _written(path) < before]
    for path in () if dry else gone:
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return len(gone)


def _written(path: Path) -> float:
    """When it was written to last, or anything within."""
    return max((one.lstat().st_mtime for one in (path, *path.rglob("*")) if one.exists()), default=0.0)
