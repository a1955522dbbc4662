"""What ladders are scored by: the weights and rules of the score, as the config has them.

Example:
    What is left out is the default of the config; a wrong value is a ``ValueError``.

    >>> Score(need="path", wave=Wave(enabled=False)).beta
    0.3
    >>> Objective(Score(need="path"), sizing="base").limits.tail_cap_pct
    40.0
    >>> Score(alpha=-1.0)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValidationError: alpha: Input should be greater than or equal to 0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from pydantic import Field, model_validator

from mlab.core.records import Need, Sizing
from mlab.core.section import Section, rule
from mlab.model.exits import TakeProfit
from mlab.model.limits import Limits

Weight: TypeAlias = Annotated[float, Field(ge=0, le=1_000_000)]


class Wave(Section):
    """The wave rule: strong and weak growth should take turns."""

    enabled: bool = Field(default=True, description="Whether growths that do not alternate are penalised.")
    strong_pct: float = Field(default=50.0, ge=0, le=1000, description="Growth from which a step is strong, in %.")
    weak_pct: float = Field(default=10.0, ge=0, le=1000, description="Growth up to which a step is weak, in %.")

    @model_validator(mode="after")
    def _apart(self) -> Wave:
        if self.weak_pct >= self.strong_pct:
            raise rule(f"weak_pct must be below strong_pct {self.strong_pct:g}, was {self.weak_pct:g}")
        return self


class Score(Section):
    """What makes a ladder good: J = alpha max + beta variance + gamma tail + lambda_penalty penalties, least best."""

    need: Need = Field(
        default="fill", description="Where the needed rebound is taken: fill = after each fill, path = just before it."
    )
    alpha: Weight = Field(default=0.5, description="Weight of the largest needed rebound, per %.")
    beta: Weight = Field(default=0.3, description="Weight of the variance of the needed rebounds, per % squared.")
    gamma: Weight = Field(default=0.2, description="Weight of the volume share (0 to 1) in the last 20 % of orders.")
    lambda_penalty: Weight = Field(default=0.1, description="Weight of the sum of penalties, which have no unit.")
    wave: Wave = Field(default=Wave(), description="The wave rule.")
    take_profit_pct: TakeProfit = Field(
        default=1.0,
        description="Profit that ends a deal, in % of its money: what chances are told for. No score depends on it.",
    )

    @model_validator(mode="after")
    def _weighs(self) -> Score:
        if not (self.alpha or self.beta or self.gamma or self.lambda_penalty):
            raise rule("one of alpha, beta, gamma and lambda_penalty must be above 0")
        return self


@dataclass(frozen=True, slots=True)
class Objective:
    """All that a ladder is judged by, besides its cell."""

    score: Score = field(default_factory=Score)
    limits: Limits = field(default_factory=Limits)  # two of them are flags of the contract, and one a penalty
    sizing: Sizing = "quote"  # what volumes are, money or coins (base)
