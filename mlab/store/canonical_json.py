"""JSON text with one form for one value, and nothing in it that would not come back as it went in."""

from __future__ import annotations

import math
from typing import Any

import orjson

from mlab.core.errors import StoreError


def encoded(value: Any, where: str) -> str:
    """JSON with sorted keys; StoreError names what is not plain and finite as below ``where``."""
    check(value, where)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError as error:
        raise StoreError(f"{where}: {error}; nothing was stored") from error


def check(value: Any, where: str) -> None:
    """Refuse all but finite plain JSON values: StoreError names the first that is something else.

    Numpy numbers and tuples would not come back as they went in, and orjson would turn NaN into null.
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
