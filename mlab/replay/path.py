"""The way of the price through its candles: four points a candle, and blocks of candles to pass over at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from mlab.model.ladder import Array
from mlab.prices.candles import Candles

BLOCK = 16  # candles that are passed over by one comparison where nothing happens in them

LISTED = 200_000  # candles whose points are kept as lists, 200 bytes a candle

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


class Path:
    """The points of candles in the order in which the price is taken to pass them, (n, 4): open, extremes, close.

    Lists hold plain floats: the replays compare them one by one.
    """

    def __init__(self, candles: Candles, convention: Convention | None = None) -> None:
        self.candles = candles
        self.convention = convention or Convention()
        self.points = _points(candles, self.convention.first)

    def __len__(self) -> int:
        """Candles."""
        return len(self.points)

    @cached_property
    def lows(self) -> list[float]:
        """Lowest price of each candle."""
        lows: list[float] = self.candles.low.tolist()
        return lows

    @cached_property
    def highs(self) -> list[float]:
        """Highest price of each candle."""
        highs: list[float] = self.candles.high.tolist()
        return highs

    @cached_property
    def rows(self) -> list[list[float]] | Rows:
        """The points of each candle; those of a long path are made when they are asked for."""
        return self.points.tolist() if len(self) <= LISTED else Rows(self.points)

    @cached_property
    def blocks(self) -> list[tuple[int, float, float]]:
        """First candle, lowest and highest price of each block of candles."""
        firsts = np.arange(0, len(self), BLOCK)
        low = np.minimum.reduceat(self.candles.low, firsts)
        high = np.maximum.reduceat(self.candles.high, firsts)
        return list(zip(firsts.tolist(), low.tolist(), high.tolist(), strict=True))


def _points(candles: Candles, first: First) -> Array:
    low_first = candles.open - candles.low <= candles.high - candles.open
    if first != "nearer":
        low_first[:] = first == "low"
    near = np.where(low_first, candles.low, candles.high)
    far = np.where(low_first, candles.high, candles.low)
    return np.stack((candles.open, near, far, candles.close), axis=1)


class Rows:
    """The rows of an array as lists of floats."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __getitem__(self, row: int) -> list[float]:
        points: list[float] = self.array[row].tolist()
        return points
