"""What pydantic found wrong, in one plain line: the field, what it must be, what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from functools import cache
from types import NoneType
from typing import Any, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from mlab.config.models import Config
from mlab.core.decimals import exact
from mlab.core.errors import ConfigError, one_line

Place: TypeAlias = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)

MUST = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text that UTF-8 can hold",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be {expected}",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries",
    "model_type": "must be a mapping of fields",
    "invalid_key": "keys must be text",
    "rule": "{must}",
}
"""Pydantic's error types in plain words."""

SEVERAL: dict[Place, str] = {
    ("ladder", "overlap_pct"): "must be a number, a list of numbers or {min, max, step}",
    ("ladder", "num_orders"): "must be a whole number, a list of them or {min, max, step}",
    ("replay", "take_profit_pct"): "must be a number or a list of numbers, or null",
}
"""Fields that may be written in several ways; pydantic reports each way that failed."""

PAIR = "must be [least, largest]"
PAIRS: frozenset[Place] = frozenset({("ladder", "limits", "martingale_pct")})
"""Fields that are a pair of numbers."""

LONG_ONLY = "; ladders of sells above the price are not searched"
"""What is said of a depth below 0."""

LIKE = 0.65
"""How much a field must be like what was typed to be what was meant."""

SAME: Mapping[str, str] = {}
"""Fields that the user knows by their own names."""

WAYS: dict[int | str, tuple[type, ...]] = {"number": (int, float), "list": (list, tuple), "range": (Mapping,)}


class Word(str):
    """A value told in words: shown without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def short(text: str) -> str:
    """At most 80 characters that can all be printed on one line."""
    text = one_line(text)
    return text if len(text) <= 80 else text[:77] + "..."


def judged(model: type[Model], source: str, fields: Mapping[str, Any], names: Mapping[str, str] = SAME) -> Model:
    """A section made of fields; ``names`` has those that the user knows by another name.

    Raises:
        ConfigError: one is wrong.
    """
    try:
        return model(**fields)
    except ValidationError as error:
        field, must, was = complaint(error, fields)
        raise ConfigError(source, names.get(field, field), must, was) from error


def complaint(error: ValidationError, tree: Any) -> tuple[str, str, object]:
    """The one fault of ``tree`` to report: an unknown field if there is one, as it is often the cause of the rest.

    It comes as :class:`mlab.core.errors.ConfigError` takes it after the source: field, what it must be, what it was.
    """
    faults = [detail for detail in error.errors(include_url=False) if _meant(detail["loc"], tree)]
    if not faults:
        place = error.errors()[0]["loc"][:2]
        return _dotted(place), SEVERAL[place], _shown(_value(tree, place))
    detail = min(faults, key=lambda detail: {"extra_forbidden": 0, "missing": 2}.get(detail["type"], 1))
    place, kind = detail["loc"], detail["type"]
    if place[:2] in SEVERAL:
        place = place[:2] + place[3:]
    if kind == "extra_forbidden":
        return _dotted(place), _unknown(place), None
    was = None if kind in {"missing", "rule"} and isinstance(detail["input"], Mapping) else _shown(detail["input"])
    if kind == "missing":
        return _dotted(place[:-1]), f"{place[-1]} must be given" if isinstance(place[-1], str) else PAIR, was
    return _dotted(place), _must(place, detail), was


def _must(place: Place, detail: Mapping[str, Any]) -> str:
    """What a value must be that is of the wrong kind or beyond a bound."""
    kind = detail["type"]
    if kind not in MUST:
        return short(detail["msg"])
    if place in PAIRS and kind in {"tuple_type", "too_long"}:
        return PAIR
    bounds = detail.get("ctx", {}).items()
    written = {name: exact(bound) if isinstance(bound, float) else bound for name, bound in bounds}
    must = MUST[kind].format_map(written)
    depth = place[:2] == ("ladder", "overlap_pct") and place[-1] != "step"
    if depth and kind == "greater_than_equal" and detail["input"] < 0:
        return must + LONG_ONLY
    return f"{must} or null" if kind not in {"rule", "too_short"} and _dotted(place) in _nullable() else must


def _meant(place: Place, tree: Any) -> bool:
    """Whether a fault lies in the way of writing that was used."""
    if place[:2] not in SEVERAL or len(place) == 2:
        return True
    return isinstance(_value(tree, place[:2]), WAYS[place[2]])


def _value(tree: Any, place: Place) -> Any:
    for part in place:
        tree = tree[part]
    return tree


def _dotted(place: Place) -> str:
    return short(".".join(str(part) for part in place))


def _shown(value: object) -> object:
    """A value as the config writes it; in words where it is long or nested."""
    if value is None or isinstance(value, bool):
        return Word({None: "null", True: "true", False: "false"}[value])
    if isinstance(value, int) and abs(value) >= 10**30:
        return Word("a number of more than 30 digits")
    if isinstance(value, Mapping | BaseModel):
        return Word("a mapping")
    if isinstance(value, list | tuple):
        flat = all(isinstance(entry, int | float) and abs(entry) < 10**30 for entry in value[:100])
        return list(value[:100]) if flat else Word("a list")
    return value


def _unknown(place: Place) -> str:
    """What was probably meant: a field beside it, or one of that name elsewhere."""
    *parents, name = map(str, place)
    if "." in name and name in fields():
        return "fields must be nested, not written with dots"
    before = "".join(f"{parent}." for parent in parents)
    likeness, likely = max((_likeness(name, field, before), field) for field in fields())
    return f"unknown field, did you mean {likely.removeprefix(before)!r}?" if likeness >= LIKE else "unknown field"


def _likeness(name: str, field: str, before: str) -> float:
    """How much a field is like what was typed; one beside it, or whose name holds it, somewhat more."""
    parents, _, last = field.rpartition(".")
    likeness = SequenceMatcher(None, name[:80], last).ratio()
    return likeness + 0.1 * (before.removesuffix(".") == parents) + 0.3 * (len(name) > 2 and name in last)


@cache
def fields() -> tuple[str, ...]:
    """Every field of the config, dotted."""
    return tuple(name for name, _ in _fields(Config, ""))


@cache
def _nullable() -> frozenset[str]:
    """The fields that may be null."""
    return frozenset(name for name, annotation in _fields(Config, "") if NoneType in get_args(annotation))


def _fields(annotation: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every field below an annotation, dotted, with its own."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield prefix + name, field.annotation
            yield from _fields(field.annotation, f"{prefix}{name}.")
    for part in get_args(annotation):
        yield from _fields(part, prefix)
