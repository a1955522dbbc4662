"""``mlab ls``, ``show``, ``compare``, ``trace``: what the stored runs found, and how it came about."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

import click

from mlab.cli.choice import is_candidate, opened, reading, run_of
from mlab.core.errors import ConfigError
from mlab.core.event_log import EventLog
from mlab.core.events import emit
from mlab.core.records import CellResult, Experiment
from mlab.report import stored, summary, terminal
from mlab.store import Store
from mlab.store.choice import chosen

NAMED = 9
"""Most cells of a run that are named where another is asked for."""


@click.command("ls")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Most runs to list.")
@click.option("--deleted", is_flag=True, help="Those that were deleted and not purged yet.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_runs(limit: int, *, deleted: bool, as_json: bool) -> None:
    """List runs, the newest first."""
    with opened() as (_, store):
        listed = [(run, store.cells(run.exp_id)) for run in store.experiments(limit, deleted=deleted)]
    if as_json:
        for record in stored.run_records(listed):
            print(json.dumps(record))
        return
    if not listed:
        print("No run is deleted." if deleted else "No run is stored.")
        return
    out = terminal.console(sys.stdout)
    terminal.table(out, stored.RUNS, listed)
    hint = ".venv/bin/mlab restore RUN brings one back" if deleted else ".venv/bin/mlab show RUN tells what one found"
    out.print(f"{hint}; a score ranks ladders within one cell only.")


@click.command()
@click.argument("run", default="latest")
@click.option("--cell", metavar="CELL", help="One cell only, such as 20x10 or '20 % x 10'.")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="Ladders listed of each cell.")
@click.option("--json", "as_json", is_flag=True, help="The object that a run prints with --json.")
def show(run: str, cell: str | None, top: int, *, as_json: bool) -> None:
    """Show what a run found, cell by cell.

    Of each cell the best ladders as a table, and the best of them order by order.
    RUN is the id of a run, the end of one, or latest.
    """
    with reading(run) as (_, store, experiment):
        cells, results = store.cells(experiment.exp_id), store.results(experiment.exp_id)
        replays = store.replays(experiment.exp_id)
        emit("UI.RESULTS_LOAD", f"{len(results)} results shown", rows=len(results))
    if cell is not None:
        cells = [cell_of(cells, cell)]
        replays = [one for one in replays if one.cell_index == cells[0].cell.index]
    if as_json:
        print(json.dumps(summary.run_json(experiment, cells)))
    else:
        stored.show(terminal.console(sys.stdout), experiment, cells, results, top, replays)


def cell_of(cells: Sequence[CellResult], cell: str | None) -> CellResult:
    """The cell that is named, or the only one.

    Raises:
        ConfigError: there is no such cell, or several and none is named.
    """
    typed = [] if cell is None else [_numbers(cell), _numbers(cell.replace(",", "."))]
    fits = [one for one in cells if cell is None or _numbers(one.cell.label) in typed]
    if len(fits) != 1:
        some = ", ".join(one.cell.label for one in cells[:NAMED])
        more = f" and {len(cells) - NAMED} more" if len(cells) > NAMED else ""
        must = "must be given, of a run of several cells:" if cell is None else "must be a cell of the run, which has"
        raise ConfigError("command line", "--cell", f"{must} {some}{more}", cell)
    return fits[0]


def _numbers(label: str) -> list[str]:
    """Overlap and orders of a cell, however they are written: ``20x8``, ``20 % x 8``, ``overlap20_orders8``."""
    return [f"{float(number):g}" for number in re.findall(r"\d+(?:\.\d+)?", label)]  # six digits, as in labels


@click.command()
@click.argument("runs", metavar="[RUN RUN]", nargs=-1)
def compare(runs: tuple[str, ...]) -> None:
    """Compare two runs, cell by cell; the latest two where none are named.

    Shows the fields in which their configs differ, and the best ladder of each cell that both have.
    RUN is the id of a run, the end of one, or latest.
    """
    with opened() as (_, store):
        pair = _pair(store, runs)
        for run in pair:
            store.check_run(run.exp_id)
        listed = [(run, store.cells(run.exp_id)) for run in pair]
    stored.compare(terminal.console(sys.stdout), listed)


def _pair(store: Store, names: tuple[str, ...]) -> list[Experiment]:
    if len(names) not in {0, 2}:
        raise ConfigError("command line", "RUN", "must be two runs, or none for the latest two", " ".join(names))
    pair = [chosen(store, name) for name in names] or store.experiments(limit=2)[::-1]
    if len(pair) < 2:
        raise ConfigError("command line", "RUN", f"needs two stored runs; there is {'only one' if pair else 'none'}")
    return pair


@click.command()
@click.argument("candidate")
def trace(candidate: str) -> None:
    """Follow one candidate by its id.

    From the config by trial and events to its orders and to MLflow.
    """
    if not is_candidate(candidate):
        must = "must look like 20260131-235959-0a1b2c-c004-b0005-i007"
        raise ConfigError("command line", "CANDIDATE", must, candidate)
    with opened() as (state, store):
        run = chosen(store, run_of(candidate))
        kept = store.kept(run.exp_id, candidate)
        if kept is None:
            must = "is not kept: better ones took its place, it was pruned, or maintenance has removed it"
            raise ConfigError("command line", "CANDIDATE", must, candidate)
        trial = next(one for one in store.trials(run.exp_id, kept.cell.index) if one.number == kept.trial)
        log = EventLog(state.events(run.run_id)).news()
        place = (kept.cell.overlap_pct, kept.cell.num_orders, kept.batch)
        events = [one for one in log if (one.get("overlap"), one.get("orders"), one.get("batch_idx")) == place]
    if candidate != kept.candidate_id:
        print(f"{candidate} is the same ladder as this, which ranks before it:\n")
    stored.trace(terminal.console(sys.stdout), run, kept, trial, events)
