"""Stored runs for people: a list of them, one in full, two side by side, and the way of one candidate."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlab.core.records import Candidate, Cell, CellResult, Experiment, Json, Trial
from mlab.model.front import at_fills, on_path
from mlab.report import risk, terminal
from mlab.report.terminal import duration, line, table

CHANGE = 1e-9
"""Scores that differ by less than this share are the same."""


def short(cell: Cell) -> str:
    """A cell as it is typed: ``20x10``."""
    return f"{cell.overlap_pct:g}x{cell.num_orders}"


def run_row(run: Experiment, cells: Sequence[CellResult]) -> Json:
    """One run as a flat row."""
    return {
        "run_id": run.run_id,
        "config": run.config["name"],
        "status": run.status,
        "started_at": run.started_at,
        "elapsed_s": round(run.elapsed_s, 3),
        "cells": len(cells),
        "cells_finished": sum(cell.finished for cell in cells),
        "evaluations": run.eval_count,
        "seed": run.config["seed"],
        "need": run.config["score"]["need"],
    }


def runs_table(runs: Sequence[Experiment], cells: Sequence[Sequence[CellResult]]) -> Table:
    """Runs, one a line."""
    found = table("run", "config", "status", "begun (UTC)", "search", "cells", "ladders", "need", space=1)
    for place in (0, 1, 2, 7):
        found.columns[place].justify = "left"
    found.columns[1].no_wrap = False
    for run, of_run in zip(runs, cells, strict=True):
        row = run_row(run, of_run)
        found.add_row(
            run.run_id,
            Text(row["config"], overflow="fold"),
            run.status,
            run.started_at[:16].replace("T", " "),
            duration(run.elapsed_s),
            f"{row['cells_finished']}/{row['cells']}",
            f"{run.eval_count:,}",
            row["need"],
        )
    return found


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
        out.print(terminal.top_table(of_cell, most=top, plain=terminal.is_plain(out)))
        out.print()
        terminal.ladder(out, result.best)
    out.print()
    for sentence in risk.LIMITS:
        line(out, f"- {sentence}")


def compare(
    out: Console, one: Experiment, other: Experiment, cells: Sequence[CellResult], others: Sequence[CellResult]
) -> None:
    """Print what differs between two runs: fields of the config, and the best ladder of every cell of both."""
    line(out, f"A  {one.run_id}  {one.config['name']}  {one.status}")
    line(out, f"B  {other.run_id}  {other.config['name']}  {other.status}")
    out.print()
    fields = _differences(one.config, other.config)
    differing = table("field", "A", "B", space=2)
    for place, column in enumerate(differing.columns):
        column.justify, column.no_wrap = "left", place == 0
    for name, (a, b) in fields.items():
        differing.add_row(name, Text(str(a)), Text(str(b)))
    out.print(differing if fields else "The configs are the same.")
    out.print()
    best = {result.cell.index: result.best for result in cells if result.best}
    pairs = [
        (mine, result.best)
        for result in others
        for mine in best.values()
        if result.best and short(mine.cell) == short(result.cell)
    ]
    if not pairs:
        line(out, "They have no cell in common: their ladders do not compare.")
        return
    out.print(_compared(pairs, comparable=not any(name.startswith("score") for name in fields)))
    if any(name.startswith("score") for name in fields):
        line(out, "Their scores are made in different ways and do not compare; needs do.")


def _compared(pairs: Sequence[tuple[Candidate, Candidate]], *, comparable: bool) -> Table:
    heads = (
        "overlap\n%",
        "orders",
        "score\nA",
        "score\nB",
        "B is",
        "fills %\nA",
        "fills %\nB",
        "path %\nA",
        "path %\nB",
    )
    found = table(*heads, space=2)
    for a, b in pairs:
        found.add_row(
            f"{a.cell.overlap_pct:g}",
            str(a.cell.num_orders),
            f"{a.score:.4f}",
            f"{b.score:.4f}",
            _verdict(a.score, b.score) if comparable else "-",
            *(f"{need(ladder):.2f}" for need in (at_fills, on_path) for ladder in (a, b)),
        )
    return found


def _verdict(a: float, b: float) -> str:
    if abs(b - a) <= CHANGE * abs(a):
        return "the same"
    share = abs(b - a) / abs(a) * 100.0 if a else float("inf")
    return f"{share:.2g} % {'worse' if b > a else 'better'}"


def _differences(one: Json, other: Json, prefix: str = "") -> dict[str, tuple[object, object]]:
    """Fields whose values differ, under dotted names."""
    found: dict[str, tuple[object, object]] = {}
    for key in one | other:
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found |= _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found[f"{prefix}{key}"] = (a, b)
    return found


def trace(out: Console, run: Experiment, candidate: Candidate, trial: Trial, events: Sequence[Json]) -> None:
    """Print the way of one candidate, from the config to MLflow."""
    steps = {
        "Config": f"{run.config['name']}, seed {run.config['seed']}",
        "Run": f"{run.run_id}, experiment {run.exp_id}, {run.status}",
        "Cell": f"{candidate.cell.label}, cell {candidate.cell.index}",
        "Batch": f"{candidate.batch}, span batch-{candidate.batch:04d}",
        "Trial": f"{trial.number}: {', '.join(f'{name} {value:.4g}' for name, value in trial.params.items())}",
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
