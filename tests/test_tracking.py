from __future__ import annotations

import csv
import io
import json
import math
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mlab import config
from mlab.core.errors import EvaluationError
from mlab.core.events import recorder
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.report import markdown, summary, terminal
from mlab.search import engine, proofs
from mlab.store import Store
from mlab.tracking.client import Client
from mlab.tracking.delivery import Delivery
from mlab.tracking.publisher import follow, publish_pending
from tests import runs
from tests.runs import ROOT, Watch

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick", "sketches")]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    """One folder for all: creating MLflow's database takes seconds."""
    return runs.furnish(State(tmp_path_factory.mktemp("tracking")))


@pytest.fixture(scope="module")
def store(state: State) -> Iterator[Store]:
    with Store.open(state.database) as opened:
        yield opened


@pytest.fixture(scope="module")
def mlflow(state: State) -> MlflowClient:
    return MlflowClient(f"sqlite:///{state.mlflow_database}")


@pytest.fixture(scope="module")
def done(state: State, store: Store) -> str:
    """A run that is completed and delivered, pictures and all."""
    run_id = runs.searched(state, store)
    follow(state, run_id)
    return run_id


def delivery(state: State, store: Store, experiment: Experiment) -> Delivery:
    """A delivery that is at work while the search goes on."""
    return Delivery(state, store, Client.open(state), experiment.run_id)


def run_of(mlflow: MlflowClient, store: Store, run_id: str) -> Run:
    """The MLflow run that the database names."""
    name = runs.stored(store, run_id).mlflow_run_id
    assert name is not None
    return mlflow.get_run(name)


def children_of(mlflow: MlflowClient, parent: Run) -> list[Run]:
    found = mlflow.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", order_by=["start_time ASC"]
    )
    return sorted(found, key=lambda run: str(run.data.tags["mlab.key"]))


def family(mlflow: MlflowClient, store: Store, run_id: str) -> list[Run]:
    parent = run_of(mlflow, store, run_id)
    return [parent, *children_of(mlflow, parent)]


def files(mlflow: MlflowClient, run: Run) -> dict[str, Path]:
    folder = Path(mlflow.download_artifacts(run.info.run_id, ""))
    return {path.name: path for path in folder.iterdir()}


def history(mlflow: MlflowClient, run: Run) -> dict[str, list[tuple[int, int, float]]]:
    """Every point of every metric: step, time, value."""
    return {
        key: sorted(
            (point.step, point.timestamp, point.value) for point in mlflow.get_metric_history(run.info.run_id, key)
        )
        for key in run.data.metrics
    }


def everything(mlflow: MlflowClient, store: Store, run_id: str) -> Any:
    return [
        (
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            history(mlflow, run),
            run.data.params,
            run.data.tags,
            sorted(files(mlflow, run)),
        )
        for run in family(mlflow, store, run_id)
    ]


# A run that went well


def test_the_run_is_finished_and_says_what_it_was(done: str, mlflow: MlflowClient, store: Store) -> None:
    run, experiment = run_of(mlflow, store, done), runs.stored(store, done)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607

    assert run.info.status == "FINISHED"
    tags = run.data.tags
    assert (tags["run_id"], tags["exp_id"], tags["status"]) == (done, str(experiment.exp_id), "COMPLETED")
    assert tags["mlflow.source.git.commit"] == (commit.stdout.strip() or "unknown")
    assert done in run.info.run_name
    assert done in tags["mlflow.note.content"]
    assert "What covering more costs" in tags["mlflow.note.content"]
    assert run.data.params["ladder.num_orders"] == "4, 5"
    assert run.data.params["ladder.limits.tail_cap_pct"] == "40.0"
    assert run.data.params["search.sampler"] == "tpe"


def test_each_batch_is_a_step_of_its_cell_and_of_the_run(done: str, mlflow: MlflowClient, store: Store) -> None:
    run, *cells = family(mlflow, store, done)
    keys = {"best_score", "search/batch_best", "search/pruned", "search/evaluations_per_second"}
    names = ("gini", "entropy", "monotone", "smooth", "tailcap", "need_mismatch", "wave")
    keys |= {f"search/P_{name}" for name in names}

    for one, steps in ((run, [0, 1, 2, 3]), *((cell, [0, 1]) for cell in cells)):
        points = history(mlflow, one)
        assert {key: [step for step, *_ in points[key]] for key in keys} == {key: steps for key in keys}  # noqa: C420
    assert all(math.isfinite(value) for one in (run, *cells) for value in one.data.metrics.values())


def test_the_best_score_is_that_of_the_database(done: str, mlflow: MlflowClient, store: Store) -> None:
    run, *cells = family(mlflow, store, done)
    experiment = runs.stored(store, done)
    best = [value for _, _, value in history(mlflow, run)["best_score"]]

    assert run.data.metrics["best_score"] == experiment.best_score
    assert best == sorted(best, reverse=True)
    assert run.data.metrics["eval_count"] == experiment.eval_count
    for cell, result in zip(cells, store.cells(experiment.exp_id), strict=True):
        assert result.best is not None
        assert cell.data.metrics["score"] == cell.data.metrics["best_score"] == result.best.score
        assert cell.data.metrics["max_need"] == result.best.contract["max_need"]


def test_a_child_run_a_cell_holds_its_best_ladder(done: str, mlflow: MlflowClient, store: Store) -> None:
    run, *cells = family(mlflow, store, done)
    results = store.cells(runs.stored(store, done).exp_id)

    assert [(cell.data.params["overlap_pct"], cell.data.params["num_orders"]) for cell in cells] == [
        ("10", "4"),
        ("10", "5"),
    ]
    for cell, result in zip(cells, results, strict=True):
        best, found = result.best, files(mlflow, cell)
        assert best is not None
        assert (cell.info.status, cell.data.tags["run_id"]) == ("FINISHED", run.data.tags["run_id"])
        assert cell.data.tags["candidate_id"] == best.candidate_id
        assert cell.info.run_name == f"{result.cell.label}, tiny {done[-6:]}", "told from the same cell of another run"
        assert cell.data.params["score.need"] == run.data.params["score.need"], "what runs differ in, cells do"
        for part in ("penalties", "diagnostics"):
            shown = {key: cell.data.metrics[f"{part}/{key}"] for key in best.contract[part]}
            assert shown == best.contract[part]
        for key in ("max_need_path", "chance_all_filled_pct", "expected_candles", "expected_deployed_pct"):
            assert cell.data.metrics[key] == best.risk[key]
        ladder = json.loads(found["ladder.json"].read_text())
        assert ladder["candidate_id"] == best.candidate_id
        assert {key: ladder[key] for key in best.contract} == best.contract
        assert found["ladder.txt"].read_text().startswith("1. Order: indent 0.00 %  volume ")
        orders = list(csv.DictReader(found["orders.csv"].open()))
        assert [float(order["price"]) for order in orders] == pytest.approx(
            best.contract["schedule"]["order_prices"], rel=1e-8
        )
        assert b"<svg" in found["needpct.svg"].read_bytes()


def test_the_run_holds_config_results_pictures_and_events(done: str, mlflow: MlflowClient, store: Store) -> None:
    experiment = runs.stored(store, done)
    found = files(mlflow, run_of(mlflow, store, done))

    assert config.load(found["config.yaml"]) == config.from_tree(experiment.config, "stored")
    rows = list(csv.DictReader(found["results.csv"].open()))
    assert {row["candidate_id"] for row in rows} == {one.candidate_id for one in store.results(experiment.exp_id)}
    top = json.loads(found["top.json"].read_text())
    places = [row[0] for row in top["data"]]
    assert top["columns"][:2] == ["place", "ladder"]
    assert places[0] == "10 % x 4, rank 1"
    assert (
        len(places)
        == len(set(places))
        == len({(row["overlap_pct"], row["num_orders"], row["rank_in_cell"]) for row in rows})
    )
    assert experiment.run_id in found["report.html"].read_text()
    cells = store.cells(experiment.exp_id)
    assert found["front.csv"].read_text() == summary.as_csv(summary.front_rows(cells))
    events = [json.loads(line)["event"] for line in found["events.jsonl"].read_text().splitlines()]
    assert "ORCH.START" in events
    assert events[-1] == "ORCH.DONE"
    assert all(b"<svg" in found[name].read_bytes() for name in ("cells.svg", "front.svg"))


def test_nothing_is_pending_and_delivering_again_changes_nothing(
    done: str, state: State, mlflow: MlflowClient, store: Store
) -> None:
    exp_id = runs.stored(store, done).exp_id
    assert store.owed(exp_id) == []
    before = everything(mlflow, store, done)

    follow(state, done)

    assert everything(mlflow, store, done) == before


def test_numbers_that_were_sent_but_not_struck_off_can_be_sent_again(
    done: str, state: State, mlflow: MlflowClient, store: Store
) -> None:
    exp_id = runs.stored(store, done).exp_id
    before = everything(mlflow, store, done)
    with closing(sqlite3.connect(state.database)) as database, database:
        database.execute("UPDATE outbox SET delivered = 0 WHERE experiment_id = ?", (exp_id,))
    assert len(store.owed(exp_id)) == 2 * 2 * 11

    follow(state, done)

    assert store.owed(exp_id) == []
    assert everything(mlflow, store, done) == before


def test_what_is_proved_later_is_in_the_run_of_its_cell_and_in_the_report(
    state: State, mlflow: MlflowClient, store: Store
) -> None:
    run_id = runs.searched(state, store, "ladder.num_orders=3")
    follow(state, run_id)
    parent, child = family(mlflow, store, run_id)
    before = history(mlflow, parent)
    assert "lower_bound" not in child.data.metrics
    run = runs.stored(store, run_id)
    (proved,) = proofs.prove(run, store.cells(run.exp_id), proofs.Terms(within_pct=2.0), lambda *_: None, store)

    (outcome,) = publish_pending(state, store)

    assert str(outcome) == f"run {run_id}: delivered 2 numbers and the ending with its artifacts"
    parent, child = family(mlflow, store, run_id)
    assert {key: child.data.metrics[key] for key in proved.result.proved} == proved.result.proved
    view = json.loads(mlflow.get_experiment(parent.info.experiment_id).tags["mlflow.sharedViewState.cells"])
    assert "metrics.`proved_within_pct`" in json.loads(view["state"])["selectedColumns"]
    assert history(mlflow, parent) == before
    assert "proved within" in files(mlflow, parent)["report.html"].read_text(encoding="utf-8")


def test_what_somebody_has_changed_on_the_page_of_the_experiment_stays(state: State, mlflow: MlflowClient) -> None:
    experiment = Client.open(state).experiment
    mlflow.set_experiment_tag(experiment, "mlflow.note.content", "mine")
    mlflow.delete_experiment_tag(experiment, "mlflow.sharedViewState.cells")

    Client.open(state)

    tags = mlflow.get_experiment(experiment).tags
    assert tags["mlflow.note.content"] == "mine"
    assert {"mlflow.sharedViewState.runs", "mlflow.sharedViewState.cells"} <= tags.keys()


def test_a_flow_run_that_comes_late_is_linked_all_the_same(state: State, mlflow: MlflowClient, store: Store) -> None:
    run_id = runs.searched(state, store)
    looks: list[None] = []

    def over() -> bool:
        looks.append(None)
        if len(looks) == 2:  # the ending has been delivered
            assert run_of(mlflow, store, run_id).info.status == "FINISHED"
            store.set_flow_run(runs.stored(store, run_id).exp_id, "late")
        return len(looks) > 2

    assert follow(state, run_id, over) == ""

    tags = run_of(mlflow, store, run_id).data.tags
    assert tags["prefect.flow_run_id"] == "late"
    assert f"({Pages.of(state).flow_run('late')})" in tags["mlflow.note.content"]


# Runs that end otherwise


def test_a_stopped_run_is_killed_with_what_was_found(state: State, mlflow: MlflowClient, store: Store) -> None:
    run_id = runs.stopped(state, store, after=3)
    follow(state, run_id)

    run, *cells = family(mlflow, store, run_id)
    assert (run.info.status, run.data.tags["status"]) == ("KILLED", "STOPPED")
    assert [cell.info.status for cell in cells] == ["FINISHED", "KILLED"]
    assert all("ladder.json" in files(mlflow, cell) for cell in cells)
    assert {"results.csv", "events.jsonl"} <= set(files(mlflow, run))


def test_a_resumed_run_goes_on_in_the_same_mlflow_run(state: State, mlflow: MlflowClient, store: Store) -> None:
    run_id = runs.stopped(state, store, after=3)
    follow(state, run_id)
    before = [run.info.run_id for run in family(mlflow, store, run_id)]

    runs.resumed(state, store, run_id)
    follow(state, run_id)

    after = family(mlflow, store, run_id)
    assert [run.info.run_id for run in after] == before
    assert [run.info.status for run in after] == ["FINISHED"] * 3
    assert after[0].data.tags["status"] == "COMPLETED"
    assert [step for step, *_ in history(mlflow, after[0])["best_score"]] == [0, 1, 2, 3]


def test_a_cell_that_was_not_begun_has_no_run_of_its_own(state: State, mlflow: MlflowClient, store: Store) -> None:
    run_id = runs.stopped(state, store, after=1)
    follow(state, run_id)

    run, *cells = family(mlflow, store, run_id)
    assert run.info.status == "KILLED"
    assert [cell.data.params["num_orders"] for cell in cells] == ["4"]


def test_a_failed_run_brings_its_crash_snapshot(state: State, mlflow: MlflowClient, store: Store) -> None:
    def fail() -> None:
        raise EvaluationError("the score is nan")

    with pytest.raises(EvaluationError):
        runs.searched(state, store, watch=Watch(2, fail))
    run_id = store.experiments()[0].run_id
    follow(state, run_id)

    run = run_of(mlflow, store, run_id)
    (crash,) = [path for name, path in files(mlflow, run).items() if name.startswith("crash_")]
    assert (run.info.status, run.data.tags["status"]) == ("FAILED", "FAILED")
    assert json.loads(crash.read_text())["error_context"]["message"] == "the score is nan"


def test_metrics_arrive_while_the_search_goes_on(state: State, mlflow: MlflowClient, store: Store) -> None:
    experiment, settings = runs.opened(state, store)
    current = delivery(state, store, experiment)
    seen: list[int] = []

    def look() -> None:
        current.progress()
        seen.append(
            len(mlflow.get_metric_history(run_of(mlflow, store, experiment.run_id).info.run_id, "search/batch_best"))
        )

    runs.execute(state, store, experiment, settings, Watch(1, look))
    current.end()

    assert seen == [1]
    before = everything(mlflow, store, experiment.run_id)
    follow(state, experiment.run_id)
    assert everything(mlflow, store, experiment.run_id) == before


def test_a_cell_that_was_published_while_the_search_went_on_is_not_changed_later(
    state: State, mlflow: MlflowClient, store: Store
) -> None:
    experiment, settings = runs.opened(state, store)
    current = delivery(state, store, experiment)

    def look() -> None:
        current.progress()

    runs.execute(state, store, experiment, settings, Watch(3, look))
    current.end()
    run, *cells = family(mlflow, store, experiment.run_id)
    before = everything(mlflow, store, experiment.run_id)

    follow(state, experiment.run_id)

    assert everything(mlflow, store, experiment.run_id) == before
    assert run.data.tags["status"] == "COMPLETED"
    assert all(cell.data.tags.get("status") != "RUNNING" for cell in cells)


def test_the_mlflow_run_begins_and_ends_with_the_search(done: str, mlflow: MlflowClient, store: Store) -> None:
    run, experiment = run_of(mlflow, store, done), runs.stored(store, done)

    assert experiment.finished_at is not None
    assert run.info.start_time == datetime.fromisoformat(experiment.started_at).timestamp() * 1000
    assert run.info.end_time == datetime.fromisoformat(experiment.finished_at).timestamp() * 1000


def test_cells_that_take_turns_leave_one_story_however_often_it_is_sent(
    state: State, mlflow: MlflowClient, store: Store
) -> None:
    experiment, settings = runs.opened(state, store)
    current = delivery(state, store, experiment)
    with engine.execution(state, store, experiment, settings) as run:
        for cell in reversed(settings.cells()):
            run.search(cell, Watch())
            current.progress()
    recorder.close()
    current.end()
    points = history(mlflow, run_of(mlflow, store, experiment.run_id))["best_score"]
    best = [value for _, _, value in points]

    assert [step for step, *_ in points] == [0, 1, 2, 3]
    assert best == sorted(best, reverse=True)
    assert [moment for _, moment, _ in points] == sorted(moment for _, moment, _ in points)
    before = everything(mlflow, store, experiment.run_id)
    with closing(sqlite3.connect(state.database)) as database, database:
        database.execute("UPDATE outbox SET delivered = 0 WHERE experiment_id = ?", (experiment.exp_id,))
    follow(state, experiment.run_id)
    assert everything(mlflow, store, experiment.run_id) == before


# Notes are free text: kept as they are, and nowhere taken for anything else

PIECES = [
    "../../etc/passwd", "'; DROP TABLE experiments; --", "<script>alert(1)</script>", "[red]x[/]", "[/]", "**b** | x |",
    "[x](javascript:alert(1))", "\x1b[31m", "\x1b]0;title\x07", "=1+1", "@SUM(A1)", "\u202e", "{0} %s ${HOME}", "\r\n",
]  # fmt: skip
NOTES = "=" + " ".join(PIECES)


def test_hostile_notes_are_stored_as_given_and_harm_no_view(state: State, mlflow: MlflowClient, store: Store) -> None:
    run_id = runs.searched(state, store, f"notes={json.dumps(NOTES)}")
    follow(state, run_id)
    run = runs.stored(store, run_id)
    cells, results = store.cells(run.exp_id), store.results(run.exp_id)

    assert run.status == "COMPLETED"
    assert run.notes == run.config["notes"] == NOTES
    mlflow_run = run_of(mlflow, store, run_id)
    assert mlflow_run.data.params["notes"] == NOTES  # a value of its own, which MLflow's page escapes
    file = files(mlflow, mlflow_run)["config.yaml"]
    assert config.load(file).notes == NOTES
    assert all(line.isprintable() for line in file.read_text().splitlines())

    screen = io.StringIO()
    terminal.final(terminal.console(screen), run, cells, state.root)
    shown = [
        *(screen.getvalue(), markdown.run_note(run, cells), markdown.front_note(cells, b"")),
        *(text for tag, text in mlflow_run.data.tags.items() if tag.startswith("mlflow.note")),
        *(mlflow_run.info.run_name, summary.as_csv(summary.rows(results)), str(summary.run_json(run, cells))),
    ]
    assert len(shown) == 7
    assert [piece for piece in PIECES for text in shown if piece in text] == []  # notes are shown in none of these
