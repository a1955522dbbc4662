"""Who executes a run: one store, which has a lock on a file of the run's, and with that the process that opened it.

The kernel lets go of the lock when the process ends, however it does. So nobody is taken for alive by its process id,
which means nothing in another container and is used again.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Self, TypeAlias

import orjson

from mlab.core import lock
from mlab.core.errors import StoreError
from mlab.core.events import emit
from mlab.core.state import State

UNLOCKED = "there are no locks on this file system, so nobody else can tell whether the run goes on"

Alive: TypeAlias = Callable[[str], bool]
"""Whether somebody executes the run of that id, as far as can be told; where it cannot, somebody does."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who executes a run: a process, as people know it, and what tells it from all that have had its id."""

    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def of(cls, text: str | None) -> Self | None:
        """The holder of a run as it is stored."""
        return cls(**orjson.loads(text)) if text else None

    def __str__(self) -> str:
        """As it is stored."""
        return orjson.dumps(self).decode()

    @property
    def name(self) -> str:
        """For people: process, and host where that is another; each container is one."""
        return f"process {self.pid}" + (f" of {self.host}" if self.host != socket.gethostname() else "")


class Claims:
    """The runs that one store has taken, and a look at those of all others."""

    def __init__(self, database: Path) -> None:
        self._state = State(database.parent)
        self._files: dict[str, FileIO] = {}

    def take(self, run_id: str) -> bool:
        """Take a run; False where another store has it, of this or any process. Within a writing transaction."""
        if run_id not in self._files:
            path = self._state.running(run_id)
            file = lock.taken(path)
            if file is None:
                return False
            self._files[run_id] = file
            if lock.held(path) is None:
                emit("DB.ERROR", f"{path.parent}: {UNLOCKED}", level="warning")
        return True

    def keep(self, run_id: str) -> None:
        """See that a run which was taken still is: whoever tidies up might have removed the file.

        Raises:
            StoreError: all of the folder is gone.
        """
        file, path = self._files.get(run_id), self._state.running(run_id)
        if file is not None and not lock.is_there(file, path):
            if not self._state.root.exists():
                raise StoreError("the folder is gone, and with it what was found")
            del self._files[run_id]
            self.take(run_id)  # where another was faster, the row says so
            file.close()

    def let_go(self, run_id: str) -> None:
        """Leave a run to others."""
        file, path = self._files.pop(run_id, None), self._state.running(run_id)
        if file is not None:
            if lock.is_there(file, path):
                path.unlink()
            file.close()

    def tidy(self, run_id: str) -> None:
        """Remove what a process that died has left of a run. Within a writing transaction."""
        with suppress(OSError):
            self._state.running(run_id).unlink(missing_ok=True)

    def close(self) -> None:
        """Leave all."""
        for run_id in [*self._files]:
            self.let_go(run_id)

    def alive(self) -> Alive:
        """Whether a run is executed while it is read: ask for this first, then read.

        A run that ends meanwhile is alive to its reader, who has read that it goes on.
        """
        before = {path.name for path in self._state.running("").glob("*") if lock.held(path) is not False}
        return lambda run_id: run_id in before or lock.held(self._state.running(run_id)) is not False
