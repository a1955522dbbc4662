"""Speed of the evaluator against the scalar route, in one process, and against the floor of its log and sort.

``python -m benchmarks.evaluator``; where numba is installed also of the score that it compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.record import save, show
from mlab.model.compiled import LADDERS
from mlab.model.ladder import Array
from mlab.model.scoring import CHUNK, evaluate, scores
from mlab.search import malloc
from tests import scalar

ORDERS = 20
REPEATS, ROUNDS = 5, 7
SCALAR_LADDERS = 256


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


def floor(volume: Array) -> None:
    """What no evaluator can do without: a logarithm of every volume, and a sort of every ladder, as fast as they go."""
    for start in range(0, volume.shape[1], CHUNK // ORDERS):
        part = volume[:, start : start + CHUNK // ORDERS]
        np.log(part)
        ordered = np.array(part.T, order="C")
        ordered.sort(axis=1)


def only_arrays(indent: Array, volume: Array) -> Array:
    """The score as where numba is not installed."""
    with LADDERS.trying(None):
        return scores(indent, volume)


def measured(count: int, *, growing: bool) -> dict[str, Any]:
    """One row of the table: batches of ``count`` ladders."""
    indent, volume = ladders(count, growing=growing)
    pairs = list(zip(indent.T.tolist(), volume.T.tolist(), strict=True))[:SCALAR_LADDERS]
    settings = scalar.Settings()
    # In turns, so that all are measured on the machine in the same mood.
    rounds = [
        (
            seconds(lambda: [scalar.contract(i, v, settings) for i, v in pairs]) / len(pairs),
            seconds(lambda: evaluate(indent, volume)) / count,
            seconds(lambda: only_arrays(indent, volume)) / count,
            seconds(lambda: scores(indent, volume)) / count,
            seconds(lambda: floor(volume)) / count,
        )
        for _ in range(ROUNDS)
    ]
    plain, full, score, compiled, bare = (median(times) for times in zip(*rounds, strict=True))
    share = median(c / s for _, _, s, c, _ in rounds)
    row = {
        "volumes": "growing" if growing else "unsorted",
        "batch": count,
        "scalar, ns a ladder": plain * 1e9,
        "evaluate()": full * 1e9,
        "scores()": score * 1e9,
        "floor: log and sort": bare * 1e9,
        "evaluate(): times scalar": median(p / f for p, f, *_ in rounds),
        "scores(): times scalar": median(p / s for p, _, s, *_ in rounds),
        "floor: times scalar": median(p / b for p, *_, b in rounds),
        "share of the floor": f"{median(b / f for _, f, *_, b in rounds):.0%}",
    }
    numba = {"with numba": compiled * 1e9, "share of the score": f"{share:.0%}"}
    return row | (numba if LADDERS.loaded else {})


def main() -> None:
    """Measure, print and save."""
    malloc.keep()
    LADDERS.after(10**12)  # loads them, where they can be had
    rows = [measured(count, growing=growing) for growing in (True, False) for count in (64, 4096)]
    show(f"Evaluator, {ORDERS} orders, median of {ROUNDS} rounds", rows)
    save("evaluator", {"orders": ORDERS, "rows": rows})


if __name__ == "__main__":
    main()
