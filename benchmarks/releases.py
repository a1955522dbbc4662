"""What a release costs beside an earlier one: ``python -m benchmarks.releases OLD_CHECKOUT [PAIRS]``.

Two checkouts, each with an environment of its own in ``.venv``, do the same in turn: whole commands in a state folder
that has been used before, with no server. Both cores have to be free of anything else. The processor time and the
memory are those of all processes of a command together, helpers that outlive it included: its state folder, in their
environment, tells which those are.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

import psutil

from benchmarks.record import save, show
from benchmarks.workers import GRID
from mlab.core.records import Json

ROOT = Path(__file__).parents[1]
LOOK_S = 0.05  # between two looks at the processes: a shorter life than that is not seen
FOREIGN = ("PREFECT", "MLFLOW", "MLAB", "PYTHON")  # variables that would make one command another than the next


@dataclass
class Family:
    """All processes that work in one state folder: how long they computed, and the most memory they had at once."""

    folder: str
    seconds: dict[int, float] = field(default_factory=dict)
    peak_bytes: int = 0
    _known: dict[int, bool] = field(default_factory=dict)

    def look(self) -> bool:
        """Count what there is; whether any of them is alive."""
        alive, memory = False, 0
        for process in psutil.process_iter():
            try:
                if self._is_one(process) and process.status() != psutil.STATUS_ZOMBIE:
                    times = process.cpu_times()
                    self.seconds[process.pid] = times.user + times.system
                    memory += process.memory_info().rss
                    alive = True
            except psutil.Error:  # it has ended meanwhile
                continue
        self.peak_bytes = max(self.peak_bytes, memory)
        return alive

    def _is_one(self, process: psutil.Process) -> bool:
        if process.pid not in self._known:
            try:
                self._known[process.pid] = process.environ().get("MLAB_STATE_DIR") == self.folder
            except psutil.AccessDenied:
                self._known[process.pid] = False
        return self._known[process.pid]


@dataclass(frozen=True)
class Release:
    """A checkout with its environment, and a state folder in which it has searched before."""

    checkout: Path
    folder: str

    def command(self, *arguments: str) -> tuple[Json, subprocess.CompletedProcess[bytes]]:
        """One whole command, and after it all that it has left running: seconds, processor time and memory."""
        began, family, seconds = time.time(), Family(self.folder), None
        with tempfile.TemporaryFile() as out:
            process = self.begun(*arguments, out=out)
            while family.look() or seconds is None:
                if seconds is None and process.poll() is not None:
                    seconds = time.time() - began
                time.sleep(LOOK_S)
            out.seek(0)
            done = subprocess.CompletedProcess(process.args, process.returncode, out.read())
        cpu, megabytes = sum(family.seconds.values()), family.peak_bytes / 1e6
        return {"began": began, "wall s": seconds, "CPU s": cpu, "peak MB": megabytes}, done

    def begun(self, *arguments: str, out: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """One command that has begun; what it says besides is not kept."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return subprocess.Popen(  # noqa: S603 - a Python of a checkout that was named
            [self.checkout / ".venv/bin/python", "-m", "flows.run", *arguments],
            cwd=self.checkout,
            env=environment | {"MLAB_STATE_DIR": self.folder},
            stdout=out,
            stderr=subprocess.DEVNULL,
        )

    def search(self, *arguments: str) -> Json:
        """One search with the default config, or what is set of it, and what its event log tells."""
        measured, done = self.command("--json", *arguments)
        assert done.returncode == 0, self.checkout
        run_id = json.loads(done.stdout)["run_id"]
        log = (Path(self.folder) / "events" / f"{run_id}.jsonl").read_text(encoding="utf-8")
        events = [json.loads(line) for line in log.splitlines()]
        saved = next(event["ts"] for event in events if event["event"] == "ORCH.SAVE_OK")
        ended = next(event for event in events if event["event"] == "ORCH.DONE")
        first = datetime.fromisoformat(saved).timestamp() - measured["began"]
        return measured | {"first batch s": first, "ladders": ended["eval_count"]}

    def refusal(self) -> float:
        """Seconds until a wrong config is refused, while nobody looks at processes."""
        began = time.perf_counter()
        assert self.begun("--set", "ladder.num_orders=1").wait() == 2, self.checkout
        return time.perf_counter() - began


def measured(release: Release) -> Json:
    """All numbers of one release once."""
    row = release.search()
    row["refusal s"] = release.refusal()
    grid = [part for field in GRID for part in ("--set", field)]
    for workers in (1, 2):
        row[f"{workers} workers s"] = release.search(*grid, "--workers", str(workers))["wall s"]
    row["2 workers x"] = row["1 workers s"] / row["2 workers s"]
    return row


ROWS: dict[str, tuple[str, Callable[[float], str]]] = {
    "whole command, CPU of all processes": ("CPU s", "{:.1f} s".format),
    "whole command, from start to prompt": ("wall s", "{:.1f} s".format),
    "memory of all processes at its peak": ("peak MB", "{:.0f} MB".format),
    "ladders scored": ("ladders", "{:,.0f}".format),
    "from start to the first saved batch": ("first batch s", "{:.2f} s".format),
    "a wrong config is refused after": ("refusal s", "{:.2f} s".format),
    "15 cells: two workers sooner than one": ("2 workers x", "{:.2f} x".format),
}
"""What is told, where it is found in a row of :func:`measured`, and how it is written."""


def summary(old: Sequence[Json], new: Sequence[Json]) -> list[Json]:
    """The medians of both, as they are written."""
    table = []
    for what, (key, written) in ROWS.items():
        before, now = (statistics.median(row[key] for row in rows) for rows in (old, new))
        table.append({"what": what, "before": written(before), "now": written(now), "share": f"{now / before:.0%}"})
    return table


@contextmanager
def used(checkout: Path) -> Iterator[Release]:
    """A release that has been used: its modules are compiled, its databases made."""
    with tempfile.TemporaryDirectory() as folder:
        release = Release(checkout, os.path.realpath(folder))
        release.search("--set", "ladder.overlap_pct=10", "--set", "ladder.num_orders=5")
        yield release


def commit(checkout: Path) -> str:
    """Which commit a checkout is of."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()  # noqa: S603


def main() -> None:
    """Print and record the medians of both checkouts; arguments: the earlier one, and how many pairs (5)."""
    before, pairs = Path(sys.argv[1]).resolve(), int(sys.argv[2] if len(sys.argv) > 2 else 5)
    old, new = [], []
    with used(before) as earlier, used(ROOT) as today:
        for pair in range(pairs):
            old.append(measured(earlier))
            new.append(measured(today))
            show(f"Pair {pair + 1} of {pairs}", [{"release": "before"} | old[-1], {"release": "now"} | new[-1]])
    table = summary(old, new)
    show(f"Medians of {pairs} pairs, {os.cpu_count()} cores", table)
    commits = {"before": commit(before), "now": commit(ROOT)}
    save("releases", {"commits": commits, "pairs": pairs, "rows": table, "runs": {"before": old, "now": new}})


if __name__ == "__main__":
    main()
