"""What a file says, judged field by field: every number exact, every refusal naming file, field, rule and value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from mlab.bots.bot import typed
from mlab.core.errors import ConfigError, one_line

NUMBER = re.compile(r"[-+]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][-+]?\d{1,2})?\Z", re.ASCII)
LARGEST = Decimal("1e18")
ENVELOPES = ("data", "result")
"""Fields in which exchanges and makers wrap what they answer."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping of a file.

    Attributes:
        source: the file, as it is named in refusals.
        values: text, numbers as ``Decimal``, booleans, None, lists and mappings.
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

    def maybe(self, name: str, scale: int = 1) -> Decimal | None:
        """A number above 0, times ``scale``; None where it is missing."""
        return self.number(name, above="0") * scale if self.has(name) else None

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number."""
        value = self.number(name, str(least), str(most))
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

    def only(self, name: str, *allowed: str, why: str = "") -> None:
        """Refuse a field that holds another than these words, in any case; a missing one is well."""
        value = self.values.get(name)
        if value is not None and str(value).upper() not in map(str.upper, allowed):
            must = f"must be {' or '.join(allowed)}"
            raise self.refusal(name, f"{must}: {why}" if why else must, value)

    def _judged(self, name: str, value: Any, least: str | None, most: str | None, above: str | None) -> Decimal:
        text = str(value).strip()
        if isinstance(value, bool) or not NUMBER.match(text):
            raise self.refusal(name, "must be a number", value)
        number = Decimal(text)
        if abs(number) > LARGEST:
            raise self.refusal(name, f"must be at most {LARGEST:f}", value)
        if above is not None and not number > Decimal(above):
            raise self.refusal(name, f"must be above {above}", value)
        if least is not None and number < Decimal(least):
            raise self.refusal(name, f"must be at least {least}", value)
        if most is not None and number > Decimal(most):
            raise self.refusal(name, f"must be at most {most}", value)
        return number


def parsed(text: str, source: str) -> Fields:
    """The one mapping of a JSON or YAML text, without what an answer wraps it in.

    Raises:
        ConfigError: it is neither, or holds a name twice, an alias, or several bots.
    """
    tree = _json(text, source) if text.lstrip().startswith(("{", "[")) else _yaml(text, source)
    place = ""
    while True:
        if isinstance(tree, list):
            if len(tree) != 1:
                raise ConfigError(source, place[:-1], "must hold one bot", f"a list of {len(tree)}")
            tree, place = tree[0], f"{place}0."
        if not isinstance(tree, Mapping):
            raise ConfigError(source, place[:-1], "must be a mapping of fields", tree)
        inner = next((name for name in ENVELOPES if isinstance(tree.get(name), list | Mapping)), None)
        if inner is None:
            return Fields(source, tree, place)
        tree, place = tree[inner], f"{place}{inner}."


def _json(text: str, source: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return _once(pairs, source)

    def constant(name: str) -> Any:
        raise ConfigError(source, "", "every number must be finite", name)

    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=constant, object_pairs_hook=once)
    except ConfigError:
        raise
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise ConfigError(source, "", f"is not valid JSON: {error}") from None


def _yaml(text: str, source: str) -> Any:
    """YAML whose scalars stay text; without aliases, which make a small text large."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ConfigError(source, "", "aliases (*) are not allowed, write the value out")
        node = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(source, "", f"is not valid YAML: {' '.join(str(error).split())}") from None
    return _value(node, source)


def _value(node: Any, source: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _once(((str(key.value), _value(value, source)) for key, value in node.value), source)
    if isinstance(node, yaml.SequenceNode):
        return [_value(entry, source) for entry in node.value]
    if node is None or (node.style is None and node.value in ("", "~", "null", "Null", "NULL")):
        return None
    if node.style is None and node.value.lower() in ("true", "false"):
        return node.value.lower() == "true"
    return node.value


def _once(pairs: Iterator[tuple[str, Any]] | list[tuple[str, Any]], source: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ConfigError(source, one_line(name), "must appear once")
        values[name] = value
    return values


def written(tree: Mapping[str, Any]) -> str:
    """A mapping as JSON, a ``Decimal`` as the number that it is, to its last digit.

    Example:
        >>> print(written({"deviation": "-1.1", "size": Decimal("10.50")}), end="")
        {
          "deviation": "-1.1",
          "size": 10.5
        }
    """
    text = json.dumps(tree, indent=2, ensure_ascii=False, default=lambda value: f"\0{typed(value)}")
    return re.sub(r'"\\u0000([-0-9.]+)"', r"\1", text) + "\n"
