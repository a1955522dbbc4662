"""The way of the price through its candles: four points a candle, and blocks and areas to pass over at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

import numpy as np

from mlab.model.ladder import Array
from mlab.prices.candles import Candles

BLOCK, AREA = 8, 16  # candles of a block, and blocks of an area: passed over at once where nothing happens in them

LISTED = 100_000  # candles up to which lists are kept, of 400 bytes a candle
EXACT, PER_OCTAVE = 32, 16

T_co = TypeVar("T_co", covariant=True)
First: TypeAlias = Literal["nearer", "high", "low"]
Next: TypeAlias = Literal["at once", "next open"]


@dataclass(frozen=True, slots=True)
class Convention:
    """What candles do not tell, and a replay has to assume.

    Attributes:
        first: which extreme comes first, the one nearer to the open (ties: the low) or always the same.
        next_deal: when the next deal begins, at the price at which the last ended or at the next candle's open.
    """

    first: First = "nearer"
    next_deal: Next = "at once"


class Kept(Protocol[T_co]):
    """Items by their number."""

    def __getitem__(self, number: int, /) -> T_co: ...


@dataclass(frozen=True, slots=True)
class _Made(Generic[T_co]):
    """Items that are made when they are asked for."""

    make: Callable[[int], T_co]

    def __getitem__(self, number: int, /) -> T_co:
        return self.make(number)


class Spans:
    """Counts of candles in bins: one by one up to 32, from there on 16 for each doubling."""

    def __init__(self, most: int) -> None:
        edges, octave = list(range(EXACT)), EXACT
        while octave <= most:
            edges += range(octave, 2 * octave, octave // PER_OCTAVE)
            octave *= 2
        self.edges = np.array(edges)  # the least span of each bin
        self.bins = np.searchsorted(self.edges, np.arange(most + 1), side="right") - 1  # that each span falls into


class Path:
    """The points of candles in the order in which the price is taken to pass them, (n, 4): open, extremes, close.

    What is looked at candle by candle stands in lists of plain floats, those of a long path block by block.
    """

    def __init__(self, candles: Candles, convention: Convention | None = None) -> None:
        self.candles = candles
        self.convention = convention or Convention()
        self.points = _points(candles, self.convention.first)

    def __len__(self) -> int:
        """Candles."""
        return len(self.points)

    @cached_property
    def blocks(self) -> list[tuple[int, float, float]]:
        """Number, lowest and highest price of each block of candles."""
        firsts = np.arange(0, len(self), BLOCK)
        low = np.minimum.reduceat(self.candles.low, firsts)
        high = np.maximum.reduceat(self.candles.high, firsts)
        return list(zip(range(len(firsts)), low.tolist(), high.tolist(), strict=True))

    @cached_property
    def areas(self) -> list[tuple[float, float, list[tuple[int, float, float]]]]:
        """Lowest and highest price of each area, and its blocks."""
        parts = [self.blocks[first : first + AREA] for first in range(0, len(self.blocks), AREA)]
        return [(min(low for _, low, _ in part), max(high for _, _, high in part), part) for part in parts]

    @cached_property
    def stretches(self) -> Kept[list[tuple[int, float, float]]]:
        """For each block its candles: number, lowest and highest price."""
        return self._kept(self._stretch, len(self.blocks))

    @cached_property
    def rows(self) -> Kept[list[float]]:
        """The points of each candle."""
        return self._kept(self._row, len(self))

    @cached_property
    def portions(self) -> tuple[Array, ...]:
        """Points by area, block and candle; lowest and highest prices of candles, blocks and areas: seven arrays.

        The last area is filled up with candles in which nothing happens.
        """
        whole = -len(self) % (BLOCK * AREA)
        points = np.pad(self.points, ((0, whole), (0, 0)), constant_values=np.nan).reshape(-1, AREA, BLOCK, 4)
        low = np.pad(self.candles.low, (0, whole), constant_values=np.inf).reshape(-1, AREA, BLOCK)
        high = np.pad(self.candles.high, (0, whole), constant_values=-np.inf).reshape(-1, AREA, BLOCK)
        blocks = low.min(axis=2), high.max(axis=2)
        return (points, low, high, *blocks, blocks[0].min(axis=1), blocks[1].max(axis=1))

    @cached_property
    def spans(self) -> Spans:
        """How spans of time on this path are counted."""
        return Spans(len(self))

    def _kept(self, make: Callable[[int], T_co], count: int) -> Kept[T_co]:
        return list(map(make, range(count))) if len(self) <= LISTED else _Made(make)

    def _stretch(self, block: int) -> list[tuple[int, float, float]]:
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        low, high = self.candles.low[part].tolist(), self.candles.high[part].tolist()
        return list(zip(range(part.start, part.start + len(low)), low, high, strict=True))

    def _row(self, candle: int) -> list[float]:
        row: list[float] = self.points[candle].tolist()
        return row


def _points(candles: Candles, first: First) -> Array:
    low_first = candles.open - candles.low <= candles.high - candles.open
    if first != "nearer":
        low_first[:] = first == "low"
    near = np.where(low_first, candles.low, candles.high)
    far = np.where(low_first, candles.high, candles.low)
    return np.stack((candles.open, near, far, candles.close), axis=1)
