"""Whether loops that numba compiles stand in for arrays: the same bounds to the last bit, sooner."""

from __future__ import annotations

from functools import cache
from types import ModuleType


@cache
def loops() -> ModuleType | None:
    """:mod:`mlab.model.bound.loops`; None where numba is not installed, does not load, or is switched off."""
    try:
        import numba  # noqa: PLC0415 - late, for few processes prove
    except ImportError:
        return None
    if numba.config.DISABLE_JIT:
        return None
    from mlab.model.bound import loops as compiled  # noqa: PLC0415

    return compiled
