"""What the terminal shows: tables that fit it, one ladder, and the end screen of a run.

All text but sparklines and lines of tables is ASCII, so that any terminal or file can hold it. Nothing is cut off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlab.core.errors import one_line
from mlab.core.records import Candidate, CellResult, Experiment, StoredReplay
from mlab.core.streams import styled
from mlab.model.front import MEANING
from mlab.report import columns, words
from mlab.report.columns import Column
from mlab.report.numbers import duration

WIDTH = 100
"""Columns of a pipe or file, and the most that prose takes of a terminal."""

HEADS, FOLDED = (7, 5), 12
"""Widths to which heads are broken where there is room and where not, and to which a column that wraps is folded."""


def console(stream: TextIO) -> Console:
    """A console on ``stream``: styled on a terminal; free of escape codes in a pipe, with NO_COLOR or TERM=dumb."""
    # Rich takes NO_COLOR to mean "no colours", and would still send bold; no terminal means neither.
    width = None if stream.isatty() else WIDTH
    return Console(
        file=stream,
        force_terminal=styled(stream),
        force_jupyter=False,  # it writes to its stream there, too
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
    )


def final(
    out: Console,
    experiment: Experiment,
    cells: Sequence[CellResult],
    state_root: Path,
    replays: Sequence[StoredReplay] = (),
) -> None:
    """Print the end screen of a run: the best ladder of each cell, replays, all cells, limits, where to look next.

    The table comes last, so that it is in sight when a long list of ladders has scrolled by.
    """
    header(out, experiment)
    for result in cells:
        if result.best is not None:
            out.print()
            ladder(out, result.best, experiment)
    on_prices(out, experiment, replays)
    out.print()
    rows = columns.cell_rows(cells)
    table(out, columns.shown(columns.CELLS, rows), rows)
    out.print()
    prose(out, f"* on the front: {MEANING}.")
    prose(out, "A score ranks ladders within one cell only: a smaller overlap scores lower because it covers less.")
    out.print()
    out.print(Text("What no ladder can do", style="bold"))
    limits(out)
    out.print()
    line(out, "Look again    .venv/bin/mlab show, or report for one HTML file")
    line(out, f"State         {writable(out, str(state_root))}")
    line(out, "Compare runs  make ui")


def on_prices(out: Console, run: Experiment, replays: Sequence[StoredReplay]) -> None:
    """Print what the winners of a run did on prices, if it was to replay them."""
    if run.config.get("replay"):
        from mlab.report.replays import show  # noqa: PLC0415 - late, for most runs have none

        show(out, run, replays)


def limits(out: Console) -> None:
    """Print what no ladder can do."""
    for limit in words.LIMITS:
        prose(out, f"- {limit}")


def header(out: Console, experiment: Experiment) -> None:
    """Print which run it is, how it ended and how to go on."""
    name = experiment.config["name"]
    out.print(Text.assemble((name, "bold"), f"  run {experiment.run_id}, experiment {experiment.exp_id}"))
    need = words.NEEDS[experiment.config["score"]["need"]]
    took = f"{experiment.eval_count:,} ladders scored by {need} in {duration(experiment.elapsed_s)}"
    line(out, f"{experiment.status}  {took}")
    limit = experiment.config.get("search", {}).get("max_time_s")
    if limit and experiment.elapsed_s > limit:
        batches = "a batch that has begun is finished, and every cell gets at least one"
        prose(out, f"That is longer than search.max_time_s, {limit:g} s: {batches}.")
    if experiment.config.get("market"):
        from mlab.report import placed  # noqa: PLC0415 - late, for most runs have none

        prose(out, placed.told(experiment))
    if len(experiment.machines) > 1:
        prose(out, f"{words.MACHINES}: {'; '.join(experiment.machines)}.")
    if experiment.status in ("STOPPED", "FAILED"):
        line(out, f"What was found is kept. Go on with   .venv/bin/mlab run --resume {experiment.run_id}")


def ladder(out: Console, candidate: Candidate, run: Experiment | None = None) -> None:
    """Print one ladder: its title, the shape of its needs, a bullet an order, and the risk in plain words.

    Of a run that was told of its market, its orders in money and coins as well.
    """
    schedule, sanity = candidate.contract["schedule"], words.badges(candidate.contract["sanity"])
    shape = _drawable(out, words.sparkline(schedule["needpct"]))
    out.print(Text.assemble((candidate.cell.label, "bold"), "  ", (candidate.candidate_id, "dim")), soft_wrap=True)
    line(out, f"score {candidate.score:.4f}  NeedPct {shape}  sanity {sanity}")
    beside = max(map(len, words.bullets(schedule))) + 2 <= out.width
    for bullet in words.bullets(schedule, prices=beside):
        line(out, f"  {bullet}")
    if not beside:
        prose(out, f"Prices: {', '.join(words.price_texts(schedule))}", indent="  ")
    for sentence in words.risk(candidate):
        prose(out, sentence, indent="  ")
    if run is not None and run.config.get("market"):
        from mlab.report import placed  # noqa: PLC0415 - late, for most runs have none

        prose(out, placed.orders_in_words(run, candidate), indent="  ")


@dataclass(slots=True)
class _Drawn:
    """A column as it is drawn: its head, and a text for each row; either may have several lines."""

    column: Column
    head: str
    texts: list[str]

    @property
    def width(self) -> int:
        """The least number of characters."""
        widest = max(len(part) for text in (self.head, *self.texts) for part in text.split("\n"))
        return min(widest, FOLDED) if self.column.wraps else widest


def table(out: Console, shown: Sequence[Column], rows: Iterable[Any]) -> None:
    """Print a table as wide as there is room for; what stands out has a star.

    Where there is little room, columns and their heads move closer, then some stand below others; last all are folded.
    """
    rows = list(rows)
    wide, close = ([_drawn(out, column, rows, head) for column in shown] for head in HEADS)
    drawn = next((it for it in (wide, close) if _width(it) <= out.width), None) or _stacked(close)
    space = next((space for space in (2, 1) if _width(drawn, space) <= out.width), 0)
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, space, 0, 0), header_style="bold")
    height = max(one.head.count("\n") for one in drawn)
    for one in drawn:
        lowered = "\n" * (height - one.head.count("\n")) + one.head
        right = one.column.kind == "number"
        grid.add_column(lowered, justify="right" if right else "left", no_wrap=not one.column.wraps, overflow="fold")
    for texts in zip(*(one.texts for one in drawn), strict=True):
        grid.add_row(*map(Text, texts))
    out.print(grid)


def _drawn(out: Console, column: Column, rows: Sequence[Any], head: int) -> _Drawn:
    texts = [_drawable(out, "*" * column.marked(row) + column.text(row)) for row in rows]
    room = max([head, *map(len, texts)]) if column.kind == "number" else len(column.label) + 1
    return _Drawn(column, "\n".join(wrap(column.label, room, break_long_words=False)), texts)


def _width(drawn: Sequence[_Drawn], space: int = 0) -> int:
    return sum(one.width for one in drawn) + (1 + space) * (len(drawn) - 1)


def _stacked(drawn: Sequence[_Drawn]) -> list[_Drawn]:
    """Without what others say too, and with some columns below others."""
    kept = {one.column.key: one for one in drawn if not one.column.spare}
    for key, one in list(kept.items()):
        if one.column.below in kept:
            above = kept[one.column.below]
            above.head = f"{above.head}\n{one.head}"
            above.texts = [f"{first}\n{second}" for first, second in zip(above.texts, one.texts, strict=True)]
            del kept[key]
    return list(kept.values())


def facts(out: Console, named: Mapping[str, str], width: int) -> None:
    """Print a line for each: its name, filled up to a width, and what there is to say; then an empty one."""
    for name, text in named.items():
        line(out, f"{name:<{width}}{text}")
    out.print()


def line(out: Console, text: str) -> None:
    """A line that is never broken, so that it can be searched and copied."""
    out.print(text, soft_wrap=True)


def prose(out: Console, text: str, indent: str = "") -> None:
    """Print a sentence, broken between words."""
    bound = text.replace(" %", "\N{NO-BREAK SPACE}%")  # a number keeps its unit
    for part in wrap(bound, min(out.width, WIDTH), initial_indent=indent, subsequent_indent=indent):
        line(out, part.replace("\N{NO-BREAK SPACE}", " "))


def writable(out: Console, text: str) -> str:
    """A text with a name that somebody gave, as the terminal can write it."""
    return one_line(text).encode(out.encoding, "replace").decode(out.encoding)


def _drawable(out: Console, text: str) -> str:
    """A text whose sparkline ``out`` can show."""
    plain = out.options.ascii_only or os.environ.get("TERM") == "dumb"
    return text.translate(words.PLAIN) if plain else text
