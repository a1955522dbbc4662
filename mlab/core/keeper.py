"""``python -m mlab.core.keeper NAME PARENT -m MODULE ...``: a server that ends by itself once nobody can use it.

That is when the state folder is gone, and where PARENT is not 0, when the process of that id is no longer its parent.
Until then it has the lock of its record, by which all containers of the machine know that it runs.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mlab.core import lock, pidfiles
from mlab.core.state import State

LOOK_S = 1.0
"""Seconds between two looks."""

END_S = 15.0
"""Longest time that a server takes to end in order; a search that it executes is stopped meanwhile."""


def end_without(folder: Path, end: Callable[[], None], parent: int = 0) -> None:
    """Have ``end`` called, in a thread, once a folder is no longer where it was, or the parent process is another."""
    place = os.open(folder, os.O_RDONLY)

    def there() -> bool:
        try:
            return os.path.samestat(os.fstat(place), folder.stat()) and parent in {0, os.getppid()}
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # a network that is away for a while

    def watch() -> None:
        while there():
            time.sleep(LOOK_S)
        end()

    threading.Thread(target=watch, daemon=True).start()


def end_all() -> None:
    """End this process, which leads a group, with all that it has started."""
    for blow in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(0, blow)
        time.sleep(END_S)


def main(name: str, parent: int, module: str, *arguments: str) -> None:
    """Execute a program as ``python -m`` does, with its lock."""
    state = State.here()
    held = lock.taken(pidfiles.record(state, name))
    if held is None:
        sys.exit(f"error: {name} runs over {state.root} already")
    end_without(state.root, end_all, parent)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[4:])
