"""Loops that numba compiles, where it is installed: they stand in for arrays, and find the same to the last bit.

They stand in modules ``loops``, which are loaded where :func:`ready` says so and not before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


@cache
def ready() -> bool:
    """Whether numba is installed, loads, and is not switched off; asked late, for loading it takes half a second."""
    try:
        from numba import config  # noqa: PLC0415 - as above
    except Exception:  # noqa: BLE001 - one that is broken or does not fit fails in its own way, and is not needed
        return False
    return not config.DISABLE_JIT


def jit(loop: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """The loop in machine code, kept for later processes where there is a place; as it stands without numba."""
    if not ready():  # tests run the loops so
        return loop
    import numba  # noqa: PLC0415 - as above

    try:
        compiled: Callable[Given, Returned] = numba.njit(cache=True, nogil=True, error_model="numpy")(loop)
    except RuntimeError:  # neither beside the loop's file nor in the user's folder
        compiled = numba.njit(nogil=True, error_model="numpy")(loop)
    return compiled
