"""YAML that people write, beside the config: settings of bots, the rules of a market."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from mlab.core.errors import ConfigError, one_line


def read_yaml(text: str, source: str) -> Any:
    """The document in a text, whose numbers stay text, as they are exact; ``source`` names it in refusals.

    Raises:
        ConfigError: it is none, holds a name twice, or an alias, which makes a small text large.
    """
    try:
        aliased = any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader))
        value = None if aliased else _value(yaml.compose(text, yaml.SafeLoader), source)
    except ConfigError:  # a ValueError as well
        raise
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:  # the last two of codes out of range
        raise ConfigError(source, "", f"is not valid YAML: {' '.join(str(error).split())}") from None
    if aliased:
        raise ConfigError(source, "", "aliases (*) are not allowed, write the value out")
    return value


def _value(node: Any, source: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return once(((_name(key, source), _value(value, source)) for key, value in node.value), source)
    if isinstance(node, yaml.SequenceNode):
        return [_value(entry, source) for entry in node.value]
    if node is None or (node.style is None and node.value in ("", "~", "null", "Null", "NULL")):
        return None
    if node.style is None and node.value.lower() in ("true", "false"):
        return node.value.lower() == "true"
    return node.value


def _name(key: yaml.Node, source: str) -> str:
    if not isinstance(key, yaml.ScalarNode):
        raise ConfigError(source, f"line {key.start_mark.line + 1}", "keys must be text")
    return str(key.value)


def once(pairs: Iterable[tuple[str, Any]], source: str) -> dict[str, Any]:
    """A mapping in which no name stands twice.

    Raises:
        ConfigError: one does.
    """
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ConfigError(source, one_line(name), "must appear once")
        values[name] = value
    return values
