"""The arguments of the face: sections of the config, arrays of ladders, paths, words, counts; faults are one line.

A ladder is a row, and its orders are columns; :mod:`mlab.model` has it the other way round.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from mlab import config as configs
from mlab.bots.bot import MOST_ORDERS
from mlab.core.errors import ConfigError, reason
from mlab.core.records import Sizing
from mlab.model import limits as limit
from mlab.model import objective
from mlab.model.ladder import Array
from mlab.model.objective import Objective

VOLUMES = (1e-75, 1e75)
"""Least and largest volume: the square of what lies beyond is no number of a computer."""


class _Refused:
    """A section of the config, whose faults are told as those of a config are: in one line."""

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError:
            name = type(self).__name__
            score = {"Score": fields, "Wave": {"wave": fields}}.get(name, {})
            configs.from_tree({"score": score, "ladder": {"limits": fields if name == "Limits" else {}}}, name)
            raise  # cannot be


class Limits(_Refused, limit.Limits):
    """What exchange and trader allow; fields as in ``docs/config.md``."""


class Wave(_Refused, objective.Wave):
    """The wave rule: strong and weak growth should take turns; fields as in ``docs/config.md``."""


class Score(_Refused, objective.Score):
    """What makes a ladder good; fields as in ``docs/config.md``. A wrong one is a ``ValueError`` of one line.

    Example:
        >>> import mlab
        >>> mlab.Score(need="pth")
        Traceback (most recent call last):
        mlab.core.errors.ConfigError: Score: score.need: must be 'fill' or 'path', was 'pth'
    """


SCORE, LIMITS = Score(), Limits()


def objective_of(source: str, score: objective.Score, limits: limit.Limits, sizing: Sizing) -> Objective:
    """What ladders are judged by; ``source`` is the function that was called."""
    for name, value, kind in (("score", score, objective.Score), ("limits", limits, limit.Limits)):
        if not isinstance(value, kind):
            raise ConfigError(source, name, f"must be a mlab.{kind.__name__}", value)
    one_of(source, "sizing", sizing, get_args(Sizing))
    return Objective(score, limits, sizing)


def path_of(source: str, name: str, value: object) -> Path:
    """An argument as the path of a file or folder."""
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise ConfigError(source, name, "must be a path", value)
    return Path(value)


def write(source: str, path: Path, content: bytes) -> Path:
    """Write a file where that was asked for."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(source, "path", f"cannot be written: {reason(error)}", str(path)) from error
    return path


def check_text(source: str, name: str, value: object) -> None:
    """See that an argument is text."""
    if not isinstance(value, str):
        raise ConfigError(source, name, "must be text", value)


def one_of(source: str, name: str, value: object, choices: Collection[str]) -> None:
    """See that an argument is one of some words, and say so as a config does."""
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        raise ConfigError(source, name, f"must be {', '.join(others)} or {last}", value)


def whole_of(source: str, name: str, value: object, least: int, most: int | None = None) -> int:
    """An argument as a whole number; True is none."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        number = int(value)
        if least <= number and (most is None or number <= most):
            return number
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise ConfigError(source, name, f"must be a whole number {limits}", value)


def ladders_of(source: str, indent_pct: ArrayLike, volume: ArrayLike, dimensions: int) -> tuple[Array, Array]:
    """Indents and volumes as arrays, if there are such ladders."""
    indent, amount = (
        numbers_of(source, name, value, dimensions) for name, value in (("indent_pct", indent_pct), ("volume", volume))
    )
    if indent.shape != amount.shape:
        raise ConfigError(source, "volume", f"must have the shape of indent_pct, {indent.shape}", amount.shape)
    _refuse(source, "indent_pct", indent, ~((indent >= 0.0) & (indent < 100.0)), "must be at least 0 and below 100 %")
    falls = np.diff(indent, axis=-1, prepend=-1.0) <= 0.0
    _refuse(source, "indent_pct", indent, falls, "must be above that of the order before")
    check_volumes(source, amount)
    return indent, amount


def numbers_of(source: str, name: str, value: ArrayLike, dimensions: int) -> Array:
    """An argument as an array of one ladder or of many."""
    shape = ("(orders,)", "(ladders, orders)")[dimensions - 1]
    try:
        array = np.asarray(value)
    except ValueError:  # rows of several lengths
        raise ConfigError(source, name, f"must have the shape {shape}", value) from None
    if array.dtype.kind not in "iuf" or _has_truth(value):
        raise ConfigError(source, name, f"must be numbers of the shape {shape}", value)
    if array.ndim != dimensions or not 2 <= array.shape[-1] <= MOST_ORDERS:
        raise ConfigError(source, name, f"must have the shape {shape}, of 2 to {MOST_ORDERS} orders", array.shape)
    return array.astype(np.float64)


def _has_truth(value: ArrayLike) -> bool:
    """Whether a list has True or False in it, which numpy makes 1 and 0 beside numbers."""
    truth = (bool, np.bool_)
    return not hasattr(value, "dtype") and any(isinstance(one, truth) for one in np.asarray(value, dtype=object).flat)


def check_volumes(source: str, volume: Array) -> None:
    """See that volumes are above 0, and numbers that can be squared."""
    _refuse(source, "volume", volume, ~((volume > 0.0) & (volume < np.inf)), "must be a finite number above 0")
    least, most = VOLUMES
    must = f"must lie between {least:g} and {most:g}: take another unit"
    _refuse(source, "volume", volume, ~((volume >= least) & (volume <= most)), must)


def _refuse(source: str, name: str, array: Array, wrong: NDArray[np.bool_], must: str) -> None:
    """Refuse an array for the first of its values that is wrong."""
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise ConfigError(source, f"{name}[{', '.join(map(str, place))}]", must, float(array[place]))
