"""``mlab replay``: what found ladders and bots would have done on prices of the past, or on made ones."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click

from mlab import bots, prices
from mlab.bots import Distance
from mlab.cli.browse import cell_of
from mlab.cli.choice import is_candidate, kept, reading, run_of
from mlab.cli.export import OUTPUT, write
from mlab.config import config_of
from mlab.config.replay import DATE as MUST_BE_DATE
from mlab.config.replay import DISTINCT, MOST_HISTORIES, SIDES, parted
from mlab.config.wording import judged
from mlab.core.errors import ConfigError, EvaluationError
from mlab.prices import Candles, PricesError
from mlab.replay import ExitRule, Fees, Plan, beside
from mlab.report import replayed, summary, terminal
from mlab.report.bots import left_out
from mlab.report.progress import steps

FILE = "A file of prices, or one of the embedded ones: msft (where left out) or made."
PROFITS = "In % above the average entry, several with commas; where left out that of the run or bot, else 1."
DATE = "Replay what is before a date and what is from it on, each by itself, such as 2010-01-01."
HISTORIES = "Other histories, of weeks drawn anew, of which the intervals come; 0 for none."
EMBEDDED = (
    "No --prices FILE was named: these are Microsoft's from 2000 to 2013, daily prices of a stock. They say little "
    "about coins, and days are too coarse for take-profits below 5 %. --prices made has hourly ones that a generator "
    "made."
)


@click.command("replay")
@click.argument("names", metavar="[RUN|BOT FILE]...", nargs=-1)
@click.option("--prices", "source", metavar="FILE", help=FILE)
@click.option("--cell", metavar="CELL", help="One cell of the runs only, such as 20x10: overlap x orders.")
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, help="Best ladders of each cell.")
@click.option("--distances", type=click.Choice([one.name.lower() for one in Distance]), help="Of a bot's table.")
@click.option("--take-profit", "profits", metavar="PCT[,PCT...]", help=PROFITS)
@click.option("--stop", type=float, help="In % below the last order; none where left out.")
@click.option("--fee-maker", type=float, default=0.1, show_default=True, help="Of orders that rest, in %.")
@click.option("--fee-taker", type=float, default=0.1, show_default=True, help="Of orders at market, in %.")
@click.option("--split", "date", metavar="DATE", help=DATE)
@click.option(
    "--bootstrap", "histories", type=click.IntRange(0, MOST_HISTORIES), default=100, show_default=True, help=HISTORIES
)
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--output", "-o", type=OUTPUT, default="-", help="A file; standard output where left out.")
def replay_ladders(  # noqa: PLR0913 - its options
    names: tuple[str, ...],
    *,
    source: str | None,
    cell: str | None,
    top: int,
    distances: str | None,
    profits: str | None,
    stop: float | None,
    fee_maker: float,
    fee_taker: float,
    date: str | None,
    histories: int,
    form: str,
    output: Path,
) -> None:
    """Replay ladders and bots on the prices of the past.

    RUN is the id of a run, the end of one, or latest; or that of one candidate. BOT FILE is what mlab bot reads.
    Classical ladders of the same depth and number of orders stand beside each; nothing is ranked by what it earned.
    """
    rates = {"maker_pct": fee_maker, "taker_pct": fee_taker}
    fees = judged(Fees, "command line", rates, {"maker_pct": "--fee-maker", "taker_pct": "--fee-taker"})
    wanted = Wanted(cell, top, Distance[distances.upper()] if distances else None, _numbers(profits), stop)
    wanted.check(names or ("latest",))
    named = [wanted.ladders(name) for name in names or ("latest",)]
    asked = [entry for found, _ in named for entry in found]
    ((plan, _), times), *_ = Counter(asked).most_common(1)
    if times > 1:
        raise ConfigError("command line", "RUN|BOT FILE", "must not name the same ladder twice", plan.name)
    candles = prices.chosen("msft" if source is None else source)
    parts = []
    for name, part in _parted(candles, date):
        with steps(f"replay {name}".strip()) as tell:
            parts.append((name, part.to_dict(), beside(part, asked, fees, histories, tell)))
    first, others = [EMBEDDED] if source is None else [], [sentence for _, told in named for sentence in told]
    if form == "table":
        text = io.StringIO()
        out = terminal.console(sys.stdout if str(output) == "-" else text)
        replayed.show(out, [terminal.writable(out, sentence) for sentence in (*first, *others)], parts, fees, histories)
        write(output, text.getvalue())
    elif form == "csv":
        for sentence in (*first, *others, *replayed.warnings(parts)):
            click.echo(sentence, err=True)
        write(output, summary.as_csv(replayed.flat(parts)))
    else:
        of = candles.to_dict()
        of["warnings"] = first + of["warnings"]
        told = {"left_out": others} if others else {}
        write(output, summary.as_json({"prices": of, **told, "replays": replayed.records(parts)}))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which ladders of runs and bots are replayed, and when their deals end; what the options say."""

    cell: str | None
    top: int
    distances: Distance | None
    profits: tuple[float, ...]
    stop: float | None

    def check(self, names: Sequence[str]) -> None:
        """Refuse options that say nothing of what is named."""
        if self.distances and not any(map(_is_file, names)):
            raise ConfigError("command line", "--distances", "must stand beside the table of a bot, whose they are")
        if all(_is_file(name) or is_candidate(name) for name in names):
            if self.cell is not None:
                raise ConfigError("command line", "--cell", "must stand beside a run, whose cell it is", self.cell)
            if self.top > 1:
                raise ConfigError("command line", "--top", "must stand beside a run, whose best ladders are", self.top)

    def ladders(self, name: str) -> tuple[list[tuple[Plan, ExitRule]], list[str]]:
        """Those of a bot's file, of a run, or of one candidate, each under each take-profit; what is left out of a bot.

        Raises:
            ConfigError: there are none of that name.
        """
        if _is_file(name):
            bot = bots.read(Path(name), None, self.distances)
            own = () if bot.take_profit_pct is None else (float(bot.take_profit_pct),)
            plan = Plan(bot.name, tuple(bot.indent()[:, 0].tolist()), tuple(bot.volume()[:, 0].tolist()))
            return list(product([plan], self._rules(own))), left_out(bot)
        found, profit = self._found(name)
        return list(product(found, self._rules((profit,)))), []

    def _rules(self, own: tuple[float, ...]) -> list[ExitRule]:
        """What is asked for, else their own take-profit, else 1 %."""
        names = {"take_profit_pct": "--take-profit", "stop_pct": "--stop"}
        fields = ({"take_profit_pct": profit, "stop_pct": self.stop} for profit in self.profits or own or (1.0,))
        return [judged(ExitRule, "command line", one, names) for one in fields]

    def _found(self, name: str) -> tuple[list[Plan], float]:
        """Those of a run or candidate, and the take-profit that the run was judged with."""
        with reading(run_of(name)) as (_, store, run):
            config = config_of(run)
            sizing, profit = config.ladder.sizing, config.score.take_profit_pct
            if is_candidate(name):
                return [Plan.of(kept(store, run, name), sizing)], profit
            cells = store.cells(run.exp_id)
            chosen = cells if self.cell is None else [cell_of(cells, self.cell)]
            found = [one for it in chosen for one in store.results(run.exp_id, it.cell.index, limit=self.top)]
        if not found:
            raise EvaluationError(f"run {run.run_id} found no ladder{f' in {self.cell}' if self.cell else ''}")
        return [Plan.of(one, sizing) for one in found], profit


def _is_file(name: str) -> bool:
    """Whether a bot's file is meant; runs have neither dots nor slashes in their names."""
    return bool(Path(name).suffix) or os.sep in name or Path(name).is_file()


def _numbers(text: str | None) -> tuple[float, ...]:
    try:
        found = tuple(map(float, text.split(","))) if text is not None else ()
    except ValueError:
        raise ConfigError("command line", "--take-profit", "must be numbers with commas, such as 1,2", text) from None
    if len(set(found)) < len(found):
        raise ConfigError("command line", "--take-profit", DISTINCT, text)
    return found


def _parted(candles: Candles, date: str | None) -> list[tuple[str, Candles]]:
    try:
        return parted(candles, date)
    except PricesError as error:
        raise ConfigError("command line", "--split", f"{SIDES}: {error}") from None
    except ValueError:
        raise ConfigError("command line", "--split", MUST_BE_DATE, date) from None
