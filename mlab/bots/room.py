"""The limits of a ladder that stands in for a bot: equal depth and number of orders, and no smaller first order."""

from __future__ import annotations

import numpy as np

from mlab.bots.bot import HUNDRED, Bot
from mlab.core.records import Cell
from mlab.model.limits import ROOM, Limits, conflict, possible_shares_pct

DEEPEST_PCT = 95.0
"""Depth to which ladders are searched."""

ALIKE = 1.0 - 2.0 * ROOM
"""Slack of an order 1 that is as large as one can be without a smaller order after it, and of a last one as small."""

LEAST_GROWTHS_PCT, MOST_GROWTHS_PCT, GAP_PCT, TAIL_CAP_PCT = (0.0, 1.0), (100.0, 1000.0), 0.05, 40.0
"""Bounds of the least and of the largest growth, least gap, largest last order: each moves as far as the bot goes."""


def first_pct(bot: Bot) -> float:
    """Share of the money that order 1 takes, in %."""
    return float(HUNDRED * bot.orders[0].size / bot.budget)


def limits(bot: Bot) -> Limits | str:
    """The limits, or in words why no ladder keeps them. No order is smaller than the one before it."""
    cell, first = Cell(0, float(bot.depth_pct), len(bot.orders)), first_pct(bot)
    if cell.overlap_pct > DEEPEST_PCT:
        return f"None: it covers {cell.overlap_pct:.2f} %, and ladders are searched to {DEEPEST_PCT:g} %."
    reason = None
    for slack in (1.0, ALIKE):
        found = _limits(bot, slack)
        reason = conflict(cell, found)
        if reason is None:
            return found
    most, _ = possible_shares_pct(cell.num_orders, 0.0)
    if first <= most:
        return f"None within growth >= 0: {reason}."
    why = f"where no order is smaller than the one before it, order 1 of {cell.num_orders} holds {most:.1f} % at most"
    return f"None within growth >= 0: {why}, and yours holds {first:.1f} %."


def _limits(bot: Bot, slack: float) -> Limits:
    """Its own limits, with as much of its first and last share as rounding needs."""
    indent, volume = bot.indent()[:, 0], bot.volume()[:, 0]
    growth = 100.0 * (volume[1:] / volume[:-1] - 1.0)
    least, most = np.clip(growth.min(), *LEAST_GROWTHS_PCT), np.clip(growth.max(), *MOST_GROWTHS_PCT)
    return Limits(
        min_indent_step_pct=min(GAP_PCT, float(np.diff(indent).min()) / 2.0),
        max_gap_ratio=None,
        martingale_pct=(float(least), float(most)),
        first_volume_min_pct=first_pct(bot) * slack,
        tail_cap_pct=min(100.0, max(TAIL_CAP_PCT, 100.0 * float(volume[-1] / volume.sum()) / slack)),
    )
