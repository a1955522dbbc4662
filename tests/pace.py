"""How fast a search is in tests of everything around it: in a smaller neighbourhood, and resting where a test says so.

Python processes that a test starts begin with ``start/short`` or ``start/slow``, by their ``sitecustomize``.
"""

from __future__ import annotations

import time

from mlab.model import annealing

SMALLER = {"PROPOSALS": 8, "MOVES": 3}
"""A refinement in a smaller neighbourhood."""


def shorten() -> None:
    """Make all searches of this process short ones."""
    vars(annealing).update(SMALLER)


def slow_down() -> None:
    """Have them rest, too, so that another process can meet them in the middle: half a second a batch."""
    generation = annealing.Refinement.generation

    def resting(refinement: annealing.Refinement) -> None:
        time.sleep(0.5 / annealing.GENERATIONS)
        generation(refinement)

    annealing.Refinement.generation = resting  # type: ignore[method-assign]
