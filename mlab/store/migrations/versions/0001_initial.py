"""Experiments, cells, trials, results and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "experiments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("adapter", sa.String(), nullable=False),
        sa.Column("config_json", sa.String(), nullable=False),
        sa.Column("started_at", sa.String(), nullable=False),
        sa.Column("finished_at", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("best_score", sa.Float(), nullable=True),
        sa.Column("eval_count", sa.Integer(), nullable=False),
        sa.Column("notes", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("elapsed_s", sa.Float(), nullable=False),
        sa.Column("mlflow_run_id", sa.String(), nullable=True),
        sa.Column("flow_run_id", sa.String(), nullable=True),
        sa.Column("holder_pid", sa.Integer(), nullable=True),
        sa.Column("holder_boot", sa.String(), nullable=True),
        sa.Column("holder_started", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
        sa.CheckConstraint("status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'STOPPED')", name="status"),
        sa.UniqueConstraint("run_id", name="uq_experiments_run_id"),
    )
    op.create_table(
        "cells",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("cell_index", sa.Integer(), nullable=False),
        sa.Column("overlap_pct", sa.Float(), nullable=False),
        sa.Column("num_orders", sa.Integer(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("stopped_early", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_cells_experiments"),
        sa.PrimaryKeyConstraint("experiment_id", "cell_index", name="pk_cells"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("cell_index", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("timestamp_ms", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id", "cell_index"], ["cells.experiment_id", "cells.cell_index"], name="fk_outbox_cells"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index(
        "ix_outbox_owed", "outbox", ["experiment_id", "id"], unique=False, sqlite_where=sa.text("NOT delivered")
    )
    op.create_table(
        "results",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("payload_json", sa.String(), nullable=False),
        sa.Column("sanity_json", sa.String(), nullable=False),
        sa.Column("diagnostics_json", sa.String(), nullable=False),
        sa.Column("penalties_json", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("cell_index", sa.Integer(), nullable=False),
        sa.Column("overlap_pct", sa.Float(), nullable=False),
        sa.Column("num_orders", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=False),
        sa.Column("risk_json", sa.String(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id", "cell_index"], ["cells.experiment_id", "cells.cell_index"], name="fk_results_cells"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_results"),
        sa.UniqueConstraint("candidate_id", name="uq_results_candidate_id"),
    )
    op.create_index(
        "ix_results_rank", "results", ["experiment_id", "cell_index", "score", "candidate_id"], unique=False
    )
    op.create_table(
        "trials",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("cell_index", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("params_json", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("reports_json", sa.String(), nullable=False),
        sa.Column("evaluations", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id", "cell_index"], ["cells.experiment_id", "cells.cell_index"], name="fk_trials_cells"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "cell_index", "number", name="pk_trials"),
        sa.CheckConstraint("outcome IN ('COMPLETE', 'PRUNED', 'FAIL')", name="outcome"),
    )
