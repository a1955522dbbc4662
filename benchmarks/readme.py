"""The tables of benchmarks in README.md, docs/search.md and docs/placing.md, from the results that are stored.

``python -m benchmarks.readme`` writes them; a test fails where they are not fresh.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "search.md", ROOT / "docs" / "placing.md")


def quality() -> list[str]:
    """Gaps of the default search by number of orders."""
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
        )
        for group in _stored("quality")["groups"]
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
        for row in _stored("quality")["variants"]
    ]
    return _table(("search", "mean gap", "worst run", "ladders", "CPU s", "s to 0.1 %"), rows)


def methods() -> list[str]:
    """Searches in the same processor time."""
    rows = _stored("refinement")["rows"]
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
            _number(row["floor: log and sort"]),
            row["share of the floor"],
        )
        for row in _stored("evaluator")["rows"]
    ]
    heads = (
        "volumes",
        "plain Python, ns",
        "whole contract, ns",
        "",
        "score alone, ns",
        "",
        "bare log and sort, ns",
        "share",
    )
    return _table(heads, rows)


def _placing(name: str) -> list[str]:
    """What it costs to place ladders, as it was printed."""
    rows = _stored("placing")[name]
    return _table(list(rows[0]), [[_plain(value) for value in row.values()] for row in rows])


def releases() -> list[str]:
    """What a release costs beside an earlier one."""
    stored = _stored("releases")
    rows = stored["rows"]
    heads = ("", *(f"{name}, {stored['commits'][name]}" for name in ("before", "now")), "share")
    return _table(heads, [list(row.values()) for row in rows])


BLOCKS: dict[str, Callable[[], list[str]]] = {
    "quality": quality,
    "variants": variants,
    "methods": methods,
    "evaluator": evaluator,
    "rounding": partial(_placing, "rounding"),
    "small orders": partial(_placing, "small_orders"),
    "placing time": partial(_placing, "time"),
    "releases": releases,
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


def _stored(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())


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
