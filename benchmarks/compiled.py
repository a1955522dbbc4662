"""What numba brings a search, where it is installed: ``python -m benchmarks.compiled [PAIRS]``.

First the refinement of one batch, by cells: processor time a ladder with arrays and with loops, in turns. Then whole
commands, ``python -m flows.run`` on a grid of cells, with numba switched off and with it, in turns: loading included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from benchmarks.record import save, show
from benchmarks.workers import fingerprint
from mlab.core.records import Cell, Json
from mlab.core.state import State
from mlab.model.annealing import Refinement, Shape, Start
from mlab.model.compiled import LADDERS
from mlab.model.limits import Limits
from mlab.model.objective import Objective, Score
from mlab.model.space import Space
from mlab.search import malloc

ORDERS = (5, 10, 20, 40, 60)
TRIALS, GENERATIONS, ROUNDS = 16, 2, 9
GRID = ("ladder.overlap_pct={min: 10, max: 60, step: 10}", "ladder.num_orders={min: 8, max: 32, step: 8}")


def refined(space: Space) -> float:
    """Seconds of processor time for one ladder of a batch."""
    starts = [Start(temperature=2e-3, stride=0.2, shape=Shape(place, width=0.3)) for place in np.linspace(0, 1, TRIALS)]
    refinement = Refinement(space, starts, None, np.random.SeedSequence(1))
    began = time.process_time()
    for _ in range(GENERATIONS):
        refinement.generation()
    return (time.process_time() - began) / float(refinement.evaluations.sum())


def batch(orders: int, *, capped: bool) -> Json:
    """One row of the first table."""
    limits = Limits() if capped else Limits(max_gap_ratio=None)
    space = Space.of(Cell(0, 30.0, orders), Objective(Score(need="fill" if capped else "path"), limits))
    refined(space)  # what is compiled is compiled then
    rounds = []
    for _ in range(ROUNDS):
        with LADDERS.trying(None):
            arrays = refined(space)
        rounds.append((arrays, refined(space)))
    arrays, loops = (1e9 * median(times) for times in zip(*rounds, strict=True))
    ratio = median(one / two for one, two in rounds)
    kind = "fill, gaps capped" if capped else "path"
    return {"orders": orders, "needs": kind, "arrays, ns": arrays, "with numba, ns": loops, "times": ratio}


def command(mode: str) -> Json:
    """One whole run in a state folder of its own: seconds, those of processors, and a hash over all that it found."""
    with tempfile.TemporaryDirectory() as folder:
        hidden = "sys.modules['numba'] = None; " if mode == "arrays" else ""
        program = f"import runpy, sys; {hidden}runpy.run_module('flows.run', run_name='__main__')"
        call = [sys.executable, "-c", program, "--json", "--offline"]
        call += [part for field in GRID for part in ("--set", field)]
        began, before = time.perf_counter(), psutil.Process().cpu_times()
        answer = subprocess.run(call, env=os.environ | {"MLAB_STATE_DIR": folder}, capture_output=True, check=True)  # noqa: S603 - our own
        seconds, after = time.perf_counter() - began, psutil.Process().cpu_times()
        spent = sum(getattr(after, key) - getattr(before, key) for key in ("children_user", "children_system"))
        run = json.loads(answer.stdout)
        found = fingerprint(State(Path(folder)), run["run_id"])
        return {"mode": mode, "cells": len(run["cells"]), "CPU s": spent, "command s": seconds, "found": found}


def ratios(rows: Sequence[Json]) -> Json:
    """How many times less the run with numba takes, of rows in which arrays and numba take turns."""
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    return {key: median(one[key] / two[key] for one, two in pairs) for key in ("CPU s", "command s")}


def main() -> None:
    """Print and record; an argument sets the number of pairs of commands, 3 unless given."""
    pairs = int(sys.argv[1] if len(sys.argv) > 1 else 3)
    if LADDERS.after(10**12) is None:
        sys.exit("numba is needed: .venv/bin/python -m pip install --editable '.[compiled]'")
    malloc.keep()
    batches = [batch(orders, capped=capped) for capped in (True, False) for orders in ORDERS]
    show(f"Refinement of {TRIALS} trials, processor time a ladder, median of {ROUNDS} rounds", batches)
    command("numba")  # keeps what is compiled
    rows = [command(mode) for _ in range(pairs) for mode in ("arrays", "numba")]
    show("Whole commands in turn", [row | {"found": row["found"][:12]} for row in rows])
    if len({row["found"] for row in rows}) > 1:
        sys.exit("the two found different ladders")
    times = ratios(rows)
    show("Median over the pairs, which found the same", [times])
    save("compiled", {"batches": batches, "rows": rows, "times": times})


if __name__ == "__main__":
    main()
