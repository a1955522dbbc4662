"""Loops that numba compiles, where it is installed: they stand in for arrays, and find the same to the last bit.

They stand in modules ``loops``, each of which is loaded by one :class:`Loops` alone, once it pays.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module, metadata
from types import ModuleType
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Returned = TypeVar("Returned")


class Loops:
    """A module of compiled loops, loaded once there is enough for it to do.

    It is used only if its function ``agree`` says that arrays find the same; that compiles it, too.

    Example:
        Nothing is loaded for work that takes arrays less time than the loading would:

        >>> loops = Loops("mlab.model.loops", worth=1_000)
        >>> loops.after(400) is None, loops.ahead(500) is None, loops.loaded is None
        (True, True, True)

    Attributes:
        refused: why it is not used though there is a numba; empty where it is, or has not been tried.
    """

    def __init__(self, module: str, worth: int = 0) -> None:
        self._module, self._left, self._tried = module, worth, False
        self._lock, self._trial = threading.Lock(), threading.local()
        self._found: ModuleType | None = None
        self.refused = ""

    @property
    def loaded(self) -> ModuleType | None:
        """The module; None where it is not worth it yet, or nothing can compile it, or it finds something else."""
        return getattr(self._trial, "module", self._found)

    def count(self, work: int) -> None:
        """Count work that was done without."""
        self._left -= work

    def after(self, work: int) -> ModuleType | None:
        """The module, if so much work, which is counted, and all before it are worth loading it."""
        self.count(work)
        return self.ahead(0)

    def ahead(self, work: int) -> ModuleType | None:
        """The same for work that is counted when it is done."""
        if self._left <= work and not self._tried:
            with self._lock:
                first, self._tried = not self._tried, True
            if first:
                # Beside this thread, for what a signal raises within the compiler is lost; here it ends the waiting.
                loading = threading.Thread(target=self._load, daemon=True)
                loading.start()
                loading.join()
        return self.loaded

    @contextmanager
    def trying(self, module: ModuleType | None) -> Iterator[None]:
        """Have this thread use a module that has not been found to agree yet, or arrays."""
        self._trial.module = module
        try:
            yield
        finally:
            del self._trial.module

    def _load(self) -> None:
        try:
            if not ready():
                self.refused = "it does not load" if installed() else ""
                return
            module = import_module(self._module)
            if module.agree():
                self._found = module
            else:
                self.refused = "what it compiles finds other numbers on this machine"
        except Exception as error:  # noqa: BLE001 - where nothing can be kept, or a numba does not fit
            self.refused = f"{type(error).__name__}: {error}".partition("\n")[0]


BOUNDS = Loops("mlab.model.bound.loops")  # few processes prove, and those for long

LADDERS = Loops("mlab.model.loops", worth=60_000_000)
"""The search's loops; work is orders priced and scored, so many of which take arrays four to ten seconds."""


def ladder_loops(ladders: int) -> ModuleType | None:
    """The search's loops, where they are loaded and for several ladders: one alone numpy adds up in another order."""
    return LADDERS.loaded if ladders > 1 else None


def installed() -> bool:
    """Whether there is a numba that is not switched off."""
    with suppress(metadata.PackageNotFoundError):
        return bool(metadata.version("numba")) and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"
    return False


@cache
def ready() -> bool:
    """Whether numba is installed, loads, and is not switched off; asked late, for loading it takes half a second."""
    with suppress(Exception):  # one that is broken or does not fit fails in its own way, and is not needed
        from numba import config  # noqa: PLC0415 - as above

        return not config.DISABLE_JIT
    return False


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
