"""Results as plain JSON values and flat rows: what other programs read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import chain

import orjson

from mlab.core.decimals import exact, plain
from mlab.core.records import Candidate, CellResult, Experiment, Json
from mlab.model.front import at_fills, on_path
from mlab.model.ranking import Ranked, ranked_by_cell
from mlab.report import columns, numbers
from mlab.report.columns import Column, records

TOP = 10
"""Ladders of a cell that stand in the table by which runs are compared."""

CELL = (
    *(columns.OVERLAP, columns.ORDERS, columns.SCORE, columns.AT_FILLS, columns.ON_PATH, columns.CANDIDATE),
    *(columns.EVALUATIONS, columns.TRIALS, columns.PRUNED, columns.EARLY, columns.LOWER, columns.PROVED),
)
"""A cell in the object that ``--json`` prints."""

FRONT = (
    *(columns.OVERLAP, columns.ORDERS, columns.AT_FILLS, columns.ON_PATH),
    *(columns.FRONT_AT_FILLS, columns.FRONT_ON_PATH, columns.CANDIDATE),
)
"""A cell on a front: no scores, for those of several cells do not compare."""

LADDER = (
    *(columns.CANDIDATE, columns.OVERLAP, columns.ORDERS, columns.SCORE, columns.AT_FILLS, columns.ON_PATH),
    *(columns.VARIANCE, columns.TAIL, columns.FIRST_GAP, columns.LAST_VOLUME, columns.LOSS),
    *(*columns.EXPECTED, columns.SANITY),
)
"""A ladder; its diagnostics and penalties follow."""


def run_json(experiment: Experiment, results: Iterable[CellResult]) -> Json:
    """The one object that ``--json`` prints; a cell without a result has null for what only a ladder has."""
    return {
        "run_id": experiment.run_id,
        "exp_id": experiment.exp_id,
        "status": experiment.status,
        "best_score": experiment.best_score,
        "eval_count": experiment.eval_count,
        "elapsed_s": round(experiment.elapsed_s, 3),
        "mlflow_run_id": experiment.mlflow_run_id,
        "cells": cells(results),
    }


def cells(results: Iterable[CellResult]) -> list[Json]:
    """One flat row a cell: its best ladder, what the search took, and what was proved, if anything was."""
    rows = [columns.CellRow(one) for one in results]
    return records(columns.shown(CELL, rows), rows)


def rows(candidates: Iterable[Candidate]) -> list[Json]:
    """One flat row a ladder, by cell and rank."""
    return [
        _flat((columns.PLACE, columns.FOUND, *LADDER), ladder) for cell in ranked_by_cell(candidates) for ladder in cell
    ]


def top(candidates: Iterable[Candidate]) -> list[Json]:
    """The best ladders of each cell, one flat row each, named by cell and rank alone so that those of runs compare.

    The first two columns are those that MLflow compares runs by: the place, and the ladder that has it.
    """
    return [
        {"place": f"{row.cell.label}, rank {row.rank}", "ladder": _in_a_line(row.ladder)} | _flat(LADDER, row)
        for cell in ranked_by_cell(candidates)
        for row in cell[:TOP]
    ]


def _in_a_line(ladder: Candidate) -> str:
    """One ladder in one line: its score and needs, its indents and its volumes."""
    schedule = ladder.contract["schedule"]
    indents = " ".join(map("{:.2f}".format, schedule["indent_pct"]))
    volumes = " ".join(map("{:.2f}".format, numbers.shares(schedule["volume_pct"])))
    needs = f"need {at_fills(ladder):.2f} % at fills, {on_path(ladder):.2f} % on path"
    return f"score {ladder.score:.4f}; {needs}; indent % {indents}; volume % {volumes}"


def _flat(shown: Sequence[Column], row: Ranked) -> Json:
    (record,) = records(shown, [row])
    contract = row.ladder.contract
    rest = (sorted(contract[part].items()) for part in ("diagnostics", "penalties"))  # as they are stored
    return record | dict(chain(*rest))


def front_rows(cells: Sequence[CellResult]) -> list[Json]:
    """One flat row a cell on a front, by overlap."""
    return records(FRONT, columns.front_rows(cells))


def as_csv(table: Sequence[Json], decimal: str = ".", like: Sequence[Json] = ()) -> str:
    """Flat rows of like keys as CSV with a header; for no rows that of others. No text is a formula to a spreadsheet.

    Where the ``decimal`` of numbers is a comma, fields are separated by semicolons, as spreadsheets there have it.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";" if decimal == "," else ",", lineterminator="\n")
    writer.writerows((table or like)[:1])  # the keys
    writer.writerows([_field(value, decimal) for value in row.values()] for row in table)
    return text.getvalue()


def as_json(content: Json | Sequence[Json]) -> str:
    """Plain JSON values as people and programs read them."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n"


def _field(value: object, decimal: str) -> object:
    if isinstance(value, float | Decimal):
        return (exact(value) if isinstance(value, float) else plain(value)).replace(".", decimal)
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value
