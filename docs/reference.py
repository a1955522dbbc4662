"""``python -m docs.reference``: writes docs/config.md from the models of the config."""

from __future__ import annotations

from inspect import cleandoc
from pathlib import Path
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlab.config import Config
from mlab.config.models import OrdersRange, OverlapRange
from mlab.core.decimals import exact

Schema: TypeAlias = dict[str, Any]

PAGE = Path(__file__).with_name("config.md")

HEAD = """\
# The config

<!-- written by `python -m docs.reference`; do not edit -->

A config is a YAML file; every field may be left out. [configs/default.yaml](../configs/default.yaml) writes all
defaults out. Give a file with `--config FILE`, replace single fields with `--set`, as often as you like:

    make run ARGS="--set ladder.num_orders=12 --set score.need=path"
    make run ARGS="--config configs/nightly.yaml"

The config is judged before anything is written. Unknown or duplicate fields, text where a number belongs, NaN, and
limits that contradict each other are refused in one line that names file, field, what it must be and what it was;
the exit status is then 2.
Where a field takes several forms, they are separated by "or". The [glossary](glossary.md) has what bots call all this:
`overlap_pct` is the price deviation of the last safety order, `martingale_pct` the volume scale, 1.4 being 40 %.
"""

TYPES = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true / false", "null": "null"}


def config_page() -> str:
    """The whole of docs/config.md."""
    schema = Config.model_json_schema()
    parts = [HEAD, *_sections(Config, "", schema)]
    for title, model in (("A range of depths", OverlapRange), ("A range of numbers of orders", OrdersRange)):
        parts.append(f"## {title}\n\n{_doc(model)}\n\n{_table(model, schema)}\n")
    return "\n".join(parts)


def _sections(model: type[BaseModel], path: str, schema: Schema) -> list[str]:
    """A section of the page for ``model``, then one for each model in it."""
    title = f"`{path}`" if path else "Top level"
    parts = [f"## {title}\n\n{_doc(model)}\n\n{_table(model, schema)}\n"]
    for name, field in model.model_fields.items():
        if (inner := _section(field)) is not None:
            parts += _sections(inner, f"{path}.{name}".lstrip("."), schema)
    return parts


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a section, which may be null."""
    kinds = (field.annotation, *get_args(field.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _table(model: type[BaseModel], schema: Schema) -> str:
    definitions: Schema = schema["$defs"]
    properties: Schema = definitions.get(model.__name__, schema)["properties"]
    lines = ["| field | value | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if _section(field) is None:
            default = "required" if field.is_required() else f"`{_yaml(field.default)}`"
            lines.append(f"| `{name}` | {_form(properties[name])} | {default} | {field.description} |")
        else:
            lines.append(f"| `{name}` | section | see below | {field.description} |")
    return "\n".join(lines)


def _form(schema: Schema) -> str:
    """What a value must be, in words."""
    if "anyOf" in schema:
        return " or ".join(_form(form) for form in schema["anyOf"])
    if "$ref" in schema:
        return "{min, max, step}"
    if "enum" in schema:
        return " / ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_form(item) for item in schema['prefixItems'])}]"
        return f"list of 1 to {schema['maxItems']} of these"
    words = TYPES[schema["type"]]
    if {"minimum", "exclusiveMinimum"} & set(schema):
        words += f" {_bounds(schema)}"
    if "pattern" in schema:
        words += f" like `{schema['pattern']}`"
    return words


def _bounds(schema: Schema) -> str:
    below = f"below {_number(schema['exclusiveMaximum'])}" if "exclusiveMaximum" in schema else ""
    if "minimum" in schema:
        least = _number(schema["minimum"])
        return f"from {least}, {below}" if below else f"{least} to {_number(schema['maximum'])}"
    return f"above {_number(schema['exclusiveMinimum'])}, {below or 'up to ' + _number(schema['maximum'])}"


def _number(value: float) -> str:
    """Whole digits up to a million million, so that a bound can be copied."""
    return exact(value)


def _yaml(value: object) -> str:
    """A default as YAML would have it."""
    if isinstance(value, tuple):
        return f"[{', '.join(_yaml(item) for item in value)}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return exact(value)
    return str(value) or '""'


def _doc(model: type[BaseModel]) -> str:
    return cleandoc(model.__doc__ or "").replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(config_page(), encoding="utf-8")
