"""The end screen of a run and the ranked table of a cell, at most 100 columns wide.

All text but sparklines and lines of tables is ASCII, so that any terminal or file can hold it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlab.core.errors import one_line
from mlab.core.records import Candidate, CellResult, Experiment
from mlab.model.front import MEANING, at_fills, front, on_path
from mlab.model.ranking import ranked
from mlab.report import risk
from mlab.report.schedule import badges, bullets, sparkline

WIDTH = 100
"""Columns of a pipe or file, and the most that is used of a terminal."""

COMFORTABLE = 92
"""Columns from which on the table of cells has room between its own."""

CELL_HEADS = (
    "overlap\n%",
    "orders",
    "score",
    "max\nneed at\nfills %",
    "max\nneed on\npath %",
    "first\ngap %",
    "last\norder\n%",
    "evalu-\nations",
    "trials",
    "pruned",
    "early\nstop",
)


def console(stream: TextIO) -> Console:
    """A console on ``stream``: styled on a terminal; free of escape codes in a pipe, with NO_COLOR or TERM=dumb."""
    styled = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    # Rich takes NO_COLOR to mean "no colours", and would still send bold; no terminal means neither.
    return Console(
        file=stream,
        force_terminal=styled,
        width=None if stream.isatty() else WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )


def final(out: Console, experiment: Experiment, cells: Sequence[CellResult], state_root: Path) -> None:
    """Print the end screen of a run: the best ladder of each cell, all cells, limits, and where to look next.

    The table comes last, so that it is in sight when a long list of ladders has scrolled by.
    """
    header(out, experiment)
    for result in cells:
        if result.best is not None:
            out.print()
            ladder(out, result.best)
    out.print()
    out.print(cells_table(cells, dense=out.width < COMFORTABLE))
    out.print()
    prose(out, f"* on the front: {MEANING}.")
    prose(out, "A score ranks ladders within one cell only: a smaller overlap scores lower because it covers less.")
    out.print()
    out.print(Text("What no ladder can do", style="bold"))
    for limit in risk.LIMITS:
        prose(out, f"- {limit}")
    out.print()
    line(out, "Look again    .venv/bin/mlab show, or report for one HTML file")
    line(out, f"State         {_encodable(one_line(str(state_root)), out.encoding)}")
    line(out, "Compare runs  make ui")


def ladder(out: Console, candidate: Candidate) -> None:
    """Print one ladder: its title, the shape of its needs, a bullet an order, and the risk in plain words."""
    contract = candidate.contract
    shape = sparkline(contract["schedule"]["needpct"], plain=is_plain(out))
    out.print(Text.assemble((candidate.cell.label, "bold"), "  ", (candidate.candidate_id, "dim")), soft_wrap=True)
    line(out, f"score {candidate.score:.4f}  NeedPct {shape}  sanity {badges(contract['sanity'])}")
    for bullet in bullets(contract["schedule"]):
        line(out, f"  {bullet}")
    for sentence in risk.sentences(candidate):
        prose(out, sentence, indent="  ")


def cells_table(cells: Sequence[CellResult], *, dense: bool = False) -> Table:
    """One row a cell: what its best ladder needs, starred where no other cell beats it, and what the search took.

    Args:
        cells: in the order shown.
        dense: fits 80 columns.
    """
    found = table(*CELL_HEADS, space=0 if dense else 1)
    fills, path = front(cells, at_fills), front(cells, on_path)
    for result in cells:
        search = (f"{result.evaluations:,}", f"{result.trials:,}", f"{result.pruned:,}")
        early = "yes" if result.stopped_early else "no"
        cell = (f"{result.cell.overlap_pct:g}", str(result.cell.num_orders))
        found.add_row(*cell, *_measures(result.best, fills, path), *search, early)
    return found


def _measures(best: Candidate | None, fills: Sequence[Candidate], path: Sequence[Candidate]) -> tuple[str, ...]:
    """Score, needs and shape of a cell's best ladder; starred where it is on the front by fills, or by the path."""
    if best is None:
        return ("failed", "-", "-", "-", "-")
    schedule = best.contract["schedule"]
    needs = (_need(at_fills(best), star=best in fills), _need(on_path(best), star=best in path))
    shape = (schedule["price_step_pct"][1], schedule["volume_pct"][-1])
    return (f"{best.score:.4f}", *needs, *(f"{value:.2f}" for value in shape))


def _need(need: float, *, star: bool) -> str:
    return f"*{need:.2f}" if star else f"{need:.2f}"


def top_table(candidates: Iterable[Candidate], *, most: int | None = None, plain: bool = False) -> Table:
    """The ladders of one cell, ranked; a ladder found several times is one row.

    Args:
        candidates: those of one cell, in any order.
        most: ladders shown; None for all.
        plain: sparklines in ASCII.
    """
    heads = ("rank", "score", "need at\nfills %", "need on\npath %", "NeedPct", "sanity", "found", "candidate")
    found = table(*heads, space=0)
    needs, sanity, _, names = found.columns[4:]
    needs.justify = sanity.justify = names.justify = "left"
    needs.no_wrap = sanity.no_wrap = False
    needs.overflow = sanity.overflow = "fold"
    sanity.max_width = 9
    for row in ranked(candidates)[:most]:
        best = row.best
        found.add_row(
            str(row.rank),
            f"{best.score:.4f}",
            f"{best.contract['max_need']:.2f}",
            f"{best.risk['max_need_path']:.2f}",
            sparkline(best.contract["schedule"]["needpct"], plain=plain),
            badges(best.contract["sanity"]),
            str(row.found),
            best.candidate_id,
        )
    return found


def duration(seconds: float) -> str:
    """``41.4 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    if round(seconds, 1) < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def header(out: Console, experiment: Experiment) -> None:
    """Print which run it is, how it ended and how to go on."""
    name = experiment.config.get("name", "run")
    out.print(Text.assemble((str(name), "bold"), f"  run {experiment.run_id}, experiment {experiment.exp_id}"))
    took = f"{experiment.eval_count:,} ladders evaluated in {duration(experiment.elapsed_s)}"
    line(out, f"{experiment.status}  {took}")
    if experiment.status in ("STOPPED", "FAILED"):
        line(out, f"What was found is kept. Go on with   python -m flows.run --resume {experiment.run_id}")


def table(*heads: str, space: int) -> Table:
    """An empty table of numbers, right-aligned; heads may have two lines."""
    found = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, space, 0, 0), header_style="bold")
    height = max(head.count("\n") for head in heads)
    for head in heads:
        lowered = "\n" * (height - head.count("\n")) + head
        found.add_column(lowered, justify="right", no_wrap=True)
    return found


def line(out: Console, text: str) -> None:
    """A line that is never broken, so that it can be searched and copied."""
    out.print(text, soft_wrap=True)


def prose(out: Console, text: str, indent: str = "") -> None:
    """Print a sentence, broken between words."""
    bound = text.replace(" %", "\N{NO-BREAK SPACE}%")  # a number keeps its unit
    for part in wrap(bound, min(out.width, WIDTH), initial_indent=indent, subsequent_indent=indent):
        line(out, part.replace("\N{NO-BREAK SPACE}", " "))


def is_plain(out: Console) -> bool:
    """Whether ``out`` shows ASCII only."""
    return out.options.ascii_only or os.environ.get("TERM") == "dumb"


def _encodable(text: str, encoding: str) -> str:
    return text.encode(encoding, "replace").decode(encoding)
