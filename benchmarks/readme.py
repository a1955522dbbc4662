"""The tables of benchmarks in README.md and pages of docs/, from the results that are stored.

``python -m benchmarks.readme`` writes them; a test fails where they are not fresh.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.quality import SIZES, proved_within_pct
from benchmarks.record import saved

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("search", "placing", "replay")))


def quality() -> list[str]:
    """Gaps of the default search by number of orders, and how near to the best possible the best known is proved."""
    heads = (
        "orders",
        "cells",
        "median gap",
        "largest median",
        "worst run",
        "ladders",
        "CPU s",
        "s to 1 %",
        "s to 0.1 %",
        "proved within",
    )
    rows = [
        (
            group["orders"],
            group["cells"],
            _percent(group["median gap %"]),
            _percent(group["largest median %"]),
            _percent(group["worst run %"]),
            _number(group["ladders"]),
            _number(group["CPU s"]),
            _number(group["s to 1 %"]),
            _number(group["s to 0.1 %"]),
            _percent(proved_within_pct(SIZES[group["orders"]])),
        )
        for group in saved("quality")["groups"]
    ]
    return _table(heads, rows)


def variants() -> list[str]:
    """What Optuna's sampler and pruner add."""
    rows = [
        (
            row["variant"],
            *(_percent(row[key]) for key in ("mean gap %", "worst run %")),
            *(_number(row[key]) for key in ("ladders", "CPU s", "s to 0.1 %")),
        )
        for row in saved("quality")["variants"]
    ]
    return _table(("search", "mean gap", "worst run", "ladders", "CPU s", "s to 0.1 %"), rows)


def methods() -> list[str]:
    """Searches in the same processor time."""
    rows = saved("refinement")["rows"]
    gaps = [key for key in rows[0] if key.startswith("gap % at")]
    shares = ("within 1 %", "median s", "within 0.1 %", "median s")
    heads = ("method", *(key.removeprefix("gap % ") for key in gaps), "worst", *shares, "ladders a second")
    table = [
        (
            row["method"],
            *(_percent(row[key]) for key in (*gaps, "worst %")),
            *(value for mark in ("1 %", "0.1 %") for value in (row[f"within {mark}"], _number(row[f"s to {mark}"]))),
            _number(row["ladders/s"]),
        )
        for row in rows
    ]
    return _table(heads, table)


def evaluator() -> list[str]:
    """The evaluator against plain Python."""
    rows = [
        (
            f"{row['volumes']}, {row['batch']:,} at a time",
            _number(row["scalar, ns a ladder"]),
            _number(row["evaluate()"]),
            f"{row['evaluate(): times scalar']:.0f} x",
            _number(row["scores()"]),
            f"{row['scores(): times scalar']:.0f} x",
            _number(row.get("with numba")),
            row.get("share of the score", "-"),
            _number(row["floor: log and sort"]),
            row["share of the floor"],
        )
        for row in saved("evaluator")["rows"]
    ]
    heads = (
        "volumes",
        "plain Python, ns",
        "whole contract, ns",
        "",
        "score alone, ns",
        "",
        "with numba, ns",
        "share",
        "bare log and sort, ns",
        "share",
    )
    return _table(heads, rows)


def compiled() -> list[str]:
    """What numba brings a search."""
    rows = [
        (
            row["orders"],
            row["needs"],
            *(_number(row[key]) for key in ("arrays, ns", "with numba, ns")),
            f"{row['times']:.1f} x",
        )
        for row in saved("compiled")["batches"]
    ]
    return _table(("orders", "needs", "CPU of a ladder, ns", "with numba", ""), rows)


def compiled_runs() -> list[str]:
    """What it brings whole runs."""
    stored = saved("compiled")
    cells, times = stored["rows"][0]["cells"], stored["times"]
    seconds = {mode: [row for row in stored["rows"] if row["mode"] == mode] for mode in ("arrays", "numba")}
    spent, took = (
        [_number(median(row[key] for row in seconds[mode])) for mode in seconds] for key in ("CPU s", "command s")
    )
    return [
        f"A whole run of {cells} cells, loading included, takes {spent[1]} CPU s in the place of {spent[0]}, "
        f"{times['CPU s']:.1f} times less, and {took[1]} s in the place of {took[0]}."
    ]


def _placing(name: str) -> list[str]:
    """What it costs to place ladders, as it was printed."""
    rows = saved("placing")[name]
    return _table(list(rows[0]), [[_plain(value) for value in row.values()] for row in rows])


def releases() -> list[str]:
    """What a release costs beside an earlier one."""
    stored = saved("releases")
    rows = stored["rows"]
    heads = ("", *(f"{name}, {stored['commits'][name]}" for name in ("before", "now")), "share")
    return _table(heads, [list(row.values()) for row in rows])


def replay_speed() -> list[str]:
    """The replay against a kernel in C, and how much it takes where there is most to do."""
    stored = saved("replay")
    long, both = stored["five_years"], stored["others"]["two processes do"]
    rows = [
        (row["candles"], *map(_number, list(row.values())[1:5]), *(f"{times:.2f}" for times in list(row.values())[5:]))
        for row in stored["rows"]
    ]
    numba = "with numba"
    heads = ("4,096 ladders", "deals a ladder", "ladders a second", numba, "in C", "time over that in C", numba)
    told = f"Five years of minutes: {_number(long['ladders a second'])} ladders a second, in {long['peak MB']} MB."
    return [*_table(heads, rows), "", f"{told} Two processes do {both:.2f} times what one does."]


def replay_events() -> list[str]:
    """What candles cost in a replay, and what deals do."""
    keys = ("s", "ns a candle and ladder")
    rows = [
        (row["candles"], f"{row['take-profit %']:g} %", _number(row["deals"]), *(f"{row[key]:.2g}" for key in keys))
        for row in saved("replay")["events"]
    ]
    return _table(("4,096 ladders", "take-profit", "deals", "CPU s", "ns a candle and ladder"), rows)


def replay_peers() -> list[str]:
    """What one ladder takes here and in other engines."""
    stored = saved("replay")
    others, year = stored["others"], stored["rows"][0]
    many, many_compiled = 1.0 / year["ladders a second"], 1.0 / year["with numba"]
    vectorbt = f"vectorbt {others['versions']['vectorbt']}"
    times = {
        "this one, one of 4,096, all numbers": many,
        "this one, one of 4,096, with numba": many_compiled,
        "this one, one alone, its deals": others["deals_s"],
        "this one, one alone, its deals, with numba": others["deals_compiled_s"],
        "this one, one alone, all numbers": others["replay_s"],
        "this one, one alone, all numbers, with numba": others["replay_compiled_s"],
        f"{vectorbt}, one alone, its orders": others["vectorbt_s"],
        f"{vectorbt}, one alone, with total return and largest drawdown": others["vectorbt_with_numbers_s"],
        f"{vectorbt}, one of 64 columns, with the same": others["vectorbt_column_s"],
        f"backtesting.py {others['versions']['backtesting']}, one alone": others["backtesting_s"],
    }
    for peer in ("nautilus", "freqtrade"):
        if f"{peer}_s" in others:
            times[f"{peer} {others[f'{peer}_version']}, one alone"] = others[f"{peer}_s"]
    units = (many, many_compiled, others["deals_s"], others["deals_compiled_s"])
    rows = [(name, f"{taken * 1e3:.3g}", *(f"{taken / unit:,.3g}" for unit in units)) for name, taken in times.items()]
    one, numba = "over the deals of one alone", "with numba"
    return _table(("engine", "CPU ms a ladder", "over one of 4,096", numba, one, numba), rows)


BLOCKS: dict[str, Callable[[], list[str]]] = {
    "quality": quality,
    "variants": variants,
    "methods": methods,
    "evaluator": evaluator,
    "compiled": compiled,
    "compiled runs": compiled_runs,
    "rounding": partial(_placing, "rounding"),
    "small orders": partial(_placing, "small_orders"),
    "placing time": partial(_placing, "time"),
    "releases": releases,
    "replay speed": replay_speed,
    "replay events": replay_events,
    "replay peers": replay_peers,
}


def fresh(page: str) -> str:
    """A page with every block between its markers made anew."""
    for name, block in BLOCKS.items():
        start, end = f"<!-- benchmark: {name} -->", "<!-- end -->"
        if start not in page:
            continue
        text = "\n".join([start, *block(), end])
        page = re.sub(f"{re.escape(start)}.*?{re.escape(end)}", lambda _, text=text: text, page, flags=re.DOTALL)
    return page


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(map(str, line))} |" for line in (heads, *rows)]
    return [lines[0], "|---|" + "---:|" * (len(heads) - 1), *lines[1:]]


def _percent(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:z.3f} %" if value < 10 else f"{value:.0f} %"


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def main() -> None:
    """Write the pages."""
    for page in PAGES:
        page.write_text(fresh(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
