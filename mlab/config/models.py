"""The config as strict models: nothing is coerced, nothing unknown passes, every number is finite.

Descriptions are what the Prefect UI shows beside each field, and what the reference documentation prints.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import Field, Tag, field_validator, model_validator

from mlab.config.market import MarketRules
from mlab.config.replay import DISTINCT, ReplayRules
from mlab.core.decimals import LEAST_PRICE, MOST_PRICE, UNPRICED
from mlab.core.records import Cell, Sizing
from mlab.core.redaction import redacted
from mlab.core.section import Section, rule
from mlab.model.limits import Limits, conflict
from mlab.model.objective import Objective, Score

MAX_CELLS = 400
MAX_WORKERS = 256
MAX_NOTES = 2000

Overlap: TypeAlias = Annotated[float, Field(ge=0.01, le=95)]
Orders: TypeAlias = Annotated[int, Field(ge=2, le=200)]


class OverlapRange(Section):
    """Depths from ``min`` in steps, up to and including ``max`` where it lies on the grid."""

    min: Overlap = Field(description="Smallest depth, in % of the base price.")
    max: Overlap = Field(description="Largest depth, in % of the base price.")
    step: float = Field(ge=0.001, le=95, description="Distance between depths, in % of the base price.")

    def values(self) -> tuple[float, ...]:
        """The depths; rounding keeps steps such as 0.1 on their grid."""
        count = math.floor(round((self.max - self.min) / self.step, 6)) + 1
        return tuple(round(self.min + step * self.step, 9) for step in range(count))


class OrdersRange(Section):
    """Numbers of orders from ``min`` in steps, up to and including ``max`` where it lies on the grid."""

    min: Orders = Field(description="Smallest number of orders.")
    max: Orders = Field(description="Largest number of orders.")
    step: int = Field(ge=1, le=200, description="Distance between numbers of orders.")

    def values(self) -> tuple[int, ...]:
        """The numbers of orders."""
        return tuple(range(self.min, self.max + 1, self.step))


Number = TypeVar("Number")
Range = TypeVar("Range")
Several: TypeAlias = (
    Annotated[Number, Tag("number")]
    | Annotated[tuple[Number, ...], Field(strict=False, min_length=1, max_length=MAX_CELLS), Tag("list")]
    | Annotated[Range, Tag("range")]
)
Overlaps: TypeAlias = Several[Overlap, OverlapRange]
OrderCounts: TypeAlias = Several[Orders, OrdersRange]


class Ladder(Section):
    """What kind of ladder is searched: the cells, and the limits that all their ladders keep."""

    base_price: float = Field(
        default=UNPRICED,
        ge=float(LEAST_PRICE),
        le=float(MOST_PRICE),
        description="Entry price that indents count from, in quote currency; 100 stands for none.",
    )
    sizing: Sizing = Field(
        default="quote", description="What an order's volume counts: quote = money, base = quantity of coins."
    )
    overlap_pct: Overlaps = Field(
        default=(10.0, 20.0, 30.0),
        description="Depth that the ladder covers, in % of the base price: a number, a list, or {min, max, step}.",
    )
    num_orders: OrderCounts = Field(
        default=(5, 10, 15), description="Orders in the ladder: a whole number, a list, or {min, max, step}."
    )
    limits: Limits = Field(default=Limits(), description="Limits that every ladder keeps.")

    @field_validator("overlap_pct", "num_orders")
    @classmethod
    def _sensible(cls, value: Overlaps | OrderCounts) -> Overlaps | OrderCounts:
        if isinstance(value, OverlapRange | OrdersRange) and value.min > value.max:
            raise rule("min must not exceed max")
        # Cells are told apart by six digits, in names of files and metrics too.
        if isinstance(value, tuple) and len({f"{entry:g}" for entry in value}) < len(value):
            raise rule(DISTINCT)
        return value

    @model_validator(mode="after")
    def _attainable(self) -> Ladder:
        count = len(_listed(self.overlap_pct)) * len(_listed(self.num_orders))
        if count > MAX_CELLS:
            raise rule(f"overlap_pct and num_orders make {count} cells, must be at most {MAX_CELLS}")
        for cell in self.cells():
            if reason := conflict(cell, self.limits):
                raise rule(reason)
        return self

    def cells(self) -> tuple[Cell, ...]:
        """All pairs of overlap and number of orders, overlap by overlap, in the order of the config."""
        pairs = product(_listed(self.overlap_pct), _listed(self.num_orders))
        return tuple(Cell(index, overlap, orders) for index, (overlap, orders) in enumerate(pairs))


def _listed(setting: Any) -> tuple[Any, ...]:
    """The values of a number, a list or a range."""
    if isinstance(setting, OverlapRange | OrdersRange):
        return setting.values()
    return setting if isinstance(setting, tuple) else (setting,)


class Search(Section):
    """How the search goes about it, and when it stops."""

    sampler: Literal["tpe", "random", "cmaes", "qmc"] = Field(
        default="tpe", description="Optuna's sampler that chooses where refinements start; random is the baseline."
    )
    pruner: Literal["median", "hyperband", "none"] = Field(
        default="median", description="Which of Optuna's rules stops hopeless refinements; none lets all finish."
    )
    batch_size: int = Field(default=16, ge=1, le=256, description="Trials asked, evaluated and stored together.")
    max_batches: int = Field(default=20, ge=1, le=10_000, description="Most batches a cell.")
    patience: int = Field(
        default=4, ge=1, le=10_000, description="Batches without improvement after which a cell stops early."
    )
    miss_chance: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="Chance of having missed a better ladder, as easy to find, at which a cell stops early; 0 = off.",
    )
    prove_within_pct: Annotated[float, Field(gt=0, lt=100)] | None = Field(
        default=None,
        description="A cell stops early once its best is proved so near to the best possible, in %; null = no proof.",
    )
    prune_factor: float = Field(
        default=2.0,
        ge=1,
        le=1_000_000,
        description="A finished candidate whose score exceeds this many times the cell's best is not kept.",
    )
    top_k: int = Field(default=50, ge=1, le=10_000, description="Results kept a cell, best first.")
    max_time_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = Field(
        default=None,
        description="Seconds after which the search stops, once every cell has had a batch, and keeps what it found; "
        "null = no limit.",
    )
    on_error: Literal["fail", "skip"] = Field(
        default="fail", description="When a batch fails: fail = the run stops, skip = it goes on without that batch."
    )
    max_failed_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of a cell's batches that skip lets fail; one more ends the run."
    )
    batch_timeout_s: float = Field(
        default=600.0, gt=0, le=86_400, description="Seconds after which a batch that has not ended counts as failed."
    )


class Config(Section):
    """Everything a run depends on."""

    name: str = Field(
        default="default",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Name of the experiment: small letters, digits, _ and -, at most 64.",
    )
    seed: int = Field(default=42, ge=0, le=2**32 - 1, description="Seed of all randomness: same seed, same result.")
    notes: str = Field(
        default="",
        max_length=MAX_NOTES,
        description="Free text kept with the run, at most 2000 letters; passwords and keys in it are hidden.",
    )
    ladder: Ladder = Field(default=Ladder(), description="What kind of ladder is searched.")
    market: MarketRules | None = Field(
        default=None,
        description="The symbol that is traded, and the budget; null = any, orders are shares of a budget.",
    )
    score: Score = Field(default=Score(), description="What makes a ladder good.")
    search: Search = Field(default=Search(), description="How the search goes about it.")
    replay: ReplayRules | None = Field(
        default=None, description="Prices on which the winners of each cell are replayed at the end; null = none."
    )

    @field_validator("notes")
    @classmethod
    def _without_secrets(cls, notes: str) -> str:
        clean: str = redacted(notes)
        return clean[:MAX_NOTES]

    @property
    def base_price(self) -> float:
        """Entry price that indents count from."""
        return (self.market and self.market.price) or self.ladder.base_price

    @property
    def limits(self) -> Limits:
        """Those that every ladder keeps: of the trader, and of the market."""
        return self.ladder.limits if self.market is None else self.market.limits(self.ladder)

    @property
    def objective(self) -> Objective:
        """What its ladders are judged by."""
        return Objective(self.score, self.limits, self.ladder.sizing)

    def cells(self) -> tuple[Cell, ...]:
        """The cells of the run, overlap by overlap, in the order of the config, counted from 0."""
        return self.ladder.cells()
