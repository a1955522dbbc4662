"""The ladders that keep the limits of one cell, built so that they cannot break them.

A ladder is given by its M - 1 growths (K, B): the ratio of each volume to the one before. Prices follow
from the volumes (:class:`mlab.model.pricing.Pricing`), so growths are all that is searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mlab.core.records import Cell
from mlab.model.compiled import ladder_loops
from mlab.model.ladder import Array, accumulate, compound
from mlab.model.limits import GUARD, Gaps, least_rest, least_spread
from mlab.model.objective import Objective, Wave
from mlab.model.pricing import Needs, Pricing

SCALE_STEPS = 30  # halvings of the share that a shape is scaled by


@dataclass(frozen=True, slots=True)
class Space:
    """All ladders of one cell that keep the limits."""

    cell: Cell
    objective: Objective  # its limits are those that are kept
    growth_min: float  # least ratio of a volume to the one before
    growth_max: float  # largest such ratio
    total_max: float  # bound on the sum of volumes where the first is 1 (first_volume_min_pct)
    spread_min: Array  # for orders 1..M, least ratio of the volumes so far to the latest (tail_cap_pct): F24
    rest: Array  # for orders 1..M, volumes from that order on, over its own, were all later steps minimal: F23
    levels: Array  # growths at and beside the thresholds of the wave rule and at the ends, shape (L,)
    pricing: Pricing  # where the orders stand once their volumes are known

    @classmethod
    def of(cls, cell: Cell, objective: Objective) -> Space:
        """The space of ``cell``; the limits must leave room for at least the ladder of least growth.

        Example:
            Ladders that keep the limits, from their growths: each order 10 % larger than the last, at the prices whose
            score is least.

            >>> from mlab.core.records import Cell
            >>> from mlab.model.objective import Objective
            >>> space = Space.of(Cell(index=0, overlap_pct=20.0, num_orders=4), Objective())
            >>> growth = np.array([[1.1, 1.1, 1.1]]).T
            >>> indent, volume, _ = space.priced(space.feasible(growth))
            >>> indent[:, 0].round(3).tolist()
            [0.0, 14.133, 17.464, 20.0]
            >>> volume[:, 0].round(3).tolist()
            [1.0, 1.1, 1.21, 1.331]
        """
        limits, orders = objective.limits, cell.num_orders
        low, high = (1.0 + bound / 100.0 for bound in limits.martingale_pct)
        guard = min(GUARD, (high - low) / 4.0)
        low, high = low + guard, high - guard
        return cls(
            cell=cell,
            objective=objective,
            growth_min=low,
            growth_max=high,
            total_max=(1.0 - GUARD) * 100.0 / limits.first_volume_min_pct,
            spread_min=least_spread(orders, low, (1.0 + GUARD) * 100.0 / limits.tail_cap_pct),
            rest=least_rest(orders, low),
            levels=_levels(low, high, objective.score.wave),
            pricing=Pricing.of(cell.overlap_pct, Gaps.of(cell, limits), objective),
        )

    @property
    def steps(self) -> int:
        """K = M - 1, the growths of a ladder."""
        return self.cell.num_orders - 1

    def feasible(self, growth: Array) -> Array:
        """The growths lowered, from the first order on, as far as the limits ask. F23 and F24.

        A lower growth always helps both limits, so each step may take what the least growth after it leaves.
        Shapes (K, B); ``growth`` is left as it is.
        """
        return self._kept(growth)[0]

    def scaled(self, growth: Array) -> Array:
        """The growths with all that is above the least scaled down as far as the limits ask.

        Where :meth:`feasible` gives early growths their way, this keeps the shape. Shapes as there.
        """
        above = np.clip(growth, self.growth_min, self.growth_max) - self.growth_min
        low, high = np.zeros(growth.shape[1]), np.ones(growth.shape[1])
        share = high
        for _ in range(SCALE_STEPS):
            beyond = self._breaks(volumes(self.growth_min + share * above))
            low, high = np.where(beyond, low, share), np.where(beyond, share, high)
            share = (low + high) / 2.0
        return self.feasible(self.growth_min + low * above)

    def _breaks(self, volume: Array) -> NDArray[np.bool_]:
        """Which ladders have too small a first order, or too large a last; the volumes are overwritten."""
        last = volume[-1].copy()
        total = accumulate(volume)[-1]
        return np.asarray((total > self.total_max) | (total < self.spread_min[-1] * last))

    def _kept(self, growth: Array) -> tuple[Array, Array, Array]:
        """Growths (K, B) within the limits, their volumes and the sums of these so far, both (M, B), the first at 1."""
        if loops := ladder_loops(growth.shape[1]):
            return self._compiled_kept(loops, growth)
        kept = np.clip(growth, self.growth_min, self.growth_max)
        volume, held = np.empty((2, len(growth) + 1, growth.shape[1]))
        volume[0] = held[0] = 1.0
        for k, row in enumerate(kept, start=1):
            bound = (self.total_max - held[k - 1]) / (volume[k - 1] * self.rest[k])  # F23
            if self.spread_min[k] > 1.0:
                np.minimum(bound, held[k - 1] / volume[k - 1] / (self.spread_min[k] - 1.0), out=bound)  # F24
            np.minimum(row, np.maximum(bound, self.growth_min, out=bound), out=row)
            np.multiply(volume[k - 1], row, out=volume[k])
            np.add(held[k - 1], volume[k], out=held[k])
        return kept, volume, held

    def _compiled_kept(self, loops: ModuleType, growth: Array) -> tuple[Array, Array, Array]:
        bounds = self.growth_min, self.growth_max, self.total_max
        kept, volume, held = loops.space.kept(np.ascontiguousarray(growth), bounds, self.spread_min, self.rest)
        return kept, volume, held

    def absorb(self, growth: Array, step: NDArray[np.int64], change: NDArray[np.bool_]) -> None:
        """Set one step (B,) of the growths (K, B) so that the first volume is just as small as allowed, in place. F25.

        That is done where ``change`` (B,) says so, and where order 1 is too small.
        """
        held = accumulate(volumes(growth))
        ladder = np.arange(growth.shape[1])
        before, now = held[step, ladder], growth[step, ladder]
        after = (held[-1] - before) / now
        exact = np.clip((self.total_max - before) / after, self.growth_min, self.growth_max)  # F25
        growth[step, ladder] = np.where(change | (held[-1] > self.total_max), exact, now)

    def priced(self, growth: Array) -> tuple[Array, Array, Needs]:
        """Ladders from growths (K, B) within the limits.

        Returns:
            Indents in percent (M, B), volumes of which the first is 1 (M, B), and the needs that prices follow from.
        """
        volume = volumes(growth)
        indent, needs = self.pricing.indents(volume)
        return indent, volume, needs

    def near(self, growth: Array, known: Needs) -> tuple[Array, Array, Array, Needs]:
        """As :meth:`priced` by a shorter way, from the needs of similar ladders, one for each column of growths.

        Returns:
            What :meth:`feasible` leaves of the growths, and what :meth:`priced` returns for them.
        """
        kept, volume, held = self._kept(growth)
        price, needs = self.pricing.near(volume, held, known)
        return kept, (1.0 - price) * 100.0, volume, needs


def volumes(growth: Array) -> Array:
    """Volumes with the first at 1, shape (M, B), from growths (K, B)."""
    volume = np.empty((len(growth) + 1, growth.shape[1]))
    volume[0], volume[1:] = 1.0, growth
    return compound(volume)


def _levels(low: float, high: float, wave: Wave) -> Array:
    """The growths where J jumps or ends, each from the sides on which a ladder may sit."""
    levels = {low, high}
    if wave.enabled:
        for threshold in (1.0 + wave.weak_pct / 100.0, 1.0 + wave.strong_pct / 100.0):
            levels |= {threshold * (1.0 - GUARD), threshold * (1.0 + GUARD)}
    return np.array(sorted(level for level in levels if low <= level <= high))
