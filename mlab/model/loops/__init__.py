# ruff: noqa: SLF001 - they stand in for what is private
"""What takes most of a search's time as loops over numbers, for numba to compile.

The modules are called as those whose arrays they stand in for: the same sums in the same order, so that all is the same
to the last bit; but for a ladder alone, whose column numpy sums in another order. Shapes as there: an order a row, a
ladder a column. Logarithms stay with numpy: another library may round their last bit otherwise. Loops are over ladders,
and short, for the processor does several at once in one that reads and writes few arrays. Import this by
:data:`mlab.model.compiled.LADDERS` alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product
from typing import get_args

import numpy as np

from mlab.core.records import Cell, Need, Sizing
from mlab.model.compiled import LADDERS
from mlab.model.ladder import Array, compound
from mlab.model.limits import Limits
from mlab.model.loops import pricing as pricing
from mlab.model.loops import scoring as scoring
from mlab.model.loops import space as space
from mlab.model.objective import Objective, Score
from mlab.model.scoring import compiled_score, scores
from mlab.model.space import Space

COMPARED = 300  # ladders of each kind: more than are done at a time


def agree() -> bool:
    """Whether they find what arrays do on this machine: numpy may fuse a product and a sum into one rounding.

    With that they are compiled, too, which takes seconds the first time.
    """
    kinds = product(get_args(Need), get_args(Sizing), (2.5, None))
    with LADDERS.trying(None):
        return all(one.tobytes() == other.tobytes() for kind in kinds for one, other in _both(*kind))


def _both(need: Need, sizing: Sizing, widest: float | None) -> Iterator[tuple[Array, Array]]:
    """What arrays find, and what loops do, of one kind of cell."""
    random, loops = np.random.default_rng(1), sys.modules[__name__]
    # Gaps so wide at the least that some steps are tight.
    objective = Objective(Score(need=need), Limits(max_gap_ratio=widest, min_indent_step_pct=1.5), sizing)
    cell = Space.of(Cell(0, 20.0, 10), objective)
    growth = random.choice(cell.levels, (cell.steps, COMPARED)) * random.uniform(0.9, 1.1, (cell.steps, COMPARED))
    found = cell._kept(growth)
    yield from zip(found, cell._compiled_kept(loops, growth), strict=True)
    (_, volume, held), priced = found, cell.pricing
    needs, ratio = priced.first_needs(volume), priced._ratio(volume, held)
    for tight in (False, True, False):
        others = priced._compiled_step(loops, needs, ratio, tight=tight)
        needs = priced._step(needs, ratio, priced._cap(ratio), tight=tight)
        yield from ((getattr(needs, name), getattr(others, name)) for name in ("need", "top", "base", "pull"))
    price: Array = priced._prices(needs.need, ratio)
    yield price, pricing.prices(priced._kind, priced._floor, needs.need, ratio)
    wild = random.uniform(0.0, 20.0, price.shape), compound(random.uniform(1.0, 2.5, price.shape))
    for indent, amount in ((100.0 * (1.0 - price), volume), wild):  # in no order, and the last larger than its cap
        scored = compiled_score(loops, indent, amount, objective)
        if scored is not None:  # somebody has added a penalty, which arrays go on counting
            yield scores(indent, amount, objective), scored
