"""The limits of a ladder: what they are, whether any ladder of a cell keeps them, and whether a stored one does.

Example:
    Limits that are left out are the defaults of the config; a wrong one is a ``ValueError``.

    >>> limits = Limits(max_gap_ratio=None, tail_cap_pct=25.0)
    >>> limits
    Limits(min_indent_step_pct=0.05, max_gap_ratio=None, martingale_pct=(1.0, 100.0), first_volume_min_pct=1.0, tail_cap_pct=25.0)
    >>> conflict(Cell(index=0, overlap_pct=20.0, num_orders=3), limits)
    'no ladder with num_orders 3 keeps limits.tail_cap_pct 25: at limits.martingale_pct 1 the last order must exceed 33.67 %'
"""  # noqa: E501 - what Python prints

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field, field_validator

from mlab.core.decimals import digits, exact
from mlab.core.records import Cell, Json
from mlab.core.section import Section, rule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlab.model.ladder import Array

GUARD = 1e-10  # share kept from every limit and threshold: optima sit on them, and rounding must not cross
ROUNDING = 4e-13  # rounding of a price over the base price, and of the indents that follow from it
ROOM = 1e-6  # share by which a limit must be clear of the impossible, so that a ladder on it survives rounding
EXACT = 1e-12  # rounding of a growth in percent, for where the least and the largest are one number and leave no room

Pct: TypeAlias = Annotated[float, Field(gt=0, le=100)]


class Limits(Section):
    """What exchange and trader allow. Every ladder keeps these by construction."""

    min_indent_step_pct: float = Field(
        default=0.05, ge=0, le=95, description="Least gap between neighbouring orders, in % of the base price."
    )
    max_gap_ratio: Annotated[float, Field(ge=1.01, le=1000)] | None = Field(
        default=2.5, description="Widest gap allowed, as a multiple of the mean gap overlap / (orders - 1); null = off."
    )
    martingale_pct: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1000)], Annotated[float, Field(ge=0, le=1000)]], Field(strict=False)
    ] = Field(default=(1.0, 100.0), description="Least and largest growth of an order over the one before, in %.")
    first_volume_min_pct: Pct = Field(
        default=1.0, description="Least share of the position that order 1 holds, in % of the whole volume."
    )
    tail_cap_pct: Pct = Field(
        default=40.0, description="Largest share of the position that the last order holds, in % of the whole volume."
    )

    @field_validator("martingale_pct")
    @classmethod
    def _ordered(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if pair[0] > pair[1]:
            raise rule("must be [least, largest], the least first")
        return pair


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
        import numpy as np  # noqa: PLC0415 - late here and below: a config is judged without

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


def least_rest(orders: int, growth_min: float) -> Array:
    """Of orders 1..M, the volumes from that one on, over its own, were all later growths the least. F23, shape (M,)."""
    import numpy as np  # noqa: PLC0415

    return np.array(_least_rest(orders, growth_min))


def _least_rest(orders: int, growth_min: float) -> list[float]:
    rest = [1.0]  # from the last order up
    for _ in range(orders - 1):
        rest.append(1.0 + growth_min * rest[-1])  # F23
    return rest[::-1]


def least_spread(orders: int, growth_min: float, last: float) -> Array:
    """Of orders 1..M, the least ratio of the volumes so far to its own that leads to ``last`` at M. F24, shape (M,)."""
    import numpy as np  # noqa: PLC0415

    spread = np.full(orders, last)
    for k in range(orders - 2, -1, -1):
        spread[k] = growth_min * (spread[k + 1] - 1.0)  # F24
    return spread


def possible_shares_pct(orders: int, growth_min_pct: float) -> tuple[float, float]:
    """The most that order 1 and the least that order M can hold, in percent: any growth above the least moves both."""
    growth_min = 1.0 + growth_min_pct / 100.0
    first = 100.0 / _least_rest(orders, growth_min)[0]
    return first, first * growth_min ** (orders - 1)


def conflict(cell: Cell, limits: Limits) -> str | None:
    """Why no ladder of ``cell`` keeps the limits, naming the fields to change; None where some ladder does.

    ``max_gap_ratio`` needs no rule: above 1 it always leaves the mean gap free.
    """
    orders, growth_min_pct = cell.num_orders, limits.martingale_pct[0]
    first, last = possible_shares_pct(orders, growth_min_pct)
    shortest = (orders - 1) * limits.min_indent_step_pct
    cells, at = f"num_orders {orders}", f"at limits.martingale_pct {exact(growth_min_pct)}"
    if limits.first_volume_min_pct > first * (1.0 - ROOM):
        limit, why = "first_volume_min_pct", f"{at} order 1 must stay below {digits(first, 4, up=False)} %"
    elif limits.tail_cap_pct < last * (1.0 + ROOM):
        limit, why = "tail_cap_pct", f"{at} the last order must exceed {digits(last, 4, up=True)} %"
    elif shortest > cell.overlap_pct * (1.0 - ROOM):
        cells = f"overlap_pct {exact(cell.overlap_pct)} and {cells}"
        limit, why = "min_indent_step_pct", f"its {orders - 1} gaps need more than {digits(shortest, 4, up=True)} %"
    else:
        return None
    return f"no ladder with {cells} keeps limits.{limit} {exact(getattr(limits, limit))}: {why}"


def broken_limits(schedule: Json, limits: Limits) -> list[str]:
    """Names of the limits that a schedule of the contract breaks, judged by its own numbers; empty where all hold."""
    import numpy as np  # noqa: PLC0415

    indent, volume, growth = (
        np.asarray(schedule[key])[:, None] for key in ("indent_pct", "volume_pct", "martingale_pct")
    )
    return [name for name, holds in kept(indent, volume, growth[1:], limits).items() if not holds.item()]


def kept(indent_pct: Array, volume_pct: Array, growth_pct: Array, limits: Limits) -> dict[str, NDArray[np.bool_]]:
    """Which ladders (B,) keep each limit, by its name; indents and volumes are (M, B), growths (M - 1, B)."""
    import numpy as np  # noqa: PLC0415

    gaps = np.diff(indent_pct, axis=0)
    low, high = limits.martingale_pct
    widest = np.inf if limits.max_gap_ratio is None else limits.max_gap_ratio * indent_pct[-1] / len(gaps)
    return {
        "min_indent_step_pct": (indent_pct[0] == 0.0) & (gaps.min(axis=0) >= limits.min_indent_step_pct),
        "max_gap_ratio": gaps.max(axis=0) <= widest,
        "martingale_pct": (growth_pct.min(axis=0) >= low - EXACT) & (growth_pct.max(axis=0) <= high + EXACT),
        "first_volume_min_pct": volume_pct[0] >= limits.first_volume_min_pct,
        "tail_cap_pct": volume_pct[-1] <= limits.tail_cap_pct,
        "volume_pct": abs(volume_pct.sum(axis=0) - 100.0) <= 1e-9,
    }
