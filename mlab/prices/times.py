"""Times as files write them, to UTC in milliseconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Times: TypeAlias = NDArray[np.datetime64]
Column: TypeAlias = Any  # pyarrow.ChunkedArray

SECONDS, MILLIS, MICROS = 10**11, 10**14, 10**17  # numbers below are of that unit, from the last on nanoseconds
LARGEST = 2**63  # what whole numbers of a computer stay below

DATED = (
    (r"^(\d{4})\.(\d{2})\.(\d{2})", r"\1-\2-\3"),  # of MetaTrader
    (r"^(\d{2})\.(\d{2})\.(\d{4})", r"\3-\2-\1"),  # of Dukascopy, and of spreadsheets: with points the day is first
    (r"^((?:19|20)\d{2})(\d{2})(\d{2})($| )", r"\1-\2-\3\4"),  # of Stooq and HistData: no seconds since 1970
    (r" GMT([+-]\d{4})$", r"\1"),  # of Dukascopy, in local time
)
"""Dates in other forms, and the same in that of ISO 8601."""


def from_epoch(numbers: NDArray[np.int64]) -> Times:
    """Times from whole numbers since 1970, each in seconds, milli-, micro- or nanoseconds by its size; or dates.

    Example:
        >>> from_epoch(np.array([1_735_689_600, 1_735_689_600_000, 1_735_689_600_000_000])).astype(str).tolist()
        ['2025-01-01T00:00:00.000', '2025-01-01T00:00:00.000', '2025-01-01T00:00:00.000']
        >>> from_epoch(np.array([20_260_130, 20_260_131])).astype(str).tolist()
        ['2026-01-30T00:00:00.000', '2026-01-31T00:00:00.000']
    """
    days = _days(numbers)
    if days is not None:
        return days
    size = np.abs(numbers)
    millis = np.select(
        [size < SECONDS, size < MILLIS, size < MICROS],
        [numbers * 1_000, numbers, numbers // 1_000],
        numbers // 1_000_000,
    )
    return millis.astype("datetime64[ms]")


def _days(numbers: NDArray[np.int64]) -> Times | None:
    """Dates of eight digits, as 20260131; None where some are none: seconds of 1970 would be as large."""
    year, month, day = numbers // 10_000, numbers // 100 % 100, numbers % 100
    dated = (year >= 1900) & (year < 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    if not dated.all():
        return None
    months = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    return (months.astype("datetime64[D]") + (day - 1)).astype("datetime64[ms]")


def from_column(column: Column) -> Times:
    """Times from a column of a table: numbers, times, or texts of either.

    Raises:
        BadTime: a text or a number is no time.
        pa.ArrowException: the column holds neither.
    """
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _from_texts(column)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        zone = getattr(column.type, "tz", None)
        times: Times = column.cast(pa.timestamp("ms", tz=zone), safe=False).to_numpy().astype("datetime64[ms]")
        return times
    if pa.types.is_floating(column.type):
        numbers = column.to_numpy()
        wrong = np.flatnonzero(~(np.abs(numbers) < LARGEST))  # no number, too
        if wrong.size:
            raise BadTime(int(wrong[0]), numbers[wrong[0]].item())
        return from_epoch(numbers.astype(np.int64))
    return from_epoch(column.cast(pa.int64()).to_numpy())


class BadTime(ValueError):
    """What stands at an index is no time."""

    def __init__(self, index: int, text: object) -> None:
        self.index, self.text = index, text
        super().__init__(f"{text!r} is no time")


def _from_texts(column: Column) -> Times:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = dated = pc.utf8_trim_whitespace(column)
    first = str(texts[0]) if len(texts) else ""
    for pattern, replacement in [form for form in DATED if re.search(form[0], first)]:
        dated = pc.replace_substring_regex(dated, pattern=pattern, replacement=replacement)
    ways = (
        lambda: from_epoch(dated.cast(pa.int64()).to_numpy()),
        lambda: dated.cast(pa.timestamp("ms")).to_numpy(),
        lambda: dated.cast(pa.timestamp("ms", tz="UTC")).to_numpy(),
    )
    for way in ways:
        try:
            times: Times = way().astype("datetime64[ms]")
        except pa.ArrowInvalid:
            continue
        return times
    return _one_by_one(dated.to_pylist(), texts.to_pylist())


def _one_by_one(dated: Iterable[str], texts: Sequence[str]) -> Times:
    millis = []
    for index, text in enumerate(dated):
        moment = _moment(text)
        if moment is None:
            raise BadTime(index, texts[index])
        millis.append(round(moment.timestamp() * 1_000))
    return np.array(millis, dtype="datetime64[ms]")


def _moment(text: str) -> datetime | None:
    for reader in (datetime.fromisoformat, _from_number, _of_crypto_data_download):
        try:
            moment = reader(text)
        except (ValueError, OverflowError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _from_number(text: str) -> datetime:
    number = float(text)
    if not abs(number) < LARGEST:
        raise OverflowError(text)
    millis: int = from_epoch(np.array([int(number)])).astype(np.int64).item()
    return datetime.fromtimestamp(millis / 1_000, tz=UTC)


def _of_crypto_data_download(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %I-%p").replace(tzinfo=UTC)
