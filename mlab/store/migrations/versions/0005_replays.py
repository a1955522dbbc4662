"""What the winners of a run did on prices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "replays",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("cell_index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("prices", sa.String(), nullable=False),
        sa.Column("rule_json", sa.String(), nullable=False),
        sa.Column("content_json", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("checksum", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id", "cell_index"],
            ["cells.experiment_id", "cells.cell_index"],
            name=op.f("fk_replays_cells"),
        ),
        sa.CheckConstraint("kind IN ('ladder', 'classical')", name=op.f("ck_replays_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replays")),
        sa.UniqueConstraint(
            "experiment_id",
            "cell_index",
            "kind",
            "candidate_id",
            "prices",
            "rule_json",
            name=op.f("uq_replays_experiment_id"),
        ),
    )
