"""Upkeep: what runs have left behind, brought in order and made smaller by a policy.

It may go on beside searches and beside itself. A step that fails keeps no other from being done, and what has been done
is not done again. What MLflow still lacks of a run is left as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import Field

from mlab.core import crash, event_log, temporary
from mlab.core.decimals import counted
from mlab.core.errors import LabError, StoreError, one_line
from mlab.core.records import Experiment
from mlab.core.redaction import redacted
from mlab.core.section import Section
from mlab.core.state import RUN_ID, State
from mlab.store import Store

DELIVERY_S = 600.0
"""Longest time that MLflow is given; what is pending then waits until the next time."""

PUBLISHER_S = 600.0
"""For so long after its end a run is left to its own publisher."""

WORTH = 0.2
"""Share of the database that has to be free before it is written anew."""

LARGEST_MB = 1000
"""Most that is written anew: it takes 7 ms a megabyte, and whoever wants to save a batch gives up after 30 s."""

MB, DAY_S = 1e6, 86400.0


class Policy(Section):
    """What is kept, and for how long."""

    events_days: int = Field(
        default=30, ge=1, le=36500, description="Logs of completed runs are packed so many days after their last line."
    )
    candidates_days: int = Field(
        default=90, ge=1, le=36500, description="Candidates of completed runs are all kept for so many days."
    )
    candidates_kept: int = Field(
        default=10, ge=1, le=1000, description="After that the best of each cell are kept, so many."
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, or would be: how many things changed, that in words, and what went wrong, if anything did."""

    changed: int = 0
    words: str = ""
    faults: Sequence[object] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the report; ``fault`` is empty where all went well."""

    name: str
    changed: int
    done: str
    fault: str


@dataclass(frozen=True, slots=True)
class Report:
    """What upkeep did; ``orphans`` are Prefect's flow runs of the runs whose process is gone."""

    steps: tuple[Step, ...]
    orphans: tuple[str, ...]

    @property
    def faults(self) -> list[str]:
        """What went wrong, a line for each step."""
        return [f"{step.name}: {step.fault}" for step in self.steps if step.fault]

    @property
    def verdict(self) -> str:
        """All of it in one line."""
        if self.faults:
            return f"{len(self.faults)} of {len(self.steps)} steps failed."
        idle = all(step.done == "nothing" for step in self.steps)
        return "There was nothing to do." if idle else "Nothing failed."


def upkeep(state: State, policy: Policy | None = None, *, dry: bool = False, now: datetime | None = None) -> Report:
    """Do all steps, or where ``dry`` say what they would do; days count back from ``now``.

    StoreError where the database cannot be opened.
    """
    now = now or datetime.now(UTC)
    with Store.open(state.database) as store:
        work = Upkeep(state, store, policy or Policy(), dry=dry, now=now)
        steps = [
            _step("runs without a process", work.reconcile),
            _step("MLflow", work.deliver),
            _step("event logs", work.pack),
            _step("crash snapshots", lambda: _removed(crash.prune(state, dry=dry))),
            _step("temporary files", lambda: _removed(temporary.prune(state, now, dry=dry))),
            _step("reports", work.prune_reports),
            _step("candidates", work.prune_candidates),
            _step("database", work.vacuum),
        ]
        return Report(tuple(steps), tuple(work.orphans))


def _step(name: str, work: Callable[[], Done]) -> Step:
    """One step, whatever comes of it; the line holds no secrets."""
    try:
        done = work()
    except Exception as error:  # noqa: BLE001 - the others are done all the same
        done = Done(faults=[error if isinstance(error, LabError) else f"{type(error).__name__}: {error}"])
    first = one_line(redacted(str(done.faults[0]))) if done.faults else ""
    others = len(done.faults) - 1
    return Step(name, done.changed, done.words or "nothing", f"{first}; {others} more" if others > 0 else first)


class Upkeep:
    """The steps; dry ones say what they would do."""

    def __init__(self, state: State, store: Store, policy: Policy, *, dry: bool, now: datetime) -> None:
        self._state, self._store, self._policy, self._dry, self._now = state, store, policy, dry, now
        self.orphans: list[str] = []

    def reconcile(self) -> Done:
        """Mark as STOPPED the runs whose process is gone."""
        found = self._store.orphans() if self._dry else self._store.reconcile()
        self.orphans += [run.flow_run_id for run in found if run.flow_run_id]
        return Done(len(found), f"STOPPED: {', '.join(run.run_id for run in found)}" if found else "")

    def deliver(self) -> Done:
        """Deliver what is pending, in a process that may take so long and no longer."""
        ended = {run.exp_id: run.finished_at for run in self._store.owing() if run.finished_at}
        owing = {exp_id for exp_id, at in ended.items() if at < self._ago(PUBLISHER_S)}
        if ended and not owing:
            until = datetime.fromisoformat(max(ended.values())) + timedelta(seconds=PUBLISHER_S)
            waits = f"{counted(len(ended), 'run')} waiting until {until:%H:%M:%S} UTC"
            return Done(words=f"{waits}, or for .venv/bin/mlab sync")
        why, left = "", set[int]()
        if owing and not self._dry:
            why = settled(self._state)
            left = owing & {run.exp_id for run in self._store.owing()}
        faults = [f"not yet delivered: {counted(len(left), 'run')}{f': {why}' if why else ''}"] if left else []
        told = len(owing) - len(left)
        return Done(told, f"{counted(told, 'run')} delivered" if told else "", faults)

    def pack(self) -> Done:
        """Pack the event logs of completed runs that nobody has written to for long."""
        before = self._now.timestamp() - DAY_S * self._policy.events_days
        count, size, saved, faults = 0, 0, 0, []
        for run in self._completed([*self._store.experiments(), *self._store.experiments(deleted=True)]):
            log = self._state.events(run.run_id)
            try:
                if not event_log.is_plain(log) or temporary.written(log) >= before:
                    continue
                length = event_log.EventLog.size(log)
                gain = 0 if self._dry else event_log.pack(log)
                if gain or self._dry:
                    count, size, saved = count + 1, size + length, saved + gain
            except OSError as error:
                faults.append(f"{log.name}: {error.strerror or error}")
        smaller = f", now {_size(size - saved)}" if saved else ""
        return Done(count, f"{count} packed, {_size(size)}{smaller}" if count else "", faults)

    def prune_reports(self) -> Done:
        """Remove the reports of runs that are gone; not young ones, for a restored database may lack their runs."""
        before = self._now.timestamp() - DAY_S * self._policy.candidates_days
        files = [file for file in self._state.reports.glob("*.html") if RUN_ID.fullmatch(file.stem)]
        old = [file for file in files if temporary.written(file) < before]
        gone = [file for file in old if self._store.experiment(file.stem) is None]
        for file in () if self._dry else gone:
            file.unlink(missing_ok=True)
        return _removed(len(gone))

    def prune_candidates(self) -> Done:
        """Remove all but the best ladders of each cell of runs that completed long ago."""
        before, most = self._ago(DAY_S * self._policy.candidates_days), self._policy.candidates_kept
        runs = self._completed(self._store.experiments())
        old = [run.exp_id for run in runs if run.finished_at and run.finished_at < before]
        todo = [exp_id for exp_id in old if self._store.surplus(exp_id, most)]
        if todo and not self._dry:
            self._store.check_file()  # nothing is removed by the word of a damaged index
        counts, faults = [], []
        for exp_id in todo:
            try:
                self._store.check_run(exp_id)  # one that is damaged is left to people
                counts.append(self._store.surplus(exp_id, most) if self._dry else self._store.prune(exp_id, most))
            except StoreError as error:
                faults.append(error)
        return Done(sum(counts), f"{sum(counts):,} of {counted(len(counts), 'run')} removed" if counts else "", faults)

    def vacuum(self) -> Done:
        """Give free space back to the disk, where that is worth it and disturbs nobody."""
        size, free = self._store.database.space()
        if free < WORTH * size:
            return Done()
        if any(run.status == "RUNNING" for run in self._store.experiments()):
            return Done(words=f"{_size(free)} are free; not while a run is searched")
        if size - free > LARGEST_MB * MB:
            return Done(words=f"{_size(free)} are free; one as large as this is vacuumed by hand, when nobody searches")
        if not self._dry:
            self._store.database.vacuum()
        return Done(1, f"{_size(free)} given back to the disk")

    def _completed(self, runs: Iterable[Experiment]) -> list[Experiment]:
        """Those that will not go on, and of which MLflow has all."""
        owing = {run.exp_id for run in self._store.owing()}
        return [run for run in runs if run.status == "COMPLETED" and run.exp_id not in owing]

    def _ago(self, seconds: float) -> str:
        """A time as the database has it."""
        return (self._now - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def settled(state: State) -> str:
    """Have what is pending delivered to MLflow; why some of it still is, as far as that is known."""
    try:
        told = subprocess.run(
            [sys.executable, "-m", "mlab.tracking"],
            env=os.environ | state.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DELIVERY_S,
            check=False,
        ).stderr
    except subprocess.TimeoutExpired:
        return f"MLflow was not done after {DELIVERY_S:.0f} s"
    left = [line.partition("not yet delivered to MLflow: ")[2] for line in told.splitlines()]
    return one_line(redacted(next(filter(None, left), "")))


def _removed(count: int) -> Done:
    return Done(count, f"{count} removed" if count else "")


def _size(count: float) -> str:
    return f"{count / MB:,.1f} MB" if count >= MB else f"{count / 1000.0:,.1f} kB"
