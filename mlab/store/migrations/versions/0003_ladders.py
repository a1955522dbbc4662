"""Results are distinct ladders, with how often each was found; trials name the ladder that they found."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from mlab.core.errors import StoreError

revision = "0003"
down_revision = "0002"

TRIALS = (
    "experiment_id", "cell_index", "number", "batch", "params_json", "outcome", "score", "reports_json",
    "evaluations", "candidate_id", "error",
)  # fmt: skip
RESULTS = (
    "experiment_id", "score", "payload_json", "sanity_json", "diagnostics_json", "penalties_json", "created_at",
    "candidate_id", "cell_index", "overlap_pct", "num_orders", "batch", "trial", "risk_json",
)  # fmt: skip
"""Columns that the checksums of the revision before cover, in order."""


def upgrade() -> None:
    trials, results = _rows("trials", TRIALS), _rows("results", RESULTS)
    op.add_column("trials", sa.Column("ladder", sa.String(), nullable=True))
    op.add_column("results", sa.Column("ladder", sa.String(), server_default="", nullable=False))
    op.add_column("results", sa.Column("found", sa.Integer(), server_default="1", nullable=False))
    kept: dict[tuple[int, int, str], dict[str, Any]] = {}
    of_candidate = {}
    for row in sorted(results, key=lambda row: (row["score"], row["candidate_id"])):
        ladder = of_candidate[row["candidate_id"]] = _ladder(row["payload_json"])
        best = kept.setdefault((row["experiment_id"], row["cell_index"], ladder), row | {"ladder": ladder, "found": 0})
        best["found"] += 1
    gone = {row["key"] for row in results} - {row["key"] for row in kept.values()}
    _execute("DELETE FROM results WHERE id = :key", [{"key": key} for key in gone])
    found = [row | {"ladder": of_candidate.get(row["candidate_id"])} for row in trials]
    _execute(
        "UPDATE trials SET ladder = :ladder, checksum = :sum WHERE rowid = :key",
        [row | {"sum": _sum(row, (*TRIALS, "ladder"))} for row in found],
    )
    _execute(
        "UPDATE results SET ladder = :ladder, found = :found, checksum = :sum WHERE rowid = :key",
        [row | {"sum": _sum(row, (*RESULTS, "ladder", "found"))} for row in kept.values()],
    )


def _rows(table: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """All rows, each as it was written: none that is damaged is sealed anew."""
    found = op.get_bind().execute(sa.text(f"SELECT rowid AS key, * FROM {table}")).mappings()  # noqa: S608
    rows = [dict(row) for row in found]
    for row in rows:
        if _sum(row, columns) != row["checksum"]:
            name = row["candidate_id"] or f"trial {row['number']} of experiment {row['experiment_id']}"
            raise StoreError(f"{name} is not as it was written (checksum); restore a copy")
    return rows


def _execute(statement: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        op.get_bind().execute(sa.text(statement), rows)


def _ladder(payload: str) -> str:
    """Indents and volumes to six decimals of a percent, and of that the first 16 digits of SHA-256 in hex."""
    schedule = orjson.loads(payload)["schedule"]
    text = " ".join(f"{round(value, 6) + 0.0:.6f}" for value in (*schedule["indent_pct"], *schedule["volume_pct"]))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sum(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    return hashlib.sha256(orjson.dumps([row[name] for name in columns])).hexdigest()
