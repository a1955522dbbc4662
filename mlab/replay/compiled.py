"""Replays by loops that numba compiles, where it is installed: the same to the last bit, sooner."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from mlab.model.compiled import ready

WORTH = 30_000_000  # candles times ladders from which on loading numba is: about a second, one ladder after the other


def loops(work: int) -> ModuleType | None:
    """:mod:`mlab.replay.loops`, where so many candles times ladders are worth it, or it is loaded already."""
    return asked() if work >= WORTH or asked.cache_info().currsize else None


@cache
def asked() -> ModuleType | None:
    """The loops, if something can compile them."""
    if not ready():
        return None
    from mlab.replay import loops as compiled  # noqa: PLC0415 - late, for it loads numba

    return compiled
