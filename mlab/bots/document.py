"""Settings as JSON or YAML: read into fields whose numbers are exact, and written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from mlab.core.decimals import plain
from mlab.core.errors import ConfigError
from mlab.core.fields import Fields
from mlab.core.yaml_text import once, read_yaml

ENVELOPES = ("data", "result")
"""Fields in which exchanges and makers wrap what they answer."""


def parsed(text: str, source: str) -> Fields:
    """The one mapping of a JSON or YAML text, without what an answer wraps it in.

    Raises:
        ConfigError: it is neither, or holds a name twice, an alias, or several bots.
    """
    tree = _json(text, source) if text.lstrip().startswith(("{", "[")) else read_yaml(text, source)
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
    def constant(name: str) -> Any:
        raise ConfigError(source, "", "every number must be finite", name)

    try:
        pairs = partial(once, source=source)
        return json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=constant, object_pairs_hook=pairs
        )
    except ConfigError:
        raise
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise ConfigError(source, "", f"is not valid JSON: {error}") from None


def written(tree: Mapping[str, Any]) -> str:
    """A mapping as JSON, a ``Decimal`` as the number that it is, to its last digit.

    Example:
        >>> print(written({"deviation": "-1.1", "size": Decimal("10.50")}), end="")
        {
          "deviation": "-1.1",
          "size": 10.5
        }
    """
    text = json.dumps(tree, indent=2, ensure_ascii=False, default=lambda value: f"\0{plain(value)}")
    return re.sub(r'"\\u0000([-0-9.]+)"', r"\1", text) + "\n"
