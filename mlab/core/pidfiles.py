"""What ``make serve`` has left in the background, each program known by the lock that it has on its record."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

from mlab.core import lock
from mlab.core.state import State

NAMES = ("worker", "MLflow", "Prefect")
"""All of it, in the order in which it ends."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one program: its process, the host as it calls itself, and the port; 0 = on none."""

    pid: int
    host: str
    port: int


def known(state: State, name: str) -> Record | None:
    """The program of this name that was started last and not ended since; it may have died.

    A copy of the state folder has none: what runs over the one is not to be ended from the other.
    """
    try:
        stored = orjson.loads(record(state, name).read_bytes())
        if stored["folder"] != state.services.stat().st_ino:
            return None
        return Record(int(stored["pid"]), str(stored["host"]), int(stored["port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def alive(state: State, name: str) -> bool:
    """Whether a program of this name runs, of whoever started it, in whatever container."""
    return lock.held(record(state, name)) is True


def running(state: State, name: str) -> Record | None:
    """The program of this name, where it runs."""
    return known(state, name) if alive(state, name) else None


def remember(state: State, name: str, pid: int, port: int) -> None:
    """Note which process a program is, for who ends it."""
    noted = {"pid": pid, "host": socket.gethostname(), "port": port, "folder": state.services.stat().st_ino}
    record(state, name).write_bytes(orjson.dumps(noted))


def forget(state: State, name: str) -> None:
    """Note that a program is over."""
    record(state, name).unlink(missing_ok=True)


def is_seen(state: State, name: str, pid: int) -> bool:
    """Whether a process is that program: in another container its id is that of another process, or of none."""
    try:
        return any(file.path == str(record(state, name)) for file in psutil.Process(pid).open_files())
    except psutil.Error:
        return False


def record(state: State, name: str) -> Path:
    """The file of a program: what is known of it, locked by it as long as it runs."""
    return state.services / f"{name.lower()}.json"
