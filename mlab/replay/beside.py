"""Ladders beside the classical ones of their cell, which are their measure, on the same prices; and what to doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlab.bots.classical import classical
from mlab.model.exits import ExitRule, Fees
from mlab.prices.candles import Candles
from mlab.replay.several import Plan, Replayed, replay_all

DOUBTED_SHARE, FEES_EARNED, DAILY_PCT = 0.2, 3.0, 5.0
"""Share of deals within one candle, take-profit over fees, and take-profit on daily prices, that are doubtful."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Ladders of one cell under one exit rule, and the classical ladders of that cell.

    Attributes:
        cell: depth and number of orders.
        rule: when deals end.
        ladders: those that were asked for.
        classical: those beside them.
        doubts: where candles or fees make the numbers doubtful, in sentences.
    """

    cell: str
    rule: ExitRule
    ladders: tuple[Replayed, ...]
    classical: tuple[Replayed, ...]
    doubts: tuple[str, ...]


def cell_label(plan: Plan) -> str:
    """Depth and number of orders of a ladder: ``20 % x 10``."""
    return f"{round(plan.columns()[0][-1], 6):g} % x {len(plan.indent_pct)}"


def beside(
    candles: Candles,
    asked: Sequence[tuple[Plan, ExitRule]],
    fees: Fees,
    histories: int,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Beside]:
    """Replay ladders, and with those of each cell and exit rule the classical ones; otherwise as replay_all."""
    alike: dict[tuple[str, ExitRule], list[Plan]] = {}
    for plan, rule in asked:
        alike.setdefault((cell_label(plan), rule), []).append(plan)
    groups = [(cell, rule, plans, _classical(plans[0])) for (cell, rule), plans in alike.items()]
    tasks = [(plan, rule) for _, rule, plans, others in groups for plan in (*plans, *others)]
    replayed = iter(replay_all(candles, tasks, fees, histories=histories, tell=tell))
    found = []
    for cell, rule, plans, others in groups:
        ladders, measures = tuple(next(replayed) for _ in plans), tuple(next(replayed) for _ in others)
        doubts = tuple(_doubts(candles, rule, (*ladders, *measures), fees))
        if histories and ladders[0].ends is None:
            doubts += ("There are no intervals: of prices of less than two weeks no other histories are drawn.",)
        found.append(Beside(cell, rule, ladders, measures, doubts))
    return found


def _classical(plan: Plan) -> list[Plan]:
    depth, orders = float(plan.columns()[0][-1]), len(plan.indent_pct)
    rows = ((name, bot.orders()) for name, bot in classical(depth, orders).items())
    return [
        Plan(name, tuple(float(it.deviation_pct) for it in row), tuple(float(it.size) for it in row))
        for name, row in rows
    ]


def _doubts(candles: Candles, rule: ExitRule, replayed: Sequence[Replayed], fees: Fees) -> list[str]:
    profit, paid = rule.take_profit_pct, fees.maker_pct + fees.taker_pct
    told = []
    if candles.step >= np.timedelta64(1, "D") and profit < DAILY_PCT:
        told.append(f"the prices are daily, and the take-profit of {profit:g} % is below {DAILY_PCT:g} %")
    if fees.taker_pct + fees.maker_pct * (1.0 + profit / 100.0) >= profit:
        told.append(f"fees of {paid:g} % eat the whole take-profit of {profit:g} % where order 1 alone has filled")
    elif profit < FEES_EARNED * paid:
        told.append(f"the take-profit of {profit:g} % is less than three times the fees of {paid:g} %")
    shares = ((float(one.outcome.within_candle_share), one.plan.name) for one in replayed)
    if many := [f"{share * 100:.0f} % of {name}" for share, name in shares if share > DOUBTED_SHARE]:
        told.append(f"of the deals, {', '.join(many)} begin and end in one candle")
    return [f"Doubt these numbers: {reason}." for reason in told]
