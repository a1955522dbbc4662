"""Settings as JSON or YAML: read into fields whose numbers are exact, and written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import yaml

from mlab.bots.bot import typed
from mlab.core.errors import ConfigError, one_line
from mlab.core.fields import Fields

ENVELOPES = ("data", "result")
"""Fields in which exchanges and makers wrap what they answer."""


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
