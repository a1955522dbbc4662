"""A checksum for every row, and the ending that MLflow has been told of."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

from mlab.core.errors import StoreError

revision = "0002"
down_revision = "0001"

SEALED = {
    "experiments": (
        "run_id", "adapter", "config_json", "started_at", "finished_at", "status", "best_score", "eval_count", "notes",
        "created_at", "deleted", "elapsed_s", "mlflow_run_id", "flow_run_id", "holder_pid", "holder_boot",
        "holder_started", "delivered_status",
    ),
    "cells": ("experiment_id", "cell_index", "overlap_pct", "num_orders", "finished", "stopped_early"),
    "trials": (
        "experiment_id", "cell_index", "number", "batch", "params_json", "outcome", "score", "reports_json",
        "evaluations", "candidate_id", "error",
    ),
    "results": (
        "experiment_id", "score", "payload_json", "sanity_json", "diagnostics_json", "penalties_json", "created_at",
        "candidate_id", "cell_index", "overlap_pct", "num_orders", "batch", "trial", "risk_json",
    ),
    "outbox": ("experiment_id", "cell_index", "key", "value", "step", "timestamp_ms"),
}  # fmt: skip
"""Columns that the checksum of each table covers, in order, as of this revision."""

FLAGS = {"deleted", "finished", "stopped_early"}
SEALED_IN_0001 = (
    "candidate_id", "cell_index", "overlap_pct", "num_orders", "batch", "trial", "score",
    "payload_json", "sanity_json", "diagnostics_json", "penalties_json", "risk_json",
)  # fmt: skip


def upgrade() -> None:
    damaged = [row["candidate_id"] for _, row in _rows("results") if _sum(row, SEALED_IN_0001) != row["checksum"]]
    if damaged:
        raise StoreError(f"result {damaged[0]} is not as it was written (checksum); restore a copy")
    op.add_column("experiments", sa.Column("delivered_status", sa.String(), nullable=True))
    op.drop_column("results", "checksum")
    op.execute(  # what still owes numbers may owe its ending, too
        "UPDATE experiments SET delivered_status = status WHERE status IN ('COMPLETED', 'FAILED', 'STOPPED')"
        " AND id NOT IN (SELECT experiment_id FROM outbox WHERE NOT delivered)"
    )
    for table, columns in SEALED.items():
        op.add_column(table, sa.Column("checksum", sa.String(), server_default="", nullable=False))
        sums = [{"key": key, "sum": _sum(row, columns)} for key, row in _rows(table)]
        if sums:
            op.get_bind().execute(sa.text(f"UPDATE {table} SET checksum = :sum WHERE rowid = :key"), sums)  # noqa: S608


def _rows(table: str) -> list[tuple[int, dict[str, Any]]]:
    found = op.get_bind().execute(sa.text(f"SELECT rowid AS rowid_, * FROM {table}")).mappings()  # noqa: S608
    return [(row["rowid_"], dict(row)) for row in found]


def _sum(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    content = [bool(row[name]) if name in FLAGS else row[name] for name in columns]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()
