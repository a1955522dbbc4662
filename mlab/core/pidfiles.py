"""What ``make serve`` has left in the background, each program known by the process that it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

from mlab.core.process import Holder
from mlab.core.state import State

NAMES = ("worker", "MLflow", "Prefect")
"""All of it, in the order in which it ends."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one program: its process, and the port on which it listens; 0 = on none."""

    process: Holder
    port: int

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.alive


def known(state: State, name: str) -> Record | None:
    """The program of this name that was started last and not ended since; it may have died.

    A copy of the state folder has none: what runs over the one is not to be ended from the other.
    """
    try:
        stored = orjson.loads(_record(state, name).read_bytes())
        if stored["folder"] != state.services.stat().st_ino:
            return None
        return Record(Holder(**stored["process"]), int(stored["port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def running(state: State, name: str) -> Record | None:
    """The program of this name, where it runs."""
    found = known(state, name)
    return found if found and found.alive else None


def remember(state: State, name: str, pid: int, port: int) -> None:
    """Note which process a program is, for who ends it."""
    process = Holder.of(pid)
    if process is not None:
        noted = {"process": process, "port": port, "folder": state.services.stat().st_ino}
        _record(state, name).write_bytes(orjson.dumps(noted))


def forget(state: State, name: str) -> None:
    """Note that a program is over."""
    _record(state, name).unlink(missing_ok=True)


def _record(state: State, name: str) -> Path:
    return state.services / f"{name.lower()}.json"
