"""Stored runs for people: a list of them, one in full, two side by side, and the way of one candidate."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Any, TypeAlias

from rich.console import Console
from rich.text import Text

from mlab.core.decimals import exact
from mlab.core.records import Candidate, CellResult, Experiment, Json, StoredReplay, Trial
from mlab.core.state import span_id
from mlab.model.ranking import Ranked, ranked
from mlab.report import columns, terminal, words
from mlab.report.columns import Column, records
from mlab.report.numbers import duration, moment, significant
from mlab.report.terminal import line

CHANGE = 1e-9
"""Scores that differ by less than this share are the same."""

UNSCORED = "score.take_profit_pct"
"""A field beside the score on which no score depends."""

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
CELLS = Column("cells", "cells", lambda row: len(row[1]))
FINISHED = Column("cells_finished", "finished", _finished)
EVALUATIONS = Column("evaluations", "ladders", lambda row: row[0].eval_count, write=columns.COUNT)
SEED = Column("seed", "seed", lambda row: row[0].config["seed"])
NEED = Column("need", "need", lambda row: row[0].config["score"]["need"], kind="text")

RUNS = (RUN, CONFIG, STATUS, BEGUN, SEARCH, DONE, EVALUATIONS, NEED)
"""The list of runs. A run's id holds when it was begun."""

RUN_RECORD = (RUN, CONFIG, STATUS, BEGUN, SEARCH, CELLS, FINISHED, EVALUATIONS, SEED, NEED)
"""A run as a flat row."""


def run_records(listed: Sequence[Listed]) -> list[Json]:
    """Runs as flat rows."""
    return records(RUN_RECORD, listed)


def show(
    out: Console,
    run: Experiment,
    cells: Sequence[CellResult],
    results: Sequence[Candidate],
    top: int,
    replays: Sequence[StoredReplay] = (),
) -> None:
    """Print a run: for each cell its best ladders as a table, and the best one order by order."""
    terminal.header(out, run)
    for result in cells:
        searched = f"{result.trials} trials, {result.evaluations:,} ladders"
        out.print()
        out.print(Text(f"Cell {result.cell.label}: {searched}", style="bold"))
        if result.best is None:
            line(out, "No ladder was found.")
            continue
        for sentence in words.proved(result):
            terminal.prose(out, sentence)
        ladders = ranked(candidate for candidate in results if candidate.cell == result.cell)
        terminal.table(out, columns.RANKED, ladders[:top])
        out.print()
        terminal.ladder(out, result.best, run)
    terminal.on_prices(out, run, replays)
    out.print()
    terminal.limits(out)


def compare(out: Console, runs: Sequence[Listed]) -> None:
    """Print what differs between two runs: fields of the config, and the best ladder of every cell of both."""
    for name, (run, _) in zip("AB", runs, strict=True):
        line(out, f"{name}  {run.run_id}  {run.config['name']}  {run.status}")
    out.print()
    (one, _), (other, _) = runs
    fields = _differences(one.config, other.config)
    if fields:
        terminal.table(out, FIELDS, fields)
    else:
        out.print("The configs are the same.")
    out.print()
    ladders, others = ({cell.cell.label: cell.best for cell in cells if cell.best} for _, cells in runs)
    pairs = [(ladders[label], other) for label, other in others.items() if label in ladders]
    if not pairs:
        line(out, "They have no cell in common: their ladders do not compare.")
        return
    comparable = not any(name.startswith("score") and name != UNSCORED for name, _, _ in fields)
    terminal.table(out, _compared(comparable=comparable), pairs)
    if not comparable:
        line(out, "Their scores are made in different ways and do not compare; needs do.")


FIELDS = columns.texts("field", "A", "B", wrap=("A", "B"))
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
    key = f"{column.key}_{side}"
    return Column(key, head, lambda pair: column.value(Ranked(1, pair[side])), column.unit, column.write)


def _verdict(a: float, b: float) -> str:
    if abs(b - a) <= CHANGE * abs(a):
        return "the same"
    share = abs(b - a) / abs(a) * 100.0 if a else float("inf")
    return f"{significant(share, 2)} % {'worse' if b > a else 'better'}"


def _differences(one: Any, other: Any, name: str = "") -> list[tuple[str, str, str]]:
    """Fields whose values differ: dotted name, and both values; those of a section that is off are null."""
    if one == other:
        return []
    if {type(one), type(other)} <= {dict, NoneType}:
        one, other = one or {}, other or {}
        keys = {key: f"{name}.{key}" if name else key for key in one | other}
        return [row for key, dotted in keys.items() for row in _differences(one.get(key), other.get(key), dotted)]
    return [(name, _written(one), _written(other))]


def _written(value: Any) -> str:
    """A value of a config as people write it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_written(inner)}' for key, inner in value.items())}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return exact(value) if isinstance(value, float) else str(value)


def trace(out: Console, run: Experiment, candidate: Candidate, trial: Trial, events: Sequence[Json]) -> None:
    """Print the way of one candidate, from the config to MLflow."""
    params = ", ".join(f"{name} {significant(value, 4)}" for name, value in trial.params.items())
    steps = {
        "Config": f"{run.config['name']}, seed {run.config['seed']}",
        "Run": f"{run.run_id}, experiment {run.exp_id}, {run.status}",
        "Cell": f"{candidate.cell.label}, cell {candidate.cell.index}",
        "Batch": f"{candidate.batch}, span {span_id(candidate.batch)}",
        "Trial": f"{trial.number}: {params}",
        "Refinement": f"{trial.evaluations:,} ladders, from {trial.reports[0]:.6f} to {trial.reports[-1]:.6f}",
        "Prefect": f"flow run {run.flow_run_id or 'none'}",
        "MLflow": f"run {run.mlflow_run_id or 'none'}, child run {candidate.cell.label}",
    }
    terminal.facts(out, steps, width=12)
    for event in events:
        line(out, f"{str(event.get('ts', ''))[11:23]}  {event.get('event')} {event.get('msg')}")
    out.print()
    terminal.ladder(out, candidate, run)
