"""Stored runs for people: a list of them, one in full, two side by side, and the way of one candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from rich.console import Console
from rich.text import Text

from mlab.core.records import Candidate, Cell, CellResult, Experiment, Json, Trial
from mlab.model.ranking import Ranked
from mlab.report import columns, terminal
from mlab.report.columns import Column, records
from mlab.report.numbers import duration, moment, significant
from mlab.report.terminal import line
from mlab.report.words import LIMITS

CHANGE = 1e-9
"""Scores that differ by less than this share are the same."""

Listed: TypeAlias = tuple[Experiment, Sequence[CellResult]]
"""A run and its cells: a row of the list of runs."""


def _finished(row: Listed) -> int:
    return sum(cell.finished for cell in row[1])


RUN = Column("run_id", "run", lambda row: row[0].run_id, kind="id")
CONFIG = Column("config", "config", lambda row: row[0].config["name"], kind="text", wraps=True)
STATUS = Column("status", "status", lambda row: row[0].status, kind="text")
BEGUN = Column("started_at", "begun (UTC)", lambda row: row[0].started_at, write=lambda at: moment(at)[:16], spare=True)
SEARCH = Column("elapsed_s", "search", lambda row: round(row[0].elapsed_s, 3), write=duration)
DONE = Column("cells_done", "cells", lambda row: f"{_finished(row)}/{len(row[1])}")
EVALUATIONS = Column("evaluations", "ladders", lambda row: row[0].eval_count, write="{:,}".format)
NEED = Column("need", "need", lambda row: row[0].config["score"]["need"], kind="text")

RUNS = (RUN, CONFIG, STATUS, BEGUN, SEARCH, DONE, EVALUATIONS, NEED)
"""The list of runs. A run's id holds when it was begun."""

RUN_RECORD = (
    *(RUN, CONFIG, STATUS, BEGUN, SEARCH),
    Column("cells", "cells", lambda row: len(row[1])),
    Column("cells_finished", "finished", _finished),
    EVALUATIONS,
    Column("seed", "seed", lambda row: row[0].config["seed"]),
    NEED,
)
"""A run as a flat row."""


def short(cell: Cell) -> str:
    """A cell as it is typed: ``20x10``."""
    return f"{cell.overlap_pct:g}x{cell.num_orders}"


def run_records(listed: Sequence[Listed]) -> list[Json]:
    """Runs as flat rows."""
    return records(RUN_RECORD, listed)


def list_runs(out: Console, listed: Sequence[Listed]) -> None:
    """Print runs, one a line."""
    terminal.table(out, RUNS, listed)


def show(out: Console, run: Experiment, cells: Sequence[CellResult], results: Sequence[Candidate], top: int) -> None:
    """Print a run: for each cell its best ladders as a table, and the best one order by order."""
    terminal.header(out, run)
    for result in cells:
        of_cell = [candidate for candidate in results if candidate.cell.index == result.cell.index]
        out.print()
        out.print(
            Text(f"Cell {result.cell.label}: {result.trials} trials, {result.evaluations:,} ladders", style="bold")
        )
        if result.best is None:
            line(out, "No ladder was found.")
            continue
        terminal.top(out, of_cell, top)
        out.print()
        terminal.ladder(out, result.best)
    out.print()
    for limit in LIMITS:
        terminal.prose(out, f"- {limit}")


def compare(
    out: Console, one: Experiment, other: Experiment, cells: Sequence[CellResult], others: Sequence[CellResult]
) -> None:
    """Print what differs between two runs: fields of the config, and the best ladder of every cell of both."""
    line(out, f"A  {one.run_id}  {one.config['name']}  {one.status}")
    line(out, f"B  {other.run_id}  {other.config['name']}  {other.status}")
    out.print()
    fields = _differences(one.config, other.config)
    if fields:
        terminal.table(out, FIELDS, list(fields.items()))
    else:
        out.print("The configs are the same.")
    out.print()
    best = {short(result.cell): result.best for result in cells if result.best}
    pairs = [(best[short(result.cell)], result.best) for result in others if result.best and short(result.cell) in best]
    if not pairs:
        line(out, "They have no cell in common: their ladders do not compare.")
        return
    comparable = not any(name.startswith("score") for name in fields)
    terminal.table(out, _compared(comparable=comparable), pairs)
    if not comparable:
        line(out, "Their scores are made in different ways and do not compare; needs do.")


def _field(side: int) -> Callable[[Any], str]:
    return lambda item: str(item[1][side])


FIELDS = (
    Column("field", "field", lambda item: item[0], kind="text"),
    Column("a", "A", _field(0), kind="text", wraps=True),
    Column("b", "B", _field(1), kind="text", wraps=True),
)
"""Fields in which two configs differ."""


def _compared(*, comparable: bool) -> tuple[Column, ...]:
    """The columns of pairs of ladders, one of each run."""
    verdict = Column("verdict", "B is", lambda pair: _verdict(pair[0].score, pair[1].score) if comparable else "-")
    cell = (_of_side(column, 0, column.head) for column in (columns.OVERLAP, columns.ORDERS))
    scores, fills, path = (
        [_of_side(column, side, f"{head} {name}") for side, name in enumerate("AB")]
        for column, head in ((columns.SCORE, "score"), (columns.AT_FILLS, "fills"), (columns.ON_PATH, "path"))
    )
    return (*cell, *scores, verdict, *fills, *path)


def _of_side(column: Column, side: int, head: str) -> Column:
    """A column of ladders, for one side of a pair of them."""
    return Column(
        f"{column.key}_{side}", head, lambda pair: column.value(Ranked(1, pair[side])), column.unit, column.write
    )


def _verdict(a: float, b: float) -> str:
    if abs(b - a) <= CHANGE * abs(a):
        return "the same"
    share = abs(b - a) / abs(a) * 100.0 if a else float("inf")
    return f"{significant(share, 2)} % {'worse' if b > a else 'better'}"


def _differences(one: Json, other: Json, prefix: str = "") -> dict[str, tuple[object, object]]:
    """Fields whose values differ, under dotted names."""
    differing: dict[str, tuple[object, object]] = {}
    for key in one | other:
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            differing |= _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            differing[f"{prefix}{key}"] = (a, b)
    return differing


def trace(out: Console, run: Experiment, candidate: Candidate, trial: Trial, events: Sequence[Json]) -> None:
    """Print the way of one candidate, from the config to MLflow."""
    params = ", ".join(f"{name} {significant(value, 4)}" for name, value in trial.params.items())
    steps = {
        "Config": f"{run.config['name']}, seed {run.config['seed']}",
        "Run": f"{run.run_id}, experiment {run.exp_id}, {run.status}",
        "Cell": f"{candidate.cell.label}, cell {candidate.cell.index}",
        "Batch": f"{candidate.batch}, span batch-{candidate.batch:04d}",
        "Trial": f"{trial.number}: {params}",
        "Refinement": f"{trial.evaluations:,} ladders, from {trial.reports[0]:.6f} to {trial.reports[-1]:.6f}",
        "Prefect": f"flow run {run.flow_run_id or 'none'}",
        "MLflow": f"run {run.mlflow_run_id or 'none'}, child run {candidate.cell.label}",
    }
    for name, text in steps.items():
        line(out, f"{name:<11} {text}")
    out.print()
    for event in events:
        line(out, f"{str(event.get('ts', ''))[11:23]}  {event.get('event')} {event.get('msg')}")
    out.print()
    terminal.ladder(out, candidate)
