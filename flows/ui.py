"""``make ui``: the Prefect and the MLflow pages on 127.0.0.1, over the state of this folder, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from flows import services
from flows.server import address_file
from mlab.core.errors import LabError
from mlab.core.state import State


def main(arguments: Sequence[str] | None = None) -> int:
    """Start both servers and wait; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m flows.ui", description="Open the pages of Prefect and MLflow.")
    services.add_ports(parser)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        _serve(State.here(), options)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 0
    return 0


def _serve(state: State, options: argparse.Namespace) -> None:
    ports = services.chosen_ports(state, options)
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
            address_file(state).unlink(missing_ok=True)
        for server in servers:
            services.end(server.pid)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
