"""What processes that were killed have left in the folder for temporary files, which no start of the system empties."""

from __future__ import annotations

import math
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
    gone = [path for path in state.temporary.glob("*") if written(path) < before]
    for path in () if dry else gone:
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return len(gone)


def written(path: Path) -> float:
    """When a file was written to last, or anything within a folder; what goes meanwhile is not old, but somebody's."""
    try:
        return max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except FileNotFoundError:
        return math.inf
