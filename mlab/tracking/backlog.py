"""What of a run has not been delivered to MLflow yet, in words."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mlab.core.decimals import counted
from mlab.core.records import Experiment
from mlab.tracking.mode import keeps_files

if TYPE_CHECKING:
    from mlab.store import Store


@dataclass(frozen=True, slots=True)
class Backlog:
    """Numbers that are pending, and whether the ending is: status, summary and artifacts."""

    numbers: int
    ending: bool

    @classmethod
    def of(cls, store: Store, run: Experiment) -> Self:
        """What is pending of a run now."""
        return cls(len(store.owed(run.exp_id)), run.exp_id in {one.exp_id for one in store.owing()})

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.numbers or self.ending)

    def __str__(self) -> str:
        """``44 numbers and the ending with its artifacts``."""
        numbers = counted(self.numbers, "number") if self.numbers else ""
        return " and ".join(part for part in (numbers, "the ending with its artifacts" * self.ending) if part)


@dataclass(frozen=True, slots=True)
class Attempt:
    """To deliver what was pending of one run: what that was, what still is, and why."""

    run_id: str
    before: Backlog
    left: Backlog
    why: str

    def __str__(self) -> str:
        """One line for people."""
        if not self.left:
            return f"run {self.run_id}: delivered {self.before}"
        return f"run {self.run_id}: not yet delivered to MLflow: {self.left}: {self.why}"


OFFLINE = "offline"  # why all of a run is pending of which MLflow was not to be told


def undelivered(store: Store, run: Experiment, answer: str | None) -> str:
    """What MLflow lacks of a run that is over, why by its sidecar's answer, and what to do; empty where nothing."""
    backlog = Backlog.of(store, run)
    if not backlog:
        return ""
    if answer == OFFLINE:
        return f"MLflow has not been told of this run, which was offline; .venv/bin/mlab sync delivers {backlog}"
    what = f"Not yet delivered to MLflow: {backlog}"
    again = f".venv/bin/mlab sync, or .venv/bin/mlab run --resume {run.run_id}"
    if answer is None:
        return f"{what}; the publisher goes on in the background. What it leaves: {again}"
    refused = keeps_files(os.environ.get("MLFLOW_TRACKING_URI", ""))  # that no repetition changes
    deliver = "Once that is mended, deliver" if refused else "Deliver"
    return f"{what} ({answer}). {deliver} it with {again}; the next run tries, too"
