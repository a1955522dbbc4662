"""The rules of a symbol are read from every exchange's own answer, and strange numbers are refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlab.core.decimals import decimal
from mlab.core.errors import ConfigError
from mlab.market import Market, read


def binance(symbol: str = "AAAUSDT", **more: Any) -> dict[str, Any]:
    filters = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "100000.00000000",
            "tickSize": "0.01000000",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.00100000", "maxQty": "9000.00000000", "stepSize": "0.00100000"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "12.00000000", "stepSize": "0.50000000"},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 40},
    ]
    entry = {"symbol": symbol, "status": "TRADING", "baseAsset": "AAA", "quoteAsset": "USDT", "filters": filters}
    return {"serverTime": 1764201600000, "symbols": [entry | more]}


SPOT = binance()
SPOT["symbols"][0]["filters"] += [
    {"filterType": "NOTIONAL", "minNotional": "7.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
    {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2", "avgPriceMins": 5},
]
FUTURES = binance(contractType="PERPETUAL", pricePrecision=7)
FUTURES["symbols"][0]["filters"] += [
    {"filterType": "MIN_NOTIONAL", "notional": "5"},
    {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500"},
]
SWAP = {"instType": "SWAP", "ctMult": "1", "tickSz": "0.1", "lotSz": "1", "minSz": "1", "state": "live"}
LINEAR = {"instId": "AAA-USDT-SWAP", "ctType": "linear", "ctVal": "0.01", "ctValCcy": "AAA", "settleCcy": "USDT"}
INVERSE = {"instId": "AAA-USD-SWAP", "ctType": "inverse", "ctVal": "100", "ctValCcy": "USD", "settleCcy": "AAA"}
COINS = {"instType": "SPOT", "instId": "BBB-USDT", "baseCcy": "BBB", "quoteCcy": "USDT", "ctVal": "", "ctType": ""}
CHEAP = {"tickSz": "0.000000001", "lotSz": "1", "minSz": "5000000", "maxLmtSz": "", "state": "live"}
OKX = {"code": "0", "data": [SWAP | {"baseCcy": ""} | LINEAR, SWAP | INVERSE, COINS | CHEAP]}
NAMES = {"symbol": "AAAUSDT", "status": "Trading", "baseCoin": "AAA", "quoteCoin": "USDT"}
BYBIT_LINEAR = {"qtyStep": "0.01", "minOrderQty": "0.02", "maxOrderQty": "900", "minNotionalValue": "5"}
BYBIT_COINS = {"basePrecision": "0.0001", "minOrderQty": "0.0011", "minOrderAmt": "4"}


def bybit(category: str, lot: dict[str, str]) -> dict[str, Any]:
    listing = NAMES | {"priceFilter": {"tickSize": "0.05"}, "lotSizeFilter": lot}
    return {"retCode": 0, "result": {"category": category, "list": [listing]}, "time": 1764201600000}


PAIR = {"altname": "AAAEUR", "wsname": "AAA/EUR", "pair_decimals": 3, "lot_decimals": 8, "status": "online"}
OTHER = {"altname": "BBBEUR", "wsname": "BBB/EUR", "pair_decimals": 2, "lot_decimals": 5, "ordermin": "3"}
KRAKEN = {
    "error": [],
    "result": {"XAAAZEUR": PAIR | {"ordermin": "0.02", "costmin": "0.45", "tick_size": "0.005"}, "BBBEUR": OTHER},
}


def kraken(**changed: Any) -> Any:
    return KRAKEN | {"result": {"BBBEUR": OTHER | changed}}


CCXT = {
    "symbol": "AAA/USDT", "base": "AAA", "quote": "USDT", "contract": False,
    "precision": {"price": 0.01, "amount": 1e-5},
    "limits": {"amount": {"min": 1e-5, "max": 900.0}, "cost": {"min": 5.0, "max": None}, "price": {"min": None}},
}  # fmt: skip


def saved(folder: Path, answer: Any, name: str = "answer.json") -> Path:
    file = folder / name
    file.write_text(answer if isinstance(answer, str) else json.dumps(answer), encoding="utf-8")
    return file


def rules(market: Market) -> dict[str, str]:
    return {name: f"{value.normalize():f}" for name, value in market.rules().items()}


CCXT_RULES = {
    "tick": "0.01", "step": "0.00001", "least_quantity": "0.00001", "most_quantity": "900", "least_money": "5",
}  # fmt: skip
WHOLE = CCXT_RULES | {"tick": "1", "step": "10"}
"""A program in JavaScript writes 1 for 1.0."""
BINANCE_RULES = {"tick": "0.01", "step": "0.001", "least_quantity": "0.001", "most_quantity": "9000"}


@pytest.mark.parametrize(
    ("answer", "symbol", "origin", "expected"),
    [
        (SPOT, None, "Binance spot", BINANCE_RULES | {"least_money": "7", "lowest_share": "0.2", "most_orders": "40"}),
        (FUTURES, None, "Binance USD-M futures", BINANCE_RULES | {"least_money": "5", "most_orders": "40"}),
        (OKX, "AAA-USDT-SWAP", "OKX swap", {"tick": "0.1", "step": "1", "least_quantity": "1"}),
        (OKX, "bbbusdt", "OKX spot", {"tick": "0.000000001", "step": "1", "least_quantity": "5000000"}),
        (
            bybit("linear", BYBIT_LINEAR), None, "Bybit linear",
            {"tick": "0.05", "step": "0.01", "least_quantity": "0.02", "most_quantity": "900", "least_money": "5"},
        ),
        (
            bybit("spot", BYBIT_COINS), None, "Bybit spot",
            {"tick": "0.05", "step": "0.0001", "least_quantity": "0.0011", "least_money": "4"},
        ),
        (
            KRAKEN, "XAAAZEUR", "Kraken",
            {"tick": "0.005", "step": "0.00000001", "least_quantity": "0.02", "least_money": "0.45"},
        ),
        (KRAKEN, "BBB/EUR", "Kraken", {"tick": "0.01", "step": "0.00001", "least_quantity": "3"}),
        (CCXT, None, "a market of ccxt", CCXT_RULES),
        ({"AAA/USDT": CCXT}, "AAA/USDT", "a market of ccxt", CCXT_RULES),
        (CCXT | {"precision": {"price": 1, "amount": 1e-5}}, None, "a market of ccxt", CCXT_RULES | {"tick": "1"}),
        (CCXT | {"precision": {"price": 1.0, "amount": 10}}, None, "a market of ccxt", WHOLE),
        (
            "{tick: 0.01, step: 0.5, least_quantity: 1.5, least_money: 5}", None, "numbers of your own",
            {"tick": "0.01", "step": "0.5", "least_quantity": "1.5", "least_money": "5"},
        ),
        ("tick: 1e-8\nstep: 3\n", "PEPE", "numbers of your own", {"tick": "0.00000001", "step": "3"}),
    ],
)  # fmt: skip
def test_each_shape_gives_its_rules(
    tmp_path: Path, answer: Any, symbol: str | None, origin: str, expected: dict[str, str]
) -> None:
    market = read(saved(tmp_path, answer), symbol)
    assert (market.origin, rules(market)) == (origin, expected)


def test_contracts_count_coins_or_money(tmp_path: Path) -> None:
    file = saved(tmp_path, OKX)
    linear, inverse = read(file, "AAA-USDT-SWAP"), read(file, "AAA-USD-SWAP")
    price, contracts = Decimal(50000), Decimal(3)
    assert (linear.coins(contracts, price), linear.money(contracts, price)) == (Decimal("0.03"), 1500)
    assert (inverse.coins(contracts, price), inverse.money(contracts, price)) == (Decimal("0.006"), 300)
    assert (inverse.base, inverse.quote) == ("AAA", "USD")


def test_an_answer_tells_its_age_where_it_has_one(tmp_path: Path) -> None:
    assert read(saved(tmp_path, SPOT)).as_of == datetime(2025, 11, 27, tzinfo=UTC)
    assert read(saved(tmp_path, KRAKEN), "BBBEUR").as_of is None


def spoiled(change: Callable[[dict[str, Any], list[dict[str, Any]]], object]) -> dict[str, Any]:
    answer = deepcopy(SPOT)
    symbol = answer["symbols"][0]
    change(symbol, symbol["filters"])
    return answer


STEP = "AAAUSDT.LOT_SIZE.stepSize: must be "


@pytest.mark.parametrize(
    ("answer", "symbol", "line"),
    [
        (spoiled(lambda it, _: it.update(status="BREAK")), None, "AAAUSDT.status: must be a symbol that is traded"),
        (spoiled(lambda _, filters: filters.pop(1)), None, "AAAUSDT.LOT_SIZE: must be given"),
        (spoiled(lambda _, filters: filters[0].pop("tickSize")), None, "AAAUSDT.PRICE_FILTER.tickSize: must be given"),
        (spoiled(lambda _, filters: filters[1].update(stepSize="-1")), None, f"{STEP}at least 0"),
        (spoiled(lambda _, filters: filters[1].update(stepSize="NaN")), None, f"{STEP}a number"),
        (spoiled(lambda _, filters: filters[1].update(stepSize=True)), None, f"{STEP}a number"),
        (spoiled(lambda _, filters: filters[1].update(stepSize="1e99")), None, f"{STEP}a number"),
        (spoiled(lambda _, filters: filters[1].update(maxQty="0.0001")), None, "most_quantity: must not be below"),
        (
            spoiled(lambda _, filters: filters.append({"filterType": "MIN_NOTIONAL", "minNotional": "8"})), None,
            "AAAUSDT.MIN_NOTIONAL: must be that of NOTIONAL, 7",
        ),
        (
            spoiled(lambda _, filters: filters.append({"filterType": "LOT_SIZE", "stepSize": "2"})), None,
            "AAAUSDT.LOT_SIZE: must be there once",
        ),
        (spoiled(lambda _, filters: filters[-1].update(bidMultiplierDown="1.2")), None, "lowest_share: must be below"),
        (spoiled(lambda it, _: it.update(filters=None)), None, "AAAUSDT.filters: must be a list of filters"),
        (KRAKEN, None, "symbol: must be given, the file has 2, such as XAAAZEUR, BBBEUR"),
        (KRAKEN, "BBBEUX", "symbol: has no such symbol, did you mean BBBEUR"),
        ({"code": -1121, "msg": "Invalid symbol."}, None, "must be an answer with symbols, was 'Invalid symbol.'"),
        ({"code": "51001", "msg": "No such ID", "data": []}, None, "must be an answer with symbols, was 'No such"),
        ({"retCode": 10001, "retMsg": "params error", "result": {}}, None, "answer with symbols, was 'params error'"),
        ({"error": ["EQuery:Unknown asset pair"]}, None, "answer with symbols, was 'EQuery:Unknown asset pair'"),
        ({"code": "0", "msg": "", "data": []}, None, "must be an answer with symbols, has none"),
        ({"error": [], "result": []}, None, "must be an answer with symbols, has none"),
        (
            spoiled(lambda _, filters: filters[0].update(filterType=[None])), None,
            "must be given",
        ),
        (kraken(pair_decimals=None), "BBBEUR", "BBBEUR.pair_decimals: must be given"),
        (kraken(lot_decimals=None), "BBBEUR", "BBBEUR.lot_decimals: must be given"),
        (kraken(lot_decimals=10**20), "BBBEUR", "BBBEUR.lot_decimals: must be at most 30"),
        (kraken(pair_decimals=2.5), "BBBEUR", "BBBEUR.pair_decimals: must be a whole number"),
        (CCXT | {"active": False}, None, "AAA/USDT.status: must be a symbol that is traded, was 'inactive'"),
        (CCXT | {"precision": {"price": 2, "amount": 8}}, None, "AAA/USDT.precision.price: must be the tick itself"),
        ("{tick: 0.01, stepp: 1}", None, "stepp: unknown field, did you mean 'step'?"),
        ("{tick: 0.01}", None, "market.step: must be given"),
        ("{symbol: BTCUSDT, tick: 0.01, step: 1}", "ETHUSDT", "symbol: must be BTCUSDT, the only one of"),
        ("{tick: 0.01, step: many}", None, "market.step: must be a number"),
        ("{tick: 0.01, step: 1, inverse: 2}", None, "market.inverse: must be true or false"),
        ('"just text"', None, "must be the answer of an exchange, or a mapping such as"),
        ("tick: 0.01\nstep: 1\ntick: 0.1\n", None, "tick: must appear once"),
        (json.dumps({"symbols": SPOT["symbols"] * 200})[:-20], None, "is not valid JSON: "),
        ("a: " + "{a: " * 400 + "}" * 400, None, "must be the answer of an exchange in JSON, or fields in YAML"),
        ("? [tick]\n: 0.01\n", None, "line 1: keys must be text"),
        ("{[", None, "must be the answer of an exchange in JSON, or fields in YAML"),
        ({"result": {"category": "option", "list": [{"symbol": "A"}]}}, None, "must be spot, linear or inverse"),
    ],
)  # fmt: skip
def test_what_is_strange_is_refused_by_file_symbol_and_field(
    tmp_path: Path, answer: Any, symbol: str | None, line: str
) -> None:
    file = saved(tmp_path, answer)
    with pytest.raises(ConfigError) as error:
        read(file, symbol)
    assert str(error.value).startswith(f"{file}: ")
    assert line in str(error.value)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read(tmp_path / "absent.json")
    (tmp_path / "latin").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="must be text in UTF-8"):
        read(tmp_path / "latin")


def test_numbers_of_any_library_are_exact() -> None:
    told = [0.1, "0.1", Decimal("0.1"), np.float64(0.1)]
    assert {decimal(number) for number in told} == {Decimal("0.1")}
    assert {decimal(number) for number in (3, np.int64(3), "3")} == {Decimal(3)}
    assert {decimal(number) for number in (True, np.True_, None, float("nan"), "1,5", (3,), "1_5", "٣")} == {None}
