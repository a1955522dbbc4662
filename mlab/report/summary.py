"""Results as plain JSON values and flat rows: what other programs read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from mlab.core.records import Candidate, CellResult, Experiment, Json
from mlab.model.front import at_fills, found, front, on_path
from mlab.model.ranking import ranked_by_cell
from mlab.report.schedule import badges

TOP = 10
"""Ladders of a cell that stand in the table by which runs are compared."""


def run_json(experiment: Experiment, cells: Iterable[CellResult]) -> Json:
    """The one object that ``--json`` prints; a cell without a result has null for what only a ladder has."""
    return {
        "run_id": experiment.run_id,
        "exp_id": experiment.exp_id,
        "status": experiment.status,
        "best_score": experiment.best_score,
        "eval_count": experiment.eval_count,
        "elapsed_s": round(experiment.elapsed_s, 3),
        "mlflow_run_id": experiment.mlflow_run_id,
        "cells": [_cell_json(cell) for cell in cells],
    }


def _cell_json(result: CellResult) -> Json:
    best = result.best
    return {
        "overlap_pct": result.cell.overlap_pct,
        "num_orders": result.cell.num_orders,
        "score": best.score if best else None,
        "max_need": best.contract["max_need"] if best else None,
        "max_need_path": best.risk["max_need_path"] if best else None,
        "candidate_id": best.candidate_id if best else None,
        "evaluations": result.evaluations,
        "trials": result.trials,
        "pruned": result.pruned,
        "stopped_early": result.stopped_early,
    }


def rows(candidates: Iterable[Candidate]) -> list[Json]:
    """One flat row a candidate, by cell and rank; candidates that are one ladder share their rank."""
    return [
        {"rank_in_cell": ladder.rank, "found": ladder.found} | _row(candidate)
        for cell in ranked_by_cell(candidates)
        for ladder in cell
        for candidate in ladder.candidates
    ]


def top(candidates: Iterable[Candidate]) -> list[Json]:
    """The best ladders of each cell, one flat row each, named by cell and rank alone so that those of runs compare.

    The first two columns are those that MLflow compares runs by: the place, and the ladder that has it.
    """
    return [
        {"place": f"{ladder.best.cell.label}, rank {ladder.rank}", "ladder": _words(ladder.best)} | _row(ladder.best)
        for cell in ranked_by_cell(candidates)
        for ladder in cell[:TOP]
    ]


def _words(best: Candidate) -> str:
    """One ladder in one line: its score and needs, its indents and its volumes."""
    schedule = best.contract["schedule"]
    indents, volumes = (" ".join(f"{value:.2f}" for value in schedule[key]) for key in ("indent_pct", "volume_pct"))
    needs = f"need {at_fills(best):.2f} % at fills, {on_path(best):.2f} % on path"
    return f"score {best.score:.4f}; {needs}; indent % {indents}; volume % {volumes}"


def _row(candidate: Candidate) -> Json:
    contract, risk = candidate.contract, candidate.risk
    return {
        "candidate_id": candidate.candidate_id,
        "overlap_pct": candidate.cell.overlap_pct,
        "num_orders": candidate.cell.num_orders,
        "score": candidate.score,
        "max_need": contract["max_need"],
        "max_need_path": risk["max_need_path"],
        "var_need": contract["var_need"],
        "tail": contract["tail"],
        "first_gap_pct": contract["schedule"]["price_step_pct"][1],
        "last_volume_pct": contract["schedule"]["volume_pct"][-1],
        "loss_at_last_order_pct": risk["loss_at_last_order_pct"],
        "sanity": badges(contract["sanity"]),
        **contract["diagnostics"],
        **contract["penalties"],
    }


def front_rows(cells: Sequence[CellResult]) -> list[Json]:
    """One flat row a cell on a front, by overlap, and no scores: those of several cells do not compare."""
    fills, path = front(cells, at_fills), front(cells, on_path)
    return [
        {
            "overlap_pct": ladder.cell.overlap_pct,
            "num_orders": ladder.cell.num_orders,
            "max_need": at_fills(ladder),
            "max_need_path": on_path(ladder),
            "on_front_at_fills": ladder in fills,
            "on_front_on_path": ladder in path,
            "candidate_id": ladder.candidate_id,
        }
        for ladder in found(cells)
        if ladder in fills or ladder in path
    ]


def order_rows(candidate: Candidate) -> list[Json]:
    """One flat row an order: the ladder as it is entered at an exchange, with its needs beside it."""
    schedule, risk = candidate.contract["schedule"], candidate.risk
    columns = {
        "price": schedule["order_prices"],
        "indent_pct": schedule["indent_pct"],
        "price_step_pct": schedule["price_step_pct"],
        "volume_pct": schedule["volume_pct"],
        "martingale_pct": schedule["martingale_pct"],
        "needpct": schedule["needpct"],
        "need_before_fill": risk["need_before_fill"],
        "deployed_pct": risk["capital_deployed_pct"],
    }
    values = zip(*columns.values(), strict=True)
    return [{"order": order} | dict(zip(columns, line, strict=True)) for order, line in enumerate(values, start=1)]


def as_csv(table: Sequence[Json]) -> str:
    """Flat rows of like keys as CSV with a header; empty for no rows. No text in it is a formula to a spreadsheet."""
    if not table:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in table)
    return text.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value
