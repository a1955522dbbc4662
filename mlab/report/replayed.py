"""Replays as people and programs read them: ladders of one cell beside the classical ones, and what to doubt.

Columns stand in one order, and nothing is sorted or coloured by what it earned: realised profit rises with the risk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from rich.console import Console
from rich.text import Text

from mlab.core.records import Json
from mlab.replay import Beside, ExitRule, Fees, Outcome, Replayed
from mlab.replay.beside import cell_label
from mlab.report import numbers, terminal
from mlab.report.columns import COUNT, TENTHS, Column

Part: TypeAlias = tuple[str, Json, Sequence[Beside]]
"""A stretch of prices by its name, empty where it is all there is, what prices they are, and what was replayed there.

What they are is told as :meth:`mlab.prices.Candles.to_dict` has it.
"""

LEGEND = (
    "Beside them the classical ladders of the same depth and number of orders: equal steps and equal sizes; and, as "
    "bots of 3Commas have them, a volume scale of 1.2 or 1.5 over a step scale of 1.2. Same exposure held is what "
    "holding would have earned with as much money as was at work on average.",
    "One history is one draw, and nothing here is a ranking: realised profit rises with the risk that is taken, the "
    "total with the drift of the market.",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a ladder, or an end of its interval."""

    name: str
    outcome: Outcome
    is_end: bool = False


def _column(key: str, head: str, unit: str = "", write: Callable[[Any], str] = TENTHS, scale: float = 1.0) -> Column:
    return Column(key, head, lambda row: float(getattr(row.outcome, key)) * scale, unit, write)


def _whole(value: float) -> str:
    return COUNT(round(value))


def _depths(row: Row) -> str | None:
    return None if row.is_end else " ".join(map(str, row.outcome.depth_counts.tolist()))


NAME = Column("name", "ladder", lambda row: row.name, kind="text", wraps=True)
STOPS = _column("stops", "stopped deals", write=_whole)

MONEY = (
    NAME,
    _column("total_pct", "total", "%"),
    _column("max_drawdown_pct", "largest drawdown", "%"),
    _column("longest_deal_candles", "longest deal candles", write=_whole),
    _column("all_filled_share", "all filled", "% of time", scale=100.0),
    _column("deployed_share", "deployed", "%", scale=100.0),
    _column("same_exposure_pct", "same exposure held", "%"),
)
"""What a ladder did with money and time. A row is a :class:`Row`."""

DEALS = (
    NAME,
    _column("deals", "deals ended", write=_whole),
    _column("realised_pct", "realised", "%"),
    _column("median_deal_candles", "median deal candles", write=_whole),
    _column("slow_deal_candles", "95 % up to candles", write=_whole),
    Column("depth_counts", "took profit after order 1, 2, ..", _depths, absent=lambda _row: "", kind="text",
           wraps=True),
    _column("worst_deal_pct", "worst deal", "%"),
    Column("open_depth", "open deal orders", lambda row: None if row.is_end else int(row.outcome.open_depth),
           absent=lambda _row: ""),
    _column("open_marked_pct", "marked", "%"),
)  # fmt: skip
"""What its deals were."""


def deal_columns(rule: ExitRule) -> tuple[Column, ...]:
    """Columns of deals: those that were stopped among them where there is a stop."""
    return DEALS if rule.stop_pct is None else (*DEALS, STOPS)


def rows(group: Beside) -> list[Row]:
    """A row a ladder, the classical ones last, each followed by the two ends of its interval."""
    named = [(str(number), one) for number, one in enumerate(group.ladders, start=1)]
    named += [(one.plan.name, one) for one in group.classical]
    found = []
    for name, one in named:
        found.append(Row(name, one.outcome))
        ends = zip(("- 5 %", "- 95 %"), one.ends or (), strict=False)
        found += [Row(end_name, end, is_end=True) for end_name, end in ends]
    return found


def show(out: Console, first: Sequence[str], parts: Sequence[Part], fees: Fees, histories: int) -> None:
    """Print replays, stretch by stretch, after what is to be said first."""
    for sentence in (*first, terms(fees, histories, [group for _, _, groups in parts for group in groups])):
        terminal.prose(out, sentence)
    for name, prices, groups in parts:
        out.print()
        terminal.prose(out, terminal.writable(out, f"{name}  {prices_in_words(prices)}".strip()))
        for sentence in prices["warnings"]:
            terminal.prose(out, sentence)
        for group in groups:
            out.print()
            _show(out, group)
    out.print()
    for sentence in LEGEND:
        terminal.prose(out, sentence)


def _show(out: Console, group: Beside) -> None:
    out.print(Text(title(group), style="bold"), soft_wrap=True)
    for number, one in enumerate(group.ladders, start=1):
        terminal.line(out, terminal.writable(out, f"{number}  {one.plan.name}"))
    for shown in (MONEY, deal_columns(group.rule)):
        out.print()
        terminal.table(out, shown, rows(group))
    if group.doubts:
        out.print()
        for sentence in group.doubts:
            terminal.prose(out, terminal.writable(out, sentence))


def title(group: Beside) -> str:
    """Which cell, and when deals end: ``20 % x 10, take profit 1 %``."""
    stop = "" if group.rule.stop_pct is None else f", stop {group.rule.stop_pct:g} % below the last order"
    return f"{group.cell}, take profit {group.rule.take_profit_pct:g} %{stop}"


def prices_in_words(prices: Json) -> str:
    """Which prices: ``msft: 3,270 candles of 1 day, 2000-03-01 to 2013-03-01, c34af161f7fd``."""
    first, last = prices["first"][:10], prices["last"][:10]
    told = f"{prices['name']}: {prices['candles']:,} candles of {prices['step']}, {first} to {last}, {prices['hash']}"
    return told + ("; made, nobody ever paid them" if prices["made"] else "")


def terms(fees: Fees, histories: int, groups: Iterable[Beside]) -> str:
    """Under which conditions, and what the intervals are, where some of the groups have them."""
    told = (
        f"Fees {fees.maker_pct:g} % maker, {fees.taker_pct:g} % taker. Percents are of the budget, which is spent anew"
    )
    told += " by every deal."
    if any(one.ends for group in groups for one in group.ladders):
        of = "history" if histories == 1 else "histories"
        told += f" 5 % and 95 %: nine tenths of {histories} {of} of weeks drawn anew lie between."
    return told


# for programs --------------------------------------------------------------------------------------------


INTERVALS = [
    column.key for column in (*MONEY, *DEALS, STOPS) if column.key not in {"name", "depth_counts", "open_depth"}
]


def record(replayed: Replayed) -> Json:
    """What one ladder did, in plain JSON values: every number of its outcome, those of the open deal together."""
    found: Json = {
        "candidate_id": replayed.plan.name,
        "cell": cell_label(replayed.plan),
        "take_profit_pct": replayed.rule.take_profit_pct,
        "stop_pct": replayed.rule.stop_pct,
    }
    for name in (field.name for field in fields(Outcome)):
        value = getattr(replayed.outcome, name)
        told = _percent(value) if name.endswith("_pct") else value.tolist()
        if name.startswith("open_"):
            found.setdefault("open_deal", {})[name.removeprefix("open_")] = told
        else:
            found[name] = told
    if replayed.ends:
        found["intervals"] = {key: [_percent(getattr(end, key)) for end in replayed.ends] for key in INTERVALS}
    return found


def _percent(value: Any) -> float:
    return numbers.percent(float(value))


def warnings(parts: Sequence[Part]) -> list[str]:
    """What is odd about the prices, and what to doubt of each group, for who reads no table."""
    told: list[str] = []
    for _, prices, groups in parts:
        told += prices["warnings"]
        told += [f"{group.cell}: {doubt}" for group in groups for doubt in group.doubts]
    return told


def records(parts: Sequence[Part]) -> list[Json]:
    """One object a ladder and exit rule; the classical ladders of its cell stand in it, and what to doubt."""
    found = []
    for name, _, groups in parts:
        for group in groups:
            beside = {"classical": [record(one) for one in group.classical], "warnings": list(group.doubts)}
            where = {"part": name} if name else {}
            found += [record(one) | where | beside for one in group.ladders]
    return found


def flat(parts: Sequence[Part]) -> list[Json]:
    """One flat row a ladder and exit rule, the classical ladders among them."""
    found = []
    for name, prices, groups in parts:
        where = ({"part": name} if name else {}) | {"prices": prices["hash"]}
        for group in groups:
            found += [where | {"kind": "ladder"} | _flat(record(one)) for one in group.ladders]
            found += [where | {"kind": "classical"} | _flat(record(one)) for one in group.classical]
    return found


def _flat(told: Json) -> Json:
    open_deal, ends = told.pop("open_deal"), told.pop("intervals", {})
    told["depth_counts"] = " ".join(map(str, told["depth_counts"]))
    told |= {f"open_{key}": value for key, value in open_deal.items()}
    return told | {f"{key}_{end}": pair[k] for key, pair in ends.items() for k, end in enumerate(("from", "to"))}
