"""The ids that tie a candidate's story together, and the places where a run's state lies.

One string is the same in the database, the event log, MLflow and every report.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlab.core.event_log import packed

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}", re.ASCII)
"""Shape of a run's id; anything else is refused before it reaches a path or a query."""

LATEST = "latest"
"""What people call the run that began last."""

CANDIDATE_ID = re.compile(rf"{RUN_ID.pattern}-c\d{{3,}}-b\d{{4,}}-i\d{{3,}}", re.ASCII)
"""Shape of a candidate's id."""


def new_run_id() -> str:
    """``YYYYMMDD-HHMMSS-<6 hex>``, in UTC."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def span_id(batch: int) -> str:
    """``batch-<4 digits>``, the batch within its cell."""
    return f"batch-{batch:04d}"


def candidate_id(run_id: str, cell: int, batch: int, index: int) -> str:
    """``<run_id>-c<cell>-b<batch>-i<index>``; safe in file names and found by one grep."""
    return f"{run_id}-c{cell:03d}-b{batch:04d}-i{index:03d}"


@dataclass(frozen=True, slots=True)
class State:
    """The folder that holds everything a run leaves behind."""

    root: Path

    @classmethod
    def here(cls) -> State:
        """``MLAB_STATE_DIR``, or ``mlruns`` in the working directory."""
        return cls(Path(os.environ.get("MLAB_STATE_DIR") or "mlruns").resolve())

    @property
    def database(self) -> Path:
        """Experiments, trials and results."""
        return self.root / "experiments.db"

    @property
    def mlflow_database(self) -> Path:
        """MLflow's own database."""
        return self.root / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """MLflow's artifacts."""
        return self.root / "artifacts"

    @property
    def crashes(self) -> Path:
        """Crash snapshots."""
        return self.root / "crashes"

    @property
    def prefect(self) -> Path:
        """Home of the Prefect server that a run or ``make ui`` starts."""
        return self.root / "prefect"

    @property
    def pages(self) -> Path:
        """Where the pages of Prefect and MLflow over this folder were last served."""
        return self.root / "pages.json"

    @property
    def services(self) -> Path:
        """What ``make serve`` and ``make ui`` have in the background: logs, and which processes they are."""
        return self.root / "services"

    @property
    def reports(self) -> Path:
        """Reports that were asked for, one HTML file a run."""
        return self.root / "reports"

    def events(self, run_id: str) -> Path:
        """Event log of one run, one JSON object a line."""
        return self.root / "events" / f"{run_id}.jsonl"

    @property
    def commands(self) -> Path:
        """Event log of commands that read what runs have found."""
        return self.root / "events" / "commands.jsonl"

    def files(self, run_id: str) -> list[Path]:
        """The files that belong to one run alone: event log, packed or not, and report."""
        log = self.events(run_id)
        return [log, packed(log), self.reports / f"{run_id}.html"]
