"""The Prefect API that a local run talks to: one that is up already, or a server of its own for a while.

Prefect would start such a server by itself, but as part of the run: it would wait for it twice as long, and
an interrupt from the keyboard would end the server before the run could report how it ended.
Nothing here imports Prefect before the server's own process does: its settings are environment variables.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from mlab.errors import LabError
from mlab.identity import State
from mlab.redaction import RedactedStream

STARTUP_S = 120.0
"""Longest start: the very first one on a slow disk also creates Prefect's database."""

SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "mlab",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
}
"""What the events need to reach the flow run's log, and the terminal to stay readable."""


class PrefectServer:
    """The API for one run; a context. ``PREFECT_API_URL`` or the server of ``make ui`` is used where it answers."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._process: subprocess.Popen[bytes] | None = None
        self.url = os.environ.get("PREFECT_API_URL") or _published(state)

    def __enter__(self) -> Self:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        os.environ.setdefault("PREFECT_HOME", str(self._state.prefect))
        if self.url is None:
            port = _free_port()
            self.url = f"http://127.0.0.1:{port}/api"
            self._process = self._start(port)
        os.environ["PREFECT_API_URL"] = self.url
        return self

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        self._state.prefect.mkdir(parents=True, exist_ok=True)
        with (self._state.prefect / "server.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own module on a port of our own choice
                [sys.executable, "-m", "flows.server", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt from the keyboard is for the run alone
            )

    def wait(self) -> None:
        """Wait until the API answers.

        Raises:
            LabError: it does not.
        """
        deadline = time.monotonic() + STARTUP_S
        while not healthy(f"{self.url}/health"):
            if self._process is None:
                raise LabError(f"Prefect does not answer at {self.url}; check PREFECT_API_URL")
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"Prefect does not answer at {self.url}; see {self._state.prefect / 'server.log'}")
            time.sleep(0.1)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()


def address_file(state: State) -> Path:
    """Where ``make ui`` writes the address of its Prefect API."""
    return state.prefect / "api-url"


def _published(state: State) -> str | None:
    """The address of the server of ``make ui``, if it is up."""
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
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve(port: int) -> None:
    """Run the API in this process until it is terminated or the run that wanted it is gone."""
    parent = os.getppid()

    def end_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.stdout, sys.stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
    import uvicorn
    from prefect.server.api.server import create_app

    uvicorn.run(create_app(ephemeral=True), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
