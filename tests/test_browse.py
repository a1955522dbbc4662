"""``mlab ls``, ``show``, ``compare``, ``trace``, ``export``, ``report``, ``delete``, ``restore``, ``purge``."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from mlab import cli
from mlab.core.state import State
from mlab.store import Store
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, str, str]:
    """A state folder with two runs of other seeds and notes."""
    state = State(tmp_path_factory.mktemp("folder"))
    with Store.open(state.database) as store:
        first = runs.searched(state, store, "seed=1", "ladder.num_orders=[4,5]")
        second = runs.searched(state, store, "seed=2", "ladder.num_orders=[5,6]", "name=other")
    return state, first, second


@pytest.fixture
def shell(folder: tuple[State, str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[State, str, str]:
    monkeypatch.setenv("MLAB_STATE_DIR", str(folder[0].root))
    return folder


def mlab(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    capsys.readouterr()
    assert cli.main(arguments) == status, capsys.readouterr().err
    shown = capsys.readouterr()
    if status:
        assert shown.err.startswith("error: ")
        assert shown.err.count("\n") == 1
        return shown.err
    assert shown.err == ""
    return shown.out


def events(state: State, name: str) -> list[dict[str, object]]:
    """What commands that read have told of themselves, which is in no run's log."""
    assert not any("UI." in log.read_text() for log in state.commands.parent.iterdir() if log != state.commands)
    found = [json.loads(line) for line in state.commands.read_text().splitlines()]
    return [event for event in found if event["event"] == name]


def test_runs_are_listed_newest_first(shell: tuple[State, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    _, first, second = shell
    lines = [line.split() for line in mlab(capsys, "ls").splitlines() if "COMPLETED" in line]
    assert [(line[0], line[1], line[7]) for line in lines] == [(second, "other", "2/2"), (first, "tiny", "2/2")]
    assert mlab(capsys, "ls", "--limit", "1").count("COMPLETED") == 1
    rows = [json.loads(line) for line in mlab(capsys, "ls", "--json").splitlines()]
    assert [(row["run_id"], row["seed"], row["cells_finished"]) for row in rows] == [(second, 2, 2), (first, 1, 2)]


def test_a_run_is_shown_by_id_by_its_end_and_as_the_latest(
    shell: tuple[State, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    state, first, second = shell
    whole = mlab(capsys, "show", first)
    assert f"run {first}" in whole
    assert " ladders scored by need at fills in " in whole
    for part in (
        "Cell 10 % x 4",
        "Cell 10 % x 5",
        "1. Order: indent 0.00 %",
        "(first order)",
        "No ladder creates an edge",
    ):
        assert part in whole
    assert all(len(line) <= 100 for line in whole.splitlines())
    assert mlab(capsys, "show", first[-6:]) == whole
    assert f"run {second}" in mlab(capsys, "show")
    one_cell = mlab(capsys, "show", first, "--cell", "10x4", "--top", "1")
    assert "Cell 10 % x 5" not in one_cell
    for shown in ("10 % x 4", "overlap10_orders4", "10,0x4", "10,4", "10.0000001 x 4"):
        assert mlab(capsys, "show", first, "--cell", shown, "--top", "1") == one_cell, "as it is shown"
    assert json.loads(mlab(capsys, "show", first, "--json"))["run_id"] == first
    loaded = events(state, "UI.RESULTS_LOAD")
    assert [event["run_id"] for event in loaded[-10:]] == [first, first, second, *[first] * 7]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["show", "nothing"], "RUN: must be the id of one run"),
        (["show", ""], "RUN: must be the id of one run"),
        (["show", "latest", "--cell", "9x9"], "--cell: must be a cell of the run, which has 10 % x 5, 10 % x 6"),
        (["show", "latest", "--top", "0"], "'--top'"),
        (["trace", "../../etc/passwd"], "CANDIDATE: must look like"),
        (["trace", "20260131-235959-0a1b2c-c004-b0005-i007"], "RUN: must be the id of one run"),
        (["export", "latest", "-o", "/proc/nowhere/file"], "--output: cannot be written"),
        (["export", "latest", "--format", "xml"], "'--format'"),
        (["export", "latest", "--format", "json", "--decimal", ","], "--decimal: must be . in JSON"),
        (["restore", "latest"], "RUN: must be the id of one run"),
    ],
)
def test_what_is_not_there_is_one_line(
    shell: tuple[State, str, str], capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert complaint in mlab(capsys, *arguments, status=2)


@pytest.mark.parametrize("command", [["ls"], ["show"], ["compare", "a", "b"], ["export"], ["report"], ["purge"]])
def test_without_any_runs_nothing_is_made(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "empty"))
    assert "no runs are stored" in mlab(capsys, *command, status=2)
    assert not (tmp_path / "empty").exists()


def test_two_runs_are_compared_field_by_field_and_cell_by_cell(
    shell: tuple[State, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, first, second = shell
    out = mlab(capsys, "compare", first, second)
    differing = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith(("name", "seed"))}
    assert differing == {"name": ["tiny", "other"], "seed": ["1", "2"]}
    assert "ladder.num_orders" in out
    cells = [line.split() for line in out.splitlines() if line.strip().startswith("10 ")]
    assert [cell[:2] for cell in cells] == [["10", "5"]], "the one cell of both"
    assert "The configs are the same." in mlab(capsys, "compare", first, first)
    assert mlab(capsys, "compare") == out, "without names the latest two, the older first"
    assert "must be two runs" in mlab(capsys, "compare", first, status=2)


@pytest.mark.parametrize(("stored", "there"), [(0, "is none"), (1, "is only one")])
def test_what_cannot_be_compared_is_told(
    state: State, store: Store, capsys: pytest.CaptureFixture[str], stored: int, there: str
) -> None:
    for _ in range(stored):
        runs.searched(state, store)
    assert f"needs two stored runs; there {there}" in mlab(capsys, "compare", status=2)


def test_a_market_is_compared_field_by_field_as_it_is_typed(
    shell: tuple[State, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del shell
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    told = (
        "market.budget=1234567.5",
        "market.price=100",
        "market.step=0.00000001",
        "ladder.num_orders={min: 5, max: 6, step: 1}",
    )
    with Store.open(State(tmp_path).database) as store:
        one, other = (runs.searched(State(tmp_path), store, *more) for more in ((), told))
    out = [" ".join(line.split()) for line in mlab(capsys, "compare", one, other).splitlines()]
    assert {"market.budget null 1234567.5", "market.step null 0.00000001"} <= set(out)
    assert "ladder.num_orders [4, 5] {max: 6, min: 5, step: 1}" in out
    assert not any("market.tick" in line for line in out), "null in both"


def test_scores_that_are_made_in_different_ways_are_not_compared(
    state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (runs.searched(state, store, f"score.need={need}") for need in ("fill", "path"))
    out = mlab(capsys, "compare", one, other)
    assert "do not compare; needs do" in out
    assert "better" not in out
    assert "worse" not in out


def test_scores_compare_whatever_take_profit_chances_are_told_for(
    state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (runs.searched(state, store, f"score.take_profit_pct={target}") for target in (1, 3))
    out = mlab(capsys, "compare", one, other)
    assert "score.take_profit_pct" in out
    assert "the same" in out
    assert "do not compare" not in out


def test_a_candidate_is_followed_from_the_config_to_mlflow(
    shell: tuple[State, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    state, first, _ = shell
    with Store.open(state.database) as store:
        candidate = next(one for one in store.results(1, 1) if one.found > 1)
        trial = store.trials(1, 1)[candidate.trial]
        same = (one for one in store.trials(1, 1) if one.score == pytest.approx(candidate.score, rel=1e-9))
        twin = next(one for one in same if one.candidate_id not in {None, candidate.candidate_id})
    out = mlab(capsys, "trace", candidate.candidate_id)
    for part in (
        "tiny, seed 1", first, "10 % x 5, cell 1", f"{trial.evaluations:,} ladders", "ORCH.SAVE_OK", "ORCH.BATCH",
        f"{trial.params['temperature']:.4g}", "1. Order:", candidate.candidate_id,
    ):  # fmt: skip
        assert part in out
    assert mlab(capsys, "trace", str(twin.candidate_id)) == (
        f"{twin.candidate_id} is the same ladder as this, which ranks before it:\n\n{out}"
    )


def test_results_and_orders_are_exported_as_csv_and_json(
    shell: tuple[State, str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state, first, _ = shell
    with Store.open(state.database) as store:
        results = store.results(1)
        best = [cell.best for cell in store.cells(1) if cell.best]
    rows = list(csv.DictReader(io.StringIO(mlab(capsys, "export", first))))
    assert [float(row["score"]) for row in rows] == [one.score for one in results]
    assert [row["candidate_id"] for row in json.loads(mlab(capsys, "export", first, "--format", "json"))] == [
        one.candidate_id for one in results
    ]
    place = tmp_path / "orders.csv"
    assert mlab(capsys, "export", first, "--what", "orders", "-o", str(place)) == ""
    orders = list(csv.DictReader(place.open()))
    assert len(orders) == 4 + 5
    prices = best[0].contract["schedule"]["order_prices"]
    assert [float(row["price"]) for row in orders[:4]] == pytest.approx(prices, rel=1e-8)
    assert sum(Decimal(row["volume_pct"]) for row in orders[:4]) == 100
    assert "e" not in "".join(value for row in orders for key, value in row.items() if key != "candidate_id")
    assert len([event for event in events(state, "UI.EXPORT") if event["run_id"] == first]) == 3


def test_numbers_are_exported_with_a_comma_where_spreadsheets_read_one(
    shell: tuple[State, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for what in ("results", "orders"):
        plain, other = (mlab(capsys, "export", "--what", what, "--decimal", mark) for mark in ".,")
        assert "." in plain
        assert other == plain.replace(",", ";").replace(".", ",")


def test_a_table_without_rows_has_its_head_and_a_line_that_says_so(
    state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    full = runs.searched(state, store, "replay.prices=made", "replay.bootstrap=0")
    none = runs.opened(state, store)[0].run_id

    def exported(*arguments: str) -> tuple[str, str]:
        capsys.readouterr()
        assert cli.main(["export", *arguments]) == 0
        return capsys.readouterr()

    for what in ("results", "orders", "replays"):
        table, nothing_said = exported(full, "--what", what, "--decimal", ",")
        line = f"run {none} has no {what}\n"
        assert nothing_said == ""
        assert exported(none, "--what", what, "--decimal", ",") == (table.partition("\n")[0] + "\n", line)
        assert exported(none, "--what", what, "--format", "json") == ("[]\n", line)
    table, nothing_said = exported(none, "--what", "cells")
    assert (len(table.splitlines()), nothing_said) == (1 + 2, "")


def test_a_run_is_deleted_restored_and_purged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State(tmp_path)
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    with Store.open(state.database) as store:
        kept, gone = (runs.searched(state, store, f"seed={seed}") for seed in (1, 2))
    mlab(capsys, "report", gone)
    mlab(capsys, "delete", gone)
    assert gone not in mlab(capsys, "ls")
    listed = mlab(capsys, "ls", "--deleted")
    assert gone in listed
    assert ".venv/bin/mlab restore RUN brings one back" in listed
    assert "RUN: must be" in mlab(capsys, "show", gone, status=2)
    mlab(capsys, "restore", gone)
    assert gone in mlab(capsys, "ls")
    assert mlab(capsys, "ls", "--deleted") == "No run is deleted.\n"

    mlab(capsys, "delete", gone)
    assert "would purge" in mlab(capsys, "purge")
    assert state.events(gone).exists()
    size = state.database.stat().st_size
    assert f"purged {gone}" in mlab(capsys, "purge", "--yes")
    assert not state.events(gone).exists()
    assert not (state.reports / f"{gone}.html").exists()
    assert state.database.stat().st_size < size
    with Store.open(state.database) as store:
        assert [run.run_id for run in store.experiments()] == [kept]
        assert store.experiments(deleted=True) == []
        store.check_file()
        store.check_run(1)
    assert "No run is deleted." in mlab(capsys, "purge", "--yes")


def test_a_run_that_is_being_executed_is_not_deleted(
    state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment, _ = runs.opened(state, store)
    store.claim(experiment.run_id)
    assert "is being executed by process" in mlab(capsys, "delete", "latest", status=3)
