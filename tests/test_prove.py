"""How near the best ladder of a cell is to the best possible: proved, kept with its run, told wherever cells are."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NoReturn

import pytest

import mlab as face
from mlab import cli
from mlab.config import from_tree
from mlab.core.errors import RunBusy, StoreError
from mlab.core.events import recorder
from mlab.core.records import CellResult, Metric, StoredProof
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.model.bound import Prover
from mlab.report import columns, html, markdown, numbers, progress, terminal
from mlab.report.summary import run_json
from mlab.search import proofs, proving
from mlab.search.proofs import Proved, Terms, prove
from mlab.store import Store
from mlab.tracking.artifacts import winner_metrics
from tests import ladders, runs

pytestmark = pytest.mark.usefixtures("quick")

SMALL = ("ladder.num_orders=[3, 4]", "search.max_batches=1")
NEAR = Terms(within_pct=2.0)


def silent(*_told: object) -> None:
    """Hears how far a proof is, and says nothing."""


def cells(store: Store, run_id: str) -> list[CellResult]:
    return store.cells(runs.stored(store, run_id).exp_id)


def proved(store: Store, run_id: str, terms: Terms = NEAR) -> list[Proved]:
    return list(prove(runs.stored(store, run_id), cells(store, run_id), terms, silent, store))


def owed(store: Store, run_id: str) -> list[tuple[int, Metric]]:
    found = store.owed(runs.stored(store, run_id).exp_id)
    return [(cell, metric) for _, cell, metric in found if metric.key in {"lower_bound", "proved_within_pct"}]


def with_proof(result: CellResult, share: float) -> CellResult:
    """A cell whose best score is proved within that share of it."""
    assert result.best is not None
    return replace(result, proof=StoredProof(result.best.score * (1.0 - share), 12, 1.5))


def never(*_arguments: object, **_named: object) -> NoReturn:
    raise AssertionError("proved again")


# What is proved and kept


def test_the_best_of_each_cell_is_proved_and_kept(state: State, store: Store) -> None:
    run_id = runs.searched(state, store, *SMALL)
    found = proved(store, run_id)
    assert [one.result for one in found] == cells(store, run_id)
    for one in cells(store, run_id):
        assert one.best is not None
        assert one.proof is not None
        lower, within = one.proved.values()
        assert lower == one.proof.lower < one.best.score
        assert within == pytest.approx((1.0 - lower / one.best.score) * 100.0)
        assert within <= 2.0
        assert one.proof.boxes > 0
    store.check_run(runs.stored(store, run_id).exp_id)


def test_it_holds_when_the_run_goes_on_and_finds_better(state: State, store: Store) -> None:
    """The bound is what is stored: how near the best is follows from both."""
    run_id = runs.stopped(state, store, *SMALL, "search.max_batches=2", after=1)
    (before, _) = (one.result for one in proved(store, run_id))
    assert before.best is not None
    better = replace(before, best=replace(before.best, score=before.best.score * 0.999))
    assert better.proved["lower_bound"] == before.proved["lower_bound"]
    assert better.proved["proved_within_pct"] == pytest.approx(before.proved["proved_within_pct"] - 0.1, abs=0.01)
    assert runs.resumed(state, store, run_id) == 0
    after, untouched = cells(store, run_id)
    assert after.proof == before.proof
    assert after.finished
    assert untouched.proof is None  # it had no ladder yet


def test_the_better_of_two_proofs_is_kept_and_told(state: State, store: Store) -> None:
    run_id = runs.searched(state, store, *SMALL)
    exp_id, (cell, _) = runs.stored(store, run_id).exp_id, cells(store, run_id)
    for share, expected in ((0.05, 0.05), (0.08, 0.05), (0.05, 0.05), (0.01, 0.01)):
        proofs.keep(store, exp_id, with_proof(cell, share))
        assert store.cell(exp_id, 0).proved["proved_within_pct"] == pytest.approx(100.0 * expected)
    told = [(where, metric.key, metric.value, metric.step) for where, metric in owed(store, run_id)]
    assert told == [
        (0, key, pytest.approx(value), 1)
        for share in (0.05, 0.01)
        for key, value in with_proof(cell, share).proved.items()
    ]


def test_what_is_proved_so_near_is_not_proved_again_and_more_is(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = runs.searched(state, store, *SMALL)
    before = proved(store, run_id)
    after = proved(store, run_id, Terms(within_pct=1.0))
    assert all(one.result.proved["proved_within_pct"] <= 1.0 for one in after)
    monkeypatch.setattr(proofs, "Prover", never)
    assert [one.result for one in proved(store, run_id)] == [one.result for one in after]
    assert before[1].result.proved["lower_bound"] <= after[1].result.proved["lower_bound"]


def test_a_proof_ends_in_time_with_what_it_came_to(state: State, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = runs.searched(state, store, *SMALL, "ladder.num_orders=4")
    ticks = count()
    monkeypatch.setattr(proofs, "monotonic", lambda: next(ticks) / 32)  # a box takes as long on any machine
    (one,) = proved(store, run_id, Terms(within_pct=1e-6, max_time_s=1.5))
    assert one.result.proof is not None
    assert (one.result.proof.seconds, one.result.proof.boxes) == (1.5, 48)


def test_nothing_is_kept_where_nothing_is_proved(state: State, store: Store) -> None:
    run_id = runs.searched(state, store, *SMALL)
    found = proved(store, run_id, Terms(within_pct=1e-6, max_time_s=1e-9))
    assert [one.result.proof for one in found] == [None, None]
    assert cells(store, run_id) == [one.result for one in found]
    assert owed(store, run_id) == []


def cut(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """An interrupt comes within a box, after so many."""

    class Interrupted(Prover):
        def advance(self, best_score: float, boxes: int) -> None:
            if self.boxes == after:
                raise KeyboardInterrupt
            super().advance(best_score, boxes)

    monkeypatch.setattr(proofs, "Prover", Interrupted)


def test_an_interrupt_keeps_what_was_proved_so_far(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = runs.searched(state, store, *SMALL, "ladder.num_orders=3")
    cut(monkeypatch, after=14)
    assert cli.main(["prove", run_id, "--within", "0.001"]) == 128 + signal.SIGINT
    assert f"what was proved is kept: .venv/bin/mlab show {run_id}" in capsys.readouterr().err
    (one,) = cells(store, run_id)
    assert one.proof is not None
    assert one.proof.boxes == 14
    assert one.best is not None
    assert 0.0 < one.proof.lower < one.best.score


def test_a_run_that_goes_on_is_left_alone(
    state: State, store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, config = runs.opened(state, store, *SMALL)
    refused: list[int] = []

    def look() -> None:
        monkeypatch.setattr(proofs, "Prover", never)
        refused.append(cli.main(["prove", experiment.run_id]))

    runs.execute(state, store, experiment, config, runs.Watch(1, look))
    assert refused == [RunBusy.exit_status]
    assert "is being executed" in capsys.readouterr().err


def test_a_run_whose_process_is_gone_can_be_proved(state: State, store: Store) -> None:
    run_id = runs.stopped(state, store, *SMALL, after=1)
    with Store.open(state.database) as gone:
        gone.claim(run_id)
    assert cli.main(["prove", run_id, "--within", "5", "--cell", "10x3"]) == 0
    assert cells(store, run_id)[0].proof is not None


# Damage, removal


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE proofs SET lower = lower * 1.5 WHERE cell_index = 1",
        "UPDATE proofs SET cell_index = 9 WHERE cell_index = 1",
        "UPDATE proofs SET boxes = boxes + 1",
    ],
)
def test_damage_is_found(state: State, store: Store, statement: str) -> None:
    run_id = runs.searched(state, store, *SMALL)
    proved(store, run_id)
    with closing(sqlite3.connect(state.database)) as connection:
        connection.execute(statement)
        connection.commit()
    with pytest.raises(StoreError, match=r"proof of experiment 1, cell \d is not as it was written"):
        store.check_run(runs.stored(store, run_id).exp_id)


def test_a_bound_that_a_ladder_disproves_is_found(state: State, store: Store) -> None:
    run_id = runs.searched(state, store, *SMALL)
    exp_id, (cell, _) = runs.stored(store, run_id).exp_id, cells(store, run_id)
    store.save_proof(exp_id, cell.cell, with_proof(cell, -0.001).proof or never(), [])
    with pytest.raises(StoreError, match=r"cell 0: its best score is below what was proved to be the least"):
        store.check_run(exp_id)


def test_it_goes_with_its_run(state: State, store: Store) -> None:
    run_id = runs.searched(state, store, *SMALL)
    proved(store, run_id)
    store.set_deleted(run_id, deleted=True)
    store.purge(run_id)
    with closing(sqlite3.connect(state.database)) as connection:
        assert connection.execute("SELECT count(*) FROM proofs").fetchone() == (0,)


# The command


def test_the_command_tells_score_share_and_bound(
    state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = runs.searched(state, store, *SMALL)
    assert cli.main(["prove", "--within", "2"]) == 0
    told = capsys.readouterr().out
    first, second = cells(store, run_id)
    for one in (first, second):
        lower, within = one.proved.values()
        assert one.best is not None
        row = [f"{one.cell.num_orders}", f"{one.best.score:.4f}", numbers.upwards(within, 2)]
        assert re.search(r"\s+".join([*map(re.escape, row), re.escape(numbers.downwards(lower, 4))]), told)
    assert "No ladder that keeps the limits of its cell scores below the lower bound" in told

    assert cli.main(["prove", run_id, "--within", "2", "--cell", "10x4", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"run_id": run_id, "cells": run_json(runs.stored(store, run_id), [second])["cells"]}
    assert found["cells"][0]["lower_bound"] == second.proved["lower_bound"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--within", "0"], "--within: must be above 0, was 0.0"),
        (["--within", "nan"], "--within: must be a finite number, was nan"),
        (["--within", "near"], "Invalid value for '--within': 'near' is not a valid float"),
        (["--max-time", "-1"], "--max-time: must be above 0, was -1.0"),
        (["--cell", "7x7"], "--cell: must be a cell of the run, which has 10 % x 3, 10 % x 4"),
        (["nowhere"], "RUN: must be the id of one run"),
        (["--format", "csv"], "'csv' is not one of 'table', 'json'"),
    ],
)
def test_bad_input_is_one_line(
    state: State, store: Store, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    runs.searched(state, store, *SMALL)
    assert cli.main(["prove", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_a_better_ladder_that_a_proof_comes_upon_is_told(
    state: State, store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = runs.searched(state, store, *SMALL, "ladder.num_orders=3")

    class Lucky(Prover):
        def advance(self, best_score: float, boxes: int) -> None:
            super().advance(best_score, boxes)
            self.ladder_score = 1.25

    monkeypatch.setattr(proofs, "Prover", Lucky)
    assert cli.main(["prove", run_id, "--within", "2"]) == 0
    assert "10 % x 3: the proof came upon a better ladder, of score 1.250000" in capsys.readouterr().out


def test_how_far_a_proof_is_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    screen, cell = Terminal(), ladders.nine_cells()[0].cell
    with progress.proofs(60.0, screen) as tell:
        tell(cell, 3.25, 1.92709)
    assert f"prove {cell.label}" in screen.getvalue()
    assert "3.2 s  no score below 1.9270  at most 0:57 left" in screen.getvalue()


# Where it is shown


def test_the_column_stands_where_some_cell_has_it_and_nowhere_else(tmp_path: Path) -> None:
    plain = ladders.nine_cells()[:2]
    some = [with_proof(plain[0], 0.00091), *plain[1:]]
    run = replace(ladders.experiment(), config=runs.tiny().model_dump(mode="json"))

    def everywhere(results: list[CellResult]) -> list[str]:
        screen = io.StringIO()
        terminal.final(terminal.console(screen), run, results, tmp_path)
        page = html.html(run, results, [], [], _pages(tmp_path))
        notes = markdown.run_note(run, results), markdown.watch_note(run, results, 20, {})
        table = repr(face.Run(run, tuple(results), (), (), _pages(tmp_path)))
        return [re.sub(r"\s+", " ", text) for text in (screen.getvalue(), page, *notes, table)]

    assert not any("proved" in text.lower() for text in everywhere(plain))
    assert all("proved" in text for text in everywhere(some))
    row = columns.cell_rows(some)[0]
    assert columns.PROVED.text(row) == "0.10"  # never less than it is
    assert '<td class="">0.10</td>' in everywhere(some)[1]


def _pages(root: Path) -> Pages:
    return Pages.of(State(root))


@pytest.mark.parametrize(
    ("value", "up", "down"),
    [
        (0.0911, "0.10", "0.09"),
        (0.1, "0.10", "0.10"),
        (0.0, "0.00", "0.00"),
        (7.001, "7.01", "7.00"),
        (0.07, "0.07", "0.07"),
        (0.29, "0.29", "0.29"),
    ],
)
def test_a_promise_is_rounded_to_the_safe_side(value: float, up: str, down: str) -> None:
    assert (numbers.upwards(value, 2), numbers.downwards(value, 2)) == (up, down)


def test_show_and_export_tell_it(state: State, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = runs.searched(state, store, *SMALL)
    proved(store, run_id)
    capsys.readouterr()
    assert cli.main(["show", run_id, "--cell", "10x4"]) == 0
    sentence = "no ladder that keeps the limits of this cell scores below"
    assert sentence in " ".join(capsys.readouterr().out.split())
    assert cli.main(["export", run_id, "--what", "cells"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["lower_bound"]) for row in rows] == [one.proved["lower_bound"] for one in cells(store, run_id)]


def test_mlflow_has_both_numbers_beside_the_winner() -> None:
    plain = ladders.nine_cells()[0]
    assert not {"lower_bound", "proved_within_pct"} & set(winner_metrics(plain))
    assert winner_metrics(with_proof(plain, 0.001))["proved_within_pct"] == pytest.approx(0.1)


def test_what_is_proved_later_is_owed_to_mlflow(state: State, store: Store) -> None:
    run_id = runs.searched(state, store, *SMALL)
    run = runs.stored(store, run_id)
    store.delivered([key for key, *_ in store.owed(run.exp_id)])
    store.delivered_ending(run)
    assert store.owing() == []
    steps = store.commits(run.exp_id)
    proved(store, run_id)
    assert [one.run_id for one in store.owing()] == [run_id]
    assert len(owed(store, run_id)) == 4
    assert store.commits(run.exp_id) == steps  # a proof is no step of the search


# Python


def test_from_python_a_run_is_proved_where_it_lies(state: State, store: Store) -> None:
    run_id = runs.searched(state, store, *SMALL)
    found = face.open(run_id)[10, 4].prove(within_pct=2)
    assert found.cells == (cells(store, run_id)[1],)
    assert found.cells[0].proved["proved_within_pct"] <= 2.0
    assert "proved" in repr(found)
    assert face.open(run_id).cells[0].proof is None


def test_from_python_a_run_that_is_stored_nowhere_is_proved_in_memory(tmp_path: Path) -> None:
    found = face.search(overlap_pct=10, num_orders=3, max_batches=1, batch_size=1)
    assert found.state is None
    assert found.prove(within_pct=2).cells[0].proved["proved_within_pct"] <= 2.0
    with pytest.raises(ValueError, match=r"prove: within_pct: must be above 0, was 0"):
        found.prove(within_pct=0)


# Beside the search

LONG = ("ladder.num_orders=3", "search.max_batches=40", "search.patience=40", "search.miss_chance=0")
ASKED = (*LONG, "search.prove_within_pct=2")


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs have many times the boxes that are theirs, so that a short search is long enough."""
    monkeypatch.setattr(proving, "ORDERS_A_BOX", 2)


@pytest.mark.usefixtures("eager")
def test_a_cell_ends_as_soon_as_its_best_is_proved_so_near(state: State, store: Store) -> None:
    (cell,) = cells(store, runs.searched(state, store, *ASKED))
    early = next(one for one in recorder.recent if one["event"] == "ORCH.EARLY_STOP")
    (plain,) = cells(store, runs.searched(state, store, *LONG, f"search.max_batches={cell.batches}"))
    assert cell.stopped_early
    assert 0 < cell.batches < 40
    assert 0.0 < cell.proved["proved_within_pct"] <= 2.0
    assert early["proved_within_pct"] == cell.proved["proved_within_pct"]
    assert cell.best is not None
    assert plain.best is not None
    assert cell.best.contract == plain.best.contract  # it changes no ladder
    store.check_run(1)


@pytest.mark.usefixtures("eager")
def test_a_search_that_was_cut_proves_the_same(state: State, store: Store) -> None:
    (whole,) = cells(store, runs.searched(state, store, *ASKED))
    run_id = runs.stopped(state, store, *ASKED, after=2)
    (cut_short,) = cells(store, run_id)
    assert cut_short.batches == 2 < whole.batches
    assert runs.resumed(state, store, run_id) == 0
    (after,) = cells(store, run_id)
    assert (after.batches, after.proved) == (whole.batches, whole.proved)
    assert (after.proof and after.proof.boxes) == (whole.proof and whole.proof.boxes)


@pytest.mark.usefixtures("eager")
def test_a_proof_that_does_not_come_is_kept_as_far_as_it_came(state: State, store: Store) -> None:
    asked = (*LONG, "search.prove_within_pct=0.000001", "search.max_batches=5")
    (cell,) = cells(store, runs.searched(state, store, *asked))
    assert (cell.batches, cell.stopped_early) == (5, False)
    assert cell.proof is not None
    assert cell.proof.boxes == 5 * 2 * 3 // 2  # batches, trials, orders


def test_a_search_without_a_proof_stores_none(state: State, store: Store) -> None:
    (cell,) = cells(store, runs.searched(state, store, *SMALL, "ladder.num_orders=3"))
    assert cell.proof is None
    assert from_tree({"search": {}}, "stored").search.prove_within_pct is None
