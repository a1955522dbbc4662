"""Descriptions of runs and ladders in Markdown, as MLflow and Prefect show them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlab.core.decimals import counted
from mlab.core.records import Candidate, Cell, CellResult, Experiment
from mlab.model.front import MEANING
from mlab.report import columns
from mlab.report.columns import CellRow, Column
from mlab.report.numbers import clock
from mlab.report.words import LIMITS, RANK, bullets, risk

NOWHERE: Mapping[str, str] = {}
"""No links: names, and the addresses that they lead to."""

BEST_SCORE = (
    "`best_score` of a run is the least of all its cells, most often of the smallest overlap: it shows that the search "
    "goes on finding, not which cell to take."
)

RELOAD = "Prefect shows this as it was when the page was opened: reload it for what is new."

FRONT = (columns.OVERLAP, columns.ORDERS, columns.AT_FILLS, columns.ON_PATH, columns.CANDIDATE)
BEST = (
    *(columns.OVERLAP, columns.ORDERS, columns.SCORE, columns.PROVED),
    *(columns.AT_FILLS, columns.ON_PATH, columns.CANDIDATE),
)
WATCHED = (columns.EVALUATIONS, columns.SCORE, columns.PROVED, columns.AT_FILLS, columns.ON_PATH)


def ladder_note(best: Candidate, links: Mapping[str, str] = NOWHERE) -> str:
    """One ladder: its score and what that compares with, where more of it is, its orders and the risk."""
    score = f"score {best.score:.4f}, which ranks it among ladders of {best.cell.label} only"
    lines = [f"    {bullet}" for bullet in bullets(best.contract["schedule"])]
    return "\n".join([_linked(f"`{best.candidate_id}`, {score}", links), "", *lines, "", *risk(best)])


def front_note(cells: Sequence[CellResult], picture: bytes) -> str:
    """What covering more costs, as a table and as a picture, a PNG that becomes part of the text."""
    image = f"![Overlap covered against rebound needed](data:image/png;base64,{b64encode(picture).decode()})"
    less = "Covering less needs less because it defends less; that does not make it better."
    return "\n\n".join(["# What covering more costs", image, _front(cells), f"{less} {LIMITS[0]}"])


def run_note(run: Experiment, cells: Sequence[CellResult], links: Mapping[str, str] = NOWHERE) -> str:
    """A run: where more of it is, the front, what no ladder can do, and the best ladder of each cell.

    The table of all cells comes last: it can be long, and MLflow cuts off what is over 8,000 characters.
    """
    limits = "\n".join(f"- {line}" for line in LIMITS)
    head = _linked(f"Run `{run.run_id}`, {run.status}", links)
    best = table(BEST, (CellRow(cell) for cell in cells if cell.best))
    parts = [head, "**What covering more costs**", _front(cells), limits]
    return "\n\n".join([*parts, "**The best ladder of each cell**", f"{RANK} {BEST_SCORE}", best])


def watch_note(
    run: Experiment, cells: Sequence[CellResult], max_batches: int, links: Mapping[str, str], last: Cell | None = None
) -> str:
    """How a run goes: how far each cell is, of at most so many batches, and the best ladder of the ``last`` one.

    Ends as the account of the whole, with the best ladder of every cell. Links are addresses by name.
    """
    going = run.status in {"PENDING", "RUNNING"}
    done, batches = sum(cell.finished for cell in cells), sum(cell.batches for cell in cells)
    shown = [cell for cell in cells if cell.best and (not going or cell.cell == last)]
    state = Column("state", "state", lambda row: _state(row.result, going=going), kind="text")
    done_batches = Column("batches", "batches", lambda row: f"{row.result.batches}/{max_batches}")
    parts = [
        f"# Run `{run.run_id}`, {run.status}",
        " · ".join(f"[{name}]({address})" for name, address in links.items()),
        f"{done} of {counted(len(cells), 'cell')} done, {batches} of at most {max_batches * len(cells)} batches, "
        f"{run.eval_count:,} ladders in {clock(run.elapsed_s)} of search.",
        RELOAD if going else "",
        table((columns.CELL, state, done_batches, *WATCHED), map(CellRow, cells)),
        " ".join([RANK, *LIMITS]),
        *(f"## {cell.cell.label}\n\n{ladder_note(cell.best)}" for cell in shown if cell.best),
    ]
    return "\n\n".join(filter(None, parts))


def table(declared: Sequence[Column], rows: Iterable[Any]) -> str:
    """A table; what stands out is bold."""
    rows = [*rows]
    shown = columns.shown(declared, rows)
    lines = [
        [column.label for column in shown],
        ["---:" if column.kind == "number" else "---" for column in shown],
        *([_text(column, row) for column in shown] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(column: Column, row: Any) -> str:
    mark = "`" if column.kind == "id" else "**" if column.marked(row) else ""
    return f"{mark}{column.text(row)}{mark}"


def _linked(text: str, links: Mapping[str, str]) -> str:
    """A text, followed by links in the same line."""
    return " - ".join([text, *(f"[{name}]({address})" for name, address in links.items())])


def _front(cells: Sequence[CellResult]) -> str:
    return f"In bold what is on the front: {MEANING}.\n\n{table(FRONT, columns.front_rows(cells))}"


def _state(result: CellResult, *, going: bool) -> str:
    if result.finished:
        return "early stop" if result.stopped_early else "done"
    if result.batches:
        return "searching" if going else "cut"
    return "waiting" if going else "not begun"
