"""Pictures of replays: what an account would have shown, at which depth deals ended, and the deal that took longest."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mlab.core.decimals import counted
from mlab.prices import Candles
from mlab.replay import Deal, Levels, Outcome, Replayed
from mlab.report.plots import BLUE, GREY, INK, ORANGE, describe, empty_figure

POINTS = 600
"""Prices drawn of a deal, at most."""

ALL_ORDERS = 20
"""Orders that an axis has room to number one by one."""


def replay_plot(replayed: Replayed, title: str) -> Figure:
    """Equity and drawdown over time, and how many deals took their profit at each depth.

    Raises:
        ValueError: the replay has no curve.
    """
    curve = replayed.curve
    if curve is None:
        raise ValueError("the replay has no curve")
    figure = empty_figure(9.6, 5.4)
    places = figure.add_gridspec(2, 2, width_ratios=(3, 2), height_ratios=(2, 1), hspace=0.38)
    equity, depth = figure.add_subplot(places[0, 0]), figure.add_subplot(places[:, 1])
    drawdown = figure.add_subplot(places[1, 0], sharex=equity)
    time = np.array(curve.time, dtype="datetime64[s]")
    equity.plot(time, curve.realised_pct, color=GREY, linewidth=1.2, label="deals that ended")
    equity.plot(time, curve.total_pct, color=BLUE, linewidth=1.4, label="with the open deal")
    equity.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1.02, 0.98))
    drawdown.fill_between(time, [-value for value in curve.drawdown_pct], 0.0, color=ORANGE, alpha=0.75, linewidth=0)
    describe(equity, "Profit", "", "% of the budget")
    describe(drawdown, "Drawdown, below the most that closed deals had reached", "", "% of the budget")
    for axes in (equity, drawdown):
        _dated(axes)
    equity.tick_params(labelbottom=False)
    _depths(depth, replayed.outcome)
    figure.suptitle(title, color=INK)
    return figure


def _depths(axes: Axes, outcome: Outcome) -> None:
    counts, still_open = outcome.depth_counts.tolist(), int(outcome.open_depth)
    orders = range(1, len(counts) + 1)
    axes.barh(orders, counts, color=BLUE, height=0.7)
    most = max(*counts, 1)
    for order, count in zip(orders, counts, strict=True):
        told = [f"{count:,}"] * (count > 0)
        told += [f"one {'more ' if count else ''}is open"] * (order == still_open)
        colour = ORANGE if order == still_open else INK
        axes.text(count + 0.02 * most, order, ", ".join(told), va="center", color=colour, fontsize=8)
    axes.set_xlim(0.0, 1.35 * most)
    axes.set_ylim(len(counts) + 0.6, 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_yticks([order for order in orders if len(counts) <= ALL_ORDERS or order % 10 == 0])
    stopped = f"; {counted(int(outcome.stops), 'deal')} stopped" if outcome.stops else ""
    describe(axes, f"Deals that took their profit after order{stopped}", "deals", "")


def deal_plot(candles: Candles, levels: Levels, deal: Deal, title: str) -> Figure:
    """One deal on its prices: orders as they filled, and the take-profit that comes nearer with each of them."""
    figure = empty_figure(9.6, 4.2)
    axes = figure.subplots()
    first, last = deal.fills[0], len(candles) - 1 if deal.end is None else deal.end
    some = np.unique(np.linspace(first, last, POINTS).astype(int))
    axes.plot(candles.time[some], candles.close[some], color=GREY, linewidth=1.0, label="price")
    edges = candles.time[[*deal.fills, last]]
    exits = deal.entry * levels.exit[: len(deal.fills), 0]
    axes.plot(_stairs(edges), np.repeat(exits, 2), color=ORANGE, linewidth=1.4, label="take-profit")
    orders = deal.entry * levels.order[: len(deal.fills), 0]
    axes.scatter(candles.time[deal.fills], orders, color=BLUE, s=22, zorder=3, label="order filled")
    if deal.end is not None:
        label, marker = ("stopped", "v") if deal.stopped else ("profit taken", "^")
        axes.scatter(candles.time[[last]], [deal.exit], color=ORANGE, s=40, marker=marker, zorder=3, label=label)
    days = (candles.time[last] - candles.time[first]).astype("timedelta64[D]").astype(int)
    how = "still open" if deal.end is None else "stopped" if deal.stopped else "ended by its take-profit"
    describe(axes, f"{len(deal.fills)} of {len(levels.order)} orders filled, {days:,} days, {how}", "", "price")
    axes.legend(frameon=False, fontsize=9, ncols=4, loc="lower right", bbox_to_anchor=(1.01, 0.98))
    _dated(axes)
    figure.suptitle(title, color=INK)
    return figure


def _stairs(edges: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Each edge twice, but for the first and the last: from where to where a value holds."""
    return np.repeat(edges, 2)[1:-1]


def _dated(axes: Axes) -> None:
    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
