"""``mlab bot``: a bot's settings judged as any ladder, and the best ladder beside them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import click

from mlab import bots
from mlab.bots import Bot, Distance, room
from mlab.cli.browse import cell_of
from mlab.cli.choice import PRICE, reading
from mlab.cli.export import write
from mlab.config import config_of, from_tree
from mlab.core.errors import ConfigError, EvaluationError
from mlab.core.records import Need
from mlab.model.objective import Objective, Score
from mlab.report import bots as report
from mlab.report import terminal
from mlab.report.bots import Side

PICTURES = (".svg", ".png")
DISTANCES = "What the deviations of a table count from; its head may say so itself."


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(bots.FORMATS)), help="Recognised by its shape if left out.")
@click.option("--distances", type=click.Choice([one.name.lower() for one in Distance]), help=DISTANCES)
@click.option("--price", type=PRICE, help="Price of the first order, where the file has none.")
@click.option("--search", is_flag=True, help="Search the best ladder of equal budget, depth and number of orders.")
@click.option("--against", metavar="RUN", help="Set a ladder of a stored run beside it.")
@click.option("--cell", metavar="CELL", help="Which of its cells, such as 20x10: overlap x orders.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A picture: .svg or .png.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def bot(  # noqa: PLR0913 - its options
    file: Path,
    *,
    form: str | None,
    distances: str | None,
    price: Decimal | None,
    search: bool,
    against: str | None,
    cell: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Judge the settings of a bot as any ladder.

    FILE is what 3Commas, OKX, Bybit, Veles, Hummingbot or Gainium take or answer, as JSON or YAML, or a table of
    deviation and size as CSV. With --search or --against the best ladder whose first order is no smaller stands
    beside it: what it wins, and what that costs.
    """
    _check(output, against=against, cell=cell, search=search)
    read = bots.read(file, form, Distance[distances.upper()] if distances else None)
    if price is not None:
        read = _priced(read, price)
    other, none, objective = _beside(read, against, cell, search=search)
    yours, counted = Side("yours", read.judged(objective)), objective.score.need
    if output is not None:
        _draw(output, yours, other)
    if as_json:
        print(json.dumps(report.as_json(read, yours, other, counted) | {"none": none or None}))
    else:
        _show(read, yours, other, none, counted)


def _show(read: Bot, yours: Side, other: Side | None, none: str, counted: Need) -> None:
    out = terminal.console(sys.stdout)
    report.show(out, read, yours.ladder, counted)
    if other is not None:
        report.beside(out, yours, other)
    elif none:
        out.print()
        terminal.prose(out, none)


def _check(output: Path | None, *, against: str | None, cell: str | None, search: bool) -> None:
    """Refuse options that say nothing together."""
    if search and against is not None:
        raise ConfigError("command line", "--search", "must be left out with --against, which names a ladder already")
    if cell is not None and against is None:
        raise ConfigError("command line", "--cell", "must stand beside --against RUN, whose cell it is", cell)
    if output is not None and output.suffix not in PICTURES:
        raise ConfigError("command line", "--output", f"must end in {' or '.join(PICTURES)}", str(output))


def _priced(read: Bot, price: Decimal) -> Bot:
    if read.price is not None:
        raise ConfigError("command line", "--price", f"must be left out: the file has {read.price:f}", f"{price:f}")
    return replace(read, price=price)


def _beside(read: Bot, against: str | None, cell: str | None, *, search: bool) -> tuple[Side | None, str, Objective]:
    """The ladder that is to stand beside the bot, or why there is none, and what both are judged by."""
    if against is not None:
        return _stored(read, against, cell)
    if not search:
        return None, "", Objective()
    limits, score = room.limits(read), Score(need="path")
    if isinstance(limits, str):
        return None, limits, Objective(score)
    from mlab.api.search import search as find  # noqa: PLC0415 - late, for it loads Optuna

    ladder = {"overlap_pct": float(read.depth_pct), "num_orders": len(read.orders), "limits": limits.model_dump()}
    found = find(from_tree({"name": "bot", "ladder": ladder, "score": score.model_dump()}, "--search"))
    return Side("found", found.best.record), "", Objective(score, limits)


def _stored(read: Bot, name: str, cell: str | None) -> tuple[Side, str, Objective]:
    """The best ladder of a stored cell whose first order is no smaller; the best of all where each is."""
    with reading(name) as (_, store, run):
        chosen = cell_of(store.cells(run.exp_id), cell)
        ladders = store.results(run.exp_id, chosen.cell.index)
    if not ladders:
        raise EvaluationError(f"run {run.run_id} found no ladder in {chosen.cell.label}")
    config, first = config_of(run), room.first_pct(read)
    fits = (one for one in ladders if one.risk["capital_deployed_pct"][0] >= first - report.EXACT)
    return Side("found", next(fits, ladders[0])), "", Objective(config.score, config.limits)


def _draw(place: Path, yours: Side, other: Side | None) -> None:
    from mlab.report import plots  # noqa: PLC0415 - late, for it loads matplotlib

    figure = plots.ladder_plot(yours.ladder) if other is None else plots.beside_plot(yours.ladder, other.ladder)
    write(place, (plots.svg if place.suffix == ".svg" else plots.png)(figure))
