"""Damaged databases, and those of earlier releases: told in one line, and never a wrong best reported."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

import mlab
from mlab import cli
from mlab.config import config_of
from mlab.core.errors import LabError, StoreError
from mlab.core.state import State
from mlab.search import engine, experiments
from mlab.store import Store, database
from mlab.store.database import Database
from mlab.tracking.artifacts import winner_metrics
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database with two completed runs, all of it in one file; the id of the second."""
    state = State(tmp_path_factory.mktemp("whole"))
    with Store.open(state.database) as store:
        runs.searched(state, store, "seed=1")
        run_id = runs.searched(state, store, "seed=2")
    with closing(sqlite3.connect(state.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    return state.database, run_id


def reported(path: Path, run_id: str) -> object:
    """What a person is shown of a run, as ``--resume`` reads it."""
    state = State(path.parent)
    with Store.open(state.database) as store:
        experiment = experiments.find(store, run_id)
        config = config_of(experiment)
        with engine.execution(state, store, experiment, config) as run:
            assert run.experiment.status == "COMPLETED"
            return [store.cells(experiment.exp_id), run.experiment.best_score, run.experiment.eval_count]


def damaged(whole: tuple[Path, str], folder: Path) -> Path:
    folder.mkdir()
    path = folder / "experiments.db"
    shutil.copy(whole[0], path)
    return path


def outcome(path: Path, run_id: str, right: object) -> str:
    """Whether what is shown is right, or refused in one line that names the file."""
    try:
        shown = reported(path, run_id)
    except LabError as error:
        refused = error
    else:
        assert shown == right
        return "right"
    assert str(path) in str(refused)
    assert "\n" not in str(refused)
    return type(refused).__name__


@pytest.mark.parametrize("flips", [150, pytest.param(6000, marks=pytest.mark.soak)])
def test_a_flipped_bit_is_found_or_does_no_harm(whole: tuple[Path, str], tmp_path: Path, flips: int) -> None:
    right = reported(damaged(whole, tmp_path / "right"), whole[1])
    size = whole[0].stat().st_size
    rng = random.Random(1)  # noqa: S311
    seen: Counter[str] = Counter()
    for case in range(flips):
        path = damaged(whole, tmp_path / str(case))
        content = bytearray(path.read_bytes())
        content[rng.randrange(size)] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        seen[outcome(path, whole[1], right)] += 1
        shutil.rmtree(path.parent)
    assert seen["StoreError"] > flips / 10, "a fifth of the file is what the run has stored"


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_file_is_found(whole: tuple[Path, str], tmp_path: Path, share: float) -> None:
    path = damaged(whole, tmp_path / "truncated")
    with path.open("r+b") as file:
        file.truncate(int(share * whole[0].stat().st_size))
    assert outcome(path, whole[1], None) == "StoreError"


@pytest.mark.parametrize("statement", [
    "DELETE FROM results WHERE score = (SELECT min(score) FROM results WHERE experiment_id = 2)",
    "DELETE FROM trials WHERE experiment_id = 2 AND number = 1",
    "UPDATE results SET experiment_id = 1 WHERE experiment_id = 2",
    "UPDATE results SET score = score - 1",
    "UPDATE results SET found = found + 1",
    "UPDATE trials SET ladder = NULL",
    "UPDATE trials SET evaluations = 0",
    "UPDATE cells SET finished = 0",
    "UPDATE experiments SET best_score = best_score / 2",
    "UPDATE experiments SET config_json = replace(config_json, '100.0', '200.0')",
    "INSERT INTO results SELECT 99, 2, score / 2, payload_json, sanity_json, diagnostics_json, penalties_json,"
    " created_at, candidate_id || 'x', cell_index, overlap_pct, num_orders, batch, trial, risk_json, checksum, 'x',"
    " 1 FROM results WHERE experiment_id = 2 LIMIT 1",
    "DELETE FROM experiments WHERE id = 1",
])  # fmt: skip
def test_rows_that_another_program_has_changed_are_found(
    whole: tuple[Path, str], tmp_path: Path, statement: str
) -> None:
    path = damaged(whole, tmp_path / "changed")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()
    assert outcome(path, whole[1], None) == "StoreError"


# Earlier releases


def released(folder: Path, revision: str) -> Path:
    """The database of an earlier release: a completed run, and one that was stopped after a batch of three."""
    path = folder / "experiments.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((DATA / f"schema_{revision}.sql").read_text())
    return path


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What an upgrade has to keep."""
    columns = {
        "experiments": "run_id, status, best_score, eval_count, config_json, notes, elapsed_s",
        "cells": "overlap_pct, num_orders, finished, stopped_early",
        "trials": "number, batch, params_json, outcome, score, reports_json, evaluations, candidate_id",
        "outbox": "key, value, step, timestamp_ms, delivered",
    }
    with closing(sqlite3.connect(path)) as connection:
        return {name: connection.execute(f"SELECT {what} FROM {name}").fetchall() for name, what in columns.items()}  # noqa: S608


def distinct(path: Path) -> dict[tuple[str, str], tuple[object, ...]]:
    """The best result of each ladder, by run and the ladder in 6 decimals of a percent, and how often it is there."""
    found: dict[tuple[str, str], tuple[object, ...]] = {}
    columns = "score, candidate_id, payload_json, risk_json, sanity_json, diagnostics_json, penalties_json"
    with closing(sqlite3.connect(path)) as connection:
        for row in connection.execute(f"SELECT {columns} FROM results ORDER BY score DESC, candidate_id DESC"):  # noqa: S608
            schedule = json.loads(row[2])["schedule"]
            ladder = str([f"{percent:.6f}" for percent in schedule["indent_pct"] + schedule["volume_pct"]])
            *_, times = found.get((row[1][:22], ladder), (0,))
            found[row[1][:22], ladder] = (*row, times + 1)
    return found


def test_a_new_database_is_as_one_that_was_brought_up_to_date(tmp_path: Path) -> None:
    query = "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    tables = []
    for step_by_step in (False, True):
        path = tmp_path / f"{step_by_step}.db"
        if step_by_step:
            with Database(path).writing() as session:
                database._upgrade(session)
        else:
            Store.open(path).close()
        with closing(sqlite3.connect(path)) as connection:
            tables.append([(kind, name, (text or "").split()) for kind, name, text in connection.execute(query)])
            tables.append(connection.execute("SELECT version_num FROM alembic_version").fetchall())
    assert tables[:2] == tables[2:]


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005"])
def test_a_database_of_an_earlier_release_is_brought_up_to_date(tmp_path: Path, revision: str) -> None:
    path = released(tmp_path, revision)
    before = content(path)

    with Store.open(path) as store:
        stopped, completed = store.experiments()
        assert (stopped.status, completed.status) == ("STOPPED", "COMPLETED")
        store.check_file()
        for run in (stopped, completed):
            store.check_run(run.exp_id)
            (cell,) = store.cells(run.exp_id)
            assert cell.best is not None
            assert cell.best.score == run.best_score
            assert len(store.trials(run.exp_id, 0)) == cell.trials
        assert [run.run_id for run in store.owing()] == [stopped.run_id]
    assert content(path) == before


@pytest.mark.parametrize("revision", ["0001", "0003", "0004"])
def test_a_run_of_an_earlier_release_is_shown_without_what_it_lacks(
    tmp_path: Path, revision: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its ladders have no chances: no column, no sentence and no metric makes them up."""
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    with Store.open(released(tmp_path, revision)) as store:
        run = store.experiments()[-1]
        (cell,) = store.cells(run.exp_id)
    assert cell.best is not None
    assert "chance_all_filled_pct" not in cell.best.risk
    page = tmp_path / "page.html"
    for command in (["show"], ["export"], ["export", "--what", "orders"], ["report", "-o", str(page)]):
        assert cli.main([command[0], run.run_id, *command[1:]]) == 0, capsys.readouterr().err
        told = capsys.readouterr().out
        assert "without drift" not in told
        if command[0] == "export":
            (empty, *_) = csv.DictReader(io.StringIO(told))
            assert {empty[key] for key in empty if key.startswith(("chance", "expected"))} == {""}
    assert "without drift" not in page.read_text(encoding="utf-8")
    assert not [key for key in winner_metrics(cell) if key.startswith(("chance", "expected"))]
    assert "without drift" not in str(mlab.open(run.run_id).best)


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_the_results_of_an_earlier_release_become_distinct_ladders(tmp_path: Path, revision: str) -> None:
    path = released(tmp_path, revision)
    before = distinct(path)
    assert max(times for *_, times in before.values()) > 1

    with Store.open(path) as store:
        for run in store.experiments():
            names = {name: times for (of, _), (_, name, *_, times) in before.items() if of == run.run_id}
            assert {one.candidate_id: one.found for one in store.results(run.exp_id)} == names
            for trial in store.trials(run.exp_id, 0):
                kept = store.kept(run.exp_id, trial.candidate_id or "")
                assert (kept is not None) == (trial.candidate_id is not None)
                assert kept is None or kept.score == pytest.approx(trial.score, abs=1e-6)
    assert distinct(path) == {ladder: (*row, 1) for ladder, (*row, _) in before.items()}


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005"])
def test_an_upgrade_that_is_killed_anywhere_is_made_up_for(tmp_path: Path, revision: str) -> None:
    path, statements = released(tmp_path, revision), 0
    before, ladders = content(path), set(distinct(path))
    while killed(path, after=statements):
        assert schema(path) == revision, "all of an upgrade or nothing"
        assert content(path) == before
        statements += 1
    assert statements > {"0001": 20, "0002": 10, "0003": 5, "0004": 3, "0005": 1}[revision]
    with Store.open(path) as store:
        for run in store.experiments():
            store.check_run(run.exp_id)
    assert (content(path), set(distinct(path))) == (before, ladders)


def killed(path: Path, after: int) -> bool:
    """Open a database in a process that dies before a later statement; False where there are no more."""
    pid = os.fork()
    if pid == 0:
        left = iter(range(after))

        def die(*_statement: object) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", die)
        event.listen(Engine, "commit", die)
        Store.open(path)
        os._exit(0)
    return os.waitpid(pid, 0)[1] != 0


def schema(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_a_damaged_result_of_an_earlier_release_is_not_sealed_as_it_is(tmp_path: Path, revision: str) -> None:
    path = released(tmp_path, revision)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE results SET score = score / 2 WHERE id = 1")
        connection.commit()

    with pytest.raises(StoreError, match=r"c000-b0000-i000 is not as it was written \(checksum\); restore a copy"):
        Store.open(path)
    assert schema(path) == revision
