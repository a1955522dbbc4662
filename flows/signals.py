"""SIGTERM as an exception, so that it ends a search as orderly as an interrupt from the keyboard does."""

from __future__ import annotations

import signal
from types import FrameType


class Terminated(BaseException):
    """SIGTERM arrived."""


def heed_termination() -> None:
    """From now on SIGTERM raises :class:`Terminated` in the main thread."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
