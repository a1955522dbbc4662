"""Prices out of files: by the name of a file it is known how to read it, zipped or not."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path, PurePath

import numpy as np

from mlab.prices.answers import from_json
from mlab.prices.candles import Candles, PricesError, Times, judged
from mlab.prices.tables import BadRow, Columns, from_feather, from_parquet
from mlab.prices.text import from_csv, line_of

READERS: dict[str, Callable[[bytes], Columns]] = {
    ".csv": from_csv,
    ".txt": from_csv,
    ".tsv": from_csv,
    ".json": from_json,
    ".feather": from_feather,
    ".parquet": from_parquet,
}


def read(path: Path | str) -> Candles:
    """Candles of a file.

    CSV (exchanges' dumps without a header, or any with columns named time or date, open, high, low and close), JSON
    of CCXT, freqtrade, Binance, OKX, Bybit and Kraken, feather, parquet; also in a zip, of which all members are read,
    or gzipped. Newest first is turned round, and prices are adjusted where there is a column ``adj close``. Times
    without a zone are UTC.

    Raises:
        PricesError: the file cannot be read, or holds what is no candle: file, row and reason.
    """
    if not str(path):
        raise PricesError("prices must be the path of a file, was ''")
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PricesError(f"{path}: {error.strerror}") from error
    return candles(content, str(path))


def candles(content: bytes, source: str) -> Candles:
    """Candles of what a file of this name holds; otherwise as :func:`read`."""
    parts = sorted((_read(*member) for member in _members(content, source)), key=lambda part: part[0].time[0])
    columns = [part for part, _ in parts]
    ends = list(accumulate(len(part.time) for part in columns))

    def row(index: int) -> str:
        part = int(np.searchsorted(ends, index, side="right"))
        return parts[part][1](index - (ends[part - 1] if part else 0))

    time = np.concatenate([part.time for part in columns])
    prices = [np.concatenate(same) for same in zip(*(part.prices for part in columns), strict=True)]
    return judged(PurePath(source).name.partition(".")[0], source, time, prices, row=row)


def _members(content: bytes, source: str) -> Iterator[tuple[bytes, str, str]]:
    """What is to be read: content, its name, and the file it is in with the member, if it is one."""
    name = PurePath(source).name.lower()
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = [info for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
                if not members:
                    raise PricesError(f"{source}: holds no file")
                for info in members:
                    yield archive.read(info), info.filename.lower(), f"{source}: {info.filename}"
        elif name.endswith(".gz"):
            yield gzip.decompress(content), name.removesuffix(".gz"), source
        else:
            yield content, name, source
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
        raise PricesError(f"{source}: cannot be unpacked: {error}") from error


def _read(content: bytes, name: str, source: str) -> tuple[Columns, Callable[[int], str]]:
    """One file, oldest candle first, and where in it the candle of an index stands."""
    reader = READERS.get(PurePath(name).suffix)
    if reader is None:
        raise PricesError(f"{source}: must end in {', '.join(READERS)}, .zip or .gz")

    def place(index: int) -> str:
        number = line_of(content, index) if reader is from_csv else index + 1
        return f"{source}: row {number}"

    try:
        columns = reader(content)
    except BadRow as error:
        where = source if error.index is None else place(error.index)
        raise PricesError(f"{where}: {error.reason}") from error
    size = len(columns.time)
    if size == 0:
        raise PricesError(f"{source}: holds no candles")
    if _newest_first(columns.time, place):
        turned = Columns(columns.time[::-1], [price[::-1] for price in columns.prices])
        return turned, lambda index: place(size - 1 - index)
    return columns, place


def _newest_first(time: Times, place: Callable[[int], str]) -> bool:
    """Whether times fall from row to row, as most of them do.

    Raises:
        PricesError: one of the others, in the row that a person finds it in.
    """
    ways = np.sign(np.diff(time).astype(np.int64))
    falls = bool(ways.sum() < 0)
    others = np.flatnonzero(ways != (-1 if falls else 1))
    if others.size:
        index, way = int(others[0]) + 1, "before" if falls else "after"
        raise PricesError(f"{place(index)}: time {time[index]} does not come {way} {time[index - 1]}")
    return falls
