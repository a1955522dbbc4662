"""The replays that are stored with a run, as people, programs and MLflow read them: those of its winners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.text import Text

from mlab.core.records import Experiment, StoredReplay
from mlab.model.exits import ExitRule, Fees
from mlab.replay import Beside
from mlab.replay.beside import cell_label
from mlab.replay.plain import from_json
from mlab.report import replayed, terminal
from mlab.report.columns import Column, shown
from mlab.report.replayed import MONEY, Part, Row

NUMBERS = (*MONEY[1:], *(column for column in replayed.DEALS if column.key in {"deals", "realised_pct"}))
"""What MLflow is told of a winner."""

REST = "Intervals and deals: .venv/bin/mlab report {0}, or .venv/bin/mlab export {0} --what replays."
DONE_LATER = "The winners of this run were not replayed; .venv/bin/mlab replay {} --prices FILE does it."


@dataclass(frozen=True, slots=True)
class OfRun(Row):
    """A ladder of one of the cells of a run, or a classical one of that cell."""

    cell: str = ""
    rule: ExitRule = ExitRule()  # noqa: RUF009 - frozen

    @property
    def stops(self) -> int | None:
        """Deals that a stop ended; None without one."""
        return None if self.rule.stop_pct is None else int(self.outcome.stops)


SHOWN = (
    Column("cell", "cell", lambda row: row.cell, kind="text"),
    Column("take_profit_pct", "take profit", lambda row: row.rule.take_profit_pct, "%", "{:g}".format),
    Column("stop_pct", "stop", lambda row: row.rule.stop_pct, "%", "{:g}".format, seldom=True),
    *MONEY,
    Column("stops", "stopped deals", lambda row: row.stops, seldom=True),
)
"""The replays of a run, a row a ladder; a stop and what it ended where there is one."""


def parts(stored: Sequence[StoredReplay]) -> list[Part]:
    """What was replayed, stretch by stretch of prices, and within it by cell and exit rule."""
    return [
        (name, rows[0].content["prices"], [_group(list(one)) for _, one in groupby(rows, _cell_and_rule)])
        for (name, _), found in groupby(stored, lambda row: (row.content["part"], row.prices))
        if (rows := list(found))
    ]


def _cell_and_rule(row: StoredReplay) -> tuple[int, str]:
    return row.cell_index, str(row.rule)


def _group(rows: Sequence[StoredReplay]) -> Beside:
    found = [(row.kind, from_json(row.content["replayed"])) for row in rows]
    ladders = tuple(one for kind, one in found if kind == "ladder")
    classical = tuple(one for kind, one in found if kind == "classical")
    return Beside(cell_label(ladders[0].plan), ladders[0].rule, ladders, classical, tuple(rows[0].content["doubts"]))


def terms(stored: Sequence[StoredReplay], groups: Iterable[Beside] = ()) -> str:
    """Under which conditions, and what the intervals are of the groups that are shown with them."""
    content = stored[0].content
    return replayed.terms(Fees(**content["fees"]), content["bootstrap"], groups)


def rows(groups: Sequence[Beside]) -> list[OfRun]:
    """A row a ladder, cell by cell, the classical ones of each last; without intervals."""
    return [
        OfRun(row.name, row.outcome, cell=group.cell, rule=group.rule)
        for group in groups
        for row in replayed.rows(group)
        if not row.is_end
    ]


def columns_of(found: Sequence[OfRun]) -> list[Column]:
    """The columns of such rows."""
    return shown(SHOWN, found)


def show(out: Console, run: Experiment, stored: Sequence[StoredReplay]) -> None:
    """Print what the winners of a run did on prices; of one that was to replay them and did not, that."""
    out.print()
    if not stored:
        if run.status == "COMPLETED":
            terminal.prose(out, DONE_LATER.format(run.run_id))
        return
    out.print(Text("Winners on prices of the past", style="bold"))
    terminal.prose(out, f"{terms(stored)} {REST.format(run.run_id)}")
    for name, prices, groups in parts(stored):
        out.print()
        terminal.prose(out, terminal.writable(out, f"{name}  {replayed.prices_in_words(prices)}".strip()))
        for sentence in prices["warnings"]:
            terminal.prose(out, sentence)
        found = rows(groups)
        terminal.table(out, columns_of(found), found)
        for doubt in {doubt: None for group in groups for doubt in group.doubts}:
            terminal.prose(out, terminal.writable(out, doubt))
    out.print()
    terminal.prose(out, " ".join(replayed.LEGEND))


def metrics(stored: Sequence[StoredReplay]) -> dict[str, float]:
    """The numbers of the best ladder of one cell, those of each take-profit a section of their own."""
    return {
        f"{section(name, group)}/{column.key}": float(getattr(group.ladders[0].outcome, column.key))
        for name, _, groups in parts(stored)
        for group in groups
        for column in NUMBERS
    }


def section(name: str, group: Beside) -> str:
    """What a replay is called in names of metrics and files: ``replay_tp10``, ``replay_tp10_before``."""
    where = name.partition(" ")[0]
    return f"replay_tp{group.rule.take_profit_pct:g}" + (f"_{where}" if where else "")


def pictures(stored: Sequence[StoredReplay]) -> Iterator[tuple[str, bytes]]:
    """What an account with the best ladder of each cell would have shown, as SVG, by :func:`picture_key`."""
    from mlab.report import plots, replay_plots  # noqa: PLC0415 - late, for they load matplotlib

    for name, prices, groups in parts(stored):
        for group in groups:
            title = ", ".join(filter(None, (replayed.title(group), f"on {prices['name']}", name)))
            yield picture_key(name, group), plots.svg(replay_plots.replay_plot(group.ladders[0], title))


def picture_key(name: str, group: Beside) -> str:
    """The name of such a picture in a run."""
    return f"{group.ladders[0].plan.name} {section(name, group)}"
