"""How much sooner several workers are done than one, and that they find the same: ``python -m benchmarks.workers``.

Whole commands, ``python -m flows.run`` with one worker and with two in turn, on the default budget of 15 cells; with
MLflow's publisher, which is a process, too, and without. Both cores have to be free of anything else.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.record import save, show
from mlab.core.records import Json
from mlab.core.state import State
from mlab.store import Store

GRID = ("ladder.overlap_pct=[10, 15, 20, 25, 30]", "ladder.num_orders=[5, 10, 15]")


MODES = {"with MLflow": (), "offline": ("--offline",)}


def measured(mode: str, workers: int) -> Json:
    """One run in a state folder of its own: its seconds, and a hash over all that it found, in order."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        command = [sys.executable, "-m", "flows.run", "--json", "--workers", str(workers), *MODES[mode]]
        command += [part for field in GRID for part in ("--set", field)]
        began = time.perf_counter()
        answer = subprocess.run(  # noqa: S603 - our own module
            command, env=os.environ | {"MLAB_STATE_DIR": folder}, capture_output=True, check=True
        )
        seconds = time.perf_counter() - began
        run = json.loads(answer.stdout)
        return {
            "mode": mode,
            "workers": workers,
            "cells": len(run["cells"]),
            "search s": run["elapsed_s"],
            "command s": seconds,
            "found": fingerprint(state, run["run_id"]),
        }


def fingerprint(state: State, run_id: str) -> str:
    """SHA-256 over ids, parameters and scores: of the trials as they were asked, of the results as they rank."""
    with Store.open(state.database) as store:
        run = store.experiment(run_id)
        assert run is not None
        trials = [
            (trial.number, trial.params, trial.outcome, trial.score, trial.reports)
            for result in store.cells(run.exp_id)
            for trial in store.trials(run.exp_id, result.cell.index)
        ]
        results = [
            (one.candidate_id.removeprefix(run_id), one.contract, one.risk, one.found)
            for one in store.results(run.exp_id)
        ]
    return hashlib.sha256(json.dumps([trials, results]).encode()).hexdigest()


def ratios(rows: Sequence[Json]) -> Json:
    """How many times sooner two workers are done, of rows in which one and two take turns."""
    return {
        f"{name} ratio": float(
            np.median([one[f"{name} s"] / two[f"{name} s"] for one, two in zip(rows[::2], rows[1::2], strict=True)])
        )
        for name in ("search", "command")
    }


def main() -> None:
    """Print and record the ratios; an argument sets the number of pairs, 3 unless given."""
    pairs = int(sys.argv[1] if len(sys.argv) > 1 else 3)
    rows = [measured(mode, workers) for _ in range(pairs) for mode in MODES for workers in (1, 2)]
    show(f"One and two workers in turn, {os.cpu_count()} cores", [row | {"found": row["found"][:12]} for row in rows])
    summary = [{"mode": mode, **ratios([row for row in rows if row["mode"] == mode])} for mode in MODES]
    same = len({row["found"] for row in rows}) == 1
    show(f"Median over the pairs; same results: {same}", summary)
    save("workers", {"pairs": pairs, "same results": same, "ratios": summary, "rows": rows})


if __name__ == "__main__":
    main()
