"""What all prices are once they are read: candles, judged, and named by a hash of what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlab.core.decimals import counted
from mlab.core.errors import LabError
from mlab.core.records import Json
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
        cls,
        name: str,
        time: ArrayLike,
        *,
        open: ArrayLike,  # noqa: A002
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
    ) -> Candles:
        """Candles of one's own; times are milliseconds since 1970 or ``datetime64``.

        Raises:
            PricesError: they are no candles; the first row is 1.

        Example:
            >>> hours = np.arange(3) * 3_600_000
            >>> candles = Candles.of("mine", hours, open=[1, 2, 3], high=[2, 3, 3], low=[1, 2, 3], close=[2, 3, 3])
            >>> candles
            <mine: 3 candles of 1 hour, 1970-01-01 to 1970-01-01, e38d877c3435>
        """
        prices = {"open": open, "high": high, "low": low, "close": close}
        columns = [_column(name, title, price, "float64") for title, price in prices.items()]
        return judged(name, name, _column(name, "time", time, "datetime64[ms]"), columns)

    def __len__(self) -> int:
        return len(self.time)

    def __repr__(self) -> str:
        first, last = (str(time.astype("datetime64[D]")) for time in self.time[[0, -1]])
        return f"<{self.name}: {len(self):,} candles of {duration(self.step)}, {first} to {last}, {self.hash}>"

    def __getitem__(self, part: slice) -> Candles:
        """A stretch of them, such as a window."""
        open_, high, low, close = (column[part] for column in (self.open, self.high, self.low, self.close))
        return Candles(self.name, self.time[part], open_, high, low, close, self.made)

    def to_dict(self) -> Json:
        """What prices they are, in plain JSON values."""
        first, last = (str(time.astype("datetime64[s]")) for time in self.time[[0, -1]])
        return {
            "name": self.name,
            "hash": self.hash,
            "made": self.made,
            "candles": len(self),
            "step": duration(self.step),
            "first": first,
            "last": last,
            "missing": self.missing,
            "warnings": list(self.warnings),
        }

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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about them, and no reason to refuse them."""
        found = []
        if self.missing:
            gap = duration(np.diff(self.time).max())
            steps = f"{counted(self.missing, 'step')} of {duration(self.step)} without a candle"
            found.append(f"{steps}, the longest gap is {gap}")
        after = np.append(self.open[1:], self.close[-1])
        with np.errstate(over="ignore", under="ignore"):
            changes = {"within a candle": self.close / self.open, "to the next": after / self.close}
        for place, change in changes.items():
            jumps = np.flatnonzero(np.abs(change - 1.0) > JUMP)
            if jumps.size:
                day, first = self.time[jumps[0]].astype("datetime64[D]"), _change(change[jumps[0]])
                jumped = f"{counted(jumps.size, 'jump')} of more than {100 * JUMP:.0f} % {place}"
                found.append(f"{jumped}, the first {first} on {day}: a split, or a wrong file?")
        return tuple(found)


def judged(
    name: str,
    source: str,
    time: Times,
    prices: Sequence[ArrayLike],
    *,
    row: Callable[[int], str] | None = None,
    made: bool = False,
) -> Candles:
    """Candles of columns as they were read, prices being open, high, low, close.

    ``row`` says in words where the candle of an index stands, for the error; the source and its number where left out.

    Raises:
        PricesError: where, and what is wrong there.
    """
    columns = [np.array(column, dtype=np.float64) for column in prices]
    if any(column.shape != time.shape for column in columns) or time.ndim != 1:
        raise PricesError(f"{source}: times and prices must be as many, are {[time.size, *(c.size for c in columns)]}")
    if len(time) < 2:
        raise PricesError(f"{source}: at least 2 candles are needed, has {len(time)}")
    for bad, reason in _faults(time, *columns):
        if bad.any():
            index = int(np.argmax(bad))
            raise PricesError(f"{row(index) if row else f'{source}: row {index + 1}'}: {reason(index)}")
    time = time.copy()
    for column in (time, *columns):
        column.setflags(write=False)
    open_, high, low, close = columns
    return Candles(name, time, open_, high, low, close, made)


def _column(source: str, title: str, value: ArrayLike, kind: str) -> NDArray[Any]:
    try:
        return np.asarray(value).astype(kind)
    except (TypeError, ValueError, OverflowError):
        must = "times" if title == "time" else "numbers"
        raise PricesError(f"{source}: {title} must be {must}, one a candle") from None


def _faults(
    time: Times, open_: Array, high: Array, low: Array, close: Array
) -> Iterator[tuple[NDArray[np.bool_], Callable[[int], str]]]:
    """What would be wrong, each as a flag a candle and a reason for the first that is set."""
    for title, price in (("open", open_), ("high", high), ("low", low), ("close", close)):
        yield ~(np.isfinite(price) & (price > 0)), partial(not_positive, title, price)
    yield low > np.minimum(open_, close), lambda i: f"low {low[i]} is above open {open_[i]} or close {close[i]}"
    yield high < np.maximum(open_, close), lambda i: f"high {high[i]} is below open {open_[i]} or close {close[i]}"
    apart, zero = np.diff(time), np.timedelta64(0, "ms")
    yield np.append(False, apart <= zero), lambda i: f"time {time[i]} does not come after {time[i - 1]}"
    step = _step(time)
    yield (
        np.append(False, apart % step != zero),
        lambda i: f"time {time[i]} is no whole number of steps of {duration(step)} after {time[i - 1]}",
    )


def not_positive(title: str, price: Array, index: int) -> str:
    """Why the price at an index is none."""
    return f"{title} must be finite and above 0, was {price[index]}"


def _step(time: Times) -> np.timedelta64:
    steps, counts = np.unique(np.diff(time), return_counts=True)
    step: np.timedelta64 = steps[np.argmax(counts)]
    return step


def duration(span: np.timedelta64) -> str:
    """A span of time in words: ``1 hour``, ``15 minutes``.

    Example:
        >>> duration(np.timedelta64(5_400, "s"))
        '90 minutes'
    """
    seconds = span / np.timedelta64(1, "s")
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if seconds % length == 0:
            return counted(int(seconds // length), unit)
    return f"{seconds:g} seconds"


def _change(ratio: float) -> str:
    """From one price to another, in a number that people read."""
    if 0.001 <= ratio <= 1000.0:
        return f"of {100.0 * (ratio - 1.0):+,.0f} %"
    return "to more than 1,000 times the price" if ratio > 1.0 else "to less than a thousandth of the price"
