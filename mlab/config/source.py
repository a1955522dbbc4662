"""From files and ``--set`` overrides to a config, and back to YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mlab.config import document
from mlab.config.models import Config
from mlab.config.wording import complaint, short
from mlab.core.decimals import exact
from mlab.core.errors import ConfigError, one_line
from mlab.core.records import Experiment
from mlab.core.text_file import KB, read_text

MAX_BYTES = 64 * KB
DEFAULTS = "built-in defaults"
OVERRIDE = "--set"


def load(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """The config of a YAML file, with single fields replaced.

    Args:
        path: the file; None for the built-in defaults.
        overrides: ``ladder.num_orders=12``: dotted field and its value in YAML; the last of several wins.

    Raises:
        ConfigError: the file or an override is wrong; one line that names file, field, what it must be and what it was.
    """
    origin = DEFAULTS if path is None else one_line(str(path))
    tree = {} if path is None else _mapping(read_text(path, origin, MAX_BYTES), origin)
    replaced = [_override(text) for text in overrides]
    for field, value in replaced:
        _replace(tree, field, value)
    config = _judged(tree, origin, [short(field) for field, _ in replaced])
    check_start(config, origin, [short(field) for field, _ in replaced])
    return config


def check_start(config: Config, origin: str, replaced: Sequence[str] = ()) -> None:
    """See that the ladders of a run that is about to begin can be placed and replayed, if they are to be.

    Raises:
        ConfigError: as for :func:`load`.
    """
    if config.market is not None and (reason := config.market.conflict(config.ladder)):
        raise ConfigError(_blamed(origin, "", replaced), "", reason)
    if config.replay is not None and (fault := config.replay.fault()):
        field, must = fault
        raise ConfigError(_blamed(origin, field, replaced), field, must)


def from_tree(tree: Any, source: str) -> Config:
    """The config of plain JSON values, such as the parameters of a flow.

    Raises:
        ConfigError: as for :func:`load`; ``source`` says where the values come from.
    """
    return _judged(tree, one_line(source), [])


def config_of(run: Experiment) -> Config:
    """The config with which a stored run began.

    Raises:
        ConfigError: it is none that this version understands.
    """
    return from_tree(run.config, f"run {run.run_id}")


def dump(config: Config) -> str:
    """The whole config as YAML that :func:`load` reads back to an equal one, and that any terminal can show."""
    tree = config.model_dump(mode="json")
    shown = "".join(config.notes.splitlines()).isprintable()
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=shown, width=120)


class _Dumper(yaml.SafeDumper):
    """Keeps lists on one line, and quotes text that YAML 1.2 would read as a number, besides what YAML 1.1 would."""

    def flow_list(self, values: list[Any]) -> yaml.Node:
        return self.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)

    def exact_number(self, number: float) -> yaml.Node:
        text = exact(number)
        text = text if len(text) <= document.MAX_DIGITS else repr(number)  # or nothing would read it
        return self.represent_scalar(f"tag:yaml.org,2002:{'int' if text.isdigit() else 'float'}", text)

    def exact_text(self, text: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(list, _Dumper.flow_list)
_Dumper.add_representer(float, _Dumper.exact_number)
_Dumper.add_representer(str, _Dumper.exact_text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", document.INTEGER, list("-+0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", document.FLOAT, list("-+.0123456789"))


def _mapping(text: str, origin: str) -> dict[str, Any]:
    tree = document.parse(text, origin)
    if isinstance(tree, dict):
        return tree
    must = "must be a mapping of fields" if tree is not None else "is empty, must be a mapping of fields"
    raise ConfigError(origin, "", must, tree)


def _override(text: str) -> tuple[str, Any]:
    """Field and value of one ``--set FIELD=VALUE``."""
    field, equals, value = text.partition("=")
    if not equals or not all(field.split(".")):
        raise ConfigError(OVERRIDE, "", "must be FIELD=VALUE such as ladder.num_orders=12", text)
    return field, document.parse(value, f"{OVERRIDE} {short(field)}")


def _replace(tree: dict[str, Any], field: str, value: Any) -> None:
    *sections, name = field.split(".")
    for depth, section in enumerate(sections, start=1):
        if tree.get(section) is None:  # not written out, or null: a section that is off
            tree[section] = {}
        inner = tree[section]
        if not isinstance(inner, dict):
            place = short(".".join(sections[:depth]))
            raise ConfigError(OVERRIDE, short(field), f"{place} must be a mapping of fields", inner)
        tree = inner
    tree[name] = value


def _judged(tree: Any, origin: str, replaced: Sequence[str]) -> Config:
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        field, must, was = complaint(error, tree)
    raise ConfigError(_blamed(origin, field, replaced), field, must, was)


def _blamed(origin: str, field: str, replaced: Sequence[str]) -> str:
    """Where the value of a wrong field comes from."""
    if any(f"{field}.".startswith(f"{part}.") for part in replaced):
        return OVERRIDE
    if any(part.startswith(f"{field}." if field else "") for part in replaced):
        return f"{origin} with {OVERRIDE}"
    return origin
