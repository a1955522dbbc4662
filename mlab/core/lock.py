"""The right to do something alone, held for a process and free again when that process dies.

Locks are the kernel's: all processes of a machine see them, whatever container each is in, and those of other machines
where the file system carries them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO
from weakref import WeakSet

from mlab.core.errors import ConfigError, LabError
from mlab.core.probe import wait_until

try:
    import fcntl
except ModuleNotFoundError:  # a command says so in one line, before it begins anything
    fcntl = None  # type: ignore[assignment]

LOCK_WAIT_S = 60.0
"""Longest wait for another process that is about to be done."""

ASKED_S = 0.1
"""For so long a file may seem taken because somebody asks whether it is."""


class Taken(LabError):
    """Another process has that right."""


def require() -> None:
    """See that the system has such locks.

    Raises:
        ConfigError: it has none.
    """
    if fcntl is None:
        raise ConfigError("this system", "", "has no locks of files (fcntl); on Windows use WSL")


@contextmanager
def alone(path: Path, byte: int = 0, wait_s: float = math.inf) -> Iterator[None]:
    """Hold the lock on one byte of a file inside the block; the file is made where it is not there.

    A file may stand for many things, a byte each. A process loses all its locks on a file where it closes that file:
    nobody holds two of one file at a time.

    Raises:
        Taken: another process held it for ``wait_s`` seconds.
    """
    require()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not wait_until(lambda: _locked(file, byte), wait_s):
            raise Taken("another process is at it")
        yield


def locked(file: IO[bytes] | FileIO, *, shared: bool) -> bool | None:
    """Whether an open file is locked now until it is closed, alone or with others who share it; waits for nobody.

    None where the file system has no locks.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def held(path: Path) -> bool | None:
    """Whether a process, this one included, has :func:`taken` a file. It is only asked: nothing is written.

    None where that cannot be told: the file may not be read, or its file system has no locks.
    """
    try:
        with path.open("rb") as file:
            free = locked(file, shared=True)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return None if free is None else not free


def taken(path: Path) -> FileIO | None:
    """A file, made where it is not there, that this process has alone until it closes it or dies; None: it is held.

    No child inherits it. Its folder is made, too, but not the folders above. Where the file system has no locks, others
    may take it as well.
    """
    require()
    with suppress(FileExistsError):
        path.parent.mkdir()
    while True:
        file = path.open("ab", buffering=0)
        while not wait_until(lambda: locked(file, shared=False) is not False, ASKED_S, 0.01):  # noqa: B023 - at once
            if held(path) is not False:  # who only asks would share it, however long that takes
                file.close()
                return None
        if is_there(file, path):
            _taken.add(file)
            return file
        file.close()  # who had it before has removed it


def is_there(file: IO[bytes] | FileIO, path: Path) -> bool:
    """Whether an open file is the one that a path leads to."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _let_go() -> None:
    for file in _taken:
        file.close()


_taken: WeakSet[FileIO] = WeakSet()
os.register_at_fork(after_in_child=_let_go)


def _locked(file: IO[bytes], byte: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except (BlockingIOError, PermissionError):  # systems differ in what they say of a lock that is taken
        return False
    return True
