"""What happens in a replay, event by event, as arrays: what the replays hand to :mod:`mlab.replay.outcome`.

Positions in tables of (orders, ladders) are flat, ``order * ladders + ladder``, orders counted from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlab.model.ladder import Array

Flat = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Events:
    """Orders that filled, but for the first of deals, and deals that ended; those of each ladder in order of time.

    Attributes:
        fill: flat position of each order that filled.
        fill_candle: the candle in which it did.
        ladder: ladder of each deal that ended.
        end: flat position of the last order that had filled when a deal ended; a row further down if by the stop.
        end_candle: the candle in which it did.
        span: candles that the deal took, 0 where it began and ended in one.
        low: lowest price of the deal, over its entry.
    """

    fill: Flat
    fill_candle: Flat
    ladder: Flat
    end: Flat
    end_candle: Flat
    span: Flat
    low: Array


@dataclass(frozen=True, slots=True)
class Open:
    """The deals open after the last candle, one a ladder.

    Attributes:
        depth: orders that have filled, 0 where no deal is open.
        began: candle in which order 1 filled.
        entry: price of order 1, nan where none is open.
        low: lowest price so far, likewise.
    """

    depth: Flat
    began: Flat
    entry: Array
    low: Array


@dataclass(slots=True)
class Log:
    """Events as they come: for each candle, and within one for each price, those of the ladders concerned."""

    count: int = 0
    fills: list[tuple[int, Flat]] = field(default_factory=list)
    ends: list[tuple[int, Flat, Flat, Flat, Array]] = field(default_factory=list)

    def fill(self, candle: int, at: Flat) -> None:
        """Orders that filled."""
        self.fills.append((candle, at))
        self.count += len(at)

    def end(self, candle: int, ladder: Flat, at: Flat, began: Flat, low: Array) -> None:
        """Deals that ended."""
        self.ends.append((candle, ladder, at, began, low))
        self.count += len(at)

    def taken(self) -> Events:
        """All events so far, which are forgotten here."""
        fill_candles, fills = zip(*self.fills, strict=True) if self.fills else ((), ())
        candles, ladders, ends, began, lows = zip(*self.ends, strict=True) if self.ends else ((), (), (), (), ())
        end_candle = np.repeat(np.array(candles, dtype=np.int64), [len(part) for part in ends])
        events = Events(
            fill=_whole(fills),
            fill_candle=np.repeat(np.array(fill_candles, dtype=np.int64), [len(part) for part in fills]),
            ladder=_whole(ladders),
            end=_whole(ends),
            end_candle=end_candle,
            span=end_candle - _whole(began),
            low=np.concatenate(lows or [np.empty(0)]),
        )
        self.count, self.fills, self.ends = 0, [], []
        return events


def _whole(parts: Sequence[Flat]) -> Flat:
    return np.concatenate(parts or [np.empty(0, dtype=np.int64)])
