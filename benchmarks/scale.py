"""Ten million ladders in one run: memory, cost a ladder, and who takes the time. ``python -m benchmarks.scale``.

First the engine alone on one cell, so that trials and results pile up: the shares of Optuna and the database, and
what a ladder costs at the beginning and at the end. Then the whole command on a grid, seen from outside: the memory of
its processes over time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import mean, median
from typing import Any

import psutil

from benchmarks.cells import searched
from benchmarks.record import save, show
from mlab.config import load
from mlab.core.records import Cell, CellResult
from mlab.search.study import Study
from mlab.store import Store

MILLIONS = 10
ONE_CELL = (
    "ladder.overlap_pct=20",
    "ladder.num_orders=20",
    "search.max_batches=10000",
    "search.patience=10000",
    "search.miss_chance=0",
)
GRID = (
    "ladder.overlap_pct={min: 10, max: 40, step: 10}",
    "ladder.num_orders={min: 10, max: 20, step: 5}",
    "search.patience=8",
)
OPTUNA = (Study, ("ask", "should_prune", "tell"))
DATABASE = (Store, ("commit_batch", "verify", "results"))
MB = 1 << 20


class Enough(Exception):
    """As many ladders as were asked for."""


class Cost:
    """Ladders, seconds and memory after each batch; ends the search at the limit."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._last = time.perf_counter()
        self.ladders: list[int] = []
        self.seconds: list[float] = []
        self.memory: list[float] = []

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Note one batch."""
        del cell, index, best_score
        now = time.perf_counter()
        self.ladders.append(evaluations)
        self.seconds.append(now - self._last)
        self.memory.append(self._process.memory_info().rss / MB)
        self._last = now
        if sum(self.ladders) >= MILLIONS * 1_000_000:
            raise Enough

    def cell_done(self, result: CellResult) -> None:
        """Ignore."""

    def nanoseconds(self, part: slice) -> float:
        """What a ladder took, on average over a part of the batches."""
        return sum(self.seconds[part]) / sum(self.ladders[part]) * 1e9


def timed(owner: type, names: tuple[str, ...], spent: list[float]) -> None:
    """Let methods add the time they take to ``spent``."""

    def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return method(*given, **named)
            finally:
                spent.append(time.perf_counter() - began)

        return timing

    for name in names:
        setattr(owner, name, wrapped(getattr(owner, name)))


def engine() -> dict[str, Any]:
    """One cell in this process."""
    optuna, database = [0.0], [0.0]
    timed(*OPTUNA, optuna)
    timed(*DATABASE, database)
    cost = Cost()
    began = time.perf_counter()
    with suppress(Enough):
        searched(load(None, ONE_CELL), cost)
    took = time.perf_counter() - began
    fifth = len(cost.ladders) // 5
    return {
        "ladders": sum(cost.ladders),
        "trials": 16 * len(cost.ladders),
        "ns a ladder, 2nd fifth": cost.nanoseconds(slice(fifth, 2 * fifth)),
        "last fifth": cost.nanoseconds(slice(-fifth, None)),
        "Optuna % of time": sum(optuna) / took * 100.0,
        "database %": sum(database) / took * 100.0,
        "memory MB, 2nd fifth": mean(cost.memory[fifth : 2 * fifth]),
        "end": median(cost.memory[-fifth:]),
    }


def command() -> list[dict[str, Any]]:
    """The whole command, seen from outside: memory and processor time of its processes."""
    sets = [part for override in GRID for part in ("--set", override)]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"MLAB_STATE_DIR": str(Path(folder) / "state")}
        run = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "flows.run", "--json", *sets],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        family = psutil.Process(run.pid)
        seen: dict[str, list[tuple[float, float]]] = {}
        while run.poll() is None:
            for process in (family, *family.children(recursive=True)):
                try:
                    name, times = _role(process.cmdline()), process.cpu_times()
                    sample = process.memory_info().rss / MB, times.user + times.system
                except psutil.Error:
                    continue
                seen.setdefault(name, []).append(sample)
            time.sleep(0.25)
    return [
        {
            "process": name,
            "memory MB, after a fifth": samples[len(samples) // 5][0],
            "after nine tenths": samples[len(samples) * 9 // 10][0],
            "most": max(memory for memory, _ in samples),
            "processor s": samples[-1][1],
        }
        for name, samples in seen.items()
        if len(samples) > 8
    ]


def _role(words: list[str]) -> str:
    """What a process of the command is for."""
    roles = {
        "mlab.tracking": "MLflow's publisher",
        "flows.run": "search",
    }
    return next((role for word, role in roles.items() if word in words), "other")


def main() -> None:
    """Measure, print and save."""
    alone = engine()
    show(f"The engine alone, {MILLIONS} million ladders of one cell", [alone])
    whole = command()
    show("The whole command, 12 cells", whole)
    save("scale", {"engine": alone, "command": whole})


if __name__ == "__main__":
    main()
