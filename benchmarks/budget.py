"""Gap to the best ladders known, for the whole search on its default budget: ``python -m benchmarks.budget``."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.record import save, show
from mlab import engine
from mlab.config import Config, load
from mlab.identity import State
from mlab.records import Cell, CellResult, Json
from mlab.store import Store

BEST_KNOWN = Path(__file__).parent.parent / "tests" / "data" / "best_known.json"


class Nobody:
    """Watches nothing."""

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Ignore."""

    def cell_done(self, result: CellResult) -> None:
        """Ignore."""


def config(row: Json, seed: int) -> Config:
    """The built-in defaults on the cell of one row."""
    cap = "null" if row["max_gap_ratio"] is None else row["max_gap_ratio"]
    return load(
        None,
        [
            f"seed={seed}",
            f"ladder.overlap_pct={row['overlap_pct']}",
            f"ladder.num_orders={row['num_orders']}",
            f"ladder.sizing={row['sizing']}",
            f"ladder.limits.max_gap_ratio={cap}",
            f"score.need={row['need']}",
        ],
    )


def search(settings: Config) -> CellResult:
    """Run one config of one cell through the engine, in a state folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        with Store.open(state.database) as store:
            experiment = engine.open_experiment(state, store, settings)
            engine.run(state, store, experiment, settings, Nobody())
            return store.cells(experiment.exp_id)[0]


def measured(row: Json, seeds: Sequence[int]) -> Json:
    """Median gap over the seeds, the worst of them, and what the search took."""
    gaps, ladders, seconds = [], [], []
    for seed in seeds:
        began = time.process_time()
        found = search(config(row, seed))
        seconds.append(time.process_time() - began)
        score = found.best.score if found.best else float("inf")
        gaps.append((score / row["best_J"] - 1.0) * 100.0)
        ladders.append(found.evaluations)
    return {
        "overlap": row["overlap_pct"],
        "orders": row["num_orders"],
        "sizing": row["sizing"],
        "need": row["need"],
        "gap cap": str(row["max_gap_ratio"] or "off"),
        "best known J": row["best_J"],
        "gap % (median)": float(np.median(gaps)),
        "gap % (worst)": max(gaps),
        "ladders": int(np.median(ladders)),
        "CPU s": float(np.median(seconds)),
    }


def main() -> None:
    """Print and record the gaps; an argument sets the number of seeds, 3 unless given."""
    seeds = range(42, 42 + int(sys.argv[1] if len(sys.argv) > 1 else 3))
    rows = [measured(row, seeds) for row in json.loads(BEST_KNOWN.read_text())]
    show(f"Default search budget, {len(seeds)} seeds", rows)
    save("budget", {"seeds": len(seeds), "rows": rows})


if __name__ == "__main__":
    main()
