"""The Prefect API that local runs talk to: one that is up already, or one of their own for a while.

Prefect would start such a server by itself, but for every run another, and all over the same database. Here the first
run starts it, runs that begin meanwhile find it by its address, and it ends with the last of them.
Nothing here imports Prefect before the server's own process does: its settings are environment variables.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlab.core.errors import LabError
from mlab.core.redaction import RedactedStream
from mlab.core.state import State

STARTUP_S = 120.0
"""Longest start: the very first one on a slow disk also creates Prefect's database."""

PATIENCE_S = 10.0
"""Longest wait for the first answer of an API that others have started."""

SETTLE_S = 0.5
"""How long the server goes on after the last has left: it writes what it is told a little later."""

ENDING_S = 10.0
"""Longest time that it takes to write the events that it holds, and to end."""

SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
"""What keeps Prefect to its own affairs."""


@contextmanager
def api(state: State) -> Iterator[str]:
    """The address of an API that answers, while the context lasts; Prefect is told of it.

    Raises:
        LabError: there is none.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(state.prefect))
    state.prefect.mkdir(parents=True, exist_ok=True)
    with (state.prefect / "users").open("ab") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        url = os.environ.get("PREFECT_API_URL") or _shared(state)
        wait(f"{url}/health", PATIENCE_S, f"Prefect does not answer at {url}; check PREFECT_API_URL")
        os.environ["PREFECT_API_URL"] = url
        yield url


@contextmanager
def turn(state: State) -> Iterator[None]:
    """One process at a time is in here."""
    with (state.prefect / "turn").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _shared(state: State) -> str:
    """The address of the server of this state folder, started where there is none."""
    with turn(state):
        url = _published(state)
        if url is None:
            port = _free_port()
            url = f"http://127.0.0.1:{port}/api"
            server = _start(state, port)
            log = state.prefect / "server.log"
            wait(f"{url}/health", STARTUP_S, f"Prefect does not start; see {log}", lambda: server.poll() is None)
            address_file(state).write_text(url)
        return url


def _start(state: State, port: int) -> subprocess.Popen[bytes]:
    with (state.prefect / "server.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module on a port of our own choice
            [sys.executable, "-m", "flows.server", str(port), str(state.prefect / "users")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait(url: str, seconds: float, failure: str, alive: Callable[[], bool] = lambda: True) -> None:
    """Wait until ``url`` answers.

    Args:
        url: of a server.
        seconds: longest wait.
        failure: what to say then, or where the server has ended.
        alive: whether it has not.

    Raises:
        LabError: it does not answer.
    """
    deadline = time.monotonic() + seconds
    while not healthy(url):
        if not alive() or time.monotonic() > deadline:
            raise LabError(failure)
        time.sleep(0.1)


def address_file(state: State) -> Path:
    """Where the address of the API of this state folder is written, by ``make ui`` or by the run that started one."""
    return state.prefect / "api-url"


def _published(state: State) -> str | None:
    """The address of the server that is up."""
    try:
        url = address_file(state).read_text().strip()
    except OSError:
        return None
    return url if url.startswith("http://127.0.0.1:") and healthy(f"{url}/health") else None


def healthy(url: str) -> bool:
    """Whether ``url`` answers."""
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:  # noqa: S310 - http, by construction
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def answers(url: str) -> bool:
    """Whether anything answers at ``url``, be it with an error."""
    try:
        with urllib.request.urlopen(url, timeout=2.0):  # noqa: S310 - as Prefect was told
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve(port: int, users: Path | None) -> None:
    """Run the API in this process until it is terminated, or who started it is gone and nobody else uses it.

    Args:
        port: on 127.0.0.1.
        users: a file on which everyone who uses the API has a shared lock.
    """
    parent = os.getppid()
    sys.stdout, sys.stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
    import uvicorn
    from prefect.server.api.server import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(ephemeral=True), "127.0.0.1", port, log_level="error"))

    def end_with_the_last() -> None:
        while os.getppid() == parent or not _unused(users):
            time.sleep(1.0)
        time.sleep(SETTLE_S)
        server.should_exit = True
        time.sleep(ENDING_S)
        os._exit(1)

    threading.Thread(target=end_with_the_last, daemon=True).start()
    server.run()


def _unused(users: Path | None) -> bool:
    """Whether nobody has a lock; where that is so, whoever comes has to wait until this process is gone."""
    if users is None:
        return True
    lock = os.open(users, os.O_RDWR)  # a number, which nobody closes but the end of the process
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
