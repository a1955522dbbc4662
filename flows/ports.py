"""Where the servers of Prefect and MLflow listen on this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

import click

from mlab.core import pidfiles
from mlab.core.errors import LabError
from mlab.core.state import State
from mlab.core.urls import HOST, PORTS


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Let people choose where the servers listen; an argument ``prefect`` and one ``mlflow``."""
    for name, port in reversed(PORTS.items()):
        option = click.option(
            _option(name), name.lower(), type=int, metavar="PORT", help=f"Where it listens (default: {port})."
        )
        command = option(command)
    return command


def chosen(state: State, wanted: Mapping[str, int | None]) -> dict[str, int]:
    """Where each server listens already, or is to; ``wanted`` by its name in small letters.

    Raises:
        LabError: a port is in use, or another was wished for than that on which a server listens.
    """
    return {name: _port(state, name, wanted[name.lower()]) for name in PORTS}


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
