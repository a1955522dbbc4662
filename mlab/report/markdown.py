"""Descriptions of runs and ladders in Markdown, as MLflow and Prefect show them."""

from __future__ import annotations

from collections.abc import Sequence

from mlab.records import Candidate, CellResult, Experiment
from mlab.report import risk, schedule


def ladder_note(best: Candidate) -> str:
    """One ladder: its orders and the risk."""
    lines = [f"    {bullet}" for bullet in schedule.bullets(best.contract["schedule"])]
    return "\n".join([f"`{best.candidate_id}`", "", *lines, "", *risk.sentences(best)])


def run_note(run: Experiment, cells: Sequence[CellResult]) -> str:
    """A run: the best ladder of each cell in a table, and what no ladder can do."""
    head = ["overlap %", "orders", "score", "max need at fills %", "max need on path %", "candidate"]
    lines = [f"| {' | '.join(head)} |", "|---:" * (len(head) - 1) + "|---|"]
    for result in cells:
        best = result.best
        if best is not None:
            needs = f"{best.contract['max_need']:.2f} | {best.risk['max_need_path']:.2f}"
            cell = f"{result.cell.overlap_pct:g} | {result.cell.num_orders}"
            lines.append(f"| {cell} | {best.score:.4f} | {needs} | `{best.candidate_id}` |")
    rank = "A score ranks ladders within one cell only."
    return "\n".join([f"Run `{run.run_id}`, {run.status}", "", *lines, "", rank, "", *(f"- {s}" for s in risk.LIMITS)])
