"""YAML text to plain values: the core scalars of YAML 1.2, and nothing that surprises.

PyYAML finds the structure. What a plain scalar means is decided here, because PyYAML follows YAML 1.1: it reads
012 as 10, on as True, 1:30 as 90 and 1e9 as text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from mlab.config.wording import short
from mlab.core.errors import ConfigError

MAX_DEPTH = 16
MAX_VALUES = 2000  # keys and values of a document: more than any config needs, and few enough to be read in no time

MAX_DIGITS = 100

NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
INTEGER = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
FLOAT = re.compile(r"(?:[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")


def parse(text: str, source: str) -> Any:
    """The one document in ``text`` as dicts with text keys, lists, text, numbers, booleans and None.

    Raises:
        ConfigError: not YAML, more than one document, or with anchors, aliases, tags, duplicate keys, keys that
            are not text, too many values or nested too deeply; names ``source`` and the line.
    """
    try:
        loader = _Loader(text, source)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(source, f"line {line}", "holds a character that YAML does not allow") from None
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(short(part) for part in (error.context, error.problem) if part)
        raise ConfigError(source, f"line {mark.line + 1}" if mark else "", f"not valid YAML: {reason}") from None
    except ConfigError:  # what the loader refuses, a ValueError as well
        raise
    except (ValueError, OverflowError):  # PyYAML lets these escape from \U escapes and %YAML versions
        raise ConfigError(source, f"line {loader.line + 1}", "not valid YAML: a code out of range") from None
    return None if node is None else loader.value(node, "")


class _Loader(yaml.SafeLoader):
    """Composes nodes, refusing what would make the text mean more than it shows, and turns them into values.

    A ``field`` is the dotted place of a node.
    """

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text)
        self.source = source
        self.depth = self.values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # missing in types-pyyaml
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._refusal(event, "anchors and aliases (& and *) are not allowed, write the value out")
        if event.tag is not None:
            raise self._refusal(event, "tags (!) are not allowed, write the plain value")
        if self.depth == MAX_DEPTH:
            raise self._refusal(event, f"must be nested at most {MAX_DEPTH} deep")
        if self.values == MAX_VALUES:
            raise self._refusal(event, f"must hold at most {MAX_VALUES} keys and values")
        self.depth += 1
        self.values += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refusal(self, event: Any, must: str) -> ConfigError:
        return ConfigError(self.source, f"line {event.start_mark.line + 1}", must)

    def value(self, node: yaml.Node, field: str) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, field)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, f"{field}.{index}") for index, item in enumerate(node.value)]
        return self._scalar(node, field)

    def _mapping(self, node: yaml.MappingNode, field: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node, field) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise ConfigError(self.source, short(field), f"keys must be text, another kind is on line {line}")
            place = f"{field}.{key}" if field else key
            if key in values:
                raise ConfigError(self.source, short(place), f"must appear once, is there again on line {line}")
            values[key] = self.value(value_node, place)
        return values

    def _scalar(self, node: Any, field: str) -> str | int | float | bool | None:
        text: str = node.value
        if node.style is not None:
            return self._text(text, field)
        if NULL.match(text):
            return None
        if BOOL.match(text):
            return text.lower() == "true"
        if INTEGER.match(text):
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            return int(self._short(text, field), base)
        if FLOAT.match(text):
            number = self._short(text, field).lower()
            return float(number.replace(".inf", "inf").replace(".nan", "nan"))
        return self._text(text, field)

    def _short(self, number: str, field: str) -> str:
        if len(number) > MAX_DIGITS:
            raise ConfigError(self.source, short(field), f"numbers must have at most {MAX_DIGITS} characters", number)
        return number

    def _text(self, text: str, field: str) -> str:
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ConfigError(self.source, short(field), "must be text that UTF-8 can hold", text)
        return text
