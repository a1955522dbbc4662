"""Pictures of results, as figures of their own: nothing of matplotlib's global state is read or left behind."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlab.core.records import Candidate, CellResult
from mlab.model.front import Measure, at_fills, best_ladders, front, on_path

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#9AA0A6", "#30343A"
"""Blue and vermillion of Okabe and Ito, which every common kind of sight tells apart."""

SHADES, LINES = colormaps["Blues"], colormaps["viridis"]

TICKS = 12
"""Overlaps that an axis has room to name one by one."""


def png(figure: Figure) -> bytes:
    """The figure as PNG; the same figure always gives the same bytes."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120, metadata={"Software": None})
    return image.getvalue()


def svg(figure: Figure) -> bytes:
    """The figure as SVG, its text as text; the same figure always gives the same bytes."""
    image = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mlab"}):
        figure.savefig(image, format="svg", metadata={"Date": None, "Creator": None})
    return image.getvalue()


def ladder_plot(candidate: Candidate) -> Figure:
    """One ladder against depth: how much is bought where, and the rebound needed at every price on the way down."""
    figure = empty_figure(9.6, 5.4)
    volume, need = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    figure.suptitle(f"{candidate.cell.label}   score {candidate.score:.4f}   {candidate.candidate_id}", color=INK)
    _volumes(volume, candidate)
    _saw_tooth(need, candidate)
    volume.set_ylim(candidate.cell.overlap_pct * 1.05, -candidate.cell.overlap_pct * 0.05)
    volume.set_ylabel("depth below the base price, %")
    return figure


def beside_plot(yours: Candidate, found: Candidate) -> Figure:
    """Two ladders against depth: how much of the money is spent, and the rebound needed on the way down."""
    figure = empty_figure(9.6, 5.4)
    spent, need = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    for candidate, label, colour in ((yours, "yours", ORANGE), (found, "found", BLUE)):
        depth, rebound = need_path(candidate)
        need.plot(rebound, depth, color=colour, linewidth=1.4, label=label)
        indent, deployed = candidate.contract["schedule"]["indent_pct"], candidate.risk["capital_deployed_pct"]
        stairs = np.repeat([0.0, *deployed], 2)[1:-1]
        spent.plot(stairs, np.repeat(indent, 2), color=colour, linewidth=1.4)
        spent.scatter(deployed, indent, color=colour, s=14)
    deepest = max(yours.cell.overlap_pct, found.cell.overlap_pct)
    spent.set_ylim(deepest * 1.05, -deepest * 0.05)
    describe(spent, "Money spent", "% of all", "depth below the first order, %")
    describe(need, "Rebound needed to break even", "rebound, % of the price there", "")
    need.legend(frameon=False, loc="upper right")
    figure.suptitle(f"{yours.cell.label}: yours, and the ladder found beside it", color=INK)
    return figure


def need_path(candidate: Candidate) -> tuple[list[float], list[float]]:
    """The saw tooth: depth in percent and rebound needed in percent, all the way down to the last order.

    Between two fills the average entry stands still while the price falls; each fill then lowers the need.
    """
    schedule = candidate.contract["schedule"]
    indent, need = schedule["indent_pct"], schedule["needpct"]
    depth, rebound = [indent[0]], [need[0]]
    for k in range(1, len(indent)):
        average = (1.0 + need[k - 1] / 100.0) * (100.0 - indent[k - 1])
        between = np.linspace(indent[k - 1], indent[k], 20)[1:]
        depth += [*between.tolist(), indent[k]]
        rebound += [*((average / (100.0 - between) - 1.0) * 100.0).tolist(), need[k]]
    return depth, rebound


def cells_plot(cells: Sequence[CellResult]) -> Figure:
    """Every cell coloured by its largest need at fills; in small print the largest on the path."""
    ladders = best_ladders(cells)
    overlaps = sorted({result.cell.overlap_pct for result in cells})
    orders = sorted({result.cell.num_orders for result in cells})
    figure = empty_figure(max(5.2, 2.4 + 1.1 * len(orders)), max(3.6, 1.8 + 0.8 * len(overlaps)))
    axes = figure.subplots()
    grid = np.full((len(overlaps), len(orders)), np.nan)
    cell_of = [result.cell for result in cells]
    places = {cell: (overlaps.index(cell.overlap_pct), orders.index(cell.num_orders)) for cell in cell_of}
    for ladder in ladders:
        grid[places[ladder.cell]] = at_fills(ladder)
    low, high = (float(np.nanmin(grid)), float(np.nanmax(grid))) if ladders else (0.0, 1.0)
    image = axes.imshow(grid, cmap=SHADES, vmin=low, vmax=high, aspect="auto", origin="lower")
    for result in cells:
        row, column = places[result.cell]
        write = partial(axes.text, column, ha="center", va="center")
        if result.best is None:
            write(row, "failed", color=GREY)
            continue
        need = at_fills(result.best)
        ink = "white" if need > low + 0.55 * (high - low) else INK
        write(row + 0.1, f"{need:.2f}", color=ink, fontsize=12)
        write(row - 0.22, f"path {on_path(result.best):.2f}", color=ink, fontsize=8)
    axes.set_xticks(range(len(orders)), [str(number) for number in orders])
    axes.set_yticks(range(len(overlaps)), [f"{overlap:g}" for overlap in overlaps])
    describe(axes, "Rebound needed by the best ladder of each cell", "orders", "overlap, %")
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label="largest NeedPct at fills, %").outline.set_visible(False)
    return figure


def front_plot(cells: Sequence[CellResult]) -> Figure:
    """What covering more costs: overlap against the largest need, at fills and on the path, with the front of each."""
    figure = empty_figure(9.6, 5.0)
    fills, path = figure.subplots(1, 2, sharex=True, sharey=True)
    _front_panel(fills, cells, at_fills, BLUE)
    _front_panel(path, cells, on_path, ORANGE)
    describe(fills, "At fills", "overlap covered, %", "largest rebound needed, %")
    describe(path, "On the whole path", "overlap covered, %", "")
    overlaps = sorted({result.cell.overlap_pct for result in cells})
    if len(overlaps) <= TICKS:
        fills.set_xticks(overlaps, [f"{overlap:g}" for overlap in overlaps])
    if ladders := best_ladders(cells):
        # Cells far off the front may leave the picture, so that they do not press it flat; room for labels at the foot.
        highest = min(2.0 * max(map(on_path, front(cells, on_path))), 1.06 * max(map(on_path, ladders)))
        fills.set_ylim(-0.05 * highest, highest)
        fills.legend(title="orders", loc="upper left", frameon=False, fontsize=9)
    figure.suptitle("What covering more costs: the best ladder of each cell", color=INK, fontweight="bold")
    return figure


def _front_panel(axes: Axes, cells: Sequence[CellResult], need: Measure, colour: str) -> None:
    """All cells faint, a line per number of orders; the front strong, with the number of orders at its points."""
    ladders = best_ladders(cells)
    orders = sorted({ladder.cell.num_orders for ladder in ladders})
    for place, number in enumerate(orders):
        line = [ladder for ladder in ladders if ladder.cell.num_orders == number]
        shade = LINES(place / max(1, len(orders) - 1) * 0.85)
        axes.plot(*_points(line, need), "o-", markersize=3, linewidth=1.0, color=shade, alpha=0.45, label=str(number))
    unbeaten = front(cells, need)
    axes.plot(*_points(unbeaten, need), "o-", markersize=6, linewidth=2.4, color=colour)
    for ladder in unbeaten:
        point = (ladder.cell.overlap_pct, need(ladder))
        label = str(ladder.cell.num_orders)
        axes.annotate(label, point, (4, -11), textcoords="offset points", color=colour, fontsize=9)
    key = "bold: the front,\nwith its numbers of orders"
    axes.text(0.98, 0.03, key, transform=axes.transAxes, ha="right", color=colour, fontsize=9)


def _points(ladders: Sequence[Candidate], need: Measure) -> tuple[list[float], list[float]]:
    return [ladder.cell.overlap_pct for ladder in ladders], [need(ladder) for ladder in ladders]


def _volumes(axes: Axes, candidate: Candidate) -> None:
    schedule = candidate.contract["schedule"]
    indent, volume = schedule["indent_pct"], schedule["volume_pct"]
    overlap = candidate.cell.overlap_pct
    closest = min(schedule["price_step_pct"][1:]) / overlap
    axes.hlines(indent, 0.0, volume, color=BLUE, linewidth=float(np.clip(170.0 * closest, 1.0, 4.0)))
    room = 0.035 * overlap
    labelled = -room
    for k, (depth, share) in enumerate(zip(indent, volume, strict=True)):
        last = k == len(indent) - 1
        if last or (depth - labelled >= room and indent[k + 1] - depth >= room / 2.0 and overlap - depth >= room):
            axes.annotate(f"{share:.1f}", (share, depth), (4, 0), textcoords="offset points", va="center", fontsize=8)
            labelled = depth
    axes.set_xlim(0.0, max(volume) * 1.15)
    describe(axes, "Orders", "volume, % of the position", "")


def _saw_tooth(axes: Axes, candidate: Candidate) -> None:
    schedule, risk = candidate.contract["schedule"], candidate.risk
    depth, rebound = need_path(candidate)
    indent = schedule["indent_pct"]
    axes.plot(rebound, depth, color=GREY, linewidth=1.2, zorder=1)
    axes.scatter(risk["need_before_fill"][1:], indent[1:], color=ORANGE, s=18, label="just before a fill", zorder=2)
    axes.scatter(schedule["needpct"], indent, color=BLUE, s=18, label="at the fill (NeedPct)", zorder=3)
    axes.set_xlim(0.0, max(rebound) * 1.08)
    axes.legend(frameon=False, loc="upper right")  # no need lies above that of order 1 alone
    describe(axes, "Rebound needed to break even", "rebound, % of the price there", "")


def empty_figure(width: float, height: float) -> Figure:
    """A white one, width and height in inches, whose margins have room for titles and labels."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    # Margins in inches, set by hand: matplotlib's own layouts draw everything twice, and a run waits for its pictures.
    figure.subplots_adjust(0.75 / width, 0.55 / height, 1.0 - 0.25 / width, 1.0 - 0.7 / height, wspace=0.12)
    return figure


def describe(axes: Axes, title: str, x: str, y: str) -> None:
    """Say what is shown, in the style of all pictures."""
    axes.set_title(title, color=INK, fontsize=11, loc="left", y=1.0)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#E6E8EB", linewidth=0.8)
    axes.set_axisbelow(True)
