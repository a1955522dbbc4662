"""The right to do something alone: one byte of a file, locked for a process, free again when that process dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mlab.core.errors import LabError

GLANCE_S = 0.1
"""Seconds between two tries."""


class Taken(LabError):
    """Another process has that right."""


@contextmanager
def alone(path: Path, byte: int, patience_s: float) -> Iterator[None]:
    """Hold the lock on one byte inside the block.

    A process loses all its locks on a file where it closes that file: nobody holds two of one file at a time.

    Raises:
        Taken: another process held it for that long.
    """
    deadline = time.monotonic() + patience_s
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        while not _locked(file, byte):
            if time.monotonic() >= deadline:
                raise Taken("another process is at it")
            time.sleep(GLANCE_S)
        yield


def _locked(file: IO[bytes], byte: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except (BlockingIOError, PermissionError):  # systems differ in what they say of a lock that is taken
        return False
    return True
