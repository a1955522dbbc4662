"""The best member, by J, of the family of ladders that a bot takes, in the two decimals in which settings are typed.

A member has budget, depth and number of orders of the ladder that it stands for, keeps the limits, and never covers
less. A fit to the shape of that ladder would be worse: most of what a family loses lies in a few orders.
Arrays hold an order a row and a member a column, as in :mod:`mlab.model.ladder`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlab.bots.bot import Bot, Distance
from mlab.bots.family import Averaged, Geometric
from mlab.core.errors import ConfigError, EvaluationError
from mlab.model import limits
from mlab.model.ladder import Array, accumulate
from mlab.model.objective import Objective
from mlab.model.scoring import scores

FAMILIES = ("3commas-classic", "okx", "bybit")
"""Formats that take only a ladder that follows from a few numbers."""

CENT, FINER = Decimal("0.01"), 3
"""What steps, scales and sizes are typed in; where order 1 is below 1, sizes have so many digits after its first."""

STEP_SCALES, RATIOS = (0.3, 2.5), (0.5, 20.0)
"""Where the first look is taken: at scales of the steps, and at sizes of order 2 over order 1."""

CLOSER = (0.3, 0.1, 0.03, 0.01)
"""How far the close looks go from the best so far, as a share of order 2 over order 1."""

CENTS = np.arange(-8, 9) / 100.0
"""How far they go from its two scales."""

CHEAPER = 4
"""Cents that order 2 may be below the most that the budget allows: few, for each leaves as many for all after it."""

DEEPER = 5
"""Cents that a step from the average may be above the least that covers the depth."""

NONE_OF_SCALES = "no ladder of {} orders with one step scale and one volume scale keeps the limits"

SPENT = 0.98
"""Share of the budget that the sizes of a bot spend at least, where they are typed in hundredths."""

Mask: TypeAlias = NDArray[np.bool_]
Takes: TypeAlias = Callable[[Array, Array], Mask]


def _all(indent: Array, money: Array) -> Mask:
    """An exchange without rules."""
    del money
    return np.ones(indent.shape[1], dtype=bool)


def best(bot: Bot, form: str, objective: Objective, takes: Takes = _all) -> Bot:
    """The best ladder that ``form`` takes in place of one of any shape.

    Args:
        bot: the ladder; its sizes are money, which bounds that of the member.
        form: ``3commas-classic``, ``okx`` or ``bybit``.
        objective: what makes ladders good, and the limits that the member keeps.
        takes: which ladders the exchange takes, by their depths in percent and their money.

    Raises:
        ConfigError: no such family.
        EvaluationError: no member keeps the limits and is taken.
    """
    if form not in FAMILIES:
        raise ConfigError("format", "", "must be 3commas-classic, okx or bybit", form)
    settings = (_averaged if form == "bybit" else _geometric)(bot, objective, takes)
    distance = Distance.AVERAGE if form == "bybit" else Distance.FIRST
    return replace(bot, orders=settings.orders(), distance=distance)


def _geometric(bot: Bot, objective: Objective, takes: Takes) -> Geometric:
    """By a wide look at three numbers, volume scale, step scale, and order 2 over order 1; then by close ones."""
    count = len(bot.orders) - 1
    axes = _wide(objective.limits)
    ends = [(axis[0], axis[-1]) for axis in axes]
    least, found, step = np.inf, np.ones(3), 0.0
    for width in (*CLOSER, 0.0):
        points = np.array([grid.ravel() for grid in np.meshgrid(*axes)])
        indent, volume = _members(points, float(bot.depth_pct), count)
        score = _kept(indent, volume, objective, _taken(bot, indent, volume, takes))
        first = int(score.argmin())
        if score[first] < least:
            least, found, step = float(score[first]), points[:, first], float(indent[1, first])
        if least == np.inf:
            raise EvaluationError(NONE_OF_SCALES.format(count + 1))
        near = found[0] + CENTS, found[1] + CENTS, found[2] * np.exp(width * np.linspace(-1.0, 1.0, 21))
        axes = [np.unique(axis.clip(*end)) for axis, end in zip(near, ends, strict=True)]
    return _settings(bot, found, step, objective, takes)


def _wide(bounds: limits.Limits) -> list[Array]:
    """All that is worth a first look, the two scales in cents."""
    least, most = (1.0 + growth / 100.0 for growth in bounds.martingale_pct)
    scales = np.geomspace(np.ceil(least * 100.0 - 1e-9), max(np.floor(most * 100.0 + 1e-9), 1.0), 60)
    steps = np.geomspace(*STEP_SCALES, 60)
    ratios = np.geomspace(max(least, RATIOS[0]), max(least, min(most, RATIOS[1])), 40)
    return [np.unique(scales.round()) / 100.0, np.unique(steps.round(2)), np.unique(ratios)]


def _members(points: Array, depth: float, count: int) -> tuple[Array, Array]:
    """Indents and volumes (M, B) of volume scales, step scales and ratios (3, B), each step the least that covers."""
    volume_scale, step_scale, ratio = points
    steps = np.vstack([np.zeros_like(ratio), step_scale ** np.arange(count)[:, None]])
    indent = accumulate(steps)
    step = np.ceil(depth / indent[-1] * 100.0 - 1e-9) / 100.0
    volume = np.vstack([np.ones_like(ratio), ratio * volume_scale ** np.arange(count)[:, None]])
    return indent * step, volume


def _settings(bot: Bot, found: Array, step: float, objective: Objective, takes: Takes) -> Geometric:
    """As it is typed best: a cent of order 2 moves all after it, so some of the budget may be left for their shape."""
    volume, scale = (Decimal(f"{value:.2f}") for value in found[:2])
    ratio, count = Decimal(f"{found[2]:.9f}"), len(bot.orders) - 1
    later = sum((volume**k for k in range(count)), Decimal(0))
    most = bot.budget / (1 / ratio + later)
    first = most / ratio
    cent = CENT if first >= 1 else Decimal(1).scaleb(first.adjusted() - FINER)
    most = most.quantize(cent, ROUND_FLOOR)
    typed = [
        Geometric((safety / ratio).quantize(cent, rounding), safety, count, Decimal(f"{step:.2f}"), scale, volume)
        for safety in (most - cents * cent for cents in range(CHEAPER))
        for rounding in (ROUND_FLOOR, ROUND_CEILING)
    ]
    members = [one for one in (replace(bot, orders=each.orders()) for each in typed) if one.budget <= bot.budget]
    indent, volumes = (
        np.hstack(arrays) for arrays in ([one.indent() for one in members], [one.volume() for one in members])
    )
    score = _kept(indent, volumes, objective, takes(indent, volumes))
    if np.isinf(score).all():
        raise EvaluationError(NONE_OF_SCALES.format(count + 1))
    return Geometric.of(members[int(score.argmin())])


def _averaged(bot: Bot, objective: Objective, takes: Takes) -> Averaged:
    """By a look at every multiplier, with the least step from the average that covers the depth."""
    least, most = (1.0 + growth / 100.0 for growth in objective.limits.martingale_pct)
    multiplier = np.arange(np.ceil(least * 100.0 - 1e-9), np.floor(min(most, 100.0) * 100.0 + 1e-9) + 1.0) / 100.0
    count, depth = len(bot.orders) - 1, float(bot.depth_pct)
    volume = multiplier ** np.arange(count + 1)[:, None]
    low, high = np.zeros_like(multiplier), np.full_like(multiplier, depth)
    for _ in range(40):
        middle = (low + high) / 2.0
        covers = _below_average(middle, volume)[-1] >= depth
        low, high = np.where(covers, low, middle), np.where(covers, middle, high)
    cents = np.ceil(high * 100.0 - 1e-9)[:, None] + np.arange(DEEPER)
    step, volume = (cents / 100.0).ravel(), np.repeat(volume, DEEPER, axis=1)
    indent = _below_average(step, volume)
    score = _kept(indent, volume, objective, _taken(bot, indent, volume, takes))
    first = int(score.argmin())
    if not np.isfinite(score[first]):
        raise EvaluationError(f"no ladder of one step from the average with {count + 1} orders keeps the limits")
    times = Decimal(f"{multiplier[first // DEEPER]:.2f}")
    total = sum((times**k for k in range(count + 1)), Decimal(0))
    return Averaged(bot.budget / total, count, Decimal(f"{step[first]:.2f}"), times)


def _below_average(step: Array, volume: Array) -> Array:
    """Indents (M, B) of orders that lie a step (B,) in % below the average entry; the average is money over coins."""
    indent = np.zeros_like(volume)
    money, coins = volume[0].copy(), volume[0].copy()
    for row, size in zip(indent[1:], volume[1:], strict=True):
        price = money / coins * (1.0 - step / 100.0)
        row[:] = (1.0 - price) * 100.0
        money += size
        coins += size / price
    return indent


def _taken(bot: Bot, indent: Array, volume: Array, takes: Takes) -> Mask:
    """Which ladders (B,) are taken, however much of the budget their settings in hundredths come to."""
    money = volume * (float(bot.budget) / volume.sum(axis=0))
    return takes(indent, money) & takes(indent, SPENT * money)


def _kept(indent: Array, volume: Array, objective: Objective, taken: Mask) -> Array:
    """Scores (B,), infinite where a limit is broken, and of those that are not taken."""
    growth_pct = (volume[1:] / volume[:-1] - 1.0) * 100.0
    shares_pct = volume / volume.sum(axis=0) * 100.0
    holds = limits.kept(indent, shares_pct, growth_pct, objective.limits).values()
    good = np.logical_and.reduce([taken, indent[-1] < 100.0, *holds])
    score = np.full(good.shape, np.inf)
    if good.any():
        score[good] = scores(np.ascontiguousarray(indent[:, good]), np.ascontiguousarray(volume[:, good]), objective)
    return score
