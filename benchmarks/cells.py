"""The cells that searches are judged on, and the least score known for each.

Those of ``tests/data/best_known.json`` were found by other methods than this project's. Those of ``cells.json`` were
chosen for what may be hard: many orders, deep ladders, capped gaps, needs on the path, volumes in coins;
``python -m benchmarks.cells`` searches them for long and keeps what is better.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlab.config import Config, load
from mlab.core.records import CellResult, Json
from mlab.core.state import State
from mlab.model.space import Space
from mlab.search import experiments, run
from mlab.search.watcher import Watcher
from mlab.store import Store

BEST_KNOWN = Path(__file__).parent.parent / "tests" / "data" / "best_known.json"
OWN = Path(__file__).parent / "cells.json"
LONG = ("search.max_batches=80", "search.patience=40")


@dataclass(frozen=True, slots=True)
class Target:
    """One cell with its least known score; ``ours`` where this project's search found it."""

    row: Json
    ours: bool

    @property
    def label(self) -> str:
        """As in ``20 % x 10 fill, cap 2.5``."""
        row = self.row
        cap = "" if row["max_gap_ratio"] is None else f", cap {row['max_gap_ratio']:g}"
        coins = ", base" if row["sizing"] == "base" else ""
        return f"{row['overlap_pct']:g} % x {row['num_orders']} {row['need']}{coins}{cap}"

    @property
    def best(self) -> float:
        """Least known score."""
        return float(self.row["best_J"])

    def config(self, seed: int, *overrides: str) -> Config:
        """The built-in defaults on this cell."""
        row = self.row
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
                *overrides,
            ],
        )

    @property
    def space(self) -> Space:
        """All ladders of its cell within the limits."""
        config = self.config(seed=1)
        return Space.of(config.cells()[0], config.objective)


def targets() -> Iterator[Target]:
    """All of them."""
    for path in (BEST_KNOWN, OWN):
        for row in json.loads(path.read_text()):
            yield Target(row, ours=path == OWN)


def searched(settings: Config, watcher: Watcher | None = None) -> CellResult:
    """Run one config of one cell through the engine, in a state folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        with Store.open(state.database) as store:
            experiment = experiments.create(state, store, settings)
            run.execute(state, store, experiment, settings, watcher=watcher or Watcher())
            return store.cells(experiment.exp_id)[0]


def main() -> None:
    """Search our own cells for long, and keep what is better; arguments are seeds."""
    rows = json.loads(OWN.read_text())
    for row in rows:
        for seed in map(int, sys.argv[1:] or ["1"]):
            best = searched(Target(row, ours=True).config(seed, *LONG)).best
            if best is not None and best.score < row["best_J"]:
                row["best_J"] = best.score
        print(Target(row, ours=True).label, row["best_J"], flush=True)
        OWN.write_text("[\n" + ",\n".join(json.dumps(line) for line in rows) + "\n]\n")


if __name__ == "__main__":
    main()
