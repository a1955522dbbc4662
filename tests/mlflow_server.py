"""The real MLflow server in this process, behind a door that fails as it is told to."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import pytest
from mlflow import MlflowClient
from werkzeug.serving import BaseWSGIServer, make_server

from mlab.core.state import State
from tests import runs

Fault = Literal["refused", "403", "500", "slow", "cut", "lost"]
"""Nobody listens; an answer that refuses, or an error; one that comes when nobody waits any more; cut off before or
after it is done."""

SLOW_S = 3.0


def always(_path: str) -> bool:
    return True


class Server:
    """MLflow over a folder, at an address that stays the same while it is down."""

    def __init__(self, root: Path, app: Callable[..., Iterable[bytes]]) -> None:
        self.database, self._app = root / "mlflow.db", app
        self.fault: Fault | None = None
        self.hit: Callable[[str], bool] = always
        self.requests = 0
        self._server: BaseWSGIServer | None = None
        self._place = socket.socket()  # bound and never listening: nobody else gets the port while the server is down
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self._port: int = self._place.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self._port, self._door, threaded=True)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()  # only then is its socket closed
            self._server = None

    def close(self) -> None:
        self.stop()
        self._place.close()

    def _door(self, environ: dict[str, Any], respond: Callable[..., Any]) -> Iterable[bytes]:
        self.requests += 1
        path: str = environ["PATH_INFO"]
        fault = self.fault if self.hit("artifacts" if "artifacts" in path else path.rpartition("/mlflow/")[2]) else None
        if fault == "403":
            respond("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"Invalid Host header - possible DNS rebinding attack detected"]
        if fault == "500":
            respond("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"no"]
        if fault == "slow":
            time.sleep(SLOW_S)
        if fault == "cut":
            self._hang_up(environ)
        answer = list(self._app(environ, respond))
        if fault == "lost":
            self._hang_up(environ)
        return answer

    def _hang_up(self, environ: dict[str, Any]) -> None:
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError  # which the server takes for a client that is gone

    def points(self, run_id: str) -> list[tuple[str, str, int, int]]:
        """Of the MLflow runs that belong to a run: cell, key, step, and how often it is there."""
        return self._query(
            "SELECT substr(t.value, 23), m.key, m.step, count(*) FROM metrics m JOIN tags t USING (run_uuid) "
            "JOIN runs USING (run_uuid) WHERE t.key = 'mlab.key' AND substr(t.value, 1, 22) = ? "
            "AND lifecycle_stage = 'active' GROUP BY t.value, m.run_uuid, m.key, m.step ORDER BY 1, 2, 3",
            run_id,
        )

    def endings(self, run_id: str) -> list[tuple[str, str]]:
        """Cell and status of the MLflow runs that belong to a run."""
        return self._query(
            "SELECT substr(t.value, 23), status FROM runs JOIN tags t USING (run_uuid) WHERE t.key = 'mlab.key' "
            "AND substr(t.value, 1, 22) = ? AND lifecycle_stage = 'active' ORDER BY 1",
            run_id,
        )

    def _query(self, statement: str, run_id: str) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(statement, (run_id,)).fetchall()


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """A server over a new folder."""
    runs.furnish(State(root))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_TRACKING_URI", "")  # the server sets it; so it is unset again in the end
        environment.delenv("MLFLOW_TRACKING_URI")
        environment.setenv("_MLFLOW_SERVER_FILE_STORE", f"sqlite:///{root / 'mlflow.db'}")
        environment.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", str(root / "artifacts"))
        environment.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
        environment.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
        from mlflow.server import app, handlers  # noqa: PLC0415 - reads the environment

        for made in ("_tracking_store", "_artifact_repo"):  # of another folder, by an earlier one in this process
            environment.setattr(handlers, made, None)
        server = Server(root, app)
        try:
            MlflowClient(server.url).search_experiments()  # opens its database, which takes a second
            environment.delenv("MLFLOW_TRACKING_URI", raising=False)
            yield server
        finally:
            server.close()
