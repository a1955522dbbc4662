"""``mlab prove``: how near the best ladder of each cell is to the best that its limits allow."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from mlab.cli.browse import cell_of
from mlab.cli.choice import reading
from mlab.config.wording import judged
from mlab.core.process import Terminated
from mlab.core.records import Experiment
from mlab.report import columns, summary, terminal
from mlab.report.progress import proofs
from mlab.search.proofs import Proved, Terms, prove

COLUMNS = (columns.OVERLAP, columns.ORDERS, columns.SCORE, columns.PROVED, columns.LOWER)


@click.command("prove")
@click.argument("run", default="latest")
@click.option("--cell", metavar="CELL", help="One cell only, such as 20x10: overlap x orders.")
@click.option("--within", type=float, default=0.1, show_default=True, help="Near enough, in % of the score.")
@click.option("--max-time", type=float, default=60.0, show_default=True, help="Longest time of a cell, in seconds.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def prove_cells(run: str, *, cell: str | None, within: float, max_time: float, form: str) -> None:
    """Prove how near the best ladder of each cell is to the best possible.

    What is proved is kept with the run; a cell that is proved so near already is passed over. Ctrl-C ends it, and
    what has been proved so far is kept.
    RUN is the id of a run, the end of one, or latest.
    """
    names = {"within_pct": "--within", "max_time_s": "--max-time"}
    terms = judged(Terms, "command line", {"within_pct": within, "max_time_s": max_time}, names)
    with reading(run) as (_, store, experiment):
        store.reconcile()
        store.check_free(experiment.run_id)
        cells = store.cells(experiment.exp_id)
        chosen = cells if cell is None else [cell_of(cells, cell)]
        try:
            with proofs(terms.max_time_s) as tell:
                found = list(prove(experiment, chosen, terms, tell, store))
        except (KeyboardInterrupt, Terminated):
            print(f"Stopped; what was proved is kept: .venv/bin/mlab show {experiment.run_id}", file=sys.stderr)
            raise
    if form == "json":
        results = [one.result for one in found]
        print(summary.as_json({"run_id": experiment.run_id, "cells": summary.cells(results)}), end="")
    else:
        _show(experiment, found)


def _show(run: Experiment, found: Sequence[Proved]) -> None:
    out = terminal.console(sys.stdout)
    terminal.line(out, f"{run.config['name']}  run {run.run_id}")
    rows = columns.cell_rows([one.result for one in found])
    terminal.table(out, COLUMNS, rows)
    terminal.prose(out, "No ladder that keeps the limits of its cell scores below the lower bound: docs/bound.md.")
    for one in found:
        if one.better_score is not None:
            better = f"{one.result.cell.label}: the proof came upon a better ladder, of score {one.better_score:.6f}"
            terminal.prose(out, f"{better}; a longer search may find it, too.")
