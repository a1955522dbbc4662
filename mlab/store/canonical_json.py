"""JSON text with one form for one value, so that it can be compared and summed up in a checksum."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import orjson

from mlab.core.errors import StoreError


def encoded(value: Any, where: str) -> str:
    """JSON with sorted keys; ``where`` names the value in errors.

    Raises:
        StoreError: something in it is not plain JSON, or not finite (orjson would turn NaN into null).
    """
    check(value, where)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError as error:
        raise StoreError(f"{where}: {error}; nothing was stored") from error


def decoded(text: str) -> Any:
    """The value of a JSON text."""
    return orjson.loads(text)


def check(value: Any, where: str) -> None:
    """Refuse all but finite plain JSON values: numpy numbers and tuples would not come back as they went in.

    Raises:
        StoreError: names the first field that is something else.
    """
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise StoreError(f"{where}: keys must be text, was {key!r}; nothing was stored")
            check(item, f"{where}.{key}")
    elif kind is list:
        for index, item in enumerate(value):
            check(item, f"{where}[{index}]")
    elif kind is float and not math.isfinite(value):
        raise StoreError(f"{where}: must be a finite number, was {value}; nothing was stored")
    elif value is not None and kind not in {bool, int, float, str}:
        raise StoreError(
            f"{where}: must be a plain JSON value, was {kind.__module__}.{kind.__name__}; nothing was stored"
        )


def checksum(value: Any) -> str:
    """SHA-256 in hex of the canonical JSON of ``value``."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
