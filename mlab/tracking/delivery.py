"""A run as it is delivered to MLflow: one run, a child run a cell, metrics as they come, artifacts at the end.

Everything sent carries the time at which it was made and ends where it would have ended before, so that
sending it again changes nothing.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mlflow.entities import Metric as MlflowMetric
from mlflow.entities import Param, Run, RunTag
from mlflow.utils.git_utils import get_git_commit
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from mlab.core.decimals import exact
from mlab.core.errors import StoreError
from mlab.core.records import PROVED, Cell, CellResult, Experiment, Json, Metric, Status, StoredReplay
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.report import markdown
from mlab.store import Store
from mlab.tracking import artifacts
from mlab.tracking.client import Client

TABLES = {"mlflow.loggedArtifacts": '[{"path": "top.json", "type": "table"}]'}
"""Makes MLflow show the best ladders as a table, those of several runs beside each other."""

MOST = 1000  # numbers that MLflow takes at a time

MLFLOW_STATUS: dict[Status, str] = {"COMPLETED": "FINISHED", "FAILED": "FAILED", "STOPPED": "KILLED"}
"""How the endings are called there."""


class Delivery:
    """One run on its way to MLflow. Runs are found by their tags, so that any process can take over."""

    def __init__(self, state: State, store: Store, client: Client, run_id: str) -> None:
        self._state, self._store, self._run_id = state, store, run_id
        self._client, self._mlflow = client, client.mlflow
        self._finished: set[int] = set()
        self._drawn: dict[str, bytes] = {}
        self._parent = self._parent_run(stored_run(store, run_id))
        self._children: dict[int, str] = {}

    def progress(self) -> None:
        """Deliver what there is: metrics, and the winners of cells that are finished."""
        run = stored_run(self._store, self._run_id)
        cells = self._store.cells(run.exp_id)
        for result in cells:
            if result.batches and result.cell.index not in self._children:
                self._children[result.cell.index] = self._child_run(run, result.cell)
        self._deliver_metrics(run.exp_id)
        for result in cells:
            if result.finished and result.cell.index not in self._finished:
                self._publish_cell(run, result, "FINISHED")
                self._finished.add(result.cell.index)

    def _deliver_metrics(self, exp_id: int) -> None:
        pending = [row for row in self._store.owed(exp_id) if row[1] in self._children]  # a cell may have begun since
        steps = _steps(self._store.commits(exp_id)) if pending else {}
        for start in range(0, len(pending), MOST):
            part = pending[start : start + MOST]
            by_run: dict[str, list[MlflowMetric]] = defaultdict(list)
            for _, cell, metric in part:
                by_run[self._children[cell]].append(_metric(metric, metric.step))
                if metric.key in PROVED:
                    continue
                step, best = steps[cell, metric.step]
                value = best if metric.key == "best_score" else metric.value
                by_run[self._parent].append(_metric(replace(metric, value=value), step))
            for name, values in by_run.items():  # what comes first is what MLflow draws when it compares runs
                self._mlflow.log_batch(name, metrics=sorted(values, key=lambda value: value.key != "best_score"))
            self._store.delivered([key for key, _, _ in part])

    def end(self) -> None:
        """Deliver what is left of a run that has ended: the last numbers, the summary, the artifacts, the status."""
        run = stored_run(self._store, self._run_id)
        if run.finished_at is None:
            return  # resumed since
        self.progress()
        status, cells = MLFLOW_STATUS[run.status], self._store.cells(run.exp_id)
        for result in cells:
            if result.batches and not result.finished:
                self._publish_cell(run, result, status)
        replays = self._store.replays(run.exp_id)
        for result in cells:
            if of_cell := [one for one in replays if one.cell_index == result.cell.index]:
                self._publish_replays(run, result, of_cell)
        summary = {"eval_count": float(run.eval_count), "elapsed_s": run.elapsed_s, "cells": float(len(cells))}
        began, batches = _milliseconds(run.started_at), sum(result.batches for result in cells)
        tags = {"status": run.status, "prefect.flow_run_id": run.flow_run_id or "", **TABLES}
        tags[MLFLOW_RUN_NOTE] = markdown.run_note(run, cells, self._links(run))
        self._publish(self._parent, summary, began, batches, tags)
        with tempfile.TemporaryDirectory() as folder:
            results = self._store.results(run.exp_id)
            artifacts.write_run(Path(folder), self._state, run, cells, results, self._drawn, replays)
            self._mlflow.log_artifacts(self._parent, folder)
        ended = _milliseconds(run.finished_at) if run.finished_at else None
        self._mlflow.set_terminated(self._parent, status, ended)
        self._store.delivered_ending(run)

    def _links(self, run: Experiment) -> dict[str, str]:
        """What is worth opening from the description of a run and of its cells."""
        pages = Pages.of(self._state)
        links = {"report of the run": pages.report(self._parent, self._client.experiment)}
        return links | ({"Prefect flow run": pages.flow_run(run.flow_run_id)} if run.flow_run_id else {})

    def _parent_run(self, run: Experiment) -> str:
        tags = {"run_id": run.run_id, "exp_id": str(run.exp_id), "config": run.config["name"]}
        tags[MLFLOW_GIT_COMMIT] = get_git_commit(__file__) or "unknown"
        began = _milliseconds(run.started_at)
        mlflow_run = self._client.run(run.run_id, f"{run.config['name']} {run.run_id}", began, tags)
        if mlflow_run != run.mlflow_run_id:
            self._store.set_mlflow_run(run.exp_id, mlflow_run)
        self._log_params(mlflow_run, _flat(run.config))
        return mlflow_run

    def _child_run(self, run: Experiment, cell: Cell) -> str:
        tags = {"run_id": self._run_id, "cell": cell.key, MLFLOW_PARENT_RUN_ID: self._parent}
        name = f"{cell.label}, {run.config['name']} {self._run_id[-6:]}"
        child = self._client.run(f"{self._run_id}/{cell.index}", name, None, tags)
        of_all = {"ladder.overlap_pct", "ladder.num_orders", "notes"}
        params = {key: value for key, value in _flat(run.config).items() if key not in of_all}
        params |= {"overlap_pct": f"{cell.overlap_pct:g}", "num_orders": cell.num_orders}
        if self._log_params(child, params).info.status == "FINISHED":
            self._finished.add(cell.index)
        return child

    def _log_params(self, name: str, params: Json) -> Run:
        """Log the parameters that a run lacks: MLflow refuses to change one."""
        run = self._mlflow.get_run(name)
        lacking = [Param(key, _text(value)) for key, value in params.items() if key not in run.data.params]
        self._mlflow.log_batch(name, params=[param for param in lacking if param.value])
        return run

    def _publish_cell(self, run: Experiment, result: CellResult, status: str) -> None:
        child = self._children[result.cell.index]
        if result.best is not None:
            name = result.best.candidate_id
            stamp = _milliseconds(run.started_at)
            tags = {MLFLOW_RUN_NOTE: markdown.ladder_note(result.best, self._links(run)), "candidate_id": name}
            self._publish(child, artifacts.winner_metrics(result), stamp, result.batches, tags)
            with tempfile.TemporaryDirectory() as folder:
                self._drawn[name] = artifacts.write_winner(Path(folder), result.best, run)
                self._mlflow.log_artifacts(child, folder)
        self._mlflow.set_terminated(child, status)

    def _publish_replays(self, run: Experiment, result: CellResult, replays: Sequence[StoredReplay]) -> None:
        """What the winner of a cell did on prices."""
        child, stamp = self._children[result.cell.index], _milliseconds(run.started_at)
        with tempfile.TemporaryDirectory() as folder:
            values, drawn = artifacts.write_replays(Path(folder), replays)
            self._publish(child, values, stamp, result.batches, {})
            self._mlflow.log_artifacts(child, folder)
        self._drawn |= drawn

    def _publish(self, name: str, values: dict[str, float], stamp: int, step: int, tags: dict[str, str]) -> None:
        """Final numbers and the description of a run, at a time and step that a repetition finds again."""
        metrics = [MlflowMetric(key, value, stamp, step) for key, value in values.items()]
        self._mlflow.log_batch(name, metrics=metrics, tags=[RunTag(key, text) for key, text in tags.items() if text])


def stored_run(store: Store, run_id: str) -> Experiment:
    """A run as it stands now.

    Raises:
        StoreError: there is none of that id.
    """
    run = store.experiment(run_id)
    if run is None:
        raise StoreError(f"there is no run {run_id} in {store.database.path}")
    return run


def _milliseconds(moment: str) -> int:
    """A stored time as MLflow wants it: milliseconds since 1970."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000.0)


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
    """A number under the name that it has in MLflow, where those of the batches are a section of their own."""
    key = metric.key.removeprefix("penalty/")
    name = key if key in {"best_score", *PROVED} else f"search/{key}"
    return MlflowMetric(name, metric.value, metric.timestamp_ms, step)


def _flat(tree: Json, prefix: str = "") -> Json:
    """Nested values under dotted names."""
    flat: Json = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _text(value: object) -> str:
    """A parameter in one line; MLflow spreads what it takes for JSON over many."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    # Others stay as in runs that are there, with which MLflow compares them letter by letter.
    return exact(value) if isinstance(value, float) and "e" in repr(value) else str(value)
