"""Who executes a run is told by a lock, and on which kinds of machine it was searched is kept."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from mlab.core.errors import StoreError

revision = "0004"
down_revision = "0003"

BEFORE = (
    "run_id", "adapter", "config_json", "started_at", "finished_at", "status", "best_score", "eval_count", "notes",
    "created_at", "deleted", "elapsed_s", "mlflow_run_id", "flow_run_id", "holder_pid", "holder_boot",
    "holder_started", "delivered_status",
)  # fmt: skip
"""Columns that the checksums of the revision before cover, in order."""

AFTER = (*(name for name in BEFORE if not name.startswith("holder_")), "holder", "machines_json")


def upgrade() -> None:
    found = op.get_bind().execute(sa.text("SELECT rowid AS key, * FROM experiments")).mappings()
    rows = [dict(row) | {"deleted": bool(row["deleted"])} for row in found]
    for row in rows:
        if _sum(row, BEFORE) != row["checksum"]:
            raise StoreError(f"run {row['run_id']} is not as it was written (checksum); restore a copy")
    for name in BEFORE:
        if name.startswith("holder_"):
            op.drop_column("experiments", name)
    op.add_column("experiments", sa.Column("holder", sa.String(), nullable=True))
    op.add_column("experiments", sa.Column("machines_json", sa.String(), server_default="[]", nullable=False))
    sums = [{"key": row["key"], "sum": _sum(row | {"holder": None, "machines_json": "[]"}, AFTER)} for row in rows]
    if sums:
        op.get_bind().execute(sa.text("UPDATE experiments SET checksum = :sum WHERE rowid = :key"), sums)


def _sum(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    return hashlib.sha256(orjson.dumps([row[name] for name in columns])).hexdigest()
