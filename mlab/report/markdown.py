"""Descriptions of runs and ladders in Markdown, as MLflow and Prefect show them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence

from mlab.core.records import Candidate, CellResult, Experiment
from mlab.model.front import MEANING, at_fills, on_path
from mlab.report import risk, schedule, summary

NEEDS = ("need at fills %", "need on path %")

NOWHERE: Mapping[str, str] = {}
"""No links: names, and the addresses that they lead to."""

RANK = "A score ranks ladders within one cell only; the table goes by cell."
"""What stands beside every table that shows scores of several cells."""

BEST_SCORE = (
    "`best_score` of a run is the least of all its cells, most often of the smallest overlap: it shows that the search "
    "goes on finding, not which cell to take."
)


def ladder_note(best: Candidate, links: Mapping[str, str] = NOWHERE) -> str:
    """One ladder: its score and what that compares with, where more of it is, its orders and the risk."""
    score = f"score {best.score:.4f}, which ranks it among ladders of {best.cell.label} only"
    lines = [f"    {bullet}" for bullet in schedule.bullets(best.contract["schedule"])]
    return "\n".join([_linked(f"`{best.candidate_id}`, {score}", links), "", *lines, "", *risk.sentences(best)])


def front_note(cells: Sequence[CellResult], picture: bytes) -> str:
    """What covering more costs, as a picture and as a table.

    Args:
        cells: all cells of a run.
        picture: the same as a PNG, which becomes part of the text.
    """
    image = f"![Overlap covered against rebound needed](data:image/png;base64,{b64encode(picture).decode()})"
    less = "Covering less needs less because it defends less; that does not make it better."
    return "\n\n".join(["# What covering more costs", image, _front(cells), f"{less} {risk.LIMITS[0]}"])


def run_note(run: Experiment, cells: Sequence[CellResult], links: Mapping[str, str] = NOWHERE) -> str:
    """A run: where more of it is, the front, what no ladder can do, and the best ladder of each cell.

    The table of all cells comes last: it can be long, and MLflow cuts off what is over 8,000 characters.
    """
    limits = "\n".join(f"- {line}" for line in risk.LIMITS)
    head = _linked(f"Run `{run.run_id}`, {run.status}", links)
    parts = [head, "**What covering more costs**", _front(cells), limits]
    return "\n\n".join([*parts, "**The best ladder of each cell**", f"{RANK} {BEST_SCORE}", _cells(cells)])


def _linked(text: str, links: Mapping[str, str]) -> str:
    """A text, followed by links in the same line."""
    return " - ".join([text, *(f"[{name}]({address})" for name, address in links.items())])


def _front(cells: Sequence[CellResult]) -> str:
    """The cells on a front, by overlap."""
    rows = [
        (
            f"{row['overlap_pct']:g}",
            str(row["num_orders"]),
            _need(row["max_need"], bold=row["on_front_at_fills"]),
            _need(row["max_need_path"], bold=row["on_front_on_path"]),
            f"`{row['candidate_id']}`",
        )
        for row in summary.front_rows(cells)
    ]
    return f"In bold what is on the front: {MEANING}.\n\n{_table(('overlap %', 'orders', *NEEDS, 'candidate'), rows)}"


def _cells(cells: Sequence[CellResult]) -> str:
    """The best ladder of every cell, cell by cell."""
    rows = [
        (
            f"{best.cell.overlap_pct:g}",
            str(best.cell.num_orders),
            f"{best.score:.4f}",
            _need(at_fills(best)),
            _need(on_path(best)),
            f"`{best.candidate_id}`",
        )
        for best in (result.best for result in cells)
        if best is not None
    ]
    return _table(("overlap %", "orders", "score", *NEEDS, "candidate"), rows)


def _need(need: float, *, bold: bool = False) -> str:
    return f"**{need:.2f}**" if bold else f"{need:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of numbers, with a name in its last column."""
    lines = [f"| {' | '.join(head)} |", "|---:" * (len(head) - 1) + "|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
