"""Tells Prefect of a run of the command line, in a process of its own: what befalls Prefect never befalls the search.

``python -m flows.herald RUN_ID WORKERS START FLOW_RUN_ID...`` is that process. It waits for the API, starts one where
there is none, and follows the run in the database and its event log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from flows.server import SETTINGS, api, turn
from mlab.core.errors import LabError
from mlab.core.records import Status
from mlab.core.state import State

PATIENCE_S = 5.0
"""Seconds that the end of a run waits for Prefect to be told: that takes two, and more where Prefect still starts."""

BEHIND_S = 60.0
"""Longest time that the herald goes on after the command has ended, for a Prefect that starts slowly."""

SETTLE_S = 5.0
"""Longest wait for Prefect's last log lines and events to be sent."""


class Herald:
    """Tells Prefect of one run in the background; a context.

    Args:
        state: where the run lies.
        run_id: the run.
        workers: cells searched at a time.
        start: where its event log goes on.
        orphans: Prefect's flow runs of runs whose process is gone.
    """

    def __init__(self, state: State, run_id: str, workers: int, start: int, orphans: Sequence[str]) -> None:
        self._state = state
        self._arguments = [run_id, str(workers), str(start), *orphans]
        self._process: subprocess.Popen[bytes] | None = None
        self._patience_s = PATIENCE_S
        self._begun = False

    def __enter__(self) -> Self:
        """The herald, which waits for :meth:`begin`."""
        return self

    def begin(self) -> None:
        """Go; the run has to be in this process's hands. What goes wrong here is no affair of the search."""
        with suppress(OSError):
            self._state.prefect.mkdir(parents=True, exist_ok=True)
            with (self._state.prefect / "herald.log").open("ab") as log:
                self._process = self._started(log)
        self._begun = True

    def _started(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own module, and ids of our own making
            [sys.executable, "-m", "flows.herald", *self._arguments],
            env=os.environ | SETTINGS | {"MLAB_STATE_DIR": str(self._state.root)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # an interrupt from the keyboard is for the search alone
        )

    def hurry(self) -> None:
        """Do not wait: somebody has stopped the run."""
        self._patience_s = 0.0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait until Prefect is told; that goes on by itself for a while where it takes too long."""
        if error is not None:
            self.hurry()
        with suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(self._patience_s)

    @property
    def complaint(self) -> str | None:
        """What Prefect has not been told, in one line; None where it knows all, or where nobody has waited."""
        if not self._begun:
            return None
        status = self._process.poll() if self._process else 1
        if status:
            return f"Prefect could not be told of all of this run; see {self._state.prefect / 'herald.log'}"
        if status is None and self._patience_s:
            return "Prefect could not be told of all of this run yet; that goes on in the background for a minute"
        return None


class Command:
    """The command line whose run is told, which is the parent of this process; a context."""

    def __init__(self, run_id: str, start: int) -> None:
        self.run_id, self.start = run_id, start
        self._pid = os.getppid()
        self._told_to_stop = False

    def going(self, status: Status) -> bool:
        """Whether it still searches. Where somebody has cancelled the flow run, it is told to stop, once."""
        from flows import mirror

        going = status in {"PENDING", "RUNNING"} and os.getppid() == self._pid
        if going and not self._told_to_stop and mirror.cancelled() and os.getppid() == self._pid:
            self._told_to_stop = True
            os.kill(self._pid, signal.SIGTERM)
        return going

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave it alone."""


def _main(run_id: str, workers: int, start: int, orphans: Sequence[str]) -> int:
    command = Command(run_id, start)
    threading.Thread(target=_end_behind, args=(os.getppid(),), daemon=True).start()
    state = State.here()
    with api(state):
        from prefect import get_client
        from prefect.events.worker import EventsWorker
        from prefect.flow_engine import run_flow
        from prefect.logging.handlers import APILogWorker

        from flows import mirror, optimize

        with turn(state), get_client(sync_client=True) as client:
            # Where several create the same flow at once, Prefect's server hangs for a minute.
            told = optimize.of_command_line(client, optimize.config_of(state, run_id), run_id, workers)
        mirror.bury(orphans)
        optimize.searcher.set(command)
        try:
            run_flow(optimize.optimize, told, return_type="state")
        finally:
            # What Prefect still has to send has to leave while its server is up.
            APILogWorker.drain_all(timeout=SETTLE_S)
            EventsWorker.drain_all(timeout=SETTLE_S)
    return 0


def _end_behind(parent: int) -> None:
    """End some time after the command, whatever Prefect is waiting for."""
    while os.getppid() == parent:
        time.sleep(0.5)
    time.sleep(BEHIND_S)
    os._exit(1)


if __name__ == "__main__":
    exit_status = 1
    try:
        exit_status = _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    except LabError as error:
        print(error, file=sys.stderr)
    except Exception:  # noqa: BLE001 - for the log
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(exit_status)  # Prefect's threads would hold the process for a minute where its API is gone
