"""The programs by which runs are seen and scheduled: Prefect's server, MLflow's, and a worker of Prefect's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote

import psutil

from flows.connection import SETTINGS, address_file, ask_directly
from mlab.core import pidfiles
from mlab.core.errors import LabError
from mlab.core.keeper import END_S
from mlab.core.probe import answers, wait_until
from mlab.core.state import State
from mlab.core.urls import HOST, Pages

DATABASE = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")
"""How the variables begin that name Prefect another database."""

STARTUP_S = 120.0
"""Longest start of a server: the very first one on a slow disk also creates its database."""

POOL = "martingale"
HOME = Path(__file__).resolve().parents[1]
"""The checkout, from where flows are loaded."""


@dataclass(frozen=True, slots=True)
class Program:
    """One that this Python executes: one beside it names the folder in which it was installed, and that may have moved.

    Attributes:
        name: as people call it.
        command: what follows ``python``.
        settings: its environment, beside that of this process.
        health: an address that answers once it is up.
        port: where it listens; 0 = nowhere.
    """

    name: str
    command: tuple[str, ...]
    settings: Mapping[str, str] = field(repr=False)
    health: str
    port: int = 0

    def start(self, state: State, *keeper: str) -> subprocess.Popen[bytes]:
        """Start it, by a keeper where there is one; it outlives this process."""
        from mlab.tracking import absolute_addresses

        log = _log(state, self.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as told:
            return subprocess.Popen(  # noqa: S603 - programs of our own environment
                [sys.executable, *keeper, *self.command],
                cwd=HOME,
                env={**os.environ, **absolute_addresses(), **self.settings, **state.environment()},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )

    def wait(self, state: State, process: subprocess.Popen[bytes] | None) -> None:
        """Wait until it is up; the process is known where it was started here.

        Raises:
            LabError: it has ended, or does not answer.
        """

        def dead() -> bool:
            return process.poll() is not None if process else not pidfiles.alive(state, self.name)

        wait_until(lambda: answers(self.health) or dead(), STARTUP_S)
        if not answers(self.health):
            raise LabError(f"{self.name} does not answer; see {_log(state, self.name)}")


def _log(state: State, name: str) -> Path:
    return state.services / f"{name.lower()}.log"


Started: TypeAlias = Callable[[Program, "subprocess.Popen[bytes]"], None]


def prefect(state: State, port: int) -> Program:
    """The server of Prefect, with its page and its scheduler."""
    url = f"http://{HOST}:{port}/api"
    # The server answers its pages with the address of its API: it has to be told.
    command = ("-m", "prefect", "server", "start", "--host", HOST, "--port", str(port))
    return Program("Prefect", command, _of_prefect(state, url), f"{url}/health", port)


def mlflow(state: State, port: int) -> Program:
    """The server of MLflow: one process and no job runner, where it would start 15.

    Raises:
        ConfigError: its database is to be one of another's.
    """
    from mlab.tracking import address, tracking_uri

    command = ("-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1")
    database = tracking_uri(state, "MLFLOW_BACKEND_STORE_URI") or address(state.mlflow_database)
    own = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    own |= {"MLFLOW_LOGGING_LEVEL": "INFO"}  # quiet is what tracking makes the library in this process
    own |= {"MLFLOW_BACKEND_STORE_URI": database}  # no argument, which others could read: it may hold a password
    places = ("--artifacts-destination", state.artifacts.as_uri())
    return Program("MLflow", (*command, *places), own, f"http://{HOST}:{port}/health", port)


def worker(state: State, pages: Pages) -> Program:
    """Executes the flow runs of the deployments; makes their work pool."""
    url = f"{pages.prefect}/api"
    command = ("-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process")
    own = _of_prefect(state, url) | {"MLAB_HOME": str(HOME), "PREFECT_WORKER_QUERY_SECONDS": "3"}  # people wait
    return Program("worker", command, own, f"{url}/work_pools/{POOL}")


def _of_prefect(state: State, url: str) -> dict[str, str]:
    own = SETTINGS | {"PREFECT_HOME": str(state.prefect), "PREFECT_API_URL": url}
    place = str(state.prefect_database)
    if unquote(place.partition("?")[0]) != place and not any(name.startswith(DATABASE) for name in os.environ):
        # Prefect itself would name it without quotes, and have it elsewhere.
        own["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{quote(place)}"
    return own


# Both servers


def open_pages(state: State, ports: dict[str, int], started: Started, parent: int = 0) -> Pages:
    """Start the servers that do not run, wait until both are up, and note where they are.

    They end with their parent where its process id is given.

    Raises:
        LabError: one of them does not start.
    """
    from mlab.tracking import check_writable, follow_folder, tracking_uri

    ask_directly()
    elsewhere = tracking_uri(state, "MLFLOW_BACKEND_STORE_URI")
    check_writable(elsewhere, "MLFLOW_BACKEND_STORE_URI")
    follow_folder(state)
    if not (state.mlflow_database.exists() or elsewhere):
        # Made whole before anybody uses it: a run that begins now might.
        made = ("-m", "mlab.tracking.client")
        Program("MLflow", made, {"MLFLOW_TRACKING_URI": ""}, "").start(state).wait()
    ensure(state, started, prefect(state, ports["Prefect"]), mlflow(state, ports["MLflow"]), parent=parent)
    pages = Pages.local(ports["Prefect"], ports["MLflow"])
    pages.serve(state)
    address_file(state).write_text(f"{pages.prefect}/api")
    return pages


def ensure(state: State, started: Started, *programs: Program, parent: int = 0) -> None:
    """Start those that do not run in the background, and wait until all are up.

    Args:
        state: the folder that they are over, with which they end.
        started: told of each that was started.
        programs: what has to run.
        parent: the process with which they end, too; 0 = with none.
    """
    waiting: list[tuple[Program, subprocess.Popen[bytes] | None]] = []
    for program in programs:
        process = None
        if not pidfiles.running(state, program.name):
            process = program.start(state, "-m", "mlab.core.keeper", program.name, str(parent))
            started(program, process)
        waiting.append((program, process))
    for program, process in waiting:
        program.wait(state, process)


# The end


def end(pid: int) -> None:
    """End a process, if it is there, with all that it has started: first what executes a run, which stops in order."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        family = process.children(recursive=True)
        _terminate(child for child in family if _is_flow_run(child))
        _terminate([process])
        _, left = psutil.wait_procs([*family, process], timeout=END_S)
        for one in left:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def _terminate(processes: Iterable[psutil.Process]) -> None:
    ended = []
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
            ended.append(one)
    psutil.wait_procs(ended, timeout=END_S)


def _is_flow_run(process: psutil.Process) -> bool:
    try:
        return any("prefect.engine" in part or "prefect.flow_engine" in part for part in process.cmdline())
    except psutil.Error:
        return False
