"""Columns of candles out of tables: CSV with and without a header, feather, parquet, JSON arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import orjson

from mlab.model.ladder import Array
from mlab.prices.times import LARGEST, BadTime, Column, Times, from_column, from_epoch

Table: TypeAlias = Any  # pyarrow.Table

TIME_NAMES = ("unix", "open_time", "opentime", "timestamp", "datetime", "time", "date", "ts", "__index_level_0__")
PRICE_NAMES = ("open", "high", "low", "close")
ADJUSTED_NAMES = ("adj_close", "adjclose", "adjusted_close")
DELIMITERS = (",", ";", "\t")


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


@dataclass(frozen=True, slots=True)
class Layout:
    """How a CSV file is laid out."""

    skipped: int  # lines before the candles
    delimiter: str
    names: list[str]  # of its columns


def from_csv(content: bytes) -> Columns:
    """Candles of a CSV file, with a header or in the order of exchanges' dumps: time, open, high, low, close."""
    import pyarrow as pa
    from pyarrow import csv

    content = _plain(content)
    layout = _layout(content)
    rows = content.split(b"\n", layout.skipped)[-1]
    if not rows.strip():
        raise BadRow(None, "holds no candles")
    ragged: list[Any] = []

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        table = csv.read_csv(
            pa.BufferReader(rows),
            csv.ReadOptions(use_threads=False, column_names=layout.names),
            csv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=refuse),
            csv.ConvertOptions(column_types=dict.fromkeys(layout.names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        if ragged:
            row = ragged[0]
            reason = f"must have {row.expected_columns} columns, has {row.actual_columns}"
            raise BadRow(row.number - 1, reason) from error
        raise BadRow(None, f"is no CSV: {error}") from error
    return from_table(table)


def line_of(content: bytes, index: int) -> int:
    """The line, counted from 1, in which the candle of an index stands in a CSV file."""
    content = _plain(content)
    skipped = _layout(content).skipped
    lines = enumerate(content.split(b"\n"), start=1)
    return [number for number, line in lines if number > skipped and line.strip()][index]


def _plain(content: bytes) -> bytes:
    """UTF-8 without a mark that says so."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace").encode()
    return content.removeprefix(b"\xef\xbb\xbf")


def _layout(content: bytes) -> Layout:
    for skipped, line in enumerate(content[:65_536].decode(errors="replace").split("\n")):
        delimiter = max(DELIMITERS, key=line.count)
        cells = [cell.strip().strip('"<>').lower().replace(" ", "_") for cell in line.split(delimiter)]
        if "open" in cells:
            return Layout(skipped + 1, delimiter, cells)
        if len(cells) >= 5:
            apart = ["date", "time"] if ":" in cells[1] else ["time"]
            names = [*apart, *PRICE_NAMES]
            return Layout(skipped, delimiter, [*names, *map(str, range(len(cells) - len(names)))])
    raise BadRow(None, "holds no candles: no line has a time, open, high, low and close")


def from_table(table: Table) -> Columns:
    """Candles of a table; columns go by their names, in any case and order. Prices are adjusted where it says how."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [name.lower().replace(" ", "_") for name in table.column_names]
    columns = dict(zip(names, map(_decoded, table.columns), strict=True))
    lacking = [name for name in PRICE_NAMES if name not in columns]
    named = [name for name in TIME_NAMES if name in columns]
    if lacking or not named:
        raise BadRow(None, f"has no column {', '.join(lacking) or 'time'}, only {', '.join(columns)}")
    time = columns[named[0]]
    if {"date", "time"} <= columns.keys() and pa.types.is_string(time.type):
        time = pc.binary_join_element_wise(columns["date"], columns["time"], " ")
    prices = [_numbers(name, columns[name]) for name in PRICE_NAMES]
    for name in ADJUSTED_NAMES:
        if name in columns:
            factor = _numbers(name, columns[name]) / prices[-1]
            prices = [price * factor for price in prices]
    return Columns(_times(time), prices)


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
        raise BadRow(error.index, f"time must be one, was {error.text!r}") from error
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
                raise BadRow(index, f"{name} must be a number, was {text!r}") from error
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


def from_json(content: bytes) -> Columns:
    """Candles of CCXT or freqtrade: a list of lists, each a time, open, high, low, close and what else there is."""
    try:
        rows = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadRow(None, f"is no JSON: {error}") from error
    if not isinstance(rows, list):
        raise BadRow(None, "must be a list of candles [time, open, high, low, close, ...]")
    for index, row in enumerate(rows):
        if not (isinstance(row, list) and len(row) >= 5 and all(type(value) in (int, float) for value in row[:5])):
            raise BadRow(index, f"must be a list of time, open, high, low and close, was {str(row)[:60]}")
        if not abs(row[0]) < LARGEST:
            raise BadRow(index, f"time must be one, was {row[0]}")
    times = np.array([row[0] for row in rows], dtype=np.int64)
    return Columns(
        from_epoch(times), [np.array([row[place] for row in rows], dtype=np.float64) for place in range(1, 5)]
    )


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
