"""``mlab place``: from a found ladder to orders that an exchange takes."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import click
from rich.console import Console

from mlab import bots, market, placing
from mlab.bots import geometric
from mlab.cli.browse import cell_of
from mlab.cli.choice import PRICE, Number, is_candidate, kept, reading, run_of
from mlab.cli.export import DECIMAL, OUTPUT, write
from mlab.config import Config, config_of
from mlab.config.market import MarketRules
from mlab.core.decimals import MOST_MONEY
from mlab.core.errors import ConfigError, EvaluationError
from mlab.core.records import Candidate, Experiment, Json
from mlab.market.files import UNNAMED, same
from mlab.model.objective import Objective
from mlab.placing import Placement
from mlab.report import placed, summary, terminal
from mlab.store import Store

TYPED = 2
"""Decimals in which a person types the settings of a bot."""

NAMELESS = ("", UNNAMED)
"""Symbols of rules that were told without one."""

FORMATS = ["table", "csv", "json", *(name for name in bots.FORMATS if name != "csv")]

NUMBER = Number("above 0, at most 1e12", lambda number: 0 < number <= MOST_MONEY)
FEE = Number("from 0 to 10", lambda number: 0 <= number <= 10)


@click.command("place")
@click.argument("run", default="latest")
@click.option("--cell", metavar="CELL", help="Whose best ladder, such as 20x10: overlap x orders.")
@click.option("--market", "file", type=click.Path(path_type=Path), help="A saved answer of the exchange, or YAML.")
@click.option("--symbol", help="Which symbol of the file, or of that of the run.")
@click.option("--budget", type=NUMBER, help="The most that all orders cost, in quote currency.")
@click.option("--price", type=PRICE, help="Entry price.")
@click.option("--take-profit", type=NUMBER, help="In % above the average entry; where left out that of the run.")
@click.option("--fee", type=FEE, default="0", show_default=True, help="Of each side, in %, up to 10.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--decimal", "mark", type=click.Choice([".", ","]), default=".", show_default=True, help=DECIMAL)
@click.option("--output", "-o", type=OUTPUT, default="-", help="A file; standard output where left out.")
def place_ladder(  # noqa: PLR0913 - its options
    run: str,
    *,
    cell: str | None,
    file: Path | None,
    symbol: str | None,
    budget: Decimal | None,
    price: Decimal | None,
    take_profit: Decimal | None,
    fee: Decimal,
    form: str,
    mark: str,
    output: Path,
) -> None:
    """Turn a found ladder into orders that an exchange takes.

    Prices go on ticks, quantities on steps, no order is below the least, and all are within the budget. What a search
    was told of its market need not be told again. A format other than table, csv and json has the settings of a bot.
    RUN is the id of a run, the end of one, or latest; or that of one candidate.
    """
    with reading(run_of(run)) as (_, store, experiment):
        config = config_of(experiment)
        ladder = _ladder(store, experiment, run, cell)
    placement = placed.place(ladder, config.ladder.sizing, *_traded(config, file, symbol, budget, price))
    profit = take_profit or Decimal(repr(config.score.take_profit_pct))
    if mark != "." and form != "csv":
        raise ConfigError("command line", "--decimal", "may be a comma only with --format csv", mark)
    if form == "table":
        text = io.StringIO()
        sentences = placed.sentences(placement, profit, fee, config.ladder.limits)
        rows = placed.rows(placement, profit, fee)
        _show(terminal.console(sys.stdout if str(output) == "-" else text), ladder, placement.market, sentences, rows)
        write(output, text.getvalue())
    elif form == "csv":
        write(output, summary.as_csv(placed.rows(placement, profit, fee), mark))
    elif form == "json":
        write(output, summary.as_json(placement.to_dict()))
    else:
        write(output, _settings(ladder, placement, profit, form, config))


def _ladder(store: Store, run: Experiment, name: str, cell: str | None) -> Candidate:
    """The candidate that is named, or the best of a cell."""
    if is_candidate(name):
        if cell is not None:
            raise ConfigError("command line", "--cell", "must be left out: the candidate names its cell", cell)
        return kept(store, run, name)
    chosen = cell_of(store.cells(run.exp_id), cell)
    if chosen.best is None:
        raise EvaluationError(f"no ladder was found in {chosen.cell.label}")
    return chosen.best


def _traded(
    config: Config, file: Path | None, symbol: str | None, budget: Decimal | None, price: Decimal | None
) -> tuple[market.Market, Decimal, Decimal]:
    """Rules, budget and entry price: what the command line says goes before what the run was told."""
    told = config.market
    rules = market.read(file, symbol) if file else _rules(told, symbol) if told else None
    budget = budget or (Decimal(repr(told.budget)) if told else None)
    named = told.market().symbol if told else ""
    if rules and named not in NAMELESS and not same(rules.symbol, named):
        why = f"the price that the run was told is that of {named}"
    else:
        price = price or (Decimal(repr(config.base_price)) if told else None)
        why = "the run was not told of a market"
    if rules is None or budget is None or price is None:
        option = "--market" if rules is None else "--budget" if budget is None else "--price"
        raise ConfigError("command line", option, f"must be given, for {why}")
    return rules, budget, price


def _rules(told: MarketRules, symbol: str | None) -> market.Market:
    """Those that a run was told, or those of another symbol of its file."""
    rules = told.market()
    if symbol is None or same(symbol, rules.symbol):
        return rules
    if rules.symbol in NAMELESS:
        return replace(rules, symbol=symbol)
    if told.file is None:
        must = f"must be {rules.symbol}, of which the run was told, or stand beside --market"
        raise ConfigError("command line", "--symbol", must, symbol)
    return market.read(Path(told.file), symbol)


def _show(out: Console, ladder: Candidate, rules: market.Market, sentences: list[str], rows: list[Json]) -> None:
    terminal.line(out, f"{ladder.cell.label}  {ladder.candidate_id}".rstrip())
    terminal.prose(out, placed.origin(rules))
    spends, *others = sentences
    terminal.prose(out, spends)
    out.print()
    terminal.table(out, placed.COLUMNS, rows)
    out.print()
    for sentence in others:
        terminal.prose(out, sentence)


def _settings(ladder: Candidate, placement: Placement, take_profit: Decimal, form: str, config: Config) -> str:
    """The settings of a bot; of one that cannot hold any ladder its nearest, which is told beside the output."""
    bot = placed.bot(placement, f"{ladder.cell.label} {placement.market.symbol}", take_profit)
    if form not in geometric.FAMILIES:
        return bots.write(bot, form)
    objective, grid = Objective(config.score, config.ladder.limits, "quote"), placement.orders.grid
    larger = placement.budget / bot.budget  # what rounding has left of the budget is there to be spent, too
    whole = replace(bot, orders=tuple(replace(order, size=order.size * larger) for order in bot.orders))
    try:
        member = geometric.best(whole, form, objective, grid.takes)
    except EvaluationError as error:
        try:
            geometric.best(whole, form, objective)
        except EvaluationError:
            raise EvaluationError(f"{error} of the run, whatever the budget; fewer orders may do") from None
        may = "another budget, fewer orders or less overlap may do"
        raise EvaluationError(f"{error} and the rules of the market; {may}") from None
    settings = bots.write(replace(member, take_profit_pct=take_profit), form, TYPED)
    depths, sizes = zip(*((order.deviation_pct, order.size) for order in member.orders), strict=True)
    click.echo(placed.told_of_bot(placement, placing.of_bot(depths, sizes, grid), bots.FORMATS[form].maker), err=True)
    return settings
