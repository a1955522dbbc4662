"""Other histories than the one that happened: other starts, weeks in another order, and a date that parts it in two.

One chain of deals is one draw. How far its numbers hold is seen from others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np

from mlab.model.exits import Fees
from mlab.model.ladder import Array
from mlab.prices.candles import Candles, PricesError, judged
from mlab.replay.exits import Levels
from mlab.replay.outcome import Outcome
from mlab.replay.path import Convention, Path
from mlab.replay.run import replay

WEEK = np.timedelta64(7, "D")


def split(candles: Candles, date: np.datetime64) -> tuple[Candles, Candles]:
    """The candles before a date and those from it on: in sample and out of sample, each to be replayed by itself.

    Raises:
        PricesError: one of them would have fewer than 2.
    """
    at, count = int(np.searchsorted(candles.time, date)), len(candles)
    if not 2 <= at <= count - 2:
        leaves = f"{candles.name}: {date.astype('datetime64[s]')} leaves {at:,} of {count:,} candles before it"
        if count < 4:
            raise PricesError(f"{leaves}; only 4 or more can be parted")
        first, last = (time.astype("datetime64[s]") for time in candles.time[[2, -2]])
        raise PricesError(f"{leaves}; dates from {first} to {last} leave 2 or more on each side")
    return candles[:at], candles[at:]


def windows(candles: Candles, count: int, share: float = 0.5) -> list[Candles]:
    """Stretches as long as a share of the history, that begin at as many dates, evenly apart."""
    size = max(2, int(len(candles) * share))
    starts = np.linspace(0, len(candles) - size, count).astype(int)
    return [candles[start : start + size] for start in starts.tolist()]


def resampled(candles: Candles, seed: int | Sequence[int]) -> Candles:
    """A history as long, of weeks drawn from this one with replacement, each joined to the close before it.

    Changes are kept, and so are their clusters within a week; prices, and what is longer than a week, are not.
    """
    before = np.append(candles.open[0], candles.close[:-1])
    gap, change = candles.open / before, candles.close / candles.open
    week = _week(candles)
    starts = np.random.default_rng(seed).integers(0, len(candles) - week + 1, -(-len(candles) // week))
    drawn = (starts[:, None] + np.arange(week)).ravel()[: len(candles)]
    close = candles.open[0] * np.cumprod(gap[drawn] * change[drawn])
    open_ = np.append(candles.open[0], close[:-1]) * gap[drawn]
    high = np.maximum(open_ * (candles.high / candles.open)[drawn], np.maximum(open_, close))
    low = np.minimum(open_ * (candles.low / candles.open)[drawn], np.minimum(open_, close))
    name = f"{candles.name}, weeks drawn anew"
    return judged(name, name, candles.time, (open_, high, low, close), made=True)


def _week(candles: Candles) -> int:
    """Candles a week, at most all: five daily ones of a stock, 168 hourly ones of a coin."""
    weeks: float = (candles.time[-1] - candles.time[0] + candles.step) / WEEK
    return min(len(candles), max(1, round(len(candles) / weeks)))


def bootstrap(
    candles: Candles,
    levels: Levels,
    fees: Fees | None = None,
    *,
    histories: int = 100,
    seed: int = 0,
    convention: Convention | None = None,
    compounding: bool = False,
) -> Iterator[Outcome]:
    """What ladders would have done in other histories, one after the other; the same ones for all ladders."""
    for path in other_paths(candles, histories, seed=seed, convention=convention):
        yield replay(path, levels, fees, compounding=compounding)


def other_paths(
    candles: Candles, histories: int, *, seed: int = 0, convention: Convention | None = None
) -> Iterator[Path]:
    """Paths through histories of weeks drawn anew, made one after the other."""
    return (Path(resampled(candles, (seed, number)), convention) for number in range(drawn(candles, histories)))


def drawn(candles: Candles, histories: int) -> int:
    """How many other histories are drawn: none of less than two weeks, of which most draws would be the same."""
    return histories if 2 * _week(candles) <= len(candles) else 0


def interval(outcomes: Sequence[Outcome], share: float = 0.9) -> tuple[Outcome, Outcome]:
    """The ends between which this share of the outcomes lies, number by number: as many are below as above."""
    ends: list[dict[str, Array]] = [{}, {}]
    for name in (field.name for field in fields(Outcome)):
        values = np.stack([getattr(outcome, name) for outcome in outcomes])
        tail = (1.0 - share) / 2.0
        for end, value in zip(ends, np.quantile(values, (tail, 1.0 - tail), axis=0), strict=True):
            end[name] = value
    low, high = (Outcome(**end) for end in ends)  # type: ignore[arg-type]  # quantiles of counts are no counts
    return low, high
