"""How the deals of a bot end: its take-profit, and what else it trades by that no ladder has."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mlab.core.decimals import decimal
from mlab.core.fields import Fields
from mlab.model.exits import LEAST_PROFIT_PCT, MOST_PROFIT_PCT


def take_profit(fields: Fields, name: str, scale: int = 1) -> Decimal | None:
    """A take-profit in %, of a field that is that divided by ``scale``; None where it is missing.

    Raises:
        ConfigError: it is no number, or one beyond all sense.
    """
    if not fields.has(name):
        return None
    least, most = (str(Decimal(str(bound)) / scale) for bound in (LEAST_PROFIT_PCT, MOST_PROFIT_PCT))
    return fields.number(name, least, most) * scale


def left_out(fields: Fields, *names: str) -> tuple[str, ...]:
    """Those of these settings that are on, by the names that the file has for them.

    Example:
        >>> settings = {"stop": "5", "stop_type": None, "trailing": False, "timeout": "0.0", "steps": [{"share": 50}]}
        >>> left_out(Fields("bot.json", settings), "stop", "stop_type", "trailing", "timeout", "steps", "other")
        ('stop', 'steps')
    """
    return tuple(f"{fields.place}{name}" for name in names if _is_on(fields.values.get(name)))


def _is_on(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_on, value.values()))
    if isinstance(value, list | bool):
        return bool(value)
    text = "" if value is None else str(value).strip()
    return text.lower() not in ("", "false", "none", "null") and decimal(text) != 0
