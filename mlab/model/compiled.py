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
        import numba  # noqa: PLC0415 - as above
    except ImportError:
        return False
    return not numba.config.DISABLE_JIT


def jit(loop: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """The loop in machine code, kept for later processes where there is a place; as it stands without numba."""
    try:
        import numba  # noqa: PLC0415 - as above
    except ImportError:  # tests run the loops so
        return loop
    try:
        compiled: Callable[Given, Returned] = numba.njit(cache=True, nogil=True, error_model="numpy")(loop)
    except RuntimeError:  # neither beside the loop's file nor in the user's folder
        compiled = numba.njit(nogil=True, error_model="numpy")(loop)
    return compiled
