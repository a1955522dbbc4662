"""Columns of candles out of tables, by their names; feather and parquet are such tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from mlab.model.ladder import Array
from mlab.prices.candles import not_positive
from mlab.prices.times import LARGEST, BadTime, Column, Times, from_column

Table: TypeAlias = Any  # pyarrow.Table

UNITS = ("price", "utc", "gmt", "etc")
UNNAMED = ("index", "index_level_0", "unnamed_0", "")
"""What pandas calls an index without a name: times, or a count of rows."""
TIME_NAMES = (
    *("unix", "open_time", "opentime", "timestamp", "datetime", "time", "date", "ts", "start", "local_time"),
    *("utc", "etc_utc", *UNNAMED),
)
PRICE_NAMES = ("open", "high", "low", "close")
ADJUSTED_NAMES = ("adj_close", "adjclose", "adjusted_close")
COUNTED = np.datetime64("1971-01-01")  # numbers of rows are seconds before it


class BadRow(ValueError):
    """The row at an index cannot be read; None where no row can."""

    def __init__(self, index: int | None, reason: str) -> None:
        self.index, self.reason = index, reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Columns:
    """Candles as they were read, before anybody has judged them."""

    time: Times
    prices: list[Array]  # open, high, low, close


def heading(text: str) -> str:
    """The name of a column without its unit.

    Example:
        >>> [heading(text) for text in ("Open Price", "<CLOSE>", "Gmt time", "Adj. Close (USD)", "Price")]
        ['open', 'close', 'time', 'adj_close', 'price']
    """
    words = re.findall(r"[^\W_]+", re.sub(r"\(.*?\)|\[.*?\]", "", text.lower()))
    return "_".join([word for word in words if word not in UNITS] or words)


def head_fault(names: Sequence[str]) -> str | None:
    """What a head lacks, or has twice, in words; None where nothing."""
    times = [name for name in TIME_NAMES if name in names]
    lacking = [name for name in PRICE_NAMES if name not in names]
    if not times:
        lacking.insert(0, "time")
    if lacking:
        known = "known are time, date or timestamp, open, high, low, close"
        return f"has no column {', '.join(lacking)}, only {', '.join(filter(None, names))}; {known}"
    twice = [name for name in (times[0], *PRICE_NAMES, *ADJUSTED_NAMES) if names.count(name) > 1]
    return f"has {names.count(twice[0])} columns {twice[0]}, must have one, that of one market" if twice else None


def from_table(table: Table) -> Columns:
    """Candles of a table; columns go by their names, in any case and order. Prices are adjusted where it says how."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [heading(name) for name in table.column_names]
    if fault := head_fault(names):
        raise BadRow(None, fault)
    columns = dict(zip(names, map(_decoded, table.columns), strict=True))
    of_time = next(name for name in TIME_NAMES if name in columns)
    time = columns[of_time]
    if {"date", "time"} <= columns.keys() and pa.types.is_string(time.type):
        time = pc.binary_join_element_wise(columns["date"], columns["time"], " ")
    prices = {name: _numbers(name, columns[name]) for name in PRICE_NAMES}
    adjusted = {name: _numbers(name, columns[name]) for name in ADJUSTED_NAMES if name in columns}
    times = _times(time)
    if of_time in UNNAMED and (times < COUNTED).any():
        raise BadRow(None, "has no column time, only one without a name that counts rows")
    return Columns(times, _adjusted(prices, adjusted) if adjusted else list(prices.values()))


def from_values(values: Mapping[str, Sequence[object]]) -> Columns:
    """Candles of lists of numbers or texts, by their names."""
    import pyarrow as pa

    return from_table(pa.table({name: _column(column) for name, column in values.items()}))


def _column(values: Sequence[object]) -> Column:
    """Numbers alone as they are, for many come so; what is mixed as texts, of which each is judged."""
    import pyarrow as pa

    kinds = set(map(type, values))
    if kinds == {float}:
        return pa.array(values, pa.float64())
    if kinds == {int} and all(-LARGEST < value < LARGEST for value in values):  # type: ignore[operator]
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _adjusted(prices: dict[str, Array], adjusted: dict[str, Array]) -> list[Array]:
    """All four as the close is adjusted."""
    name = next(iter(adjusted))
    for title, price in {**prices, name: adjusted[name]}.items():
        bad = ~(np.isfinite(price) & (price > 0))
        if bad.any():
            index = int(np.argmax(bad))
            raise BadRow(index, not_positive(title, price, index))
    with np.errstate(over="ignore", under="ignore"):
        factor = adjusted[name] / prices["close"]
        return [price * factor for price in prices.values()]


def in_order(columns: Columns) -> Columns:
    """Columns without names, refused where most rows cannot be open, high, low, close: those of Coinbase, for one."""
    open_, high, low, close = columns.prices
    wrong = (low > np.minimum(open_, close)) | (high < np.maximum(open_, close))
    if 2 * np.count_nonzero(wrong) > len(wrong):  # a single one is a candle that is none
        k = int(np.argmax(wrong))
        odd = f"low {low[k]} and high {high[k]} are not around open {open_[k]} and close {close[k]}"
        raise BadRow(
            k, f"{odd}; columns without names must be time, open, high, low, close, name others in the head of a CSV"
        )
    return columns


def _decoded(column: Column) -> Column:
    """A column of values, where it may be one of places in a dictionary of them."""
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _times(column: Column) -> Times:
    import pyarrow as pa

    _refuse_nulls("time", column)
    try:
        return from_column(column)
    except BadTime as error:
        form = "such as 2026-01-31 23:59 or seconds since 1970"
        raise BadRow(error.index, f"time must be one, {form}, was {error.text!r}") from error
    except pa.ArrowException as error:
        raise BadRow(None, f"column time holds no times: {error}") from error


def _numbers(name: str, column: Column) -> Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    _refuse_nulls(name, column)
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
    try:
        numbers: Array = column.cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        for index, text in enumerate(column.to_pylist()):
            if not _is_number(text):
                remedy = " without commas" if "," in str(text) else ""
                raise BadRow(index, f"{name} must be a number{remedy}, was {text!r}") from error
        raise BadRow(None, f"column {name} holds no numbers: {error}") from error
    return numbers


def _refuse_nulls(name: str, column: Column) -> None:
    if column.null_count:
        raise BadRow(column.is_null().to_pylist().index(True), f"{name} is missing")


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return "_" not in str(value)


def from_feather(content: bytes) -> Columns:
    """Candles of a feather file, such as those of freqtrade."""
    from pyarrow import feather

    return _from_arrow(content, feather.read_table, "feather")


def from_parquet(content: bytes) -> Columns:
    """Candles of a parquet file."""
    from pyarrow import parquet

    return _from_arrow(content, parquet.read_table, "parquet")


def _from_arrow(content: bytes, reader: Callable[[Any], Table], kind: str) -> Columns:
    import pyarrow as pa

    try:
        table = reader(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise BadRow(None, f"is no {kind} file: {error}") from error
    return from_table(table)
