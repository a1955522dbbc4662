"""Runs that are cut, in processes forked from one that has imported everything: a life costs no second of loading."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import Popen
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from benchmarks.workers import fingerprint
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.pace import shorten

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.crash"])

SMALL = (
    "ladder.overlap_pct=10", "ladder.num_orders=[4, 8]", "search.batch_size=4", "search.max_batches=3",
    "search.patience=3", "search.top_k=6",
)  # fmt: skip
"""Two cells of three batches, the second of many ladders: each batch needs room."""

LONG = (*SMALL, "search.max_batches=12", "search.patience=12", "search.miss_chance=0")
"""Two cells of twelve batches, some seconds of a whole command."""

Saved = tuple[float, int, int]
"""Overlap and orders of the cell, and the batch."""


def life(root: Path, name: str, *overrides: str, step: int | None = None, processes: Any = PROCESSES) -> BaseProcess:
    """A process that begins the run of that name, or goes on with it, and dies at a step of its transactions."""
    process: BaseProcess = processes.Process(target=_live, args=(root, name, overrides, Steps(step)))
    process.start()
    return process


def steps(root: Path) -> list[str]:
    """What the writing transactions of an uncut run consist of."""
    line, far_end = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_traced, args=(root, far_end))
    process.start()
    assert line.poll(runs.SECONDS)
    names: list[str] = line.recv()
    process.join()
    return names


def _live(root: Path, name: str, overrides: tuple[str, ...], counted: Steps) -> None:
    counted.listen()
    shorten()
    state = State(root)
    with Store.open(state.database) as store:
        found = named(store, name)
        if found:
            resume(state, store, found.run_id)
        else:
            runs.searched(state, store, *SMALL, *overrides, f"name={name}")


def _traced(root: Path, line: Connection) -> None:
    counted = Steps(None)
    _live(root, "traced", (), counted)
    line.send(counted.names)


def named(store: Store, name: str) -> Experiment | None:
    """The run whose config has that name."""
    return next((run for run in store.experiments() if run.config["name"] == name), None)


def run_id(state: State, name: str) -> str:
    """The id of a run that is there."""
    with Store.open(state.database) as store:
        run = named(store, name)
    assert run is not None, f"there is no run {name}"
    return run.run_id


def resume(state: State, store: Store, run_id: str) -> None:
    """Go on with a run in this process."""
    assert runs.resumed(state, store, run_id) == 0


class Steps:
    """Counts the steps of all writing transactions: each statement, each COMMIT, and the moment after it.

    At the step numbered ``last`` the process kills itself.
    """

    def __init__(self, last: int | None) -> None:
        self.names: list[str] = []
        self._last, self._writing = last, False

    def listen(self) -> None:
        """Count from now on, on every connection to any database."""
        event.listen(Engine, "before_cursor_execute", self._statement)
        event.listen(Engine, "commit", self._commit)
        event.listen(Pool, "checkin", self._returned)

    def _statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self._writing |= statement == "BEGIN IMMEDIATE"
        if self._writing:
            self._step(" ".join(statement.split()[:3]))

    def _commit(self, _connection: Any) -> None:
        self._step("COMMIT")

    def _returned(self, *_: Any) -> None:
        if self._writing:
            self._step("committed")
            self._writing = False

    def _step(self, name: str) -> None:
        if len(self.names) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(name)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has come to, but for its name and its times; ``owed`` names every number that MLflow is to get."""

    found: str
    status: str
    best_score: float | None
    eval_count: int
    owed: tuple[tuple[int, int, str], ...]


def outcome(state: State, run_id: str) -> Outcome:
    """What the database says of a run."""
    found = fingerprint(state, run_id)
    with Store.open(state.database) as store:
        run = runs.stored(store, run_id)
        owed = sorted((cell, metric.step, metric.key) for _, cell, metric in store.owed(run.exp_id))
    return Outcome(found, run.status, run.best_score, run.eval_count, tuple(owed))


def logged(log: Path) -> list[dict[str, Any]]:
    """The events of a log; a line that a kill or a full disk has torn says nothing."""
    events = []
    for line in log.read_bytes().splitlines():
        with suppress(ValueError):
            events.append(json.loads(line))
    return events


def reported(log: Path) -> list[Saved]:
    """The batches that an event log reports as saved."""
    saved = [event for event in logged(log) if event["event"] == "ORCH.SAVE_OK"]
    return [(event["overlap"], event["orders"], event["batch_idx"]) for event in saved]


def held(database: Path, run_id: str) -> set[Saved]:
    """The batches of a run that a database holds."""
    query = (
        "SELECT DISTINCT overlap_pct, num_orders, batch FROM trials JOIN cells USING (experiment_id, cell_index)"
        " WHERE experiment_id = (SELECT id FROM experiments WHERE run_id = ?)"
    )
    with closing(sqlite3.connect(database)) as connection:
        return set(connection.execute(query, (run_id,)))


def intact(database: Path) -> bool:
    """Whether SQLite finds nothing wrong with the file."""
    with closing(sqlite3.connect(database)) as connection:
        checks = [connection.execute(f"PRAGMA {name}").fetchall() for name in ("integrity_check", "foreign_key_check")]
    return checks == [[("ok",)], []]


def found(root: Path, *overrides: str) -> Outcome:
    """What a run of this process comes to, once all of it is delivered to MLflow: what a command should come to."""
    state = State(root)
    with Store.open(state.database) as store:
        run_id = runs.searched(state, store, *overrides)
    return replace(outcome(state, run_id), owed=())


def searching(state: State, command: Popen[bytes], batches: int) -> str:
    """Wait until a command has saved so many batches more than there are; the id of its run."""

    def news() -> list[str]:
        return [log.stem for log in state.root.glob("events/*") for _ in reported(log)]

    before = len(news())
    runs.wait_until(lambda: command.poll() is not None or len(news()) >= before + batches)
    assert command.poll() is None, "the command has ended"
    return news()[-1]
