"""What every part of the config is: an immutable pydantic model that coerces nothing and lets nothing unknown pass."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


def rule(must: str) -> PydanticCustomError:
    """A rule that spans fields, in the words in which it is reported."""
    return PydanticCustomError("rule", "{must}", {"must": must})


class Section(BaseModel):
    """Part of the config. Immutable; refuses unknown fields, coercion, NaN and infinity."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)
