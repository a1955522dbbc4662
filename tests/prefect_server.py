"""A Prefect API for tests: ``python -m tests.prefect_server PORT [USERS]``, lighter than the whole server.

With USERS, a file on which everyone who uses it has a shared lock, it ends with the last of them.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import uvicorn

from mlab.core.loading import uncollected
from mlab.core.lock import locked

with uncollected():
    from prefect.server.api.server import create_app


def main(port: int, users: Path | None) -> None:
    parent = os.getppid()
    server = uvicorn.Server(uvicorn.Config(create_app(ephemeral=True), "127.0.0.1", port, log_level="error"))

    def end_with_the_last() -> None:
        while not (unused(users) if users else os.getppid() != parent):
            time.sleep(0.5)
        time.sleep(0.5)  # it writes what it is told a little later
        server.should_exit = True
        time.sleep(10.0)
        os._exit(1)

    threading.Thread(target=end_with_the_last, daemon=True).start()
    server.run()


def unused(users: Path) -> bool:
    """Whether nobody shares the file any longer, or it is gone with its folder."""
    try:
        with users.open("r+b") as lock:
            return locked(lock, shared=False) is not False
    except FileNotFoundError:
        return True


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
