"""Whether compiled loops stand in for arrays: the same bounds to the last bit, sooner."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from mlab.model.compiled import ready


@cache
def loops() -> ModuleType | None:
    """:mod:`mlab.model.bound.loops`; None where nothing can compile them."""
    if not ready():
        return None
    from mlab.model.bound import loops as compiled  # noqa: PLC0415 - late, for few processes prove

    return compiled
