"""SIGTERM as an exception."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any


class Terminated(BaseException):
    """SIGTERM arrived: ends a search as orderly as an interrupt from the keyboard does."""


def heed_termination() -> Any:
    """From now on SIGTERM raises :class:`Terminated` in the main thread; what it did before."""
    return signal.signal(signal.SIGTERM, _terminated)


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated
