"""A run as a person watches it: how far each cell is, and the best ladder so far. Ends as the account of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlab.core.records import Cell, CellResult, Experiment
from mlab.model.front import at_fills, on_path
from mlab.report import risk
from mlab.report.markdown import NEEDS, RANK, ladder_note

HEAD = ("cell", "state", "batches", "ladders", "score", *NEEDS)
LEFT = ("cell", "state")
"""Columns of words; all others are numbers."""

RELOAD = "Prefect shows this as it was when the page was opened: reload it for what is new."


def watch_note(
    run: Experiment, cells: Sequence[CellResult], max_batches: int, links: Mapping[str, str], last: Cell | None = None
) -> str:
    """How a run goes, in Markdown: a table of its cells, and ladders.

    Args:
        run: as it is stored.
        cells: all of its cells.
        max_batches: most batches of a cell.
        links: where else it can be seen; an address by its name.
        last: the cell whose best ladder is shown; that of every cell where the run has ended.
    """
    going = run.status in {"PENDING", "RUNNING"}
    shown = [cell for cell in cells if cell.best and (not going or cell.cell == last)]
    parts = [
        f"# Run `{run.run_id}`, {run.status}",
        " · ".join(f"[{name}]({address})" for name, address in links.items()),
        _far(run, cells, max_batches),
        RELOAD if going else "",
        _table(cells, max_batches, going=going),
        " ".join([RANK, *risk.LIMITS]),
        *(f"## {cell.cell.label}\n\n{ladder_note(cell.best)}" for cell in shown if cell.best),
    ]
    return "\n\n".join(filter(None, parts))


def _far(run: Experiment, cells: Sequence[CellResult], max_batches: int) -> str:
    done, batches = sum(cell.finished for cell in cells), sum(cell.batches for cell in cells)
    seconds = round(run.elapsed_s)
    return (
        f"{done} of {len(cells)} cells done, {batches} of at most {max_batches * len(cells)} batches, "
        f"{run.eval_count:,} ladders in {seconds // 60}:{seconds % 60:02d} of search."
    )


def _table(cells: Sequence[CellResult], max_batches: int, *, going: bool) -> str:
    rows = [HEAD, tuple("---" if name in LEFT else "---:" for name in HEAD)]
    for cell in cells:
        far = (cell.cell.label, _state(cell, going=going), f"{cell.batches}/{max_batches}", f"{cell.evaluations:,}")
        rows.append(far + _best(cell))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _best(cell: CellResult) -> tuple[str, ...]:
    best = cell.best
    if best is None:
        return ("",) * 3
    return f"{best.score:.4f}", f"{at_fills(best):.2f}", f"{on_path(best):.2f}"


def _state(cell: CellResult, *, going: bool) -> str:
    if cell.finished:
        return "early stop" if cell.stopped_early else "done"
    if cell.batches:
        return "searching" if going else "cut"
    return "waiting" if going else "not begun"
