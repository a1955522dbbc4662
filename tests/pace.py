"""How fast a search is in tests of everything around it: in a smaller neighbourhood, and resting where a test says so.

Python processes that a test starts begin with ``start/short`` or ``start/slow``, by their ``sitecustomize``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

SMALLER = {"PROPOSALS": 8, "MOVES": 3}
"""A refinement in a smaller neighbourhood."""


def shorten() -> None:
    """Make all searches of this process short ones."""
    from mlab.model import annealing  # noqa: PLC0415 - with all that it needs

    vars(annealing).update(SMALLER)


def slow_down() -> None:
    """Have them rest, too, so that another process can meet them in the middle: half a second a batch."""
    from mlab.model import annealing  # noqa: PLC0415

    generation = annealing.Refinement.generation

    def resting(refinement: annealing.Refinement) -> None:
        time.sleep(0.5 / annealing.GENERATIONS)
        generation(refinement)

    annealing.Refinement.generation = resting  # type: ignore[method-assign]


class Begin(MetaPathFinder):
    """Changes the searches of this process once it loads them: most that a test starts search nothing."""

    def __init__(self, *changes: Callable[[], None]) -> None:
        self._changes = changes
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "mlab.model.annealing":
            return None
        spec: Any = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def changed(module: ModuleType) -> None:
            load(module)
            for change in self._changes:
                change()

        spec.loader.exec_module = changed
        return spec  # type: ignore[no-any-return]
