"""What MLflow is owed of a run, delivered: one run, a child run a cell, metrics as they come, artifacts at the end.

Everything sent carries the time at which it was made and ends where it would have ended before, so that
sending it again changes nothing.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from mlflow import MlflowClient
from mlflow.entities import Metric as MlflowMetric
from mlflow.entities import Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from mlab.identity import State
from mlab.records import Cell, CellResult, Experiment, Json, Metric, Status
from mlab.report import markdown
from mlab.store import Store
from mlab.tracking import artifacts

EXPERIMENT = "martingale-lab"
KIND = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "A score ranks ladders within one cell only: before you sort by score, "
    "filter by overlap_pct and num_orders.",
}
"""Makes MLflow open the experiment as runs with metrics, not as traces of a language model; and its description."""

TABLES = {"mlflow.loggedArtifacts": '[{"path": "results.json", "type": "table"}]'}
"""Makes MLflow show the results as a table."""

PERIOD_S = 2.0
"""Seconds between two deliveries; more often would take from the search the half of its core that it shares."""

GLANCE_S = 0.2
"""Seconds between two looks at whether the run has ended."""

UNDER_WAY: frozenset[Status] = frozenset({"PENDING", "RUNNING"})

MLFLOW_STATUS: dict[Status, str] = {
    "PENDING": "SCHEDULED",
    "RUNNING": "RUNNING",
    "COMPLETED": "FINISHED",
    "FAILED": "FAILED",
    "STOPPED": "KILLED",
}


def follow(state: State, run_id: str) -> None:
    """Deliver a run while it goes on, and its end; if the process that started this one dies, end as well."""
    parent = os.getppid()
    with Store.open(state.database) as store:
        delivery = Delivery(state, store, run_id)
        while delivery.progress() in UNDER_WAY and os.getppid() == parent:
            deadline = time.monotonic() + PERIOD_S
            while time.monotonic() < deadline and delivery.status in UNDER_WAY and os.getppid() == parent:
                time.sleep(GLANCE_S)
        delivery.end()


class Delivery:
    """One run on its way to MLflow. Runs are found by their tags, so that any process can take over."""

    def __init__(self, state: State, store: Store, run_id: str) -> None:
        self._state, self._store, self._run_id = state, store, run_id
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{state.mlflow_database}")
        self._experiment = self._experiment_id()
        run = self._stored()
        self._finished: set[int] = set()
        self._parent = self._parent_run(run)
        self._children: dict[int, str] = {}

    @property
    def status(self) -> Status:
        """The run's status as it is stored."""
        return self._stored().status

    def progress(self) -> Status:
        """Deliver what there is: metrics, and the winners of cells that are finished.

        Returns:
            The run's status from before: after a last look at an ended run nothing is left.
        """
        run = self._stored()
        cells = self._store.cells(run.exp_id)
        for result in cells:
            if result.batches and result.cell.index not in self._children:
                self._children[result.cell.index] = self._child_run(result.cell)
        self._deliver_metrics(run.exp_id)
        for result in cells:
            if result.finished and result.cell.index not in self._finished:
                self._publish_cell(result, "FINISHED")
                self._finished.add(result.cell.index)
        return run.status

    def _deliver_metrics(self, exp_id: int) -> None:
        by_run: dict[str, list[MlflowMetric]] = defaultdict(list)
        owed = [row for row in self._store.owed(exp_id) if row[1] in self._children]  # a cell may have begun since
        steps = _steps(self._store.commits(exp_id)) if owed else {}
        for _, cell, metric in owed:
            by_run[self._children[cell]].append(_metric(metric, metric.step))
            step, best = steps[cell, metric.step]
            value = best if metric.key == "best_score" else metric.value
            by_run[self._parent].append(_metric(replace(metric, value=value), step))
        for name, values in by_run.items():
            for start in range(0, len(values), 1000):  # MLflow takes no more at a time
                self._client.log_batch(name, metrics=values[start : start + 1000])
        self._store.delivered([key for key, _, _ in owed])

    def end(self) -> None:
        """Deliver the artifacts and how the run ended. One left RUNNING by a dead process counts as killed."""
        self.progress()
        run = self._stored()
        status = "KILLED" if run.status in UNDER_WAY else MLFLOW_STATUS[run.status]
        cells = self._store.cells(run.exp_id)
        for result in cells:
            if result.batches and not result.finished:
                self._publish_cell(result, status)
        summary = {"eval_count": float(run.eval_count), "elapsed_s": run.elapsed_s, "cells": float(len(cells))}
        stamp = artifacts.milliseconds(run.finished_at or run.started_at)
        tags = {"status": run.status, "prefect.flow_run_id": run.flow_run_id or "", **TABLES}
        self._publish(self._parent, summary, stamp, 0, {MLFLOW_RUN_NOTE: markdown.run_note(run, cells), **tags})
        with tempfile.TemporaryDirectory() as folder:
            artifacts.write_run(Path(folder), self._state, run, cells, self._store.results(run.exp_id))
            self._client.log_artifacts(self._parent, folder)
        self._client.set_terminated(self._parent, status, stamp if run.finished_at else None)

    def _stored(self) -> Experiment:
        run = self._store.experiment(self._run_id)
        if run is None:
            raise LookupError(f"no run {self._run_id} in {self._state.database}")
        return run

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        local = not os.environ.get("MLFLOW_TRACKING_URI")
        place = self._state.artifacts.as_uri() if local else None
        return str(self._client.create_experiment(EXPERIMENT, place, tags=KIND))

    def _run(self, key: str, name: str, began: int | None, tags: dict[str, str]) -> str:
        """The MLflow run with the tag ``mlab.key``, made where there is none, running again where it was cut."""
        found = self._client.search_runs([self._experiment], f"tags.`mlab.key` = '{key}'", max_results=1)
        if not found:
            tags = {**tags, "mlab.key": key, MLFLOW_RUN_NAME: name}
            return str(self._client.create_run(self._experiment, began, tags).info.run_id)
        info = found[0].info
        if info.status != "FINISHED":
            self._client.update_run(info.run_id, status="RUNNING")
        return str(info.run_id)

    def _parent_run(self, run: Experiment) -> str:
        tags = {
            "run_id": run.run_id,
            "exp_id": str(run.exp_id),
            "config": run.config["name"],
            MLFLOW_GIT_COMMIT: _git_commit(),
        }
        began = artifacts.milliseconds(run.started_at)
        mlflow_run = self._run(run.run_id, f"{run.config['name']} {run.run_id}", began, tags)
        self._store.set_mlflow_run(run.exp_id, mlflow_run)
        params = [Param(key, str(value)) for key, value in _flat(run.config).items() if value != ""]
        self._client.log_batch(mlflow_run, params=params)
        return mlflow_run

    def _child_run(self, cell: Cell) -> str:
        tags = {"run_id": self._run_id, "cell": cell.key, MLFLOW_PARENT_RUN_ID: self._parent}
        child = self._run(f"{self._run_id}/{cell.index}", cell.label, None, tags)
        params = {"overlap_pct": f"{cell.overlap_pct:g}", "num_orders": str(cell.num_orders)}
        self._client.log_batch(child, params=[Param(key, value) for key, value in params.items()])
        if self._client.get_run(child).info.status == "FINISHED":
            self._finished.add(cell.index)
        return child

    def _publish_cell(self, result: CellResult, status: str) -> None:
        child = self._children[result.cell.index]
        if result.best is not None:
            stamp = artifacts.milliseconds(self._stored().started_at)
            note, name = markdown.ladder_note(result.best), result.best.candidate_id
            tags = {MLFLOW_RUN_NOTE: note, "candidate_id": name}
            self._publish(child, artifacts.winner_metrics(result), stamp, result.batches, tags)
            with tempfile.TemporaryDirectory() as folder:
                artifacts.write_winner(Path(folder), result.best)
                self._client.log_artifacts(child, folder)
        self._client.set_terminated(child, status)

    def _publish(self, name: str, values: dict[str, float], stamp: int, step: int, tags: dict[str, str]) -> None:
        """Final numbers and the description of a run, at a time and step that a repetition finds again."""
        metrics = [MlflowMetric(key, value, stamp, step) for key, value in values.items()]
        self._client.log_batch(name, metrics=metrics, tags=[RunTag(key, text) for key, text in tags.items() if text])


def _steps(commits: Sequence[tuple[int, int, float | None]]) -> dict[tuple[int, int], tuple[int, float]]:
    """By cell and batch: the step of the run, and the best score of all cells up to it.

    A run's steps are its commits in their order, whichever cells they belong to and however often they are sent.
    """
    steps, least = {}, float("inf")
    for step, (cell, batch, best) in enumerate(commits):
        least = least if best is None else min(least, best)
        steps[cell, batch] = step, least
    return steps


def _metric(metric: Metric, step: int) -> MlflowMetric:
    return MlflowMetric(metric.key, metric.value, metric.timestamp_ms, step)


def _flat(tree: Json, prefix: str = "") -> Json:
    """Nested values under dotted names."""
    flat: Json = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _git_commit() -> str:
    """The commit that this program was run from; ``unknown`` outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()
