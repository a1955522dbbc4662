"""What goes wrong on the way to MLflow: in one line, and each kind of it once."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime

from mlab.core.errors import LabError
from mlab.core.redaction import redacted

LONGEST = 200  # characters of a fault that are shown


def worded(error: BaseException) -> str:
    """What lies at the bottom of a failure, and where."""
    if isinstance(error, LabError):
        return str(error)
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    return f"{redacted(f'MLflow at {uri}') if uri else 'MLflow'}: {reason(error)}"


def reason(error: BaseException) -> str:
    """What lies at the bottom of a failure, in one line; what MLflow wraps around it repeats it at length."""
    while (cause := _cause(error)) is not None:
        error = cause
    named = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    line = getattr(error, "strerror", None) or " ".join(named.split())
    return str(redacted(line))[:LONGEST]


def _cause(error: BaseException) -> BaseException | None:
    """What a failure was raised from, while handling, or around."""
    wrapped = (one for one in error.args if isinstance(one, BaseException))
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__) or next(wrapped, None)


class Faults:
    """Writes a line for each kind of fault, and when it is over, however often it occurs."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def note(self, about: str, error: BaseException) -> str:
        """Say what went wrong, unless it has been said; what it was."""
        fault = worded(error)
        self.say_once(f"{about}: {fault}")
        return fault

    def say_once(self, line: str) -> None:
        """Write a line unless one like it has been written."""
        kind = re.sub(r"\w*\d\w*", "#", line)  # ids, addresses and counts differ each time
        if kind not in self._said:
            self._said.add(kind)
            say(line)


def say(line: str) -> None:
    """Write a line to the log of the publisher."""
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
    sys.stderr.flush()
