"""The prices that make the score least for given volumes. F6 to F8 of ``docs/model.md``.

Shapes as in :mod:`mlab.model.ladder`; besides, one row for each of the orders 2..M:

======== ======== ==================================================================================
symbol   shape    meaning
======== ======== ==================================================================================
need     (K, B)   c_k, the rebound that the score counts for order k, as a share: 0.03 for 3 %
ratio    (K, B)   volume of order k over what is held before it (fill) or after it (path)
factor   (K, B)   A_k / A_{k-1}: how far order k lowers the average entry
slope    (K, B)   -d ln P_M / d c_k: how much depth a little more need of order k buys
======== ======== ==================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mlab.core.records import Need, Sizing
from mlab.model.compiled import ladder_loops
from mlab.model.ladder import Array, accumulate, average_entry, compound, count_by_column
from mlab.model.limits import Gaps
from mlab.model.objective import Objective

STEPS = 6  # Newton steps from nothing: exact to 1e-4 of the score even where most gaps are bound
NEAR_STEPS = 1  # Newton steps from the needs of a ladder that differs in a growth or two: a second finds nothing more
TIGHT_STEPS = 24  # the same where gaps are about as small as allowed
NEAR_TIGHT_STEPS = 1  # and from the needs of such a ladder
TIGHT_SHARE = 0.4  # of each of those steps: whole ones overshoot
EVEN = 1e6  # weight from which on the largest need is all that counts, and all needs are equal


@dataclass(frozen=True, slots=True)
class Needs:
    """Needs of orders 2..M (K, B), and their line where no gap binds: ``min(top, base + pull * slope)``, all (B,)."""

    need: Array
    top: Array
    base: Array
    pull: Array

    def of(self, ladders: NDArray[np.int64]) -> Needs:
        """Those of some ladders, in that order."""
        return Needs(np.take(self.need, ladders, axis=1), self.top[ladders], self.base[ladders], self.pull[ladders])

    def put(self, ladders: NDArray[np.int64], other: Needs) -> None:
        """Replace those of some ladders."""
        self.need[:, ladders] = other.need
        self.top[ladders], self.base[ladders], self.pull[ladders] = other.top, other.base, other.pull


@dataclass(frozen=True, slots=True)
class Pricing:
    """How the orders of one cell are priced once their volumes are known."""

    overlap: float  # indent of the last order in percent, between 0 and 100
    sizing: Sizing
    need: Need  # which needs the score counts, those at fills or those just before them
    weight: float  # of the largest need over that of the variance, both of needs as shares
    gaps: Gaps  # bounds with (M - 1) * least < overlap / 100 <= (M - 1) * most

    @classmethod
    def of(cls, overlap: float, gaps: Gaps, objective: Objective) -> Pricing:
        """From the overlap in percent and the weights of the score, which counts needs in percent."""
        alpha, beta = objective.score.alpha, 100.0 * objective.score.beta
        weight = alpha / beta if alpha < EVEN * beta else EVEN
        return cls(overlap, objective.sizing, objective.score.need, weight, gaps)

    @property
    def _floor(self) -> float:
        """Price of the last order over the base price."""
        return 1.0 - self.overlap / 100.0

    @property
    def _kind(self) -> tuple[bool, bool]:
        """As compiled loops have it: whether volumes are money, and whether the needs that count are those at fills."""
        return self.sizing == "quote", self.need == "fill"

    def indents(self, volume: Array) -> tuple[Array, Needs]:
        """Indents in percent (M, B), the first 0, the last ``overlap``, and the needs that they follow from.

        Volumes are positive, in any unit, of shape (M, B).

        Example:
            Where only the largest need counts (beta 0), all orders after the first need the same rebound, in percent:

            >>> from mlab.model.objective import Score
            >>> pricing = Pricing.of(20.0, Gaps(least=0.0, most=None), Objective(Score(beta=0.0)))
            >>> indent, needs = pricing.indents(np.array([[1.0, 1.5, 1.5]]).T)
            >>> indent[:, 0].round(3).tolist()
            [0.0, 16.466, 20.0]
            >>> (100.0 * needs.need[:, 0]).round(3).tolist()
            [7.051, 7.051]
        """
        held = accumulate(volume.copy())
        price, needs = self.near(volume, held, self.first_needs(volume), STEPS, TIGHT_STEPS)
        self.gaps.restore(price)
        indent = (1.0 - price) * 100.0
        indent[-1] = self.overlap
        return indent, needs

    def near(
        self, volume: Array, held: Array, known: Needs, steps: int = NEAR_STEPS, tight_steps: int = NEAR_TIGHT_STEPS
    ) -> tuple[Array, Needs]:
        """Prices over the base price (M, B), some Newton steps from the needs of similar volumes; the needs reached.

        ``held`` are the sums of the volumes so far.

        Gaps keep their bounds but for what is left of the error of the steps. ``known`` is left as it is.
        """
        ratio = self._ratio(volume, held)
        cap = self._cap(ratio)
        needs = known = replace(known, need=np.minimum(known.need, cap))
        for _ in range(steps):
            needs = self._step(needs, ratio, cap, tight=False)
        price = self._prices(needs.need, ratio)
        tight = np.flatnonzero((price[:-1] - price[1:]).min(axis=0) < self.gaps.least)
        if tight.size:
            ratio, tight_needs = np.ascontiguousarray(ratio[:, tight]), known.of(tight)
            cap = self._cap(ratio)
            for _ in range(tight_steps):
                tight_needs = self._step(tight_needs, ratio, cap, tight=True)
            needs.put(tight, tight_needs)
            price[:, tight] = self._prices(tight_needs.need, ratio)
        return price, needs

    def first_needs(self, volume: Array) -> Needs:
        """Where the steps begin for volumes (M, B): equal needs, but none beyond what the widest gaps lead to."""
        ratio = self._ratio(volume, accumulate(volume.copy()))
        need = np.tile(-np.log(self._floor) / (1.0 + ratio.sum(axis=0)), (len(ratio), 1))
        if self.gaps.most is not None:
            widest = np.maximum(1.0 - self.gaps.most * np.arange(len(volume)), self._floor)[:, None]
            average, _ = average_entry(widest, volume, self.sizing)
            np.minimum(need, (average[1:] if self.need == "fill" else average[:-1]) / widest[1:] - 1.0, out=need)
        top = need.max(axis=0)
        return Needs(need, top, top, np.zeros(len(top)))

    def _ratio(self, volume: Array, held: Array) -> Array:
        if self.need == "fill":
            return np.asarray(volume[1:] / held[:-1])
        ratio = volume[1:] / held[1:]
        ratio[-1] = 0.0  # the need before the last fill does not know its volume
        return np.asarray(ratio)

    def _cap(self, ratio: Array) -> Array:
        """Needs beyond which a factor would be less than the last price: their product never is."""
        if (self.sizing, self.need) == ("quote", "fill"):
            return np.asarray((1.0 - self._floor) / ratio)
        return np.full((1, 1), np.inf)

    def _chain(self, need: Array, ratio: Array) -> tuple[Array, Array]:
        """Factors and slopes. F6."""
        if self.sizing == "quote":
            pull, rate = need * ratio, ratio
        else:
            share = 1.0 / (1.0 + need)
            rate = ratio * share
            pull = ratio - rate
            rate *= share
        if (self.sizing == "quote") == (self.need == "fill"):
            factor = 1.0 - pull  # F6: quote, fill and base, path
            slope = rate / factor  # F6
        else:
            pull += 1.0
            factor = 1.0 / pull  # F6: quote, path and base, fill
            slope = rate * factor  # F6
        slope[-1] += 1.0 / (1.0 + need[-1])
        return factor, slope

    def _prices_and_averages(self, need: Array, factor: Array) -> tuple[Array, Array]:
        """Prices that follow from the needs, and average entries, both over the base price, shape (M, B). F6."""
        average = compound(np.concatenate([np.ones((1, factor.shape[1])), factor]))  # F6
        price = np.ones(average.shape)
        np.divide(average[1:] if self.need == "fill" else average[:-1], 1.0 + need, out=price[1:])  # F6
        return price, average

    def _prices(self, need: Array, ratio: Array) -> Array:
        if loops := ladder_loops(need.shape[1]):
            return np.asarray(loops.pricing.prices(self._kind, self._floor, need, ratio))
        price, _ = self._prices_and_averages(need, self._chain(need, ratio)[0])
        price[-1] = self._floor  # where it belongs
        return price

    def _step(self, needs: Needs, ratio: Array, cap: Array, *, tight: bool) -> Needs:
        """One Newton step towards the needs whose score is least. F7."""
        if loops := ladder_loops(ratio.shape[1]):
            return self._compiled_step(loops, needs, ratio, tight=tight)
        factor, slope = self._chain(needs.need, ratio)
        bound = tight or self.gaps.most is not None
        limits = self._limits(needs.need, factor, ratio, tight=tight) if bound else None
        # What the needs have to add up to along the slopes, for the last price to end where it belongs.
        depth = np.log(np.multiply.reduce(factor, axis=0) / ((1.0 + needs.need[-1]) * self._floor))
        depth += np.einsum("kb,kb->b", slope, needs.need)
        base, pull, top = self._line(needs, slope, depth, limits)
        slope *= pull
        slope += base
        need = np.minimum(slope, top, out=slope)  # F7
        if limits is not None:
            within(need, *limits)  # F8
        np.minimum(need, cap, out=need)
        if tight:
            need = needs.need + TIGHT_SHARE * (need - needs.need)
        return Needs(np.maximum(need, 0.0, out=need), top, base, pull)

    def _compiled_step(self, loops: ModuleType, needs: Needs, ratio: Array, *, tight: bool) -> Needs:
        factor, slope, left = loops.pricing.chain(self._kind, self._floor, needs.need, ratio)
        widest, share = np.inf if self.gaps.most is None else self.gaps.most, TIGHT_SHARE if tight else 0.0
        rule, rows = (self._floor, self.gaps.least, widest, self.weight, share), (needs.need, ratio, factor, slope)
        line = needs.top, needs.base, needs.pull
        return Needs(*loops.pricing.step(self._kind, rule, rows, line, np.log(left)))

    def _line(
        self, needs: Needs, slope: Array, depth: Array, limits: tuple[Array, Array] | None
    ) -> tuple[Array, Array, Array]:
        """Base, pull and top for which the score is least, with the orders at the top and at limits as they are. F7."""
        line = needs.pull * slope
        line += needs.base
        at_top = line >= needs.top
        free = slope
        still: Array | float = 1.0  # order 1 needs nothing, ever
        fixed: Array | float = 0.0
        if limits is not None:
            wanted = np.minimum(line, needs.top, out=line)
            held = within(wanted.copy(), *limits)
            loose = held == wanted
            at_top &= loose
            free = slope * loose
            held *= ~loose
            still, fixed = 1.0 + len(slope) - count_by_column(loose), held.sum(axis=0)
            depth -= np.einsum("kb,kb->b", slope, held)
        at_top[-1] |= ~at_top.any(axis=0)
        steep = slope * at_top
        free = free - steep
        tops, high, low = count_by_column(at_top), steep.sum(axis=0), free.sum(axis=0)
        square = np.einsum("kb,kb->b", free, free)
        weight = self.weight * (len(slope) + 1) / 2.0
        spread = (high + low) / still
        lift = depth - weight / high * (square + low * spread) - fixed * spread  # F7
        lift /= ((high + low) * spread + square) / high + high / tops
        pull = (lift + weight) / high
        base = (lift + pull * low + fixed) / still
        return base, pull, base + lift / tops

    def _limits(self, need: Array, factor: Array, ratio: Array, *, tight: bool) -> tuple[Array, Array]:
        """Least and largest need that the bounds on gaps leave each order, the others as they are. F8."""
        above, average = (rows[:-1] for rows in self._prices_and_averages(need, factor))
        below = np.arange(len(need) - 1.0, -1.0, -1.0)[:, None]  # orders that are still to come
        deepest = self._floor + below * self.gaps.least
        highest = above - self.gaps.least if tight else np.ones((1, 1))
        if self.gaps.most is not None:
            deepest = np.maximum(deepest, above - self.gaps.most)
            highest = np.minimum(highest, self._floor + below * self.gaps.most)
        least, most = self._need_at(highest, average, ratio), self._need_at(deepest, average, ratio)
        least[-1], most[-1] = 0.0, np.inf  # its price is given
        return least, most

    def _need_at(self, price: Array, average: Array, ratio: Array) -> Array:
        """Need of an order at a given price, from the average entry before it."""
        rise = average - price
        if self.need == "path":
            rise /= price  # F8: path
        elif self.sizing == "quote":
            rise /= average * ratio + price  # F8: quote, fill
        else:
            rise /= price * ratio + price  # F8: base, fill
        return rise


def within(rows: Array, least: Array, most: Array) -> Array:
    """Rows brought between two bounds, in place; returns them."""
    np.maximum(rows, least, out=rows)
    return np.minimum(rows, most, out=rows)
