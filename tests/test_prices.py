"""Prices: every format read, every bad row refused with file, row and reason, and what is made or embedded."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from mlab.core.errors import LabError
from mlab.prices import Candles, PricesError, chosen, made, msft, read

HOURS = [datetime(2024, 12, 31, 22, tzinfo=UTC) + timedelta(hours=hour) for hour in range(4)]  # over the end of a year
ROWS = [(100.5, 103.25, 99.0, 101.0), (101.0, 101.5, 98.0, 98.5), (98.5, 99.0, 97.25, 99.0), (99.0, 104.0, 98.0, 103.0)]


def lines(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def joined(cells: Callable[[int], list[object]], delimiter: str = ",", order: int = 1) -> list[str]:
    return [delimiter.join(map(str, cells(number))) for number in range(4)][::order]


def seconds(number: int) -> int:
    return int(HOURS[number].timestamp())


def binance(unit: int) -> list[str]:
    return joined(
        lambda i: [seconds(i) * unit, *ROWS[i], "8.2", (seconds(i) + 3600) * unit - 1, "768.9", 26, "3.9", "36.7", 0]
    )


EARLIER, LATER = binance(1000)[:2], binance(1000)[2:]
BINANCE_HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
CRYPTO_DATA_DOWNLOAD = [
    "https://www.CryptoDataDownload.com",
    "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
    *joined(
        lambda i: [
            seconds(i) * (1000 if i > 1 else 1),
            HOURS[i].strftime("%Y-%m-%d %H:%M:%S"),
            "BTC/USD",
            *ROWS[i],
            1,
            2,
        ],
        order=-1,
    ),
]
OLD_CRYPTO_DATA_DOWNLOAD = [
    "https://www.CryptoDataDownload.com",
    "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD",
    *joined(lambda i: [HOURS[i].strftime("%Y-%m-%d %I-%p"), "BTCUSD", *ROWS[i], 1, 2], order=-1),
]
META_TRADER_4 = joined(lambda i: [HOURS[i].strftime("%Y.%m.%d"), HOURS[i].strftime("%H:%M"), *ROWS[i], 12])
META_TRADER_5 = [
    "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
    *joined(lambda i: [HOURS[i].strftime("%Y.%m.%d"), HOURS[i].strftime("%H:%M:%S"), *ROWS[i], 12, 0, 1], "\t"),
]
YAHOO = [
    "Date,Open,High,Low,Close,Adj Close,Volume",
    *joined(lambda i: [HOURS[i].isoformat(), *ROWS[i], ROWS[i][3], 7]),
]
YFINANCE = [
    "Price,Close,High,Low,Open,Volume",
    "Ticker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD",
    "Datetime,,,,,",
    *joined(lambda i: [HOURS[i].isoformat(" "), *(ROWS[i][place] for place in (3, 1, 2, 0)), 7]),
]
YFINANCE_BY_TICKER = [
    YFINANCE[1],
    "Price,Open,High,Low,Close,Volume",
    YFINANCE[2],
    *joined(lambda i: [HOURS[i].isoformat(" "), *ROWS[i], 7]),
]
DAY_FIRST = "%d.%m.%Y %H:%M:%S.000"
COMMAS = joined(
    lambda i: [HOURS[i].strftime("%d.%m.%Y %H:%M"), *(str(price).replace(".", ",") for price in ROWS[i])], ";"
)
BACKWARDS = joined(lambda i: [*ROWS[i][::-1], HOURS[i].isoformat()], ";")
ARRAYS = json.dumps([[seconds(i) * 1000, *ROWS[i], 1.5] for i in range(4)]).encode()
OF_TEXTS = [[str(seconds(i) * 1000), *map(str, ROWS[i]), "8.2", "768.9"] for i in range(4)]


def answer(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def objects(*names: str) -> list[dict[str, object]]:
    return [dict(zip(names, (str(seconds(i)), *ROWS[i]), strict=True)) for i in range(4)]


ANSWERS = {
    "Binance's answer": json.dumps([[seconds(i) * 1000, *map(str, ROWS[i]), "8.2"] for i in range(4)]).encode(),
    "Kraken's answer": answer(
        error=[], result={"XXBTZUSD": [[seconds(i), *map(str, ROWS[i]), "1", "2", 3] for i in range(4)], "last": 5}
    ),
    "OKX's answer": answer(code="0", msg="", data=OF_TEXTS[::-1]),
    "Bybit's answer": answer(
        retCode=0, retMsg="OK", result={"category": "spot", "symbol": "BTCUSDT", "list": OF_TEXTS[::-1]}, time=5
    ),
    "Coinbase's answer with names": answer(candles=objects("start", "open", "high", "low", "close")[::-1]),
    "pandas, records": json.dumps(objects("timestamp", "open", "high", "low", "close")).encode(),
    "an answer, UTF-16": json.dumps(OF_TEXTS).encode("utf-16"),
}


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def stored(write: Callable[..., None], **options: object) -> bytes:
    table = pa.table(
        {"date": pa.array(HOURS, pa.timestamp("ms", tz="UTC"))}
        | {name: [row[place] for row in ROWS] for place, name in enumerate(("open", "high", "low", "close"))}
        | {"volume": [1.0] * 4}
    )
    buffer = io.BytesIO()
    write(table, buffer, **options)
    return buffer.getvalue()


FORMATS: dict[str, tuple[str, bytes]] = {
    "Binance spot, milliseconds": ("BTCUSDT-1h-2024-12.csv", lines(*binance(1000))),
    "Binance spot, microseconds": ("BTCUSDT-1h-2025-01.csv", lines(*binance(1_000_000))),
    "Binance, microseconds from a line on": ("a.csv", lines(*binance(1000)[:2], *binance(1_000_000)[2:])),
    "Binance futures with a header": ("a.csv", lines(BINANCE_HEAD, *binance(1000))),
    "Binance, zipped": ("a.zip", zipped(("a.csv", lines(*binance(1000))))),
    "Binance, months in a zip": (
        "a.zip",
        zipped(("2.csv", lines(*binance(1000)[2:])), ("1.csv", lines(*binance(1000)[:2]))),
    ),
    "freqtrade, feather": ("a.feather", stored(feather.write_feather, compression="lz4")),
    "freqtrade, JSON": ("a.json", ARRAYS),
    "CCXT, JSON": ("a.json", ARRAYS),
    "Kraken": ("XBTUSD_60.csv", lines(*joined(lambda i: [seconds(i), *ROWS[i], 0.5, 9]))),
    "CryptoDataDownload": ("a.csv", lines(*CRYPTO_DATA_DOWNLOAD)),
    "CryptoDataDownload, hours in words": ("a.csv", lines(*OLD_CRYPTO_DATA_DOWNLOAD)),
    "MetaTrader 4": ("a.csv", lines(*META_TRADER_4)),
    "MetaTrader 5": ("a.csv", lines(*META_TRADER_5)),
    "MetaTrader 5, UTF-16": ("a.csv", lines(*META_TRADER_5).decode().encode("utf-16")),
    "Yahoo": ("a.csv", lines(*YAHOO)),
    "yfinance": ("a.csv", lines(*YFINANCE)),
    "yfinance, by ticker": ("a.csv", lines(*YFINANCE_BY_TICKER)),
    "pandas, an index of times": (
        "a.csv",
        lines(",open,high,low,close", *joined(lambda i: [HOURS[i].isoformat(" "), *ROWS[i]])),
    ),
    "pandas, an index of times and one of rows": (
        "a.csv",
        lines(",index,open,high,low,close", *joined(lambda i: [i, HOURS[i].isoformat(" "), *ROWS[i]])),
    ),
    "Dukascopy": (
        "a.csv",
        lines("Gmt time,Open,High,Low,Close,Volume", *joined(lambda i: [HOURS[i].strftime(DAY_FIRST), *ROWS[i], 7])),
    ),
    "Dukascopy, local time": (
        "a.csv",
        lines(
            "Local time,Open,High,Low,Close",
            *joined(lambda i: [f"{HOURS[i] + timedelta(hours=1):{DAY_FIRST}} GMT+0100", *ROWS[i]]),
        ),
    ),
    "headings with units": (
        "a.csv",
        lines(
            "Open Time (UTC),Open Price,High Price,Low Price,Close Price,Volume (BTC),Volume (USD)",
            *joined(lambda i: [HOURS[i].isoformat(), *ROWS[i], 7, 8]),
        ),
    ),
    "decimal commas": ("a.csv", lines("Date;Open;High;Low;Close", *COMMAS)),
    "decimal commas, no header": ("a.csv", lines(*COMMAS)),
    "decimal commas, tabs": ("a.tsv", lines("Date;Open;High;Low;Close", *COMMAS).replace(b";", b"\t")),
    "HistData": ("a.csv", lines(*joined(lambda i: [HOURS[i].strftime("%Y%m%d %H%M%S"), *ROWS[i], 0], ";"))),
    "carriage returns": ("a.csv", lines(*binance(1000)).replace(b"\n", b"\r")),
    **{name: ("a.json", content) for name, content in ANSWERS.items()},
    "parquet": ("a.parquet", stored(parquet.write_table)),
    "any with a header": (
        "a.csv",
        lines("close;low;high;open;time", *BACKWARDS),
    ),
    "gzipped, blank lines": ("a.csv.gz", gzip.compress(b"\xef\xbb\xbf" + lines("", *binance(1000), "", ""))),
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


# formats -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "content"), FORMATS.values(), ids=FORMATS)
def test_every_format_is_read(written: Callable[[str, bytes], Path], name: str, content: bytes) -> None:
    candles = read(written(name, content))
    assert candles.time.tolist() == [hour.replace(tzinfo=None) for hour in HOURS]
    assert np.column_stack((candles.open, candles.high, candles.low, candles.close)).tolist() == [
        list(row) for row in ROWS
    ]
    assert candles.name == name.partition(".")[0]
    assert candles.warnings == ()


def test_yahoo_prices_are_adjusted_all_four(written: Callable[[str, bytes], Path]) -> None:
    head, day = "Date,Open,High,Low,Close,Adj Close,Volume", "2024-01-0{},100,120,80,{},{},5"
    candles = read(written("a.csv", lines(head, day.format(1, 100, 25), day.format(2, 110, 55))))
    assert candles.open.tolist() == [25.0, 50.0]
    assert candles.high.tolist() == [30.0, 60.0]
    assert candles.low.tolist() == [20.0, 40.0]
    assert candles.close.tolist() == [25.0, 55.0]


def test_the_hash_names_what_is_in_a_file_not_the_file(written: Callable[[str, bytes], Path]) -> None:
    same = {read(written(f"{number}{name}", content)).hash for number, (name, content) in enumerate(FORMATS.values())}
    assert len(same) == 1
    other = read(written("other.csv", lines(*binance(1000)).replace(b"104.0", b"104.5")))
    assert other.hash not in same


def test_candles_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        made(10).close[0] = 1.0


def test_pyarrow_is_loaded_once_a_file_is_read() -> None:
    program = "import sys, mlab.prices, mlab.replay; mlab.prices.made(10); sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603


# what is refused -----------------------------------------------------------------------------------------

GOOD = "2024-01-01 0{}:00,10,12,9,11"
HEAD = "time,open,high,low,close"


def rows(*changed: tuple[int, str]) -> bytes:
    table = [HEAD, *(GOOD.format(hour) for hour in range(5))]
    for line, text in changed:
        table[line - 1] = text
    return lines(*table)


TIME = "time must be one, such as 2026-01-31 23:59 or seconds since 1970"
BAD_ROWS = {
    "a word": (4, "2024-01-01 02:00,ten,12,9,11", r"open must be a number, was 'ten'"),
    "nothing": (3, "2024-01-01 01:00,10,12,,11", r"low must be a number, was ''"),
    "null": (3, "2024-01-01 01:00,null,12,9,11", r"open must be a number, was 'null'"),
    "not a number": (3, "2024-01-01 01:00,nan,12,9,11", r"open must be finite and above 0, was nan"),
    "infinity": (3, "2024-01-01 01:00,10,inf,9,11", r"high must be finite and above 0, was inf"),
    "zero": (2, "2024-01-01 00:00,10,12,0,11", r"low must be finite and above 0, was 0\.0"),
    "below zero": (6, "2024-01-01 04:00,10,12,9,-11", r"close must be finite and above 0, was -11"),
    "a low above": (5, "2024-01-01 03:00,10,12,10.5,11", r"low 10\.5 is above open 10\.0 or close 11"),
    "a high below": (5, "2024-01-01 03:00,10,10.5,9,11", r"high 10\.5 is below open 10\.0 or close 11"),
    "no time": (4, "yesterday,10,12,9,11", rf"{TIME}, was 'yesterday'"),
    "an impossible time": (4, "2024-13-01 02:00,10,12,9,11", rf"{TIME}, was '2024-13-01 02:00'"),
    "a month or a day first": (2, "1/1/2026 0:00,10,12,9,11", rf"{TIME}, was '1/1/2026 0:00'"),
    "a comma of thousands": (
        3,
        '2024-01-01 01:00,"1,000",12,9,11',
        r"open must be a number without commas, was '1,000'",
    ),
    "twice": (4, GOOD.format(1), r"time 2024-01-01T01:00:00\.000 does not come after 2024-01-01T01"),
    "back": (4, GOOD.format(0), r"time 2024-01-01T00:00:00\.000 does not come after"),
    "another step": (4, "2024-01-01 01:45,10,12,9,11", r"time .*01:45.* whole number of steps of 1 hour"),
    "a column less": (4, "2024-01-01 02:00,10,12,9", r"must have 5 columns, has 4"),
    "a column more": (4, GOOD.format(2) + ",1", r"must have 5 columns, has 6"),
}
NEWEST_FIRST = lines(HEAD, GOOD.format(4), GOOD.format(3), "2024-01-01 02:00,0,12,9,11")
REFUSED: dict[str, tuple[str, bytes, str]] = {
    **{
        name: ("a.csv", rows((line, text)), rf"a\.csv: row {line}: {says}")
        for name, (line, text, says) in BAD_ROWS.items()
    },
    "after blank lines": ("a.csv", b"\n\n" + rows((4, "x,10,12,9,11")), rf"row 6: {TIME}, was 'x'"),
    "after a column less": ("a.csv", b"\n" + rows((3, "1,2")), r"row 4: must have 5 columns, has 2"),
    "a row of the year before": (
        "a.csv",
        rows((4, "2023-12-31 23:00,10,12,9,11"), (5, ""), (6, "")),
        r"row 4: time 2023-12-31T23:00:00\.000 does not come after 2024-01-01T01:00",
    ),
    "newest first, and a row of a later hour": (
        "a.csv",
        lines(HEAD, "", *(GOOD.format(hour) for hour in (7, 6, 8, 5, 4))),
        r"row 5: time 2024-01-01T08:00:00\.000 does not come before 2024-01-01T06:00",
    ),
    "newest first, and a row twice": (
        "a.json",
        json.dumps([[hour * 3_600, 10, 12, 9, 11] for hour in (5, 4, 3, 3)]).encode(),
        r"row 4: time 1970-01-01T03:00:00\.000 does not come before 1970-01-01T03:00",
    ),
    "newest first": ("a.csv", NEWEST_FIRST, r"row 4: open must be finite"),
    "no close": ("a.csv", rows((1, "time,open,high,low,last")), r"a\.csv: has no column close, only time, open"),
    "no column of times": ("a.csv", rows((1, "when,open,high,low,close")), r"has no column time, only when"),
    "prose": ("a.csv", b"To whom it may concern\n", r"a\.csv: holds no candles: no line has"),
    "empty": ("a.csv", b"", r"a\.csv: holds no candles"),
    "one candle": ("a.csv", lines(HEAD, GOOD.format(1)), r"a\.csv: at least 2 candles are needed, has 1"),
    "a header alone": ("a.csv", lines(HEAD), r"a\.csv: holds no candles"),
    "JSON of another kind": ("a.json", b'{"a": 1}', r"a\.json: must be a list of candles"),
    "no JSON": ("a.json", b"[[1,", r"a\.json: is no JSON"),
    "short arrays": ("a.json", b"[[1, 2, 3, 1, 2], [2, 2]]", r"a\.json: row 2: must be a list of time, open"),
    "a time beyond all": (
        "a.json",
        f"[[{2**63 + 5}, 2, 3, 1, 2], [2, 2, 2, 2, 2]]".encode(),
        r"row 1: time must be one",
    ),
    "words in arrays": ("a.json", b'[[1, "2", 3, 1, 2], [2, 2, "x", 2, 2]]', r"row 2: high must be a number, was 'x'"),
    "nothing in arrays": ("a.json", b"[[1, 2, 3, 1, 2], [2, 2, 3, null, 2]]", r"a\.json: row 2: low is missing"),
    "thousands between tabs": (
        "a.tsv",
        lines("Date\tOpen\tHigh\tLow\tClose", *[f"2026-01-0{day}\t65,000\t65,100\t64,900\t65,050" for day in (1, 2)]),
        r"row 2: open must be a number without commas of thousands, was '65,000'",
    ),
    "columns in an answer": ("a.json", answer(result={"ticks": [1, 2], "open": [1, 1]}), r"must be a list of candles"),
    "one bad high among columns without names": (
        "a.csv",
        lines(*binance(1000)).replace(b"103.25", b"99.5"),
        r"row 1: high 99\.5 is below open",
    ),
    "an answer of two markets": (
        "a.json",
        answer(error=[], result={"XXBTZUSD": OF_TEXTS, "XETHZUSD": OF_TEXTS}),
        r"a\.json: must hold the candles of one market",
    ),
    "an answer without candles": (
        "a.json",
        answer(retCode=0, retMsg="OK", result={"list": []}),
        r"a\.json: holds no candles$",
    ),
    "names apart from candles": ("a.json", answer(columns=["time"], data=OF_TEXTS), r"a\.json: must be a list of"),
    "JSON named CSV": ("a.csv", ARRAYS, r"a\.csv: is JSON: its name must end in \.json"),
    "a header in other words": (
        "a.csv",
        lines("Datum;Eröffnung;Hoch;Tief;Schluss", "2026-01-01;1;2;1;2"),
        r"a\.csv: has no column time, open, high, low, close, only datum, eröffnung, hoch, tief, schluss; known",
    ),
    "two markets side by side": (
        "a.csv",
        lines(
            "Price,Close,Close,High,High,Low,Low,Open,Open",
            "Ticker,A,B,A,B,A,B,A,B",
            "Date,,,,,,,,",
            "2026-01-01,1,1,1,1,1,1,1,1",
        ),
        r"a\.csv: has 2 columns open, must have one, that of one market",
    ),
    "yfinance, a word": (
        "a.csv",
        lines(*YFINANCE[:4], "2026-01-01 00:00,x,1,1,1,7"),
        r"a\.csv: row 5: close must be a number, was 'x'",
    ),
    "an index that counts rows": (
        "a.csv",
        lines(",open,high,low,close", "0,1,1,1,1", "1,1,1,1,1"),
        r"a\.csv: has no column time, only one without a name that counts rows",
    ),
    "decimal commas between commas": (
        "a.csv",
        lines(HEAD, "2024-01-01,1,0,2,0,1,0,2,0"),
        r"a\.csv: row 2: must have 5 columns, has 9; decimal commas need semicolons between cells",
    ),
    "a header in Latin letters of one byte": (
        "a.csv",
        "Datum;Eröffnung;Hoch;Tief;Schluss\n".encode("latin-1"),
        r"only datum, eröffnung, hoch",
    ),
    "letters of one byte in a row too short": (
        "a.csv",
        rows((3, "ö,1")).decode().encode("latin-1"),
        r"row 3: must have 5",
    ),
    "a carriage return within": (
        "a.csv",
        rows((3, "2024-01-01 01:00\r,10,12,9,11")),
        r"row 3: must have 5 columns, has 1",
    ),
    "blanks at the end": ("a.csv", rows() + b"\t\n", r"row 7: must have 5 columns, has 1"),
    "a header without an end": ("a.csv", HEAD.encode(), r"a\.csv: holds no candles"),
    **{
        f"infinity, {name} adjusted": ("a.csv", lines(f"{HEAD},adj close", "2024-01-01,1,1,1,1,1", row), says)
        for name, row, says in (
            ("high", "2024-01-02,1,inf,1,1,1", r"row 3: high must be finite and above 0, was inf"),
            ("close", "2024-01-02,1,1,1,0,1", r"row 3: close must be finite and above 0, was 0\.0"),
            ("all", "2024-01-02,1,1,1,1,inf", r"row 3: adj_close must be finite and above 0, was inf"),
        )
    },
    "no feather": ("a.feather", b"quill", r"a\.feather: is no feather file"),
    "no parquet": ("a.parquet", b"floor", r"a\.parquet: is no parquet file"),
    "no zip": ("a.zip", b"PK", r"a\.zip: cannot be unpacked"),
    "an empty zip": ("a.zip", zipped(), r"a\.zip: holds no file"),
    "a bad member": ("a.zip", zipped(("b.csv", rows((4, "x,1,1,1,1")))), r"a\.zip: b\.csv: row 4: time must be one"),
    "no gzip": ("a.csv.gz", b"raw", r"a\.csv\.gz: cannot be unpacked"),
    "another kind": ("a.xlsx", b"PK", r"a\.xlsx: must end in \.csv"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "content", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_candle_is_refused(
    written: Callable[[str, bytes], Path], name: str, content: bytes, says: str
) -> None:
    path = written(name, content)
    with pytest.raises(PricesError, match=says) as refused:
        read(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, LabError)
    assert refused.value.exit_status == 2


@pytest.mark.parametrize(
    ("answered", "says"),
    [
        ({"error": ["EGeneral:Invalid arguments", "EQuery:Unknown"]}, "EGeneral:Invalid arguments, EQuery:Unknown"),
        ({"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []}, "Instrument ID doesn't exist."),
        ({"retCode": 10001, "retMsg": "Not supported\nsymbols", "result": {}}, "Not supported symbols"),
        ({"code": -1121, "msg": "Invalid symbol."}, "Invalid symbol."),
        ({"message": "NotFound"}, "NotFound"),
    ],
    ids=["Kraken", "OKX", "Bybit", "Binance", "Coinbase"],
)
def test_an_error_answered_for_candles_is_told(
    written: Callable[[str, bytes], Path], answered: dict[str, object], says: str
) -> None:
    path = written("a.json", answer(**answered))
    with pytest.raises(PricesError) as refused:
        read(path)
    assert str(refused.value) == f"{path}: holds no candles, but an error: {says}"


@pytest.mark.parametrize(
    "order", [(2, 1, 0, 3), (0, 3, 1, 2), (3, 1, 2)], ids=["Coinbase", "Bitfinex and KuCoin", "Gate"]
)
def test_columns_without_names_in_another_order_are_never_taken_for_open_high_low_close(
    written: Callable[[str, bytes], Path], order: tuple[int, ...]
) -> None:
    volume = [5.0] if len(order) == 3 else []
    table = [[seconds(i), *volume, *(ROWS[i][place] for place in order), ROWS[i][0]] for i in range(4)]
    says = (
        r"row 1: low .*; columns without names must be time, open, high, low, close, name others in the head of a CSV"
    )
    for name, content in (
        ("a.json", json.dumps(table).encode()),
        ("b.json", answer(code="200000", data=table)),
        ("a.csv", lines(*(",".join(map(str, row)) for row in table))),
    ):
        with pytest.raises(PricesError, match=says):
            read(written(name, content))


def test_the_head_of_a_csv_names_another_order(written: Callable[[str, bytes], Path]) -> None:
    of_coinbase = joined(lambda i: [seconds(i), *(ROWS[i][place] for place in (2, 1, 0, 3)), 5], order=-1)
    candles = read(written("a.csv", lines("time,low,high,open,close,volume", *of_coinbase)))
    assert candles.open.tolist() == [row[0] for row in ROWS]
    assert candles.low.tolist() == [row[2] for row in ROWS]


def test_dates_of_eight_digits_are_no_seconds_since_1970(written: Callable[[str, bytes], Path]) -> None:
    candles = read(written("a.csv", lines(HEAD, *(f"202402{day},1,1,1,1" for day in (28, 29)))))
    assert [str(time)[:10] for time in candles.time] == ["2024-02-28", "2024-02-29"]


MANY = 9_223_372_036_854_775_813
"""More than the largest whole number of a computer."""

GIVEN = {name: pa.array([1.0] * 4) for name in ("open", "high", "low", "close")}


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64()], ids=str)
def test_dates_of_eight_digits_are_no_seconds(written: Callable[[str, bytes], Path], kind: pa.DataType) -> None:
    buffer = io.BytesIO()
    table = GIVEN | {"date": pa.array([20_251_230, 20_251_231, 20_260_101, 20_260_102], kind)}
    parquet.write_table(pa.table(table), buffer)
    assert read(written("a.parquet", buffer.getvalue())).time.astype(str).tolist()[1:3] == [
        "2025-12-31T00:00:00.000",
        "2026-01-01T00:00:00.000",
    ]


def test_a_missing_value_is_refused(written: Callable[[str, bytes], Path]) -> None:
    table = pa.table(
        {"date": HOURS, "open": [1.0, None, 1.0, 1.0], "high": [1.0] * 4, "low": [1.0] * 4, "close": [1.0] * 4}
    )
    buffer = io.BytesIO()
    feather.write_feather(table, buffer)
    with pytest.raises(PricesError, match=r"a\.feather: row 2: open is missing"):
        read(written("a.feather", buffer.getvalue()))


STRANGE = {
    "a time that is no number": ({"date": [float("nan"), 1e9, 2e9, 3e9]}, rf"row 1: {TIME}, was nan"),
    "a time beyond all": ({"date": [1e9, 1e30, 2e9, 3e9]}, rf"row 2: {TIME}, was 1e\+30"),
    "times that are too large": ({"date": pa.array([MANY + k for k in range(4)], pa.uint64())}, r"time holds no times"),
    "times in lists": ({"date": [[1], [2], [3], [4]]}, r"column time holds no times"),
    "prices in lists": ({"date": HOURS, "open": [[1.0]] * 4}, r"row 1: open must be a number, was \[1\.0\]"),
    "prices that are times": ({"date": HOURS, "high": HOURS}, r"row 1: high must be a number, was datetime"),
    "a word in a dictionary": (
        {"date": HOURS, "low": pa.array(["1", "1", "x", "1"]).dictionary_encode()},
        r"row 3: low must be a number, was 'x'",
    ),
}


@pytest.mark.parametrize(("columns", "says"), STRANGE.values(), ids=STRANGE)
def test_columns_of_strange_values_are_refused(
    written: Callable[[str, bytes], Path], columns: dict[str, object], says: str
) -> None:
    buffer = io.BytesIO()
    parquet.write_table(pa.table(GIVEN | columns), buffer)
    with pytest.raises(PricesError, match=rf"a\.parquet: .*{says}"):
        read(written("a.parquet", buffer.getvalue()))


def test_columns_of_places_in_a_dictionary_are_read(written: Callable[[str, bytes], Path]) -> None:
    texts = pa.array([f"{hour:%Y-%m-%d %H:%M}" for hour in HOURS])
    buffer = io.BytesIO()
    encoded = {name: column.dictionary_encode() for name, column in (GIVEN | {"date": texts}).items()}
    parquet.write_table(pa.table(encoded), buffer)
    candles = read(written("a.parquet", buffer.getvalue()))
    assert candles.time.tolist() == [hour.replace(tzinfo=None) for hour in HOURS]
    assert candles.open.tolist() == [1.0] * 4


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PricesError, match=r"none\.csv: No such file"):
        read(tmp_path / "none.csv")
    for take in (read, chosen):
        with pytest.raises(PricesError, match="prices must be the path of a file, was ''"):
            take("")


def test_columns_of_ones_own_are_judged_too() -> None:
    with pytest.raises(PricesError, match="mine: row 2: high"):
        Candles.of("mine", [0, 1000], open=[1, 2], high=[1, 1], low=[1, 1], close=[1, 1])
    with pytest.raises(PricesError, match="mine: times and prices must be as many"):
        Candles.of("mine", [0, 1000], open=[1, 2, 3], high=[1, 1], low=[1, 1], close=[1, 1])


# what is said --------------------------------------------------------------------------------------------


def test_missing_steps_are_counted_and_not_filled(written: Callable[[str, bytes], Path]) -> None:
    candles = read(written("a.csv", lines(HEAD, *(GOOD.format(hour) for hour in (0, 1, 2, 3, 6, 7)))))
    assert (len(candles), candles.missing) == (6, 2)
    assert candles.warnings == ("2 steps of 1 hour without a candle, the longest gap is 3 hours",)
    one = read(written("b.csv", lines(HEAD, *(GOOD.format(hour) for hour in (0, 1, 3)))))
    assert one.warnings == ("1 step of 1 hour without a candle, the longest gap is 2 hours",)


def test_jumps_are_said(written: Callable[[str, bytes], Path]) -> None:
    split = [GOOD.format(0), GOOD.format(1), *(f"2024-01-01 0{hour}:00,5,6,4.5,5.5" for hour in (2, 3))]
    (said,) = read(written("a.csv", lines(HEAD, *split))).warnings
    assert said == "1 jump of more than 40 % to the next, the first of -55 % on 2024-01-01: a split, or a wrong file?"


@pytest.mark.filterwarnings("error")
def test_a_jump_beyond_all_numbers_is_said_in_one_line() -> None:
    candles = Candles.of("x", [0, 1000], open=[1e-9, 1], high=[1e308, 1], low=[1e-9, 1], close=[1e308, 1])
    assert "the first to more than 1,000 times the price" in candles.warnings[0]


@pytest.mark.parametrize(
    ("price", "change"),
    [
        ("77", "of +600 %"),
        ("5500", "of +49,900 %"),
        ("11e24", "to more than 1,000 times the price"),
        ("11e-9", "to less than a thousandth of the price"),
    ],
)
def test_jumps_are_said_in_numbers_that_people_read(price: str, change: str) -> None:
    close = float(price)
    candles = Candles.of(
        "x", [0, 1000, 2000], open=[11, 11, 11], high=[11, 1e26, 11], low=[11, 1e-9, 11], close=[11, close, 11]
    )
    within, _ = candles.warnings
    assert (
        within
        == f"1 jump of more than 40 % within a candle, the first {change} on 1970-01-01: a split, or a wrong file?"
    )


# made and embedded ---------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_prices_with_every_step() -> None:
    minutes, hours, days = (made(size, seed=3, step_s=step) for size, step in ((4_800, 60), (80, 3_600), (3, 86_400)))
    assert (minutes.close[59::60] == hours.close).all()
    assert (minutes.high.reshape(-1, 60).max(axis=1) == hours.high).all()
    assert (minutes.low.reshape(-1, 60).min(axis=1) == hours.low).all()
    assert (hours.close[23::24] == days.close).all()
    assert made(80, seed=4).hash != hours.hash
    assert hours.made
    assert hours.name == "made, seed 3"


def test_made_prices_have_the_volatility_asked_for_in_clusters() -> None:
    candles = made(20_000, volatility_pct=0.5)
    change = candles.close / candles.open - 1.0
    assert change.std() == pytest.approx(0.005, rel=0.1)
    size = np.abs(change)
    assert np.corrcoef(size[:-1], size[1:])[0, 1] > 0.1


@pytest.mark.parametrize("step_s", [1, 50, 7_000, 172_800])
def test_a_step_that_coins_cannot_make_is_refused(step_s: int) -> None:
    with pytest.raises(ValueError, match=f"step_s must be a multiple of 15 and a part of a day, was {step_s}"):
        made(10, step_s=step_s)


def test_microsoft_is_what_its_source_says() -> None:
    folder = resources.files("mlab.prices") / "data"
    content, said = (folder / "msft.csv.gz").read_bytes(), (folder / "SOURCES.md").read_text(encoding="utf-8")
    assert f"`{hashlib.sha256(content).hexdigest()}`" in said
    candles = msft()
    assert (len(candles), candles.made) == (3_270, False)
    assert candles.close[[0, -1]] == pytest.approx([30.225709797294, 24.684342], abs=1e-6)
    assert candles.close[-1] / candles.open[0] - 1.0 == pytest.approx(-0.17, abs=0.005)
    assert not any("jump" in warning for warning in candles.warnings)


@pytest.mark.parametrize("value", [object(), "x", [[1], [1, 2]], [10**400, 1], {"a": 1}])
@pytest.mark.parametrize("column", ["time", "open", "close"])
def test_what_are_no_candles_of_ones_own_is_said_by_column(column: str, value: Any) -> None:
    right: dict[str, Any] = {"time": [0, 1000], "open": [1, 1], "high": [1, 1], "low": [1, 1], "close": [1, 1]}
    with pytest.raises(PricesError) as error:
        Candles.of("mine", **right | {column: value})
    assert re.fullmatch(rf"mine: {column} must be (times|numbers), one a candle", str(error.value))
