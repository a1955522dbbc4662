"""MLflow as runs are delivered to it: its database made whole, the experiment found, each run made once."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.store.db.utils import _all_tables_exist, _verify_schema, create_sqlalchemy_engine
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from mlflow.utils.rest_utils import http_request

from mlab.core.lock import LOCK_WAIT_S, alone
from mlab.core.probe import ANSWER_S
from mlab.core.redaction import redacted
from mlab.core.state import State
from mlab.core.urls import EXPERIMENT, Pages
from mlab.tracking import views
from mlab.tracking.apart import sqlite_files
from mlab.tracking.database import address, follow_folder
from mlab.tracking.faults import LONGEST, reason
from mlab.tracking.mode import check_writable, is_server, tracking_uri

TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": "A score ranks ladders within one cell only: before you sort by score, "
    "filter by overlap_pct and num_orders.",
    **views.tags(),
}
"""Makes MLflow take the experiment for runs with metrics, not for traces of a language model; what it says of it."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client of MLflow, and the experiment that holds the runs."""

    mlflow: MlflowClient
    experiment: str

    @classmethod
    def open(cls, state: State) -> Self:
        """MLflow at ``MLFLOW_TRACKING_URI``, or its database in the state folder, made where there is none.

        Raises:
            ConfigError: that names a folder, or a database of another's.
        """
        if uri := tracking_uri(state):
            check_writable(uri)
            mlflow = MlflowClient(uri)
            # A server has a place for artifacts; without one they would lie wherever this process works.
            return cls(mlflow, _experiment(mlflow, None if is_server(uri) else state.artifacts.as_uri()))
        with alone(state.root / "mlflow.lock", wait_s=LOCK_WAIT_S):
            if not state.mlflow_database.exists():
                _make_database(state)
            follow_folder(state)
            mlflow = MlflowClient(address(state.mlflow_database))
            return cls(mlflow, _experiment(mlflow, state.artifacts.as_uri()))

    def run(self, key: str, name: str, began: int | None, tags: dict[str, str]) -> str:
        """The run with the tag ``mlab.key``, made where there is none, running again where it was cut.

        A request to make one may be carried out though its answer is lost, even after the next: what was made
        twice is deleted, but for the one that has been written to.
        """
        found = self.mlflow.search_runs([self.experiment], f"tags.`mlab.key` = '{key}'")
        if not found:
            tags = {**tags, "mlab.key": key, MLFLOW_RUN_NAME: name}
            return str(self.mlflow.create_run(self.experiment, began, tags).info.run_id)
        kept, *doubles = sorted(found, key=lambda run: (-len(run.data.metrics), run.info.start_time, run.info.run_id))
        for double in doubles:
            self.mlflow.delete_run(double.info.run_id)
        if kept.info.status not in {"FINISHED", "RUNNING"}:
            self.mlflow.update_run(kept.info.run_id, status="RUNNING")
        return str(kept.info.run_id)


def _make_database(state: State) -> None:
    """Let MLflow make its tables aside, and put them in place whole.

    It makes them in a hundred steps, and never again finishes what was cut or what two processes did at once.
    """
    aside = state.root / "mlflow.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    made = aside / state.mlflow_database.name
    SqlAlchemyStore(address(made), state.artifacts.as_uri()).engine.dispose()  # type: ignore[no-untyped-call]
    made.rename(state.mlflow_database)
    aside.rmdir()


def _experiment(mlflow: MlflowClient, place: str | None) -> str:
    """The id of our experiment: found, made, or restored where somebody has deleted it."""
    found = mlflow.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return str(mlflow.create_experiment(EXPERIMENT, place, tags=TAGS))
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise
            return _experiment(mlflow, place)  # another process was faster
    if found.lifecycle_stage == "deleted":
        mlflow.restore_experiment(found.experiment_id)
    for key in TAGS.keys() - found.tags.keys():  # what somebody has changed stays as it is
        mlflow.set_experiment_tag(found.experiment_id, key, TAGS[key])
    return str(found.experiment_id)


def refusal(uri: str) -> str:
    """Why MLflow does not answer what a delivery asks first; empty where it does, or has nothing there yet.

    Nothing is made by asking. The page of a server for such questions would not tell: it answers those, too, to whom it
    refuses everything else.
    """
    try:
        return _server_refusal(uri) if is_server(uri) else _database_refusal(uri)
    except Exception as error:  # noqa: BLE001 - whatever MLflow and what is below it may raise
        return reason(error)


def _server_refusal(uri: str) -> str:
    question = "/api/2.0/mlflow/experiments/search"
    host = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
    most = {"max_results": 1}
    answer = http_request(host, question, "GET", timeout=ANSWER_S, max_retries=0, params=most)  # type: ignore[no-untyped-call]
    return "" if answer.status_code == HTTPStatus.OK else f"{answer.status_code} {redacted(answer.text)}"[:LONGEST]


def _database_refusal(uri: str) -> str:
    files = sqlite_files(uri)
    if uri.startswith("databricks") or (files and not any(file.exists() for file in files)):
        return ""
    os.environ.setdefault("PGCONNECT_TIMEOUT", f"{ANSWER_S:.0f}")
    engine = create_sqlalchemy_engine(uri)  # type: ignore[no-untyped-call]
    try:
        if _all_tables_exist(engine):  # type: ignore[no-untyped-call]
            _verify_schema(engine)  # type: ignore[no-untyped-call]
    finally:
        engine.dispose()
    return ""


if __name__ == "__main__":  # for who wants the database before anything is delivered, and the address of its page
    print(Pages.of(State.here()).experiment(Client.open(State.here()).experiment))  # noqa: T201 - its answer
