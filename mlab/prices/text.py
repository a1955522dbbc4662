"""Columns of candles out of CSV, with heads of many makers or none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from mlab.prices.tables import (
    PRICE_NAMES,
    TIME_NAMES,
    BadRow,
    Columns,
    Table,
    from_table,
    head_fault,
    heading,
    in_order,
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a CSV file is laid out."""

    skipped: int  # lines before the candles
    delimiter: str
    names: list[str]  # of its columns
    headed: bool = True  # whether the names are its own


def from_csv(content: bytes) -> Columns:
    """Candles of a CSV file, with a header or in the order of exchanges' dumps: time, open, high, low, close."""
    if content[:100].lstrip()[:1] in (b"[", b"{"):
        raise BadRow(None, "is JSON: its name must end in .json")
    content = plain(content)
    layout = _layout(content)
    rows = b"".join(content.split(b"\n", layout.skipped)[layout.skipped :])
    if not rows.strip():
        raise BadRow(None, "holds no candles")
    table = _table(rows, layout)
    if layout.delimiter != ",":
        if layout.delimiter == "\t":
            _refuse_thousands(table)
        table = _with_points(table)
    columns = from_table(table)
    return columns if layout.headed else in_order(columns)


def line_of(content: bytes, index: int) -> int:
    """The line, counted from 1, in which the candle of an index stands in a CSV file."""
    content = plain(content)
    skipped = _layout(content).skipped
    lines = enumerate(content.split(b"\n"), start=1)
    return [number for number, line in lines if number > skipped and line][index]


def plain(content: bytes) -> bytes:
    """UTF-8 without a mark that says so, each line ended by a line feed."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", errors="replace").encode()
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("latin-1").encode()
    return content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _layout(content: bytes) -> Layout:
    lines = content[:65_536].decode(errors="replace").split("\n")
    unknown: list[str] = []
    for skipped, line in enumerate(lines):
        delimiter = max(";\t,", key=line.count)  # of as many the first, for commas may be those of decimals
        cells = line.split(delimiter)
        head = [heading(cell) for cell in cells]
        if "open" in head:
            return _under(lines, Layout(skipped + 1, delimiter, head))
        if len(cells) < 5:
            continue
        if not re.search(r"\d", "".join(cells[:5])):
            unknown = unknown or head
        elif head[0] != "ticker" and not unknown:
            apart = ["date", "time"] if ":" in cells[1] else ["time"]
            names = [*apart, *PRICE_NAMES]
            rest = map(str, range(len(cells) - len(names)))
            return Layout(skipped, delimiter, [*names, *rest], headed=False)
    none = "holds no candles: no line has a time, open, high, low and close"
    raise BadRow(None, (head_fault(unknown) if unknown else None) or none)


def _under(lines: list[str], layout: Layout) -> Layout:
    """The layout with what stands below the head in yfinance's files: tickers, and a name for the column of times."""
    for line in lines[layout.skipped :]:
        first, *others = (heading(cell) for cell in line.split(layout.delimiter))
        if first and first in TIME_NAMES and not any(others):
            layout = replace(layout, names=[first, *layout.names[1:]])
        elif first != "ticker":
            break
        layout = replace(layout, skipped=layout.skipped + 1)
    return layout


def _table(rows: bytes, layout: Layout) -> Table:
    """All cells as text."""
    import pyarrow as pa
    from pyarrow import csv

    ragged: list[Any] = []

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        return csv.read_csv(
            pa.BufferReader(rows),
            csv.ReadOptions(use_threads=False, column_names=layout.names),
            csv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=refuse),
            csv.ConvertOptions(column_types=dict.fromkeys(layout.names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        if ragged:
            row = ragged[0]
            reason = f"must have {row.expected_columns} columns, has {row.actual_columns}"
            more = layout.delimiter == "," and row.actual_columns > row.expected_columns
            remedy = "; decimal commas need semicolons between cells" if more else ""
            raise BadRow(row.number - 1, reason + remedy) from error
        raise BadRow(None, f"is no CSV: {error}") from error


def _refuse_thousands(table: Table) -> None:
    """Semicolons come with decimal commas; between tabs, commas that all have three digits behind may be either."""
    import pyarrow.compute as pc

    for name, cells in zip(table.column_names, table.columns, strict=True):
        commas = pc.match_substring(cells, ",").to_pylist()
        either = pc.match_substring_regex(cells, r"^\s*-?\d{1,3}(,\d{3})+(\.\d*)?\s*$").to_pylist()
        if name in PRICE_NAMES and any(commas) and commas == either:
            k = commas.index(True)
            raise BadRow(k, f"{name} must be a number without commas of thousands, was {cells[k].as_py()!r}")


def _with_points(table: Table) -> Table:
    """The same, decimal commas as points."""
    import pyarrow as pa
    import pyarrow.compute as pc

    commas = {"pattern": r"^\s*(-?\d*),(\d+)\s*$", "replacement": r"\1.\2"}
    return pa.table([pc.replace_substring_regex(cells, **commas) for cells in table.columns], table.column_names)
