"""``mlab ui``: the Prefect and the MLflow pages on 127.0.0.1, over the state of this folder, until Ctrl-C."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress

import click

from flows import services
from mlab.core.errors import LabError
from mlab.core.process import Terminated
from mlab.core.state import State


@click.command()
@services.port_options
def ui(**wanted: int | None) -> None:
    """Open the pages of Prefect and MLflow on 127.0.0.1, until Ctrl-C."""
    with suppress(KeyboardInterrupt, Terminated):
        _serve(State.here(), wanted)


def _serve(state: State, wanted: Mapping[str, int | None]) -> None:
    ports = services.chosen_ports(state, wanted)
    servers: list[subprocess.Popen[bytes]] = []
    print(f"Starting the servers over {state.root}; this takes about ten seconds.", flush=True)
    try:
        services.tell(services.open_pages(state, ports, lambda _, process: servers.append(process)))
        if not servers:
            print("make serve has started both; make stop-serve ends them.")
            return
        print("Ctrl-C ends both.", flush=True)
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        raise LabError(f"a server ended by itself; see {state.services}")
    finally:
        if servers:
            services.address_file(state).unlink(missing_ok=True)
        for server in servers:
            services.end(server.pid)
