"""The ids that tie a candidate's story together, and the places where a run's state lies.

One string is the same in the database, the event log, MLflow and every report.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mlab.core.errors import ConfigError
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


class State:
    """The folder that holds everything a run leaves behind, and the places in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "experiments.db"
        self.mlflow_database = root / "mlflow.db"
        self.artifacts = root / "artifacts"  # MLflow's
        self.temporary = root / "temporary"
        self.cache = root / "cache"  # of libraries: what may be removed at any time
        self.crashes = root / "crashes"
        self.reports = root / "reports"  # those that were asked for, one HTML file a run
        self.commands = root / "events" / "commands.jsonl"  # event log of what only reads what runs have found
        self.prefect = root / "prefect"  # home of the Prefect server that ``make ui`` or ``make serve`` starts
        self.prefect_database = self.prefect / "prefect.db"
        self.services = root / "services"  # what those have in the background: logs, and which processes they are
        self.pages = root / "pages.json"  # where the pages of Prefect and MLflow over this folder were last served

    @classmethod
    def here(cls) -> State:
        """``MLAB_STATE_DIR``, or ``mlruns`` in the working directory.

        Raises:
            ConfigError: there is no working directory any longer.
        """
        try:
            return cls(Path(os.environ.get("MLAB_STATE_DIR") or "mlruns").resolve())
        except FileNotFoundError:
            must = "the working directory is gone: enter another"
            raise ConfigError("environment", "MLAB_STATE_DIR", must) from None

    def environment(self) -> dict[str, str]:
        """What processes that work here have in their environment, so that no library of theirs writes elsewhere.

        The folder for temporary files is made, for nobody uses one that is not there. Where this folder may only be
        read, they stay where the system has them.
        """
        own = {"MLAB_STATE_DIR": str(self.root)}
        with suppress(OSError):
            self.temporary.mkdir(parents=True, exist_ok=True)
        if not os.access(self.temporary, os.W_OK):
            return own
        caches = {"XDG_CACHE_HOME": str(self.cache), "MPLCONFIGDIR": str(self.cache / "matplotlib")}
        # Ray shares its folder among users by itself, and needs a short one: 107 characters with a socket's name.
        short = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - as Ray has it
        return own | caches | {"TMPDIR": str(self.temporary), "RAY_TMPDIR": short}

    def events(self, run_id: str) -> Path:
        """Event log of one run, one JSON object a line."""
        return self.root / "events" / f"{run_id}.jsonl"

    def running(self, run_id: str) -> Path:
        """A file that is there while a run is executed, and locked by who does."""
        return self.root / "running" / run_id

    def files(self, run_id: str) -> list[Path]:
        """The files that belong to one run alone: event log, packed or not, and report."""
        log = self.events(run_id)
        return [log, packed(log), self.reports / f"{run_id}.html"]
