"""One symbol of a saved answer, read field by field; what is strange is refused by file, symbol and field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mlab.core.errors import ConfigError
from mlab.market.rules import ZERO, decimal

ABSENT = (None, "")


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping of an answer, and where it stands."""

    source: str
    place: str
    values: Mapping[str, Any]

    def inner(self, field: str) -> Entry:
        """A mapping within this one; an empty one where it is missing."""
        value = self.values.get(field)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise self.wrong(field, "must be a mapping of fields", value)
        return Entry(self.source, f"{self.place}.{field}", value)

    def text(self, field: str, default: str | None = None) -> str:
        """A text that must be there unless there is a default."""
        value = self.values.get(field)
        if value in ABSENT and default is not None:
            return default
        if not isinstance(value, str) or not value or len(value) > 64:
            raise self.wrong(field, "must be a short text", value)
        return value

    def must(self, field: str) -> Decimal:
        """A number of at least 0 that must be there."""
        if self.values.get(field) in ABSENT:
            raise ConfigError(self.source, f"{self.place}.{field}", "is missing")
        return self.may(field)

    def may(self, field: str) -> Decimal:
        """A number of at least 0; 0 where it is missing, for that is no rule."""
        value = self.values.get(field)
        if value in ABSENT:
            return ZERO
        number = decimal(value)
        if number is None or number < 0:
            raise self.wrong(field, "must be a number of at least 0, and at most 30 digits long", value)
        return number

    def count(self, field: str) -> int:
        """A whole number; 0 where it is missing."""
        number = self.may(field)
        if number != number.to_integral_value():
            raise self.wrong(field, "must be a whole number", self.values[field])
        return int(number)

    def wrong(self, field: str, must: str, was: object) -> ConfigError:
        """The error that names this file, symbol and field."""
        shown = str(was) if isinstance(was, Decimal) else was
        return ConfigError(self.source, f"{self.place}.{field}", must, shown)
