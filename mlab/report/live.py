"""Events as lines for people, on a terminal or in a pipe."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from mlab.core.errors import one_line
from mlab.core.events import debugging

SHOWN = frozenset({"ORCH.START", "BUILD.CONFIG"})
"""What is shown of a run that goes well, besides its first saved batch: the bar tells the rest."""


@contextmanager
def following(stream: TextIO) -> Iterator[None]:
    """Print events to ``stream`` while the context lasts; all of them with MLAB_DEBUG=1."""
    logger = logging.getLogger("mlab")
    before = logger.level, logger.propagate
    lines = _Lines(stream)
    logger.setLevel(logging.DEBUG if debugging() else logging.INFO)
    logger.propagate = False
    logger.addHandler(lines)
    try:
        yield
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before[0])
        logger.propagate = before[1]


class _Lines(logging.Handler):
    """Time, name and message of what is worth a line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream, self._saved = stream, False

    def emit(self, record: logging.LogRecord) -> None:
        """Print one event, or leave it to the event log."""
        event = getattr(record, "mlab", {})
        name = event.get("event")
        first_save = name == "ORCH.SAVE_OK" and not self._saved
        self._saved |= first_save
        if debugging() or first_save or name in SHOWN or record.levelno >= logging.WARNING:
            clock = str(event.get("ts", ""))[11:19]
            print(f"{clock}  {one_line(record.getMessage())}", file=self._stream, flush=True)
