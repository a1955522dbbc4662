"""Replays as plain JSON values and back, exact to the last bit: as they are stored."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import numpy as np

from mlab.core.errors import EvaluationError
from mlab.core.records import Json
from mlab.model.exits import ExitRule
from mlab.replay.equity import Curve
from mlab.replay.outcome import Outcome
from mlab.replay.several import Plan, Replayed


def as_json(replayed: Replayed) -> Json:
    """A replay as :func:`from_json` reads it.

    Raises:
        EvaluationError: a number is not finite.
    """
    return {
        "plan": asdict(replayed.plan) | {name: list(getattr(replayed.plan, name)) for name in ("indent_pct", "volume")},
        "rule": replayed.rule.model_dump(),
        "outcome": _plain(replayed.outcome),
        "ends": replayed.ends and [_plain(end) for end in replayed.ends],
        "curve": replayed.curve and asdict(replayed.curve),
    }


def from_json(tree: Json) -> Replayed:
    """The replay of such values."""
    plan = tree["plan"]
    ends = tree["ends"]
    return Replayed(
        Plan(plan["name"], tuple(plan["indent_pct"]), tuple(plan["volume"]), plan["sizing"]),
        ExitRule(**tree["rule"]),
        _outcome(tree["outcome"]),
        (_outcome(ends[0]), _outcome(ends[1])) if ends else None,
        Curve(**tree["curve"]) if tree["curve"] else None,
    )


def _plain(outcome: Outcome) -> Json:
    values = {field.name: getattr(outcome, field.name) for field in fields(Outcome)}
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise EvaluationError(f"replay: {name} must be finite, was {value}")
    return {name: value.tolist() for name, value in values.items()}


def _outcome(values: dict[str, Any]) -> Outcome:
    return Outcome(**{name: np.asarray(value) for name, value in values.items()})
