"""Columns of candles out of JSON: lists of them, bare or within what exchanges answer."""

from __future__ import annotations

from typing import Any

import orjson

from mlab.prices.tables import PRICE_NAMES, BadRow, Columns, from_values, in_order
from mlab.prices.text import plain

ORDER = ("time", *PRICE_NAMES)
MUST = "must be a list of candles [time, open, high, low, close, ...]"


def from_json(content: bytes) -> Columns:
    """Candles of CCXT, freqtrade or an exchange: each a list of time, open, high, low, close and more, or an object."""
    try:
        rows = _candles(orjson.loads(plain(content)))
    except orjson.JSONDecodeError as error:
        raise BadRow(None, f"is no JSON: {error}") from error
    if not rows:
        raise BadRow(None, "holds no candles")
    named = isinstance(rows[0], dict)
    for index, row in enumerate(rows):
        if not (isinstance(row, dict) if named else isinstance(row, list) and len(row) >= len(ORDER)):
            raise BadRow(index, f"must be a list of time, open, high, low and close, was {str(row)[:60]}")
    if named:
        return from_values({name: [row.get(name) for row in rows] for name in rows[0]})
    return in_order(from_values({name: [row[k] for row in rows] for k, name in enumerate(ORDER)}))


def _candles(answer: Any) -> list[Any]:
    """The list of candles in an answer."""
    if isinstance(answer, list):
        return answer
    if not isinstance(answer, dict):
        raise BadRow(None, MUST)
    result = answer.get("result")
    places = list(result.values()) if isinstance(result, dict) else []  # of Kraken and Bybit
    places.append(answer.get("candles"))  # of Coinbase, with names
    if "code" in answer:  # of OKX; elsewhere data may stand in any order
        places.append(answer.get("data"))
    lists = [place for place in places if isinstance(place, list)]
    found = [rows for rows in lists if not rows or isinstance(rows[0], list | dict)]
    if not any(found) and (said := _said(answer)):
        raise BadRow(None, f"holds no candles, but an error: {said}")
    if len(found) != 1:
        raise BadRow(None, "must hold the candles of one market" if found else MUST)
    return found[0]


def _said(answer: dict[str, Any]) -> str:
    """Why an exchange answers without candles: Kraken, OKX and Binance, Bybit, Coinbase; nothing where it says OK."""
    said = [answer.get(key) or "" for key in ("error", "msg", "retMsg", "message")]
    texts = [", ".join(map(str, one)) if isinstance(one, list) else str(one) for one in said]
    told = [text for text in texts if text.lower() not in ("", "ok", "success")]
    return " ".join(told[0].split())[:200] if told else ""
