"""``make ui``: the Prefect and the MLflow pages on 127.0.0.1, over the state of this folder, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from flows.server import SETTINGS, STARTUP_S, address_file, healthy
from mlab.errors import LabError
from mlab.identity import State
from mlab.pages import Pages

HOST = "127.0.0.1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Start both servers and wait; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m flows.ui", description="Open the pages of Prefect and MLflow.")
    parser.add_argument("--prefect-port", type=int, default=4200, metavar="PORT", help="default: 4200")
    parser.add_argument("--mlflow-port", type=int, default=5000, metavar="PORT", help="default: 5000")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        _serve(State.here(), options.prefect_port, options.mlflow_port)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 0
    return 0


def _serve(state: State, prefect_port: int, mlflow_port: int) -> None:
    for name, port in (("--prefect-port", prefect_port), ("--mlflow-port", mlflow_port)):
        _check_free(name, port)
    state.prefect.mkdir(parents=True, exist_ok=True)
    print(f"Starting the servers over {state.root}; this takes about ten seconds.", flush=True)
    address = address_file(state)
    if not state.mlflow_database.exists():  # made whole before anybody uses it: a run that begins now might
        _start_python(state, "mlab.tracking.destination").wait()
    servers = [_prefect(state, prefect_port), _mlflow(state, mlflow_port)]
    try:
        _wait(f"http://{HOST}:{prefect_port}/api/health", servers[0], state)
        _wait(f"http://{HOST}:{mlflow_port}/health", servers[1], state)
        pages = Pages(f"http://{HOST}:{prefect_port}", f"http://{HOST}:{mlflow_port}")
        pages.serve(state)
        address.write_text(f"{pages.prefect}/api")
        print(f"Prefect  {pages.prefect}   runs as they happen")
        print(f"MLflow   {pages.mlflow}   results side by side")
        print("Ctrl-C ends both.", flush=True)
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        raise LabError(f"a server ended by itself; see {state.root / 'ui.log'}")
    finally:
        address.unlink(missing_ok=True)
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(10.0)


def _prefect(state: State, port: int) -> subprocess.Popen[bytes]:
    # The server answers its pages with the address of its API: it has to be told.
    own = {"PREFECT_HOME": str(state.prefect), "PREFECT_API_URL": f"http://{HOST}:{port}/api"}
    return _start(state, ["prefect", "server", "start", "--host", HOST, "--port", str(port)], SETTINGS | own)


def _mlflow(state: State, port: int) -> subprocess.Popen[bytes]:
    # One worker and no job runner: otherwise MLflow starts 15 processes.
    command = ["mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    store = [
        "--backend-store-uri",
        f"sqlite:///{state.mlflow_database}",
        "--artifacts-destination",
        str(state.artifacts),
    ]
    own = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return _start(state, [*command, *store], own)


def _start_python(state: State, module: str) -> subprocess.Popen[bytes]:
    return _start(state, [Path(sys.executable).name, "-m", module], {"MLAB_STATE_DIR": str(state.root)})


def _start(state: State, command: list[str], settings: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a program that stands beside this Python."""
    program = Path(sys.executable).with_name(command[0])
    with (state.root / "ui.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - programs of our own environment
            [str(program), *command[1:]],
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait(url: str, server: subprocess.Popen[bytes], state: State) -> None:
    deadline = time.monotonic() + STARTUP_S
    while not healthy(url):
        if server.poll() is not None or time.monotonic() > deadline:
            raise LabError(f"{url} does not answer; see {state.root / 'ui.log'}")
        time.sleep(0.2)


def _check_free(option: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise LabError(f"port {port} is not free: end what uses it, or choose another with {option}") from error


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
