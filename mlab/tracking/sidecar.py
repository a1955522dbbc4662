"""Starts the process that delivers a run to MLflow, and waits for it at the end.

The two hold one line: the publisher's standard input. Either sees at its end that the other has hung up, or is gone.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from mlab.core.state import State
from mlab.search.watcher import Publisher
from mlab.tracking.backlog import OFFLINE
from mlab.tracking.mode import mode

DELIVERY_WAIT_S = 30.0  # longest time that the end of a run waits for the delivery
STOPPED_WAIT_S = 2.0  # the same for a run that was stopped by a signal


class Sidecar(Publisher):
    """Delivers one run to MLflow in the background, unless the mode is offline; a context."""

    def __init__(self, state: State, run_id: str) -> None:
        self._state, self._run_id = state, run_id
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._wait_s = DELIVERY_WAIT_S
        self.answer: str | None = None  # why something is not yet delivered, empty where all is; None while it goes on

    def __enter__(self) -> Self:
        """Start the publisher. That it does not start is no affair of the run.

        Raises:
            ConfigError: ``MLAB_MODE`` is wrong.
        """
        if mode() == "offline":
            self.answer = OFFLINE
            return self
        self._line, theirs = socket.socketpair()
        try:
            with theirs, (self._state.root / "tracking.log").open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own module, and an id of our own making
                    [sys.executable, "-m", "mlab.tracking", self._run_id],
                    env=os.environ | self._state.environment(),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,  # an interrupt from the keyboard is for the search alone
                )
        except OSError as error:  # the search does without
            self._line.close()
            self._line, self.answer = None, f"the publisher did not start: {error}"
        return self

    def skip_wait(self) -> None:
        """Wait no longer than somebody does who has stopped the run."""
        self._wait_s = STOPPED_WAIT_S

    def finish(self) -> None:
        """Wait for the delivery now; it goes on by itself where that takes too long."""
        line, self._line = self._line, None
        if line is not None:
            with line, suppress(OSError):
                line.shutdown(socket.SHUT_WR)
                line.settimeout(self._wait_s)
                answer = line.recv(4096).decode()
                self.answer = answer.strip() if answer else "the publisher died, see tracking.log"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait for the delivery, unless that was done."""
        if error is not None and not isinstance(error, Exception):
            self.skip_wait()
        self.finish()


class Caller:
    """The process that started this one as its publisher, or a person who did: who it is has hung up from the start."""

    def __init__(self) -> None:
        self._line = socket.socket(fileno=os.dup(0)) if stat.S_ISSOCK(os.fstat(0).st_mode) else None

    def gone(self) -> bool:
        """Whether the run is over for the caller, or the caller for good."""
        return self._line is None or bool(select.select([self._line], [], [], 0.0)[0])

    def answer(self, why: str) -> None:
        """Let the caller go, and tell it why something is not yet delivered; empty where all is."""
        with suppress(OSError):  # it has not waited
            if self._line is not None:
                self._line.sendall(f"{why}\n".encode())
