"""The right to do something alone, held for a process and free again when that process dies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import IO

from mlab.core.errors import ConfigError, LabError
from mlab.core.probe import wait_until

try:
    import fcntl
except ModuleNotFoundError as error:
    raise ConfigError("this system", "", "has no locks of files (fcntl); on Windows use WSL") from error

LOCK_WAIT_S = 60.0
"""Longest wait for another process that is about to be done."""


class Taken(LabError):
    """Another process has that right."""


@contextmanager
def alone(path: Path, byte: int = 0, wait_s: float = math.inf) -> Iterator[None]:
    """Hold the lock on one byte of a file inside the block; the file is made where it is not there.

    A file may stand for many things, a byte each. A process loses all its locks on a file where it closes that file:
    nobody holds two of one file at a time.

    Raises:
        Taken: another process held it for ``wait_s`` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not wait_until(lambda: _locked(file, byte), wait_s):
            raise Taken("another process is at it")
        yield


def locked(file: IO[bytes] | FileIO, *, shared: bool) -> bool:
    """Whether an open file is locked now until it is closed, alone or with others who share it; waits for nobody.

    A file system without locks lets all share, and nobody be alone.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return shared
    return True


def _locked(file: IO[bytes], byte: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except (BlockingIOError, PermissionError):  # systems differ in what they say of a lock that is taken
        return False
    return True
