"""Which process executes a run, whether it still lives, and SIGTERM as an exception.

A process id alone is reused. Together with the boot and the moment within it at which the process began
it names one process for good. Linux gives that moment in clock ticks since boot, which, unlike the time
of day that psutil derives from it, does not move when the clock is set.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holder:
    """One process, told apart from all that had or will have its id."""

    pid: int
    boot: str
    started: str

    @classmethod
    def here(cls) -> Holder:
        """This process."""
        holder = cls.of(os.getpid())
        if holder is None:
            raise ProcessLookupError("this process does not see itself")
        return holder

    @classmethod
    def of(cls, pid: int) -> Holder | None:
        """The process that has this id now; None where there is none, or only its remains."""
        boot_id = PROC / "sys/kernel/random/boot_id"
        if boot_id.exists():
            started = _ticks(pid)
            return cls(pid, boot_id.read_text().strip(), started) if started else None
        try:
            process = psutil.Process(pid)
            dead = process.status() == psutil.STATUS_ZOMBIE
            return None if dead else cls(pid, "", repr(process.create_time()))
        except psutil.Error:
            return None

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Holder.of(self.pid) == self


def _ticks(pid: int) -> str | None:
    """Field 22 of ``/proc/<pid>/stat``; the fields are counted after the name, which may hold blanks."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]


class Terminated(BaseException):
    """SIGTERM arrived: ends a search as orderly as an interrupt from the keyboard does."""


def heed_termination() -> Any:
    """From now on SIGTERM raises :class:`Terminated` in the main thread; what it did before."""
    return signal.signal(signal.SIGTERM, _terminated)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
