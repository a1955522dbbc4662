"""Several ladders, each under its exit rule, on one history and on others: what stands side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from mlab.core.records import Candidate, Sizing
from mlab.model.exits import ExitRule, Fees
from mlab.model.ladder import Array, prices
from mlab.prices.candles import Candles
from mlab.replay.bootstrap import drawn, interval, other_paths
from mlab.replay.compiled import REPLAYS
from mlab.replay.equity import Curve
from mlab.replay.exits import Levels
from mlab.replay.outcome import Outcome
from mlab.replay.path import Path
from mlab.replay.run import replay


@dataclass(frozen=True, slots=True)
class Plan:
    """A ladder to be replayed.

    Attributes:
        name: what people call it.
        indent_pct: depth of each order in %, rising; order 1 is bought at market, and the others keep their distance.
        volume: volume of each order in any unit.
        sizing: what volumes are, money (``quote``) or coins (``base``).
    """

    name: str
    indent_pct: tuple[float, ...]
    volume: tuple[float, ...]
    sizing: Sizing = "quote"

    @classmethod
    def of(cls, found: Candidate, sizing: Sizing) -> Plan:
        """A ladder that a search has found."""
        schedule = found.contract["schedule"]
        return cls(found.candidate_id, tuple(schedule["indent_pct"]), tuple(schedule["volume_pct"]), sizing)

    def columns(self) -> tuple[Array, Array]:
        """Depths in % below order 1, and money, each (M,)."""
        indent, volume = np.array(self.indent_pct), np.array(self.volume)
        money = volume if self.sizing == "quote" else volume * prices(indent)
        if indent[0]:
            indent = (1.0 - prices(indent) / prices(indent[:1])) * 100.0
        return indent, money


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one ladder did, and between what it does nine times of ten in other histories.

    Attributes:
        plan: the ladder.
        rule: when its deals end.
        outcome: what it did, in scalars.
        ends: the two ends of the interval, number by number; None where no other histories were made.
        curve: its equity on the way; None where nobody asked for it.
    """

    plan: Plan
    rule: ExitRule
    outcome: Outcome
    ends: tuple[Outcome, Outcome] | None
    curve: Curve | None = None


def replay_all(
    candles: Candles,
    tasks: Sequence[tuple[Plan, ExitRule]],
    fees: Fees,
    *,
    histories: int = 100,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Replayed]:
    """Replay ladders on the same candles, and on as many histories of weeks drawn anew, which are the same for all.

    ``tell`` hears how many steps of how many are done.

    Example:
        >>> from mlab.prices import msft
        >>> plan = Plan("equal", (0.0, 20.0, 40.0), (1.0, 1.0, 1.0))
        >>> (replayed,) = replay_all(msft(), [(plan, ExitRule(take_profit_pct=10))], Fees(), histories=20)
        >>> low, high = replayed.ends
        >>> replayed.outcome.deals.item(), bool(low.total_pct < high.total_pct)
        (2, True)
    """
    alike: dict[tuple[int, ExitRule], list[int]] = {}
    for number, (plan, rule) in enumerate(tasks):
        alike.setdefault((len(plan.indent_pct), rule), []).append(number)
    batches = [
        (numbers, levels_of([tasks[number][0] for number in numbers], rule)) for (_, rule), numbers in alike.items()
    ]
    histories = drawn(candles, histories)
    REPLAYS.ahead(len(candles) * len(tasks) * (1 + histories))  # now, if all of it together pays that
    outcomes: list[list[Outcome]] = [[] for _ in batches]
    steps = (1 + histories) * len(batches)
    for path in chain([Path(candles)], other_paths(candles, histories)):
        for done, (_, levels) in zip(outcomes, batches, strict=True):
            done.append(replay(path, levels, fees))
            tell(sum(map(len, outcomes)), steps)
    found: dict[int, Replayed] = {}
    for (numbers, _), (own, *others) in zip(batches, outcomes, strict=True):
        ends = interval(others) if others else None
        for column, number in enumerate(numbers):
            low_high = (ends[0].of_ladder(column), ends[1].of_ladder(column)) if ends else None
            found[number] = Replayed(*tasks[number], own.of_ladder(column), low_high)
    return [found[number] for number in range(len(tasks))]


def levels_of(plans: Sequence[Plan], rule: ExitRule) -> Levels:
    """The levels of ladders with as many orders each, a column a ladder."""
    indent, money = (np.stack(rows, axis=1) for rows in zip(*(plan.columns() for plan in plans), strict=True))
    return Levels.of(indent, money, rule)
