"""Where people look at runs: the addresses of the pages of Prefect and MLflow, and of what lies on them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import orjson

from mlab.core.probe import fetch
from mlab.core.state import State

HOST = "127.0.0.1"
"""Where the servers listen that make ui and make serve start."""

PORTS = {"Prefect": 4200, "MLflow": 5000}
"""On which ports, if nobody wishes for another."""

PREFECT, MLFLOW = (f"http://{HOST}:{port}" for port in PORTS.values())

EXPERIMENT = "martingale-lab"
"""The experiment of MLflow's that holds the runs."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Addresses of the two servers, without a slash at their ends."""

    prefect: str = PREFECT
    mlflow: str = MLFLOW

    @classmethod
    def of(cls, state: State) -> Self:
        """Those that were last served over a state folder, or that this process was told of."""
        try:
            served = orjson.loads(state.pages.read_bytes())
            prefect, mlflow = str(served["prefect"]), str(served["mlflow"])
        except (OSError, ValueError, KeyError, TypeError):
            prefect, mlflow = PREFECT, MLFLOW
        told = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", ""))
        if told.scheme in {"http", "https"}:
            host = told.netloc.rpartition("@")[2]  # a link holds no password
            mlflow = f"{told.scheme}://{host}{told.path}".rstrip("/")
        return cls(prefect, mlflow)

    @classmethod
    def local(cls, prefect: int, mlflow: int) -> Self:
        """Those on two ports of this machine."""
        return cls(f"http://{HOST}:{prefect}", f"http://{HOST}:{mlflow}")

    def serve(self, state: State) -> None:
        """Remember them: links to them are good as long as something serves there."""
        state.pages.write_bytes(orjson.dumps({"prefect": self.prefect, "mlflow": self.mlflow}))

    def flow_run(self, flow_run_id: str) -> str:
        """The page of a flow run of Prefect's."""
        return f"{self.prefect}/runs/flow-run/{flow_run_id}"

    def home(self) -> str:
        """The runs in MLflow, which is asked for their experiment; its first page where it does not know or answer."""
        question = f"{self.mlflow}/api/2.0/mlflow/experiments/get-by-name?experiment_name={EXPERIMENT}"
        try:
            return self.experiment(orjson.loads(fetch(question))["experiment"]["experiment_id"])
        except (OSError, ValueError, KeyError):
            return self.mlflow

    def experiment(self, experiment_id: str, view: str = "runs") -> str:
        """The runs of an experiment of MLflow's, or their ``cells``, as a table with the columns that matter."""
        return (
            f"{self.mlflow}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={view}"
        )

    def mlflow_run(self, mlflow_run_id: str) -> str:
        """The page of a run of MLflow's, whatever its experiment."""
        return f"{self.mlflow}/#/runs/{mlflow_run_id}"

    def report(self, mlflow_run_id: str, experiment_id: str = "0") -> str:
        """The report of a run, among its artifacts. MLflow finds it under the id of any experiment."""
        place = f"experiments/{experiment_id}/runs/{mlflow_run_id}/artifacts/report.html"
        return f"{self.mlflow}/#/{place}?workflowType=machine_learning"
