"""``mlab export`` and ``mlab report``: results for other programs, and for people without any program."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np

from mlab.cli.choice import reading
from mlab.core import streams
from mlab.core.errors import ConfigError, StoreError, reason
from mlab.core.event_log import EventLog
from mlab.core.events import emit
from mlab.core.records import Candidate, Json
from mlab.core.urls import Pages
from mlab.model.contract import judged
from mlab.model.objective import Objective
from mlab.report import columns, summary
from mlab.store import Store

OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
WHAT = (
    "results: a row for every ladder kept; cells: a row for every cell, with what was proved of it; "
    "orders: a row for every order of the best ladder of each cell; "
    "replays: a row for every ladder that was replayed at the end, the classical ones among them."
)
DECIMAL = "What CSV writes before decimals; with a comma, fields are separated by semicolons."


@click.command()
@click.argument("run", default="latest")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option(
    "--what",
    type=click.Choice(["results", "cells", "orders", "replays"]),
    default="results",
    show_default=True,
    help=WHAT,
)
@click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help=DECIMAL)
@click.option("--output", "-o", type=OUTPUT, default="-", help="A file; standard output where left out.")
def export(run: str, form: str, what: str, decimal: str, output: Path) -> None:
    """Export what a run found as CSV or JSON.

    RUN is the id of a run, the end of one, or latest.
    """
    if decimal != "." and form != "csv":
        raise ConfigError("command line", "--decimal", "must be . in JSON, or leave out --format json", decimal)
    with reading(run) as (_, store, experiment):
        exp_id = experiment.exp_id
        rows = _rows(store, exp_id, what)
        if form == "csv":
            write(output, summary.as_csv(rows, decimal, like=rows or _made_up(what)))
        else:
            write(output, summary.as_json(rows))
        if not rows:
            click.echo(f"run {experiment.run_id} has no {what}", err=True)
        emit("UI.EXPORT", f"{len(rows)} {what} exported as {form}", rows=len(rows), to=str(output))


def _rows(store: Store, exp_id: int, what: str) -> list[Json]:
    if what == "replays":
        from mlab.report import replayed, replays  # noqa: PLC0415 - late, for most runs have none

        return replayed.flat(replays.parts(store.replays(exp_id)))
    if what == "results":
        return summary.rows(store.results(exp_id))
    cells = store.cells(exp_id)
    return summary.cells(cells) if what == "cells" else _orders(one.best for one in cells if one.best is not None)


def _orders(best: Iterable[Candidate]) -> list[Json]:
    return [
        {"candidate_id": one.candidate_id, "overlap_pct": one.cell.overlap_pct, "num_orders": one.cell.num_orders} | row
        for one in best
        for row in columns.order_rows(one)
    ]


def _made_up(what: str) -> list[Json]:
    """Rows of a ladder that is in no run: their head is that of a table without rows."""
    ladder = judged(np.array([[0.0], [1.0]]), np.ones((2, 1)), 100.0, Objective())
    if what != "replays":
        return summary.rows([ladder]) if what == "results" else _orders([ladder])
    from mlab import prices, replay  # noqa: PLC0415 - as above
    from mlab.report import replayed  # noqa: PLC0415

    candles, plan = prices.made(2), replay.Plan.of(ladder, "quote")
    groups = replay.beside(candles, [(plan, replay.ExitRule())], replay.Fees(), 0)
    return replayed.flat([("", candles.to_dict(), groups)])


@click.command()
@click.argument("run", default="latest")
@click.option("--output", "-o", type=OUTPUT, help="A file; reports/RUN.html in the state folder where left out.")
def report(run: str, output: Path | None) -> None:
    """Write the report of a run: one HTML file that needs no network.

    RUN is the id of a run, the end of one, or latest.
    """
    from mlab.report import html  # noqa: PLC0415 - late, for it loads matplotlib

    with reading(run) as (state, store, experiment):
        cells, results = store.cells(experiment.exp_id), store.results(experiment.exp_id)
        events = list(EventLog(state.events(experiment.run_id)).news())
        replays = store.replays(experiment.exp_id)
        text = html.html(experiment, cells, results, events, Pages.of(state), replays=replays)
        place = output or state.reports / f"{experiment.run_id}.html"
        write(place, text, folder=output is None)
        emit("UI.EXPORT", f"report of {len(results)} results", rows=len(results), to=str(place))
    if str(place) != "-":
        print(place)


def write(place: Path, content: str | bytes, *, folder: bool = False) -> None:
    """Write a file, or text to standard output for ``-``; makes its folder where asked to."""
    if isinstance(content, str) and str(place) == "-":
        streams.write(content)
        return
    try:
        if folder:
            place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        if folder:
            raise StoreError(f"{place} cannot be written: {reason(error)}; name another file with --output") from error
        raise ConfigError("command line", "--output", f"cannot be written: {reason(error)}", str(place)) from error
