"""How close the whole search comes on its default budget, and how soon: ``python -m benchmarks.quality [SEEDS]``.

Times are processor time of the whole engine: search, Optuna, evaluation in full, and the database. What is proved of
the best known is what ``python -m benchmarks.bound`` has stored.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from statistics import mean, median
from typing import Any

from benchmarks.cells import Target, searched, targets
from benchmarks.record import save, saved, show
from mlab.core.records import Cell, CellResult, Json

MARKS = (1.0, 0.1)
"""Gaps in percent that the search is timed to."""

VARIANTS: dict[str, tuple[str, ...]] = {
    "TPE, median pruner (default)": (),
    "TPE, no pruner": ("search.pruner=none",),
    "random, median pruner": ("search.sampler=random",),
    "random, no pruner": ("search.sampler=random", "search.pruner=none"),
}
"""What Optuna's sampler and pruner add: the same search without them."""


SIZES = {"up to 10": range(11), "11 to 20": range(11, 21), "21 to 40": range(21, 41), "41 to 60": range(41, 61)}
"""Numbers of orders that are told of together."""


class Curve:
    """The best score after each batch of one cell, with ladders and processor seconds so far."""

    def __init__(self) -> None:
        self._began = time.process_time()
        self._ladders = 0
        self.points: list[tuple[float, int, float]] = []

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Note one batch."""
        del cell, index
        self._ladders += evaluations
        if best_score is not None:
            self.points.append((best_score, self._ladders, time.process_time() - self._began))

    def cell_done(self, result: CellResult) -> None:
        """Ignore."""

    def until(self, score: float) -> tuple[float, float]:
        """Ladders and seconds until a score was reached; infinite where it never was."""
        reached = (point[1:] for point in self.points if point[0] <= score)
        return next(reached, (float("inf"), float("inf")))


def measured(target: Target, seeds: Sequence[int], *overrides: str) -> Json:
    """Gap over the seeds, and what the search took; "until" is up to the end of the batch that got there."""
    curves, found = [], []
    for seed in seeds:
        curve = Curve()
        found.append(searched(target.config(seed, *overrides), curve))
        curves.append(curve)
    gaps = [(result.best.score / target.best - 1.0) * 100.0 if result.best else float("inf") for result in found]
    row: dict[str, Any] = {
        "cell": target.label,
        "orders": target.row["num_orders"],
        "best known": "ours" if target.ours else "theirs",
        "gap % (median)": median(gaps),
        "gap % (worst)": max(gaps),
        "ladders": median(result.evaluations for result in found),
        "CPU s": median(curve.points[-1][2] for curve in curves),
    }
    for mark in MARKS:
        reached = [curve.until(target.best * (1.0 + mark / 100.0)) for curve in curves]
        row |= {f"ladders to {mark:g} %": median(ladders for ladders, _ in reached)}
        row |= {f"s to {mark:g} %": median(seconds for _, seconds in reached)}
    return row


def proved_within_pct(orders: range) -> float:
    """How near the best known of the cells of so many orders are proved to be to the best possible: the median."""
    return median(row["within %"] for row in saved("bound")["proved"] if row["orders"] in orders)


def by_size(rows: Sequence[Json]) -> list[Json]:
    """The rows in groups of like numbers of orders."""
    groups = {name: [row for row in rows if row["orders"] in size] for name, size in SIZES.items()}
    return [
        {
            "orders": name,
            "cells": len(group),
            "median gap %": median(row["gap % (median)"] for row in group),
            "largest median %": max(row["gap % (median)"] for row in group),
            "worst run %": max(row["gap % (worst)"] for row in group),
            "ladders": median(row["ladders"] for row in group),
            "CPU s": median(row["CPU s"] for row in group),
            **{f"s to {mark:g} %": median(row[f"s to {mark:g} %"] for row in group) for mark in MARKS},
        }
        for name, group in groups.items()
        if group
    ]


def compared(seeds: Sequence[int]) -> list[Json]:
    """The variants on the cells of 20 orders and more, where one may differ from another."""
    hard = [target for target in targets() if target.row["num_orders"] >= 20]
    table = []
    for name, overrides in VARIANTS.items():
        rows = [measured(target, seeds, *overrides) for target in hard]
        table.append(
            {
                "variant": name,
                "mean gap %": mean(row["gap % (median)"] for row in rows),
                "worst run %": max(row["gap % (worst)"] for row in rows),
                "ladders": mean(row["ladders"] for row in rows),
                "CPU s": mean(row["CPU s"] for row in rows),
                "s to 0.1 %": median(row["s to 0.1 %"] for row in rows),
            }
        )
    return table


def main() -> None:
    """Print and record; an argument sets the number of seeds, 5 unless given."""
    seeds = range(42, 42 + int(sys.argv[1] if len(sys.argv) > 1 else 5))
    rows = [measured(target, seeds) for target in targets()]
    groups = by_size(rows)
    show(f"Default search budget, {len(seeds)} seeds", rows)
    near = [{"proved within % (median)": proved_within_pct(SIZES[group["orders"]])} for group in groups]
    show("By number of orders", [group | within for group, within in zip(groups, near, strict=True)])
    variants = compared(seeds[:3])
    show(f"What Optuna adds, cells of 20 orders and more, {len(seeds[:3])} seeds", variants)
    save("quality", {"seeds": len(seeds), "rows": rows, "groups": groups, "variants": variants})


if __name__ == "__main__":
    main()
