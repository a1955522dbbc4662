"""What a file says, judged field by field: every number exact, every refusal naming file, field, rule and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mlab.core.decimals import decimal
from mlab.core.errors import ConfigError, one_line


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping of a file.

    Attributes:
        source: the file, as it is named in refusals.
        values: text, numbers, exact where they are of a file, booleans, None, lists and mappings.
        place: dotted field of the mapping, with a dot at its end; empty for the whole file.
    """

    source: str
    values: Mapping[str, Any]
    place: str = ""

    def has(self, *names: str) -> bool:
        """Whether all of these fields hold something."""
        return all(self.values.get(name) not in (None, "", []) for name in names)

    def refusal(self, name: str, must: str, was: object = None) -> ConfigError:
        """What is wrong with a field."""
        return ConfigError(self.source, f"{self.place}{name}", must, str(was) if isinstance(was, Decimal) else was)

    def number(self, name: str, least: str | None = None, most: str | None = None, above: str | None = None) -> Decimal:
        """A number, or text that is one, within bounds.

        Raises:
            ConfigError: it is missing, none, or beyond them.
        """
        if not self.has(name):
            raise self.refusal(name, "must be given")
        return self._judged(name, self.values[name], least, most, above)

    def maybe(self, name: str) -> Decimal | None:
        """A number above 0; None where it is missing."""
        return self.number(name, above="0") if self.has(name) else None

    def amount(self, name: str) -> Decimal:
        """A number of at least 0."""
        return self.number(name, "0")

    def limit(self, name: str) -> Decimal:
        """A number of at least 0; 0 where it is missing, for then there is no limit."""
        return self.amount(name) if self.has(name) else Decimal(0)

    def count(self, name: str) -> int:
        """As :meth:`limit`, a whole number."""
        return self._whole(name, self.limit(name))

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number."""
        return self._whole(name, self.number(name, str(least), str(most)))

    def _whole(self, name: str, value: Decimal) -> int:
        if value != int(value):
            raise self.refusal(name, "must be a whole number", value)
        return int(value)

    def numbers(self, name: str, above: str | None = None) -> list[Decimal]:
        """A list of numbers, or text with commas between them."""
        value = self.values.get(name)
        listed = value.split(",") if isinstance(value, str) else value
        if not isinstance(listed, list) or not listed:
            raise self.refusal(name, "must be a list of numbers", value)
        return [self._judged(f"{name}.{k}", entry, None, None, above) for k, entry in enumerate(listed)]

    def inner(self, name: str) -> Fields:
        """A mapping within this one; an empty one where it is missing."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise self.refusal(name, "must be a mapping of fields", value)
        return Fields(self.source, value or {}, f"{self.place}{name}.")

    def unwrapped(self, name: str) -> Fields:
        """A mapping within this one, or this one itself where that is left out."""
        return self.inner(name) if isinstance(self.values.get(name), Mapping) else self

    def items(self, name: str) -> list[Fields]:
        """A list of mappings."""
        value = self.values.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(entry, Mapping) for entry in value):
            raise self.refusal(name, "must be a list of mappings", value)
        return [Fields(self.source, entry, f"{self.place}{name}.{k}.") for k, entry in enumerate(value)]

    def text(self, name: str, default: str = "") -> str:
        """Text, or a number as text."""
        value = self.values.get(name)
        return default if value is None or isinstance(value, list | Mapping) else one_line(str(value))

    def word(self, name: str, default: str = "") -> str:
        """A short text, which must be there unless there is a default."""
        word = self.text(name) if self.has(name) else default
        if not 0 < len(word) <= 64:
            raise self.refusal(name, "must be a short text", self.values.get(name))
        return word

    def only(self, name: str, *allowed: str, why: str = "") -> None:
        """Refuse a field that holds another than these words, in any case; a missing one is well."""
        value = self.values.get(name)
        if value is not None and str(value).upper() not in map(str.upper, allowed):
            must = f"must be {' or '.join(allowed)}"
            raise self.refusal(name, f"{must}: {why}" if why else must, value)

    def _judged(self, name: str, value: Any, least: str | None, most: str | None, above: str | None) -> Decimal:
        number = decimal(value)
        if number is None:
            raise self.refusal(name, "must be a number of at most 30 digits", value)
        if above is not None and not number > Decimal(above):
            raise self.refusal(name, f"must be above {above}", value)
        if least is not None and number < Decimal(least):
            raise self.refusal(name, f"must be at least {least}", value)
        if most is not None and number > Decimal(most):
            raise self.refusal(name, f"must be at most {most}", value)
        return number
