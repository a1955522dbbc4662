"""What all prices are once they are read: candles, judged, and named by a hash of what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlab.core.errors import LabError
from mlab.model.ladder import Array

JUMP = 0.4  # change from one candle to the next from which a split or a wrong file is likelier than a price

Times = NDArray[np.datetime64]


class PricesError(LabError, ValueError):
    """Prices cannot be used: file, row and reason in one line."""

    exit_status = 2


@dataclass(frozen=True, eq=False)
class Candles:
    """Prices of one market, a candle a row: read-only, rising in time, one step apart or a whole number of steps.

    Attributes:
        name: what people call them, such as the name of their file.
        time: when each candle opens, UTC in milliseconds, shape (n,).
        open: price at that time, in quote currency, shape (n,) like the others.
        high: highest price.
        low: lowest price.
        close: price when the next one opens.
        made: whether a generator made them.
    """

    name: str
    time: Times
    open: Array
    high: Array
    low: Array
    close: Array
    made: bool = False

    @classmethod
    def of(
        cls, name: str, time: ArrayLike, *, open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike  # noqa: A002
    ) -> Candles:
        """Candles of one's own; times are milliseconds since 1970 or ``datetime64``.

        Raises:
            PricesError: they are no candles; the first row is 1.

        Example:
            >>> hours = np.arange(3) * 3_600_000
            >>> candles = Candles.of("mine", hours, open=[1, 2, 3], high=[2, 3, 3], low=[1, 2, 3], close=[2, 3, 3])
            >>> candles
            <mine: 3 candles of 1 hour, 1970-01-01 to 1970-01-01, 81573b7d3ded>
        """
        return judged(name, name, np.asarray(time).astype("datetime64[ms]"), (open, high, low, close))

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        first, last = (str(time.astype("datetime64[D]")) for time in self.time[[0, -1]])
        return f"<{self.name}: {len(self):,} candles of {duration(self.step)}, {first} to {last}, {self.hash}>"

    def __getitem__(self, part: slice) -> Candles:
        """A stretch of them, such as a window."""
        cut = [column[part] for column in (self.time, self.open, self.high, self.low, self.close)]
        return Candles(self.name, *cut, made=self.made)

    @property
    def step(self) -> np.timedelta64:
        """Time from one candle to the next, the commonest."""
        return _step(self.time)

    @cached_property
    def hash(self) -> str:
        """Twelve digits that other candles do not have, whatever the name of their file."""
        digest = hashlib.sha256(self.time.astype("<i8").tobytes())
        for column in (self.open, self.high, self.low, self.close):
            digest.update(column.astype("<f8").tobytes())
        return digest.hexdigest()[:12]

    @property
    def missing(self) -> int:
        """Steps without a candle."""
        return int((self.time[-1] - self.time[0]) // self.step) + 1 - len(self)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about them, and no reason to refuse them."""
        found = []
        if self.missing:
            longest = np.diff(self.time).max()
            found.append(f"{self.missing:,} steps of {duration(self.step)} have no candle, the longest gap is {duration(longest)}")
        change = np.append(self.open[1:], self.close[-1]) / self.close - 1.0
        inside = self.close / self.open - 1.0
        for kind, share in (("to the next open", change), ("within a candle", inside)):
            jumps = np.flatnonzero(np.abs(share) > JUMP)
            if jumps.size:
                first = jumps[0]
                found.append(
                    f"{jumps.size} jumps of more than {JUMP:.0%} {kind}, the first {share[first]:+.0%} on "
                    f"{self.time[first].astype('datetime64[D]')}: a split, or a wrong file?"
                )
        return tuple(found)


def judged(
    name: str,
    source: str,
    time: Times,
    prices: Sequence[ArrayLike],
    *,
    row: Callable[[int], object] = lambda index: index + 1,
    made: bool = False,
) -> Candles:
    """Candles of columns as they were read, open, high, low, close.

    Newest first is turned round. ``row`` says where the candle of an index stands in its source.

    Raises:
        PricesError: source, row and what is wrong there.
    """
    columns = [np.array(column, dtype=np.float64) for column in prices]
    if any(column.shape != time.shape for column in columns) or time.ndim != 1:
        raise PricesError(f"{source}: times and prices differ in length: {[len(time), *map(np.size, columns)]}")
    if len(time) < 2:
        raise PricesError(f"{source}: {len(time)} candles are too few, at least 2 are needed")
    backwards = time[0] > time[-1]
    if backwards:
        time, columns = time[::-1], [column[::-1] for column in columns]

    def refuse(bad: NDArray[np.bool_], reason: Callable[[int], str]) -> None:
        if bad.any():
            index = int(np.argmax(bad))
            place = row(len(time) - 1 - index if backwards else index)
            raise PricesError(f"{source}: row {place}: {reason(index)}")

    _judge(time, columns, refuse)
    columns = [np.ascontiguousarray(column) for column in (time, *columns)]
    for column in columns:
        column.setflags(write=False)
    return Candles(name, *columns, made=made)


def _judge(time: Times, columns: list[Array], refuse: Callable[[NDArray[np.bool_], Callable[[int], str]], None]) -> None:
    open_, high, low, close = columns
    for title, column in zip(("open", "high", "low", "close"), columns, strict=True):
        bad = ~(np.isfinite(column) & (column > 0))
        refuse(bad, lambda index, title=title, column=column: f"{title} must be a finite number above 0, was {column[index]}")
    refuse(low > np.minimum(open_, close), lambda index: f"low {low[index]} is above open {open_[index]} or close {close[index]}")
    refuse(high < np.maximum(open_, close), lambda index: f"high {high[index]} is below open {open_[index]} or close {close[index]}")
    apart = np.diff(time)
    zero = np.timedelta64(0, "ms")
    refuse(np.append(False, apart <= zero), lambda index: f"time {time[index]} does not come after {time[index - 1]}")
    step = _step(time)
    refuse(
        np.append(False, apart % step != zero),
        lambda index: f"time {time[index]} is no whole number of steps of {duration(step)} after {time[index - 1]}",
    )


def _step(time: Times) -> np.timedelta64:
    steps, counts = np.unique(np.diff(time), return_counts=True)
    return steps[np.argmax(counts)]


def duration(span: np.timedelta64) -> str:
    """A span of time in words: ``1 hour``, ``15 minutes``.

    Example:
        >>> duration(np.timedelta64(5_400, "s"))
        '90 minutes'
    """
    seconds = span / np.timedelta64(1, "s")
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds % length == 0:
            count = int(seconds // length)
            return f"{count:,} {unit}{'s' * (count != 1)}"
    return f"{seconds:g} seconds"
