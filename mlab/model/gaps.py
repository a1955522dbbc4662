"""The distances between neighbouring orders, and the bounds that they keep."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mlab.core.records import Cell
from mlab.model.ladder import Array
from mlab.model.limits import GUARD, ROUNDING, Limits


@dataclass(frozen=True, slots=True)
class Gaps:
    """Bounds on the distance between neighbouring orders, as shares of the base price; ``most`` None for none."""

    least: float
    most: float | None

    @classmethod
    def of(cls, cell: Cell, limits: Limits) -> Gaps:
        """Those of the limits, with room for rounding."""
        depth, widest = cell.overlap_pct / 100.0, None
        margin = max(GUARD * depth, ROUNDING)
        if limits.max_gap_ratio is not None:
            widest = limits.max_gap_ratio * depth / (cell.num_orders - 1) - margin
        return cls(limits.min_indent_step_pct / 100.0 + margin, widest)

    def restore(self, price: Array) -> None:
        """Move prices (M, B), in place, where rounding or an unfinished step has left a gap beyond its bounds."""
        least, most = self.least, self.most or np.inf
        gap = price[:-1] - price[1:]
        broken = np.flatnonzero((gap.min(axis=0) < least) | (gap.max(axis=0) > most))
        if broken.size:
            moved = price[:, broken]
            for above, row in pairwise(moved[:-1]):
                np.clip(row, above - most, above - least, out=row)
            for below, row in pairwise(moved[:0:-1]):
                np.clip(row, below + least, below + most, out=row)
            price[:, broken] = moved
