"""``python -m docs.figures``: makes the pictures and numbers of the documentation anew, from searches of its own.

The ladders follow from the seed, so that only the ids in the pictures change.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlab import config
from mlab.core.records import Candidate, CellResult, Experiment
from mlab.core.state import State
from mlab.model.front import at_fills, on_path
from mlab.report import markdown, plots, terminal, words
from mlab.report.columns import Column
from mlab.search import experiments, run
from mlab.store import Store

IMAGES = Path(__file__).parent / "images"
KINDS = {
    "fill, no cap": ("score.need=fill", "ladder.limits.max_gap_ratio=null"),
    "fill, gaps capped at 2.5 (default)": ("score.need=fill", "ladder.limits.max_gap_ratio=2.5"),
    "path, no cap": ("score.need=path", "ladder.limits.max_gap_ratio=null"),
    "path, gaps capped at 2.5": ("score.need=path", "ladder.limits.max_gap_ratio=2.5"),
}
"""The four ways to ask for a ladder that docs/model.md compares."""

DRAWN = tuple(KINDS)[:3]
COLOURS = (plots.ORANGE, plots.GREY, plots.BLUE)


def searched(*overrides: str) -> tuple[Experiment, list[CellResult]]:
    """A whole run of configs/default.yaml with some fields replaced, without orchestrator or MLflow."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        settings = config.load(Path("configs/default.yaml"), overrides)
        with Store.open(state.database) as store:
            experiment = experiments.create(state, store, settings)
            run.execute(state, store, experiment, settings)
            return store.experiment(experiment.run_id) or experiment, store.cells(experiment.exp_id)


def ladders(overlap: int, orders: int) -> dict[str, Candidate]:
    """The best ladder of each kind for one cell."""
    cell = (f"ladder.overlap_pct={overlap}", f"ladder.num_orders={orders}", "search.patience=20")
    best = {}
    for kind, overrides in KINDS.items():
        _, (result,) = searched(*cell, *overrides)
        if result.best is None:
            raise RuntimeError(f"{kind}: nothing was found")
        best[kind] = result.best
    return best


def three_ladders_plot(kinds: dict[str, Candidate]) -> Figure:
    """Price against the rebound needed on the way down: the tooth before a fill, and the fill."""
    figure = Figure(figsize=(9.6, 5.4), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for kind, colour in zip(DRAWN, COLOURS, strict=True):
        best = kinds[kind]
        depth, rebound = plots.need_path(best)
        schedule = best.contract["schedule"]
        axes.plot([100.0 - d for d in depth], rebound, color=colour, linewidth=1.4, label=kind)
        axes.scatter(schedule["order_prices"], schedule["needpct"], color=colour, s=16, zorder=3)
    axes.invert_xaxis()
    axes.set_ylim(bottom=0.0)
    axes.set_title("Overlap 35 %, 20 orders: rebound needed on the way down (dots: orders)", loc="left", fontsize=11)
    axes.set_xlabel("price, base price = 100")
    axes.set_ylabel("rebound needed to break even, % of the price there")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#E6E8EB", linewidth=0.8)
    axes.legend(frameon=False)
    return figure


def comparison(kinds: dict[str, Candidate]) -> str:
    """The kinds side by side, as a table in Markdown."""
    return markdown.table(COMPARED, list(kinds.items()))


def _half_at(ladder: Candidate) -> float:
    """Depth in % at which half of the position is bought."""
    return _list(ladder, "indent_pct")[words.half_bought(ladder)]


def _average(ladder: Candidate) -> float:
    """Average entry after the last order, in quote currency."""
    return _list(ladder, "order_prices")[-1] * (1.0 + _list(ladder, "needpct")[-1] / 100.0)


def _list(ladder: Candidate, name: str) -> list[float]:
    values: list[float] = ladder.contract["schedule"][name]
    return values


COMPARED = (
    Column("kind", "score built on", lambda row: row[0], kind="text"),
    Column("max_need", "largest need at fills", lambda row: at_fills(row[1]), "%", "{:.2f}".format),
    Column("max_need_path", "largest need on the path", lambda row: on_path(row[1]), "%", "{:.2f}".format),
    Column("gap", "first gap", lambda row: _list(row[1], "price_step_pct")[1], "%", "{:.2f}".format),
    Column("half", "half bought at", lambda row: _half_at(row[1]), write="-{:.1f} %".format),
    Column("last", "share of last order", lambda row: _list(row[1], "volume_pct")[-1], "%", "{:.1f}".format),
    Column("average", "average entry after the last", lambda row: _average(row[1]), write="{:.2f}".format),
)


def main() -> None:
    """Write the pictures; print the comparison, and the end screen that README.md quotes."""
    kinds = ladders(35, 20)
    (IMAGES / "three_ladders.png").write_bytes(plots.png(three_ladders_plot(kinds)))
    experiment, cells = searched()
    shown = next(cell.best for cell in cells if cell.best and cell.cell.label == "20 % x 10")
    (IMAGES / "ladder.png").write_bytes(plots.png(plots.ladder_plot(shown)))
    (IMAGES / "front.png").write_bytes(plots.png(plots.front_plot(cells)))
    out = terminal.console(sys.stdout)
    out.print(comparison(kinds), soft_wrap=True)
    terminal.final(out, experiment, cells, Path("mlruns"))


if __name__ == "__main__":
    main()
