"""A search that a command makes for itself, in memory, along the road of every run. It loads Optuna."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from mlab.config import Config
from mlab.core import events
from mlab.core.errors import EvaluationError
from mlab.core.records import Candidate
from mlab.core.state import State
from mlab.report.progress import Progress
from mlab.search import run as road
from mlab.search.watcher import Watcher
from mlab.store import Store


class _Bar(Progress, Watcher):
    """Shows a search as a bar."""


def best(config: Config) -> Candidate:
    """The best ladder of the config's one cell, with a bar on a terminal meanwhile; a signal ends the command.

    Raises:
        LabError: the search failed, or found none.
    """
    with TemporaryDirectory(prefix="mlab-", ignore_cleanup_errors=True) as place:
        state = State(Path(place))
        with Store.open(state.database) as store:
            if sys.stderr.isatty():
                with _Bar() as bar:
                    outcome = _run(state, store, config, bar)
            else:
                outcome = _run(state, store, config, Watcher())
            run = store.experiment(outcome.run_id)
            found = store.results(run.exp_id, limit=1) if run else []
    if outcome.exit_status:
        raise click.exceptions.Exit(outcome.exit_status)
    if not found:
        raise EvaluationError(f"the search found no ladder in {config.cells()[0].label}")
    return found[0]


def _run(state: State, store: Store, config: Config, watcher: Watcher) -> road.Outcome:
    try:
        return road.run(state, store, road.Order(config), watcher=watcher)
    finally:
        events.recorder.close()
