"""Speed and reach of the proof: ``python -m benchmarks.bound [--cells known|default|table] [--time SECONDS]``.

A backward pass, with arrays and where numba is installed with compiled loops, is measured against a kernel in C that
is compiled here and has to find the same bound: ratios are of processor times in one run, least of several rounds in
turns. Then cells are proved: how near to the best known score, in how many processor seconds. ``known`` are those that
searches are judged on; ``default`` those of the default config; ``table`` five cells of 5 to 40 orders, needs at fills
and on the path, gaps capped and not. Where no score is known the search finds one first, in time that does not count.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np

from benchmarks.cells import Target, searched, targets
from benchmarks.record import save, show
from benchmarks.replay import COMPILE, least
from mlab.config import load
from mlab.model.bound import Prover
from mlab.model.bound.grid import Grid, grid
from mlab.model.bound.lagrangian import NU, TAU, Box, Lagrangian, Tangent, start
from mlab.model.bound.needs import Cost
from mlab.model.bound.programme import backward, drops
from mlab.model.bound.terms import Terms, narrowed
from mlab.model.compiled import BOUNDS, ready

KERNEL = Path(__file__).with_name("bound_kernel.c")
MARKS = (1.0, 0.1)  # percent
PASSES = 20
TIMES = {"known": 10.0, "default": 10.0, "table": 60.0}
"""Processor seconds for each cell of a set, at most."""
SIZES = ("steps", "nodes", "kinds", "rows", "fill")
NUMBERS = ("largest_low", "largest_high", "middle", "spread", "most", "nu", "tau", "least_spread", "constant")


class Setting(ctypes.Structure):
    """As in the kernel."""

    _fields_ = [(name, ctypes.c_int64) for name in SIZES] + [(name, ctypes.c_double) for name in NUMBERS]


def kernel(folder: Path) -> Callable[[Lagrangian, Grid], float]:
    """The pass in C, for volumes in money."""
    library = folder / "kernel.so"
    subprocess.run([*COMPILE, "-o", library, KERNEL, "-lm"], check=True)  # noqa: S603
    compiled = ctypes.CDLL(str(library)).backward
    compiled.restype = ctypes.c_double

    def run(lagrangian: Lagrangian, nodes: Grid) -> float:
        terms, box, x = lagrangian.terms, lagrangian.box, lagrangian.x
        low, _ = Cost.of(lagrangian, nodes.u).curvature()
        assert (low > 0.0).all(), "the kernel knows convex costs only"
        setting = Setting(
            terms.steps, nodes.u.shape[1], nodes.windows.shape[1], nodes.g.shape[1], terms.need == "fill",
            *box.largest, box.middle, terms.spread / terms.orders, 1.0 - terms.floor, x[NU], x[TAU],
            terms.least_spread, lagrangian.constant,
        )  # fmt: skip
        over = lagrangian.over
        weights = [lagrangian.factor, lagrangian.own, lagrangian.price, lagrangian.average, over, over]
        tables = [np.stack(weights, axis=1), low, nodes.u, nodes.step, nodes.cost, nodes.share, nodes.g]
        tables += [drops(lagrangian, nodes), nodes.windows, lagrangian.wave, nodes.most_growth]
        tables.append(nodes.asked.spread(nodes.asked.most))
        held = [np.ascontiguousarray(table) for table in tables]
        return float(compiled(ctypes.byref(setting), *(ctypes.c_void_p(table.ctypes.data) for table in held)))

    return run


def against_c(target: Target, run: Callable[[Lagrangian, Grid], float]) -> dict[str, Any]:
    """One row: a pass in Python and in C, with the multipliers that a proof begins with."""
    terms = Terms.of(target.space)
    windows = narrowed(terms, terms.windows)
    assert windows is not None
    nodes = grid(terms, windows, 0.02)
    top = target.best / terms.largest
    tangent = Tangent((0.3 * terms.overlap, 0.15 * terms.overlap), 0.95, 0.95)
    box = Box((0.8 * top, 0.9 * top), (0.3 * top, 0.8 * top), windows, tangent)
    x = start(terms, target.best)
    x[-terms.steps :] = 0.5 * terms.largest / terms.steps
    lagrangian = Lagrangian.of(terms, box, x)
    assert abs(backward(lagrangian, nodes).bound - run(lagrangian, nodes)) < 1e-7

    def passes() -> None:
        for _ in range(PASSES):
            backward(Lagrangian.of(terms, box, x), nodes)

    arrays = BOUNDS.trying(None)(passes)
    slow, fast, c = least(arrays, passes, lambda: [run(lagrangian, nodes) for _ in range(PASSES)], rounds=3)
    row = {"cell": target.label, "ms in C": c / PASSES * 1e3, "ms": slow / PASSES * 1e3, "times C": slow / c}
    return row | ({"ms with numba": fast / PASSES * 1e3, "times C with numba": fast / c} if ready() else {})


def proved(target: Target, most_s: float) -> dict[str, Any]:
    """One row: how near, and when."""
    prover, began = Prover(target.space, within_pct=min(MARKS)), process_time()
    when: dict[str, Any] = {f"s to {mark:g} %": None for mark in MARKS}
    seconds = 0.0
    while not prover.complete and not prover.stuck and seconds < most_s:
        prover.advance(target.best, boxes=1)
        seconds = process_time() - began
        for mark in MARKS:
            if prover.lower >= target.best * (1.0 - mark / 100.0) and when[f"s to {mark:g} %"] is None:
                when[f"s to {mark:g} %"] = round(seconds, 2)
    return {
        "cell": target.label,
        "orders": target.row["num_orders"],
        "best known": target.best,
        "lower": prover.lower,
        "within %": (target.best - prover.lower) / target.best * 100.0,
        **when,
        "boxes": prover.boxes,
        "s": round(seconds, 1),
        "own ladder %": (prover.ladder_score / target.best - 1.0) * 100.0,
    }


def cells(name: str) -> Iterator[Target]:
    """Those of a set."""
    known = {target.label: target for target in targets()}
    if name == "known":
        yield from known.values()
        return
    config = load(None, [])
    kinds = [(config.score.need, config.ladder.limits.max_gap_ratio)]
    sizes = [(cell.overlap_pct, cell.num_orders) for cell in config.cells()]
    if name == "table":
        kinds = [("fill", None), ("fill", 2.5), ("path", None), ("path", 2.5)]
        sizes = [(10.0, 5), (20.0, 10), (20.0, 20), (40.0, 30), (60.0, 40)]
    for (overlap, orders), (need, cap) in product(sizes, kinds):
        row = {"overlap_pct": overlap, "num_orders": orders, "sizing": "quote", "need": need, "max_gap_ratio": cap}
        target = Target(row, ours=True)
        yield known.get(target.label) or Target(row | {"best_J": _best(target)}, ours=True)


def _best(target: Target) -> float:
    best = searched(target.config(seed=42)).best
    assert best is not None
    return best.score


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", choices=TIMES, default="known")
    parser.add_argument("--time", type=float, help="processor seconds for each cell, at most; 60 for table, else 10")
    asked = parser.parse_args()
    chosen, most_s = list(cells(asked.cells)), asked.time or TIMES[asked.cells]
    with TemporaryDirectory() as name:
        run = kernel(Path(name))
        money = [target for target in chosen if target.row["sizing"] == "quote" and target.row["num_orders"] <= 30]
        money = [target for target in money if target.row["overlap_pct"] <= 60]  # beyond, not all costs are convex
        passes = [against_c(target, run) for target in money]
    show("A backward pass", passes)
    rows = []
    for target in chosen:
        rows.append(proved(target, most_s))
        print(*rows[-1].values(), flush=True)
    show(f"Proved in {most_s:g} s at most, {'with' if ready() else 'without'} numba", rows)
    near = sum(row["within %"] <= min(MARKS) for row in rows)
    print(f"{near} of {len(rows)} cells proved within {min(MARKS):g} %")
    name = "bound" if asked.cells == "known" else f"bound_{asked.cells}"
    save(name, {"most_s": most_s, "numba": bool(ready()), "passes": passes, "proved": rows})


if __name__ == "__main__":
    main()
