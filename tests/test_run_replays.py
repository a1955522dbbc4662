"""Winners on prices at the end of a run: by the config alone, once, beside the search, and wherever results are."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest

import mlab as face
from flows.cluster import Cluster
from flows.tasks import TaskSteps
from mlab import cli
from mlab.config import from_tree
from mlab.core.errors import StoreError
from mlab.core.events import recorder
from mlab.core.records import StoredReplay
from mlab.core.state import State
from mlab.prices import made
from mlab.report.plots import svg
from mlab.report.progress import Progress
from mlab.report.replays import pictures
from mlab.search import engine, replays, run
from mlab.search.watcher import Watcher
from mlab.store import Store
from mlab.tracking import artifacts
from tests import runs
from tests.test_tasks import as_task

pytestmark = pytest.mark.usefixtures("quick")

RULES = ("replay.take_profit_pct=[1, 2.5]", "replay.bootstrap=3")


@pytest.fixture
def hours(tmp_path: Path) -> Path:
    """A file of hourly prices."""
    candles, path = made(500), tmp_path / "hours.csv"
    seconds = candles.time.astype("datetime64[s]").astype(int)
    columns = (seconds, candles.open, candles.high, candles.low, candles.close)
    path.write_text("time,open,high,low,close\n" + "".join(",".join(map(str, row)) + "\n" for row in zip(*columns)))  # noqa: B905
    return path


def replayed(state: State, store: Store, hours: Path, *more: str, watch: Watcher = runs.WATCHER) -> str:
    return runs.searched(state, store, f"replay.prices={hours}", *RULES, *more, watch=watch)


def rows(store: Store, run_id: str) -> list[StoredReplay]:
    return store.replays(runs.stored(store, run_id).exp_id)


def without_ids(found: list[StoredReplay], run_id: str) -> list[StoredReplay]:
    texts = [
        json.dumps([one.cell_index, one.kind, one.candidate_id, one.prices, one.rule, one.content]) for one in found
    ]
    return [StoredReplay(*json.loads(text.replace(run_id, "RUN"))) for text in texts]


class Rest(Watcher):
    """Lets a replay take long."""

    def replaying(self, name: str, done: int, steps: int) -> None:
        if done == 1:
            time.sleep(2.0)


class Cut(Watcher):
    """Stops a run within its replay."""

    def replaying(self, name: str, done: int, steps: int) -> None:
        if done == steps - 1:
            runs.interrupt()


# What is kept


def test_a_stop_and_what_it_ended_stand_beside_what_came_of_it(
    state: State, store: Store, hours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = replayed(state, store, hours, "replay.stop_pct=0.5", "replay.bootstrap=0")
    assert cli.main(["show", run_id]) == 0
    shown = capsys.readouterr().out
    (stored,) = [one for one in rows(store, run_id) if one.kind == "ladder" and "2.5" in str(one.rule)][:1]
    stops = stored.content["replayed"]["outcome"]["stops"]
    assert stops > 0
    assert "stopped" in shown
    assert any({"2.5", "0.5", str(stops)} <= set(line.split()) for line in shown.splitlines())
    assert cli.main(["report", run_id]) == 0
    page = (state.root / "reports" / f"{run_id}.html").read_text()
    assert '<th class="" scope="col">stopped deals</th>' in page
    drawn = [picture.decode() for _, picture in pictures(rows(store, run_id))]
    assert any(re.search(rf"; {stops} deals? stopped", picture) for picture in drawn)


def test_without_a_stop_nobody_reads_of_any(
    state: State, store: Store, hours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["show", replayed(state, store, hours)]) == 0
    assert "stop" not in capsys.readouterr().out


def test_the_winner_of_each_cell_is_replayed_beside_the_classical_ladders(
    state: State, store: Store, hours: Path
) -> None:
    run_id = replayed(state, store, hours)
    run, found = runs.stored(store, run_id), rows(store, run_id)
    winners = [cell.best.candidate_id for cell in store.cells(run.exp_id) if cell.best]
    beside = ["equal", "1.2 / 1.2", "1.5 / 1.2"]
    assert run.status == "COMPLETED"
    assert [one.candidate_id for one in found] == [
        name for winner in winners for _ in range(2) for name in [winner, *beside]
    ]
    assert [one.rule["take_profit_pct"] for one in found] == ([1.0] * 4 + [2.5] * 4) * 2
    assert {one.prices for one in found} == {face.read_prices(hours).hash}
    best = store.cells(run.exp_id)[0].best
    assert best is not None
    schedule = best.contract["schedule"]
    ladder = face.Ladder(schedule["indent_pct"], schedule["volume_pct"])
    told = ladder.replay(hours, take_profit_pct=1, bootstrap=3).to_dict()["replays"][0]
    (stored, *_) = face.open(run_id, state.root).replays
    assert {**stored, "candidate_id": "ladder"} == told


def test_its_time_is_no_time_of_the_search(state: State, store: Store, hours: Path) -> None:
    began = time.monotonic()
    run = runs.stored(store, replayed(state, store, hours, watch=Rest()))
    assert 0.0 < run.elapsed_s < time.monotonic() - began - 2.0


def test_it_changes_no_ladder_and_no_search(state: State, store: Store, hours: Path) -> None:
    ids = [runs.searched(state, store), replayed(state, store, hours)]
    with_, without = (
        [
            (trial.params, trial.score, trial.reports)
            for cell in (0, 1)
            for trial in store.trials(runs.stored(store, one).exp_id, cell)
        ]
        for one in ids
    )
    assert with_ == without
    assert rows(store, ids[0]) == []


def test_a_run_that_is_cut_within_its_replay_comes_to_the_same(state: State, store: Store, hours: Path) -> None:
    whole = replayed(state, store, hours)
    experiment, config = runs.opened(state, store, f"replay.prices={hours}", *RULES)
    assert runs.execute(state, store, experiment, config, Cut()) == 128 + signal.SIGINT
    assert (runs.stored(store, experiment.run_id).status, rows(store, experiment.run_id)) == ("STOPPED", [])
    assert runs.resumed(state, store, experiment.run_id) == 0
    once = rows(store, experiment.run_id)
    assert without_ids(once, experiment.run_id) == without_ids(rows(store, whole), whole)
    assert runs.resumed(state, store, experiment.run_id) == 0, "all is done"
    assert rows(store, experiment.run_id) == once


def test_replaying_twice_doubles_no_row(state: State, store: Store, hours: Path) -> None:
    experiment, config = runs.opened(state, store, f"replay.prices={hours}", *RULES)
    with engine.execution(state, store, experiment, config) as current:
        for cell in config.cells():
            current.search(cell, runs.WATCHER)
        found = []
        for _ in range(2):
            replays.replay(current, runs.WATCHER)
            found.append(rows(store, experiment.run_id))
    recorder.close()
    assert len(found[0]) == 16
    assert found[0] == found[1]


def test_both_sides_of_a_date_are_replayed(state: State, store: Store, hours: Path) -> None:
    run_id = replayed(state, store, hours, "replay.split=2020-01-11", "replay.top=2")
    found = rows(store, run_id)
    assert len({one.prices for one in found}) == 2
    assert {one.content["part"] for one in found} == {"before 2020-01-11", "from 2020-01-11"}
    assert {record["part"] for record in face.open(run_id, state.root).replays} == {
        "before 2020-01-11",
        "from 2020-01-11",
    }
    store.check_run(runs.stored(store, run_id).exp_id)


def test_prices_that_are_gone_by_the_end_are_told_in_a_line_and_the_run_completes(
    state: State, store: Store, hours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = replayed(state, store, hours, watch=runs.Watch(after=1, then=hours.unlink))
    assert (runs.stored(store, run_id).status, rows(store, run_id)) == ("COMPLETED", [])
    told = [event for event in recorder.recent if event["event"] == "EVAL.ERROR"]
    assert [event["lvl"] for event in told] == ["WARNING"]
    assert (
        f"the winners were not replayed: {hours}: No such file or directory; .venv/bin/mlab replay {run_id}"
        in told[0]["msg"]
    )
    assert cli.main(["show", run_id]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"The winners of this run were not replayed; .venv/bin/mlab replay {run_id} --prices FILE does it." in said


def test_a_fault_of_a_replay_is_kept_and_ends_no_run(
    state: State, store: Store, hours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "beside", _never)
    run_id = replayed(state, store, hours)
    assert runs.stored(store, run_id).status == "COMPLETED"
    (snapshot,) = state.crashes.glob("*.json")
    assert "ZeroDivisionError" in snapshot.read_text()


def test_a_config_of_an_earlier_release_has_none(state: State, store: Store) -> None:
    tree = runs.tiny().model_dump(mode="json")
    assert tree.pop("replay") is None
    assert from_tree(tree, "stored") == runs.tiny()
    assert rows(store, runs.searched(state, store)) == []


# Damage, removal


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM replays WHERE id = 1",
        "DELETE FROM replays WHERE id = 2",
        "DELETE FROM replays WHERE cell_index = 1 AND rule_json LIKE '%2.5%'",
        "UPDATE replays SET prices = 'c34af161f7fd' WHERE id = 3",
        "UPDATE replays SET content_json = replace(content_json, '\"deals\":', '\"deals\":1') WHERE id = 1",
    ],
)
def test_damage_is_found(state: State, store: Store, hours: Path, statement: str) -> None:
    run_id = replayed(state, store, hours)
    store.check_run(runs.stored(store, run_id).exp_id)
    with closing(sqlite3.connect(state.database)) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()
    with pytest.raises(StoreError, match=r"replay"):
        store.check_run(runs.stored(store, run_id).exp_id)


def test_they_go_with_their_ladders_and_with_their_run(state: State, store: Store, hours: Path) -> None:
    run_id = replayed(state, store, hours, "replay.top=3", "ladder.num_orders=[5, 12]")
    exp_id, before = runs.stored(store, run_id).exp_id, rows(store, run_id)
    assert store.prune(exp_id, 1) > 0
    left = rows(store, run_id)
    winners = {cell.best.candidate_id for cell in store.cells(exp_id) if cell.best}
    assert {one.candidate_id for one in left if one.kind == "ladder"} == winners
    assert len(left) < len(before)
    store.check_run(exp_id)
    store.set_deleted(run_id, deleted=True)
    store.purge(run_id)
    assert store.replays(exp_id) == []


# How it is told


def test_every_command_tells_it(
    state: State, store: Store, hours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = replayed(state, store, hours)
    assert cli.main(["show", run_id, "--cell", "10x5"]) == 0
    shown = capsys.readouterr().out
    assert "hours: 500 candles of 1 hour, 2020-01-01 to 2020-01-21" in shown
    assert [line.split()[:5] for line in shown.splitlines() if line.startswith("10 % x 5  ")][1] == [
        "10",
        "%",
        "x",
        "5",
        "1",
    ]
    assert "1.5 / 1.2" in shown
    assert "realised profit rises with the risk" in shown

    assert cli.main(["export", run_id, "--what", "replays"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["kind"] for row in table] == ["ladder", *["classical"] * 3] * 4
    assert {row["prices"] for row in table} == {face.read_prices(hours).hash}
    assert cli.main(["export", run_id, "--what", "replays", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(table)

    page = tmp_path / "page.html"
    assert cli.main(["report", run_id, "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count("Profit, drawdown and depths of the best ladder") == 4
    assert "10 % x 5, take profit 2.5 %" in text


def test_a_run_without_prices_says_nothing_of_replays(
    state: State, store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run_id, page = runs.searched(state, store), tmp_path / "page.html"
    assert (cli.main(["show", run_id]), cli.main(["report", run_id, "-o", str(page)])) == (0, 0)
    assert "replay" not in capsys.readouterr().out
    assert 'id="replays"' not in page.read_text(encoding="utf-8")
    assert cli.main(["export", run_id, "--what", "replays", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_mlflow_gets_numbers_by_take_profit_and_a_picture_of_each(
    state: State, store: Store, hours: Path, tmp_path: Path
) -> None:
    run_id = replayed(state, store, hours, "replay.split=2020-01-11")
    of_cell = [one for one in rows(store, run_id) if one.cell_index == 1]
    folder = tmp_path / "artifacts"
    folder.mkdir()
    values, drawn = artifacts.write_replays(folder, of_cell)
    sections = {f"replay_tp{profit}_{side}" for profit in ("1", "2.5") for side in ("before", "from")}
    assert {key.partition("/")[0] for key in values} == sections
    first = of_cell[0].content["replayed"]["outcome"]
    assert values["replay_tp1_before/total_pct"] == first["total_pct"]
    assert {file.name for file in folder.iterdir()} == {"replays.json", *(f"{name}.svg" for name in sections)}
    assert len(drawn) == len(sections)
    assert b"is open" in (folder / "replay_tp1_from.svg").read_bytes()


def test_in_prefect_it_is_a_task_of_its_own(
    state: State, store: Store, hours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = as_task(monkeypatch, lambda function: function())
    experiment, config = runs.opened(state, store, f"replay.prices={hours}", *RULES)
    steps = TaskSteps(1, Cluster("", ""))
    assert run.execute(state, store, experiment, config, steps) == 0
    assert names == ["10 % x 4", "10 % x 5", "replay"]
    assert len(rows(store, experiment.run_id)) == 16


def test_how_far_it_is_is_told(state: State, store: Store, hours: Path) -> None:
    told: list[tuple[str, int, int]] = []

    class Follow(Progress, Watcher):
        def replaying(self, name: str, done: int, steps: int) -> None:
            super().replaying(name, done, steps)
            told.append((name, done, steps))

    with Follow(io.StringIO()) as follow:
        replayed(state, store, hours, watch=follow)
    assert told[0] == ("replay", 1, told[-1][2])
    assert told[-1][1] == told[-1][2]


def test_from_python_the_config_is_judged_and_what_is_missing_is_a_warning(
    tmp_path: Path, hours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # another test counts what lies in that of all
    fields: dict[str, Any] = {"overlap_pct": 10, "num_orders": 4, "max_batches": 1, "batch_size": 1}
    with pytest.raises(ValueError, match=r"search: replay\.prices: must be candles that can be read.*none\.csv"):
        face.search(**fields, replay={"prices": "none.csv"})
    found = face.search(**fields, replay={"prices": str(hours), "bootstrap": 0})
    assert [one["cell"] for one in found.replays] == ["10 % x 4"]
    assert found[10, 4].replays == found.replays
    ladder = face.Ladder([0, 0.5], [1, 1])
    for profit, words in ((0.1, b">47, one more is open<"), (900, b">one is open<")):
        told = ladder.replay(hours, take_profit_pct=profit, bootstrap=0)
        assert words in svg(told.plot().figure)
    assert b"order filled" in svg(face.Ladder([0, 5], [1, 1]).replay(hours, bootstrap=0).plot_longest_deal().figure)
    monkeypatch.setattr(replays, "beside", _never)
    with pytest.warns(UserWarning, match="the winners were not replayed: never"):
        assert face.search(**fields, replay={"prices": str(hours)}).replays == []


def _never(*_arguments: object) -> NoReturn:
    raise ZeroDivisionError("never")
