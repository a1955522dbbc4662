"""One real run from the command line to the three databases, and runs that are cut and resumed."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.workers import fingerprint
from mlab.core.events import QUIET
from mlab.core.state import State
from mlab.core.urls import Pages
from tests import runs
from tests.runs import command_line
from tests.served import STOPPING_S, Prefect, told

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]

CONFIG = (
    "name=whole", "seed=7", "ladder.overlap_pct=[10, 20]", "ladder.num_orders=4", "search.batch_size=4",
    "search.max_batches=6", "search.patience=6", "search.miss_chance=0",
    "search.prune_factor=1000", "search.pruner=none",
)  # fmt: skip
KEYS = ["run_id", "exp_id", "status", "best_score", "eval_count", "elapsed_s", "mlflow_run_id", "cells"]
CELL_KEYS = [
    "overlap_pct", "num_orders", "score", "max_need", "max_need_path", "candidate_id", "evaluations", "trials",
    "pruned", "stopped_early",
]  # fmt: skip


@dataclass(frozen=True)
class Finished:
    """What a run left on its streams and in its state folder."""

    state: State
    status: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.out)
        return answer

    @property
    def events(self) -> list[dict[str, Any]]:
        return runs.events(self.state.events(self.answer["run_id"]))


def query(database: Path, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(statement, values).fetchall()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, prefect_url: str, prefect_database: Path) -> Finished:
    """A run that nobody disturbs, and what Prefect has of it."""
    state = runs.furnish(State(tmp_path_factory.mktemp("whole") / "state"))
    command = command_line("--json", overrides=CONFIG)
    with runs.python(*command, state=state.root, log=subprocess.PIPE, PREFECT_API_URL=prefect_url) as process:
        out, err = process.communicate(timeout=runs.SECONDS)
    ((flow_run,),) = query(state.database, "SELECT flow_run_id FROM experiments")
    told(prefect_url, prefect_database, flow_run, state.prefect_database)
    return Finished(state, process.returncode, out.decode(), err.decode())


# The run as its caller sees it


def test_it_answers_with_one_json_object(whole: Finished) -> None:
    assert (whole.status, whole.out.count("\n")) == (0, 1), whole.err
    answer = whole.answer
    assert list(answer) == KEYS
    assert answer["status"] == "COMPLETED"
    assert [list(cell) for cell in answer["cells"]] == [CELL_KEYS, CELL_KEYS]
    assert [(cell["overlap_pct"], cell["num_orders"]) for cell in answer["cells"]] == [(10.0, 4), (20.0, 4)]
    assert answer["best_score"] == min(cell["score"] for cell in answer["cells"])
    assert answer["eval_count"] == sum(cell["evaluations"] for cell in answer["cells"])
    assert [(cell["trials"], cell["pruned"], cell["stopped_early"]) for cell in answer["cells"]] == [(24, 0, False)] * 2
    assert answer["elapsed_s"] > 0


def test_it_says_what_it_does_on_standard_error(whole: Finished) -> None:
    lines = whole.err.splitlines()

    assert lines[0].startswith("Martingale Lab: whole, 2 cells.")
    assert [name for name in ("ORCH.START", "BUILD.CONFIG", "ORCH.SAVE_OK") if name not in whole.err] == []
    assert [line for line in lines if "Traceback" in line or "error" in line.lower()] == []
    assert sum(line.startswith(("[1/2] 10 % x 4", "[2/2] 20 % x 4")) for line in lines) == 2


# The database


def test_at_least_twenty_results_are_stored_and_the_best_score_is_the_least(whole: Finished) -> None:
    rows = query(whole.state.database, "SELECT score, payload_json, candidate_id FROM results")
    ((found,),) = query(whole.state.database, "SELECT sum(found) FROM results")
    ((run_id, status, best_score, finished_at),) = query(
        whole.state.database, "SELECT run_id, status, best_score, finished_at FROM experiments"
    )

    assert found >= 20
    assert best_score == min(score for score, *_ in rows) == whole.answer["best_score"]
    assert (run_id, status) == (whole.answer["run_id"], "COMPLETED")
    assert finished_at is not None
    assert all(json.loads(payload)["schedule"]["indent_pct"][0] == 0.0 for _, payload, _ in rows)
    assert len({name for *_, name in rows}) == len(rows)


# The event log


def test_the_events_come_in_order(whole: Finished) -> None:
    names = [event["event"] for event in whole.events]
    story = [name for name in names if name not in {"DB.INIT", "DB.UPSERT_EXP"}]

    batch = ["ORCH.BATCH", "EVAL.CALL", "EVAL.RETURN", "ORCH.PRUNE", "DB.UPSERT_RES", "DB.VERIFY", "ORCH.SAVE_OK"]
    assert story == ["APP.START", "ORCH.START", "BUILD.CONFIG", *batch * 12, "ORCH.DONE", "APP.STOP"]
    assert names.index("DB.INIT") < names.index("DB.UPSERT_EXP") < names.index("ORCH.BATCH")


def test_the_events_carry_the_ids_and_fields_that_apply(whole: Finished) -> None:
    answer = whole.answer
    of_batches = [event for event in whole.events if "span_id" in event]
    ids = {(event["run_id"], event["exp_id"]) for event in of_batches}

    assert ids == {(answer["run_id"], answer["exp_id"])}
    assert {event["span_id"] for event in of_batches} == {f"batch-{index:04d}" for index in range(6)}
    assert all(event["span_id"] == f"batch-{event['batch_idx']:04d}" for event in of_batches)
    assert {(event["overlap"], event["orders"]) for event in of_batches} == {(10.0, 4), (20.0, 4)}
    assert all({"ts", "lvl", "event", "msg"} <= set(event) for event in whole.events)
    assert all(event["duration_ms"] > 0 for event in whole.events if event["event"] == "EVAL.RETURN")
    assert (
        sum(event["evaluations"] for event in whole.events if event["event"] == "EVAL.RETURN") == answer["eval_count"]
    )
    (start,) = [event for event in whole.events if event["event"] == "ORCH.START"]
    assert start["config"]["search"]["max_batches"] == 6
    done = whole.events[-2]
    assert (done["score"], done["eval_count"]) == (answer["best_score"], answer["eval_count"])


def test_the_first_rows_come_at_once(whole: Finished) -> None:
    at: dict[str, datetime] = {}
    for event in whole.events:
        at.setdefault(event["event"], datetime.fromisoformat(event["ts"]))
    (saved, *_) = [event for event in whole.events if event["event"] == "ORCH.SAVE_OK"]

    assert saved["rows"] > 0
    assert (at["ORCH.SAVE_OK"] - at["ORCH.BATCH"]).total_seconds() < 5 * runs.slowness()


# MLflow, and one candidate's story through all of it


def test_a_candidate_is_the_same_in_database_events_and_mlflow(whole: Finished) -> None:
    answer, state = whole.answer, whole.state
    ((status,),) = query(state.mlflow_database, "SELECT status FROM runs WHERE run_uuid = ?", answer["mlflow_run_id"])
    artifact = (state.artifacts / answer["mlflow_run_id"] / "artifacts" / "results.csv").read_text()
    ladders = [path.read_text() for path in state.artifacts.glob("*/artifacts/ladder.json")]
    batches = {(event["overlap"], event["batch_idx"]) for event in whole.events if event["event"] == "ORCH.SAVE_OK"}

    assert status == "FINISHED"
    for name, overlap, batch in query(state.database, "SELECT candidate_id, overlap_pct, batch FROM results"):
        assert name.startswith(f"{answer['run_id']}-c")
        assert f"-b{batch:04d}-" in name
        assert (overlap, batch) in batches
        assert name in artifact
    for cell in answer["cells"]:
        assert sum(cell["candidate_id"] in ladder for ladder in ladders) == 1


def test_a_run_and_a_child_a_cell_are_finished_in_mlflow_and_nothing_is_pending(whole: Finished) -> None:
    assert query(whole.state.mlflow_database, "SELECT status FROM runs") == [("FINISHED",)] * 3
    assert query(whole.state.database, "SELECT count(*) FROM outbox WHERE NOT delivered") == [(0,)]


# Prefect


def test_a_task_lasts_as_long_as_the_search_that_it_does(whole: Finished) -> None:
    rows = query(whole.state.prefect / "prefect.db", "SELECT name, start_time, end_time FROM task_run")
    began, ended = ({name: datetime.fromisoformat(row[place]).timestamp() for name, *row in rows} for place in (0, 1))

    for cell in ("10 % x 4", "20 % x 4"):
        own = [event["ts"] for event in whole.events if f"{event.get('overlap', 0):g} % x 4" == cell]
        first, last = (datetime.fromisoformat(f"{at}").replace(tzinfo=None).timestamp() for at in (own[0], own[-1]))
        assert began[cell] <= first + 0.001
        assert last <= ended[cell] + 0.001
    assert began["build config"] <= began["open experiment"] <= began["10 % x 4"] <= began["20 % x 4"]
    assert ended["20 % x 4"] <= began["publish"]


def test_prefect_saw_a_task_a_cell_and_all_of_it_completed(whole: Finished) -> None:
    database = whole.state.prefect / "prefect.db"
    ((flow_run, name, state, tags),) = query(database, "SELECT id, name, state_type, tags FROM flow_run")
    tasks = dict(query(database, "SELECT name, state_type FROM task_run"))
    ((stored,),) = query(whole.state.database, "SELECT flow_run_id FROM experiments")

    assert (name, state) == (f"whole, 2 cells, {whole.answer['run_id'][-6:]}", "COMPLETED")
    assert json.loads(tags) == ["config:whole", "COMPLETED"]
    assert stored.replace("-", "") == flow_run.replace("-", "")
    assert set(tasks) == {"build config", "open experiment", "10 % x 4", "20 % x 4", "publish"}
    assert set(tasks.values()) == {"COMPLETED"}


def test_the_log_of_the_flow_run_holds_the_events(whole: Finished) -> None:
    messages = [message for (message,) in query(whole.state.prefect / "prefect.db", "SELECT message FROM log")]
    wanted = ["ORCH.START", "BUILD.CONFIG", "ORCH.BATCH 10 % x 4, batch 0", "ORCH.BATCH 20 % x 4, batch 5", "ORCH.DONE"]

    assert [start for start in wanted if not any(message.startswith(start) for message in messages)] == []
    assert sum(message.startswith("ORCH.SAVE_OK") for message in messages) == 12
    assert len(messages) < 110


def test_prefect_has_the_events_as_its_own_at_their_times(whole: Finished) -> None:
    database = whole.state.prefect / "prefect.db"
    shown = query(
        database, "SELECT event, occurred, resource_id FROM events WHERE event LIKE 'mlab.%' ORDER BY occurred"
    )
    ((flow_run,),) = query(whole.state.database, "SELECT flow_run_id FROM experiments")
    told = [event for event in whole.events if event["event"] not in {*QUIET, "APP.STOP"}]

    assert sorted(name for name, *_ in shown) == sorted(f"mlab.{event['event']}" for event in told)
    assert {resource for *_, resource in shown} == {f"prefect.flow-run.{flow_run}"}
    ended = query(database, "SELECT resource_id FROM events WHERE event = 'prefect.flow-run.Completed'")
    assert ended == [(f"prefect.flow-run.{flow_run}",)]
    saved = [event["ts"][:23] for event in told if event["event"] == "ORCH.SAVE_OK"]
    assert [at[:23].replace(" ", "T") for name, at, _ in shown if name == "mlab.ORCH.SAVE_OK"] == saved


def test_prefect_shows_progress_the_front_and_ladders(whole: Finished) -> None:
    rows = query(whole.state.prefect / "prefect.db", "SELECT key, type, data FROM artifact")
    artifacts = {key: (kind, json.loads(str(data))) for key, kind, data in rows}

    assert {key: kind for key, (kind, _) in artifacts.items()} == {
        "search-progress": "progress",
        "front": "markdown",
        "ladders": "markdown",
    }
    assert artifacts["search-progress"][1] == 100
    ladders = artifacts["ladders"][1]
    assert all(cell["candidate_id"] in ladders for cell in whole.answer["cells"])
    assert "2 of 2 cells done, 12 of at most 12 batches" in ladders
    assert f"/#/runs/{whole.answer['mlflow_run_id']})" in ladders
    assert f"[its report]({Pages().report(whole.answer['mlflow_run_id'])})" in ladders


# Cut short


@pytest.mark.parametrize(
    ("cut", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="interrupt"),
        pytest.param(signal.SIGTERM, 143, id="terminate", marks=pytest.mark.soak),
    ],
)
def test_a_cut_run_keeps_what_it_found_and_resumes_to_the_same_results(
    cut: signal.Signals, status: int, whole: Finished, prefect_url: str, tmp_path: Path
) -> None:
    state = runs.furnish(State(tmp_path))
    with runs.python(
        *command_line("--json", overrides=CONFIG), state=state.root, pace="slow", PREFECT_API_URL=prefect_url
    ) as process:
        runs.wait_until(lambda: process.poll() is not None or logged(state, "ORCH.SAVE_OK") >= 1)
        process.send_signal(cut)
        with runs.within(5.0):
            runs.wait_until(lambda: logged(state, "ORCH.DONE") == 1)
        with runs.within(STOPPING_S):
            out, err = process.communicate(timeout=runs.SECONDS)

    stopped = Finished(state, process.returncode, out.decode(), err.decode())
    assert stopped.status == status, stopped.err
    assert "Traceback" not in stopped.err
    answer = stopped.answer
    assert (list(answer), answer["status"]) == (KEYS, "STOPPED")
    assert 0 < query(state.database, "SELECT count(*) FROM results")[0][0] < 48
    assert stopped.events[-1]["event"] == "APP.STOP"
    (done,) = [event for event in stopped.events if event["event"] == "ORCH.DONE"]
    assert done["status"] == "STOPPED"
    runs.wait_until(lambda: mlflow_status(state, answer["run_id"]) == "KILLED")
    ((flow_run,),) = query(state.database, "SELECT flow_run_id FROM experiments")
    runs.wait_until(lambda: Prefect(prefect_url, state).state_of(flow_run)[0] == "Cancelled", every=0.2)

    with runs.python(
        *command_line("--json", "--resume", answer["run_id"]), state=state.root, PREFECT_API_URL=prefect_url
    ) as process:
        out, err = process.communicate(timeout=runs.SECONDS)

    resumed = Finished(state, process.returncode, out.decode(), err.decode())
    assert (resumed.status, resumed.answer["status"]) == (0, "COMPLETED"), resumed.err
    assert resumed.answer["run_id"] == answer["run_id"]
    assert resumed.answer["eval_count"] == whole.answer["eval_count"]
    assert fingerprint(state, answer["run_id"]) == fingerprint(whole.state, whole.answer["run_id"])
    assert mlflow_status(state, answer["run_id"]) == "FINISHED"


def logged(state: State, event: str) -> int:
    """How often an event stands in the logs."""
    return sum(path.read_text().count(f'"{event}"') for path in state.root.glob("events/*.jsonl"))


def mlflow_status(state: State, run_id: str) -> str | None:
    """How MLflow says the run ended; None as long as it does not know the run."""
    try:
        found = query(
            state.mlflow_database,
            "SELECT status FROM runs JOIN tags USING (run_uuid) WHERE tags.key = 'mlab.key' AND tags.value = ?",
            run_id,
        )
    except sqlite3.OperationalError:  # it is not there yet
        return None
    return str(found[0][0]) if found else None
