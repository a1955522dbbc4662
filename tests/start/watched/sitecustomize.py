"""Notes in the file WATCH_LOG what this process, and any Python that it starts, writes outside WATCH_FOLDER."""

import os
import sys
from typing import Any

from tests import pace

pace.Begin(pace.shorten)

FOLDER = os.environ["WATCH_FOLDER"]
LOG = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def note(event: str, arguments: tuple[Any, ...]) -> None:
    wrote = event == "os.mkdir" or (event == "open" and arguments[2] & WRITES)
    if wrote and isinstance(arguments[0], str | bytes):
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - in a hook, as little as can be
        if not path.startswith((FOLDER, "/dev/", "/proc/")):
            os.write(LOG, f"{path}\n".encode())


sys.addaudithook(note)
