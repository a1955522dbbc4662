"""The programs by which runs are seen and scheduled: Prefect's server, MLflow's, and a worker of Prefect's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote

import click
import psutil

from mlab.core import lock, pidfiles
from mlab.core.errors import LabError
from mlab.core.probe import answers, bypass_proxies, leave_out_socks, wait_until
from mlab.core.state import State
from mlab.core.urls import Pages

SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
"""What keeps Prefect to its own affairs."""

DATABASE = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")
"""How the variables begin that name Prefect another database."""

STARTUP_S = 120.0
"""Longest start of a server: the very first one on a slow disk also creates its database."""

HOST = "127.0.0.1"
PORTS = {"Prefect": 4200, "MLflow": 5000}
POOL = "martingale"
HOME = Path(__file__).resolve().parents[1]
"""The checkout, from where flows are loaded."""

END_S = 15.0
"""Longest time that a program takes to end in order; a search that it executes is stopped meanwhile."""


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


def port_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let people choose where the servers listen; an argument ``prefect`` and one ``mlflow``."""
    for name, port in reversed(PORTS.items()):
        option = click.option(
            _option(name), name.lower(), type=int, metavar="PORT", help=f"Where it listens (default: {port})."
        )
        command = option(command)
    return command


def chosen_ports(state: State, wanted: Mapping[str, int | None]) -> dict[str, int]:
    """Where each server listens already, or is to; ``wanted`` by its name in small letters.

    Raises:
        LabError: a port is in use, or another was wished for than that on which a server listens.
    """
    return {name: _port(state, name, wanted[name.lower()]) for name in PORTS}


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


def tell(pages: Pages) -> None:
    """Print where people look."""
    print(f"Prefect  {pages.prefect}   runs as they happen")
    print(f"MLflow   {pages.home()}   results side by side")


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
            process = program.start(state, "-m", "mlab.core.kept", program.name, str(parent))
            started(program, process)
        waiting.append((program, process))
    for program, process in waiting:
        program.wait(state, process)


def _port(state: State, name: str, wanted: int | None) -> int:
    """Where a server is to listen: where it did, for a worker may look for it there."""
    found = pidfiles.known(state, name)
    if found is not None and wanted not in {None, found.port}:
        raise LabError(f"{name} listens on port {found.port} already: make stop-serve ends it")
    port = found.port if found else PORTS[name] if wanted is None else wanted
    if not pidfiles.alive(state, name):
        _check_free(_option(name), port)
    elif found is None:
        raise LabError(f"{name} runs over {state.root} already: end the mlab ui that has started it")
    return port


def _option(name: str) -> str:
    return f"--{name.lower()}-port"


def _check_free(option: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise LabError(f"port {port} is not free: end what uses it, or choose another with {option}") from error


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


def _log(state: State, name: str) -> Path:
    return state.services / f"{name.lower()}.log"


# Who answers


def prefect_api(state: State) -> str | None:
    """The address of the Prefect of this state folder: PREFECT_API_URL, or what make ui or make serve has started."""
    told = os.environ.get("PREFECT_API_URL")
    if told:
        return told
    try:
        url = address_file(state).read_text().strip()
    except OSError:
        return None
    # A copy of the folder has the address, too, but nobody serves that one.
    served = lock.held(pidfiles.record(state, "Prefect")) is not False
    return url if served and url.startswith(f"http://{HOST}:") and answers(f"{url}/health") else None


def configure(state: State, api: str) -> None:
    """Have Prefect, which reads this when it is imported, keep to this API and to the state folder."""
    ask_directly()
    os.environ.update(state.environment())
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(state.prefect))
    os.environ["PREFECT_API_URL"] = api


def ask_directly() -> None:
    """Have Prefect's libraries ask this machine's servers without a proxy, here and in what is started from here."""
    bypass_proxies()
    leave_out_socks()


def address_file(state: State) -> Path:
    """Where the address of the API of this state folder is written, by ``make ui`` or ``make serve``."""
    return state.prefect / "api-url"
