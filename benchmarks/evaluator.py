"""Speed of the evaluator against the scalar route, in one process, and against the floor of its log and sort.

``python -m benchmarks.evaluator``
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.record import save, show
from mlab.ladder import Array
from mlab.scoring import Objective, Wave, evaluate, scores
from tests import scalar

ORDERS = 20
REPEATS = 15
SCALAR_LADDERS = 256
OBJECTIVE = Objective("quote", "fill", 0.5, 0.3, 0.2, 0.1, Wave(50.0, 10.0), 40.0, 0.05)


def ladders(count: int, *, growing: bool) -> tuple[Array, Array]:
    """Random ladders; where volumes only grow, the Gini needs no sort, as in the search."""
    random = np.random.default_rng(1)
    indent = np.cumsum(random.random((ORDERS, count)), axis=0)
    indent *= 20.0 / indent[-1]
    volume = random.uniform(1.0, 3.0, size=(ORDERS, count))
    return indent, np.asarray(np.cumprod(volume**0.3, axis=0)) if growing else volume


def seconds(action: Callable[[], object]) -> float:
    """Median time of several calls, each long enough to be measured."""
    action()
    began = perf_counter()
    action()
    calls = max(1, int(0.02 / max(perf_counter() - began, 1e-7)))
    times = []
    for _ in range(REPEATS):
        began = perf_counter()
        for _ in range(calls):
            action()
        times.append((perf_counter() - began) / calls)
    return median(times)


def floor(indent: Array, volume: Array) -> None:
    """The two dearest steps that any evaluator has: a logarithm of every share and a sort of every ladder."""
    np.log(volume)
    np.sort(volume, axis=0)
    np.divide(indent, 100.0)


def measured(count: int, *, growing: bool) -> list[dict[str, Any]]:
    """Rows of the table for batches of ``count`` ladders."""
    indent, volume = ladders(count, growing=growing)
    pairs = list(zip(indent.T.tolist(), volume.T.tolist(), strict=True))[:SCALAR_LADDERS]
    settings = scalar.Settings()
    plain = seconds(lambda: [scalar.contract(i, v, settings) for i, v in pairs]) / len(pairs)
    routes: dict[str, Callable[[], object]] = {
        "scalar route": lambda: None,
        "evaluate()": lambda: evaluate(indent, volume, OBJECTIVE),
        "scores()": lambda: scores(indent, volume, OBJECTIVE),
        "floor: log and sort": lambda: floor(indent, volume),
    }
    each = {name: seconds(route) / count for name, route in routes.items()} | {"scalar route": plain}
    kind = "growing" if growing else "unsorted"
    return [
        {
            "volumes": kind,
            "batch": count,
            "route": name,
            "µs a ladder": time * 1e6,
            "ladders/s": 1.0 / time,
            "times scalar": plain / time,
        }
        for name, time in each.items()
    ]


def main() -> None:
    """Measure, print and save."""
    rows = [row for growing in (True, False) for count in (64, 4096) for row in measured(count, growing=growing)]
    show(f"Evaluator, {ORDERS} orders, median of {REPEATS}", rows)
    save("evaluator", {"orders": ORDERS, "rows": rows})


if __name__ == "__main__":
    main()
