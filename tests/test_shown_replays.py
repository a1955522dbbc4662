"""A whole run of the command with prices in its config, as Prefect and MLflow have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlab.core.state import State
from mlab.store import Store
from mlab.tracking.publisher import follow
from tests import runs
from tests.runs import command_line
from tests.served import Prefect

pytestmark = pytest.mark.integration

CONFIG = (
    "name=replayed", "ladder.overlap_pct=[10, 20]", "ladder.num_orders=4", "search.batch_size=2",
    "search.max_batches=2", "replay.prices=made", "replay.take_profit_pct=[1, 2]", "replay.bootstrap=20",
)  # fmt: skip


def test_it_is_a_task_with_its_progress_and_numbers_and_pictures_of_each_cell(tmp_path: Path, prefect_url: str) -> None:
    state = runs.furnish(State(tmp_path / "state"))
    command = command_line("--json", overrides=CONFIG)
    servers = {"PREFECT_API_URL": prefect_url, "MLAB_MODE": "offline"}
    with runs.python(*command, state=state.root, **servers) as process:
        out, err = process.communicate(timeout=runs.SECONDS)
    assert process.returncode == 0, err.decode()
    answer = json.loads(out)

    prefect = Prefect(prefect_url, state)
    with Store.open(state.database) as store:
        run = runs.stored(store, answer["run_id"])
        flow_run = {"flow_runs": {"id": {"any_": [run.flow_run_id]}}}
        tasks = prefect.api("POST", "task_runs/filter", flow_run)
        assert [(task["name"], task["state_name"]) for task in tasks if "replay" in task["name"]] == [
            ("replay", "Completed")
        ]
        shown = prefect.api("POST", "artifacts/filter", flow_run)
        assert [one["data"] for one in shown if one["key"] == "replay-progress"] == [100.0]

        def told() -> list[object]:
            mlflow = MlflowClient(f"sqlite:///{state.mlflow_database}")
            parent = mlflow.get_run(str(runs.stored(store, run.run_id).mlflow_run_id))
            children = mlflow.search_runs(
                [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
            )
            return [
                (
                    child.data.params["overlap_pct"],
                    sorted(item for item in child.data.metrics.items() if item[0].startswith("replay_tp")),
                    {file.path for file in mlflow.list_artifacts(child.info.run_id)},
                    len(mlflow.get_metric_history(child.info.run_id, "replay_tp1/total_pct")),
                )
                for child in children
            ]

        follow(state, run.run_id)
        before = told()
        assert len({one.cell_index for one in store.replays(run.exp_id)}) == len(before) == 2
        for _, metrics, files, points in before:  # type: ignore[misc]
            assert {name.partition("/")[0] for name, _ in metrics} == {"replay_tp1", "replay_tp2"}
            assert {"replay_tp1.svg", "replay_tp2.svg", "replays.json"} <= files
            assert points == 1
        follow(state, run.run_id)
        assert told() == before, "told twice, it is there once"
