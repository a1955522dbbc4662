"""``mlab export`` and ``mlab report``: results for other programs, and for people without any program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import click
import orjson

from mlab.cli.choice import chosen, logged, opened
from mlab.core.errors import ConfigError
from mlab.core.event_log import EventLog
from mlab.core.events import emit
from mlab.core.records import Experiment
from mlab.core.urls import Pages
from mlab.report import columns, summary
from mlab.store import Store

FORMATS = click.Choice(["csv", "json"])
CONTENTS = click.Choice(["results", "orders"])
OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@click.command()
@click.argument("run", default="latest")
@click.option("--format", "form", type=FORMATS, default="csv", show_default=True)
@click.option(
    "--what",
    type=CONTENTS,
    default="results",
    show_default=True,
    help="results: a row for every ladder kept; orders: a row for every order of the best ladder of each cell.",
)
@click.option("--output", "-o", type=OUTPUT, default="-", help="A file; standard output where left out.")
def export(run: str, form: Literal["csv", "json"], what: Literal["results", "orders"], output: Path) -> None:
    """Export what a run found as CSV or JSON.

    RUN is the id of a run, the end of one, or latest.
    """
    with opened() as (state, store):
        experiment = chosen(store, run)
        store.check_run(experiment.exp_id)
        rows = summary.rows(store.results(experiment.exp_id)) if what == "results" else _orders(store, experiment)
        text = summary.as_csv(rows) if form == "csv" else orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() + "\n"
        _write(output, text)
        with logged(state, experiment):
            emit("UI.EXPORT", f"{len(rows)} {what} exported as {form}", rows=len(rows), to=str(output))


def _orders(store: Store, experiment: Experiment) -> list[dict[str, object]]:
    best = [result.best for result in store.cells(experiment.exp_id) if result.best is not None]
    return [
        {"candidate_id": one.candidate_id, "overlap_pct": one.cell.overlap_pct, "num_orders": one.cell.num_orders} | row
        for one in best
        for row in columns.order_rows(one)
    ]


@click.command()
@click.argument("run", default="latest")
@click.option("--output", "-o", type=OUTPUT, help="A file; reports/RUN.html in the state folder where left out.")
def report(run: str, output: Path | None) -> None:
    """Write the report of a run: one HTML file that needs no network.

    RUN is the id of a run, the end of one, or latest.
    """
    from mlab.report import html  # noqa: PLC0415 - late, for it loads matplotlib

    with opened() as (state, store):
        experiment = chosen(store, run)
        store.check_run(experiment.exp_id)
        cells, results = store.cells(experiment.exp_id), store.results(experiment.exp_id)
        events = list(EventLog(state.events(experiment.run_id)).news())
        text = html.html(experiment, cells, results, events, Pages.of(state))
        place = output or state.reports / f"{experiment.run_id}.html"
        if output is None:
            place.parent.mkdir(parents=True, exist_ok=True)
        _write(place, text)
        with logged(state, experiment):
            emit("UI.EXPORT", f"report of {len(results)} results", rows=len(results), to=str(place))
    if str(place) != "-":
        print(place)


def _write(place: Path, text: str) -> None:
    if str(place) == "-":
        sys.stdout.write(text)
        return
    try:
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError("command line", "--output", f"cannot be written: {error.strerror}", str(place)) from error
