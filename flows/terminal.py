"""A run as the terminal shows it: a bar while it is searched, then its ladders, or one JSON object."""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from mlab.config import Config
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.core.streams import OutputError
from mlab.report.progress import Progress
from mlab.search.watcher import Watcher
from mlab.store import Store
from mlab.tracking import Sidecar, undelivered


class Terminal(Progress, Watcher):
    """Shows one run; a context, in which there may be a bar.

    Args:
        state: where the run lies.
        store: its database.
        as_json: print one JSON object at the end, rather than ladders as soon as they are searched.
    """

    def __init__(self, state: State, store: Store, *, as_json: bool) -> None:
        super().__init__()
        self._state, self._store, self._as_json = state, store, as_json
        self._run_id = ""
        self._sidecar: Sidecar | None = None

    def publishing(self, run_id: str) -> Sidecar:
        """Start the delivery of a run to MLflow."""
        self._sidecar = Sidecar(self._state, run_id)
        return self._sidecar

    def begun(self, run: Experiment, config: Config) -> None:
        """Name what is to be searched."""
        super().begun(run, config)
        self._run_id = run.run_id

    def searched(self) -> None:
        """Show what was found; the rest is done while it is read."""
        run = self._run()
        if not self._as_json and run.status in {"COMPLETED", "STOPPED"}:
            self.__exit__(None, None, None)
            from mlab.report import terminal  # late here and below: the first batch is searched without

            cells, replays = self._store.cells(run.exp_id), self._store.replays(run.exp_id)
            with suppress(OutputError):  # told at the end of the command, whose work goes on
                terminal.final(terminal.console(sys.stdout), run, cells, self._state.root, replays)
                sys.stdout.flush()

    def answer(self) -> None:
        """Print the JSON object, with the ids that the run has elsewhere, and say what MLflow has not got yet."""
        run = self._run()
        if self._as_json:
            from mlab.report import summary

            print(json.dumps(summary.run_json(run, self._store.cells(run.exp_id))), flush=True)
        if line := undelivered(self._store, run, self._sidecar.answer if self._sidecar else None):
            say(line)

    def _run(self) -> Experiment:
        run = self._store.experiment(self._run_id)
        assert run is not None  # noqa: S101 - it has begun
        return run


def say(line: str) -> None:
    """Print a line beside the answer."""
    print(line, file=sys.stderr, flush=True)
