"""The streams of a command: a closed one, a full disk behind one or a reader that has gone never spoils its work."""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO

from mlab.core.errors import LabError, reason


class OutputError(LabError):
    """The answer of a command could not be written."""


def mend() -> None:
    """Give this process streams that can be used, for it and what it starts; called once, before anything is printed.

    A stream that is closed leads nowhere, as does one whose reader has gone, such as ``head``. What stands on standard
    error is told beside the work, which goes on where it cannot be written. An answer that cannot be written is an
    error, :class:`OutputError`.
    """
    for number in range(3):  # or the next file that is opened would be taken for a stream
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - takes no name
    sys.stdout, sys.stderr = _text(sys.stdout, _Answer(1)), _text(sys.stderr, _Beside(2))


def styled(stream: TextIO) -> bool:
    """Whether it is a terminal that takes colours, and lines drawn anew."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write(text: str) -> None:
    """Print what programs read (CSV, JSON, HTML): in UTF-8, as in a file, whatever the terminal speaks."""
    sys.stdout.flush()
    if binary := getattr(sys.stdout, "buffer", None):
        binary.write(text.encode())
        binary.flush()
    else:  # of a notebook
        sys.stdout.write(text)


class _Beside(io.FileIO):
    """A stream that takes everything, whether it can be written or not."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)

    def write(self, data: Any) -> int:
        """Write, and wait where the other end is a pipe that would rather not."""
        try:
            while (written := super().write(data)) is None:
                select.select([], [self], [])
        except OSError as error:
            self.failed(error)
            return len(data)
        return written

    def failed(self, error: OSError) -> None:
        """What follows from that."""


class _Answer(_Beside):
    """A stream that says where it cannot be written, but for a reader that has read enough."""

    def failed(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            raise OutputError(f"standard output cannot be written: {reason(error)}") from error


def _text(before: TextIO | None, raw: io.FileIO) -> TextIO:
    """A text stream in the encoding of the one before; what that lacks is spelt out."""
    if before is not None:
        with suppress(OSError):
            before.flush()
    encoding = before.encoding if before is not None else "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)
