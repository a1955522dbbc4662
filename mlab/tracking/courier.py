"""Starts the process that delivers a run to MLflow, and waits for it at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from mlab.identity import State

PATIENCE_S = 30.0
"""Seconds that the end of a run waits for the delivery."""

STOPPED_PATIENCE_S = 2.0
"""The same for a run that was stopped by a signal."""


class Courier:
    """Delivers one run to MLflow in the background; a context."""

    def __init__(self, state: State, run_id: str) -> None:
        self._state, self._run_id = state, run_id
        self._process: subprocess.Popen[bytes] | None = None
        self._patience_s = PATIENCE_S

    def __enter__(self) -> Self:
        with (self._state.root / "tracking.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, and an id of our own making
                [sys.executable, "-m", "mlab.tracking", self._run_id],
                env=os.environ | {"MLAB_STATE_DIR": str(self._state.root)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # an interrupt from the keyboard is for the search alone
            )
        return self

    def hurry(self) -> None:
        """Wait no longer than somebody does who has stopped the run."""
        self._patience_s = STOPPED_PATIENCE_S

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait for the delivery; it goes on by itself where that takes too long."""
        if error is not None and not isinstance(error, Exception):
            self.hurry()
        with suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(self._patience_s)
