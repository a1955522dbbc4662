"""The errors a person may meet, each with the exit status of the command that ends with it."""

from __future__ import annotations

import errno

from mlab.core.redaction import redacted

REFUSALS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "a file would outgrow the limit on files; raise it with ulimit -f",
}
"""What the system refuses to write for, with a remedy."""


class LabError(Exception):
    """Any failure that is reported in one line rather than as a traceback; the line holds no secrets."""

    exit_status = 1

    def __init__(self, *args: object) -> None:
        super().__init__(*(one_line(redacted(text)) if isinstance(text, str) else text for text in args))


class ConfigError(LabError, ValueError):
    """The config is wrong: file, field, what it must be and what it was."""

    exit_status = 2

    def __init__(self, source: str, field: str, must: str, was: object = None) -> None:
        self.source, self.field, self.must, self.was = source, field, must, was
        line = f"{source}: {field}: {must}" if field else f"{source}: {must}"
        if was is not None:
            line += f", was {_shown(was)}"
        super().__init__(line)

    def __reduce__(self) -> tuple[object, ...]:
        """What makes the same error again: it may come from another process."""
        return type(self), (self.source, self.field, self.must, self.was), self.__dict__


class RunBusy(LabError):
    """Another process is executing that run."""

    exit_status = 3


class StoreError(LabError):
    """The database could not be opened, read or written."""

    exit_status = 4


class WorkerLost(LabError):
    """A process that searched a cell died."""


class EvaluationError(LabError, ValueError):
    """An evaluation produced something that is not a score."""


def reason(error: OSError) -> str:
    """Why the system has refused something, without the file."""
    return REFUSALS.get(error.errno or 0) or error.strerror or str(error)


def one_line(text: str) -> str:
    """Text as a terminal may show it: on one line, and without a character that would steer the terminal."""
    return text if text.isprintable() else repr(text)[1:-1]


def _shown(value: object) -> str:
    """One short line for any value."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."
