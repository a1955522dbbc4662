"""The columns of tables, declared once: of the cells of a run, of the ladders of a cell, and of the orders of a ladder.

:mod:`terminal <mlab.report.terminal>`, :mod:`html <mlab.report.html>` and :mod:`markdown <mlab.report.markdown>` draw
them, and :func:`records` makes flat rows of plain values for JSON and CSV, where a column goes by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import Any, Literal

from mlab.core.decimals import exact
from mlab.core.records import Candidate, Cell, CellResult, Json
from mlab.model.front import at_fills, front, on_path
from mlab.report import numbers
from mlab.report.words import badges, sparkline

SPARK = 16
"""Most characters of a sparkline in a table."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: what it is called, and how a row gives its value.

    ``value`` gives a plain JSON value, None where the row has none, and ``write`` its text for people. Numbers stand to
    the right; an ``id`` is copied. On a terminal too narrow for the table a column that ``wraps`` is folded, one with
    ``below`` goes below the column of that key, and a ``spare`` one is left out, for others say the same. One that is
    ``seldom`` there is shown where some row has it: :func:`shown`.
    """

    key: str
    head: str
    value: Callable[[Any], Any]
    unit: str = ""
    write: Callable[[Any], str] = str
    absent: Callable[[Any], str] = lambda _row: "-"
    kind: Literal["number", "text", "id"] = "number"
    wraps: bool = False
    below: str = ""
    spare: bool = False
    seldom: bool = False

    @property
    def label(self) -> str:
        """Head and unit."""
        return f"{self.head} {self.unit}".strip()

    def text(self, row: Any) -> str:
        """The value for people."""
        value = self.value(row)
        return self.absent(row) if value is None else self.write(value)

    def marked(self, row: Any) -> bool:
        """Whether the value stands out: a need by which no other cell beats that of the row."""
        return self.key in getattr(row, "front", ())


@dataclass(frozen=True, slots=True)
class CellRow:
    """A cell; ``front`` has the keys of the needs by which it is on the front."""

    result: CellResult
    front: frozenset[str] = frozenset()

    @property
    def cell(self) -> Cell:
        """Which cell."""
        return self.result.cell

    @property
    def ladder(self) -> Candidate | None:
        """Its best ladder."""
        return self.result.best


def cell_rows(cells: Sequence[CellResult]) -> list[CellRow]:
    """A row a cell, with its place on the fronts of all of them."""
    fronts = {"max_need": front(cells, at_fills), "max_need_path": front(cells, on_path)}
    return [CellRow(one, frozenset(key for key, best in fronts.items() if one.best in best)) for one in cells]


def front_rows(cells: Sequence[CellResult]) -> list[CellRow]:
    """The cells on a front, by overlap."""
    rows = [row for row in cell_rows(cells) if row.front]
    return sorted(rows, key=lambda row: (row.cell.overlap_pct, row.cell.num_orders))


def shown(columns: Iterable[Column], rows: Sequence[Any]) -> list[Column]:
    """The columns for people: all but those that are seldom there, and in none of these rows."""
    return [one for one in columns if not one.seldom or any(one.value(row) is not None for row in rows)]


def records(columns: Iterable[Column], rows: Iterable[Any]) -> list[Json]:
    """Flat rows of plain values."""
    columns = tuple(columns)
    return [{column.key: column.value(row) for column in columns} for row in rows]


def texts(*heads: str, wrap: Collection[str]) -> tuple[Column, ...]:
    """Columns of rows that have a text for each head; those under the heads to ``wrap`` are folded where need be."""
    return tuple(Column(head, head, itemgetter(k), kind="text", wraps=head in wrap) for k, head in enumerate(heads))


def by_key(key: str, head: str, unit: str = "", write: Callable[[Any], str] = str, **where: Any) -> Column:
    """A column of rows that have its value under its key."""
    return Column(key, head, itemgetter(key), unit, write, **where)


def _of_ladder(value: Callable[[Candidate], Any]) -> Callable[[Any], Any]:
    return lambda row: None if row.ladder is None else value(row.ladder)


def _no_score(row: CellRow) -> str:
    return "failed" if row.result.finished else "-"


PERCENT = "{:z.2f}".format
TENTHS = "{:z.1f}".format
COUNT = "{:,}".format

CELL = Column("cell", "cell", lambda row: row.cell.label, kind="text")
OVERLAP = Column("overlap_pct", "overlap", lambda row: row.cell.overlap_pct, "%", "{:g}".format)
ORDERS = Column("num_orders", "orders", lambda row: row.cell.num_orders)

SCORE = Column("score", "score", _of_ladder(lambda it: it.score), write="{:.4f}".format, absent=_no_score)
AT_FILLS = Column("max_need", "need at fills", _of_ladder(at_fills), "%", PERCENT)
ON_PATH = Column("max_need_path", "need on path", _of_ladder(on_path), "%", PERCENT)
VARIANCE = Column("var_need", "variance", _of_ladder(lambda it: it.contract["var_need"]), write=PERCENT)
TAIL = Column("tail", "tail", _of_ladder(lambda it: it.contract["tail"]), write=PERCENT)
FIRST_GAP = Column(
    "first_gap_pct", "first gap", _of_ladder(lambda it: it.contract["schedule"]["price_step_pct"][1]), "%", PERCENT
)
LAST_VOLUME = Column(
    "last_volume_pct", "last order", _of_ladder(lambda it: it.contract["schedule"]["volume_pct"][-1]), "%", PERCENT,
    below="first_gap_pct",
)  # fmt: skip
LOSS = Column("loss_at_last_order_pct", "loss", _of_ladder(lambda it: it.risk["loss_at_last_order_pct"]), "%", PERCENT)
ALL_FILLED = Column(
    "chance_all_filled_pct", "all fill", _of_ladder(lambda it: it.risk.get("chance_all_filled_pct")), "%", PERCENT
)
CANDLES = Column(
    "expected_candles", "candles", _of_ladder(lambda it: it.risk.get("expected_candles")),
    write=lambda count: numbers.significant(count, 3),
)  # fmt: skip
AT_WORK = Column(
    "expected_deployed_pct", "at work", _of_ladder(lambda it: it.risk.get("expected_deployed_pct")), "%", TENTHS
)
SHAPE = Column(
    "needpct", "NeedPct", _of_ladder(lambda it: it.contract["schedule"]["needpct"]),
    write=lambda needs: sparkline(needs, SPARK), kind="text",
)  # fmt: skip
SANITY = Column("sanity", "sanity", _of_ladder(lambda it: badges(it.contract["sanity"])), kind="text", wraps=True)
CANDIDATE = Column("candidate_id", "candidate", _of_ladder(lambda it: it.candidate_id), kind="id", below="needpct")

EVALUATIONS = Column("evaluations", "ladders", lambda row: row.result.evaluations, write=COUNT)
TRIALS = Column("trials", "trials", lambda row: row.result.trials, write=COUNT)
PRUNED = Column("pruned", "pruned", lambda row: row.result.pruned, write=COUNT)
EARLY = Column(
    "stopped_early", "early stop", lambda row: row.result.stopped_early, write=lambda early: "yes" if early else "no",
    below="pruned",
)  # fmt: skip
AGREED = Column(
    "agreed", "agree", lambda row: f"{row.result.ends} of {row.result.independent}", kind="text",
    below="pruned",
)  # fmt: skip
PROVED = Column(
    "proved_within_pct", "proved within", lambda row: row.result.proved.get("proved_within_pct"), "%",
    partial(numbers.upwards, decimals=2), seldom=True,
)  # fmt: skip
LOWER = Column(
    "lower_bound", "lower bound", lambda row: row.result.proved.get("lower_bound"),
    write=partial(numbers.downwards, decimals=4), seldom=True,
)  # fmt: skip
FRONT_AT_FILLS = Column("on_front_at_fills", "on front", AT_FILLS.marked)
FRONT_ON_PATH = Column("on_front_on_path", "on front", ON_PATH.marked)

PLACE = Column("rank_in_cell", "rank", lambda row: row.rank)
FOUND = Column("found", "found", _of_ladder(lambda it: it.found))

EXPECTED = (ALL_FILLED, CANDLES, AT_WORK)
"""What to expect of a deal; ladders that a former version stored have none."""

CELLS = (
    *(OVERLAP, ORDERS, SCORE, PROVED, AT_FILLS, ON_PATH),
    *(FIRST_GAP, LAST_VOLUME, EVALUATIONS, TRIALS, PRUNED, AGREED),
)
"""The cells of a run: what the best ladder of each needs, and what the search took."""

RANKED = (PLACE, SCORE, AT_FILLS, ON_PATH, SHAPE, SANITY, FOUND, CANDIDATE)
"""The ladders of one cell, by score; a row is one of :func:`mlab.model.ranking.ranked`."""


ORDER = (
    by_key("order", "order"),
    by_key("price", "price", write=exact),
    by_key("indent_pct", "indent", "%", PERCENT),
    by_key("price_step_pct", "price step", "%", PERCENT),
    by_key("volume_pct", "volume", "%", PERCENT),
    by_key("money_pct", "money", "%", PERCENT, below="volume_pct"),
    by_key("martingale_pct", "martingale", "%", TENTHS),
    by_key("needpct", "NeedPct", "%", PERCENT),
    by_key("need_before_fill", "need before fill", "%", PERCENT),
    by_key("deployed_pct", "deployed", "%", TENTHS),
    by_key("chance_filled_pct", "chance to fill", "%", PERCENT),
)
"""The orders of one ladder, whose rows are those of :func:`order_rows`."""


def order_rows(ladder: Candidate, decimals: int = numbers.PERCENT_DECIMALS) -> list[Json]:
    """One flat row an order: the ladder as it is entered at an exchange, with its needs beside it.

    The volumes, which may be coins, add up to exactly 100 with so many decimals, and so does the money.
    """
    schedule, risk = ladder.contract["schedule"], ladder.risk
    deployed = [0.0, *risk["capital_deployed_pct"]]
    money = [after - before for before, after in pairwise(deployed)]
    percentages = schedule | {key: value for key, value in risk.items() if isinstance(value, list)}
    lists: dict[str, list[Any]] = {"chance_filled_pct": [None] * ladder.cell.num_orders}  # of a former version
    lists |= {key: list(map(numbers.percent, values)) for key, values in percentages.items()}
    lists["order"] = list(range(1, ladder.cell.num_orders + 1))
    lists["price"] = numbers.prices(schedule["order_prices"], schedule["indent_pct"])
    lists["volume_pct"] = numbers.shares(schedule["volume_pct"], decimals)
    lists["money_pct"] = numbers.shares(money, decimals)
    lists["deployed_pct"] = lists["capital_deployed_pct"]
    return [{column.key: lists[column.key][k] for column in ORDER} for k in range(ladder.cell.num_orders)]
