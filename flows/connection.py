"""The Prefect in which the runs of a state folder are shown: its address, and what keeps it to its own affairs."""

from __future__ import annotations

import os
from pathlib import Path

from mlab.core import lock, pidfiles
from mlab.core.probe import answers, bypass_proxies, leave_out_socks
from mlab.core.state import State
from mlab.core.urls import HOST

SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
"""What keeps Prefect to its own affairs."""


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
