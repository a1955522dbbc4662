"""What no ladder of a cell can score below."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("cell_index", sa.Integer(), nullable=False),
        sa.Column("lower", sa.Float(), nullable=False),
        sa.Column("boxes", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("checksum", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id", "cell_index"],
            ["cells.experiment_id", "cells.cell_index"],
            name=op.f("fk_proofs_cells"),
        ),
        sa.PrimaryKeyConstraint("experiment_id", "cell_index", name=op.f("pk_proofs")),
    )
