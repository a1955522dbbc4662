"""The tables. A change here needs a revision in ``migrations/versions``; a test compares the two."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    CheckConstraint,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Constraints have names, so that a revision can change them; checksums are of :mod:`mlab.store.checksum`."""

    checksum: Mapped[str] = mapped_column(sort_order=1, server_default="")

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: Float()}  # not Double: as in the migrations

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


def _of_cell() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["experiment_id", "cell_index"], ["cells.experiment_id", "cells.cell_index"])


class ExperimentRow(Base):
    """One run.

    Times are UTC in ISO 8601. ``holder`` is who executes it (:class:`mlab.store.claims.Holder`), null where nobody
    does. ``delivered_status`` is the ending that MLflow has been told of, null before. ``machines_json`` lists the
    kinds of machine on which it was searched, in the order in which they came.
    """

    __tablename__ = "experiments"
    __table_args__ = (
        CheckConstraint("status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'STOPPED')", name="status"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(unique=True)
    adapter: Mapped[str]
    config_json: Mapped[str]
    started_at: Mapped[str]
    finished_at: Mapped[str | None]
    status: Mapped[str]
    best_score: Mapped[float | None]
    eval_count: Mapped[int]
    notes: Mapped[str]
    created_at: Mapped[str]
    deleted: Mapped[bool]
    elapsed_s: Mapped[float]
    mlflow_run_id: Mapped[str | None]
    flow_run_id: Mapped[str | None]
    delivered_status: Mapped[str | None]
    holder: Mapped[str | None] = mapped_column(sort_order=2)
    machines_json: Mapped[str] = mapped_column(sort_order=2, server_default="[]")


class CellRow(Base):
    """One cell of a run. What its batches found is counted from ``trials``."""

    __tablename__ = "cells"

    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    cell_index: Mapped[int] = mapped_column(primary_key=True)
    overlap_pct: Mapped[float]
    num_orders: Mapped[int]
    finished: Mapped[bool]
    stopped_early: Mapped[bool]


class TrialRow(Base):
    """One point that Optuna asked for; enough to replay a study.

    ``ladder`` is the key of the ladder that it found, null where that was not worth keeping: its candidate may not be
    among the results, because the same ladder is there already, or better ones have taken its place.
    """

    __tablename__ = "trials"
    __table_args__ = (_of_cell(), CheckConstraint("outcome IN ('COMPLETE', 'PRUNED', 'FAIL')", name="outcome"))

    experiment_id: Mapped[int] = mapped_column(primary_key=True)
    cell_index: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    batch: Mapped[int]
    params_json: Mapped[str]
    outcome: Mapped[str]
    score: Mapped[float | None]
    reports_json: Mapped[str]
    evaluations: Mapped[int]
    candidate_id: Mapped[str | None]
    error: Mapped[str | None]
    ladder: Mapped[str | None] = mapped_column(sort_order=2)


class ResultRow(Base):
    """One ladder that was kept, no two of a cell the same: as its best candidate found it, and how often it was found.

    The contract is the payload with its sanity, diagnostics and penalties.
    """

    __tablename__ = "results"
    __table_args__ = (_of_cell(), Index("ix_results_rank", "experiment_id", "cell_index", "score", "candidate_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int]
    score: Mapped[float]
    payload_json: Mapped[str]
    sanity_json: Mapped[str]
    diagnostics_json: Mapped[str]
    penalties_json: Mapped[str]
    created_at: Mapped[str]
    candidate_id: Mapped[str] = mapped_column(unique=True)
    cell_index: Mapped[int]
    overlap_pct: Mapped[float]
    num_orders: Mapped[int]
    batch: Mapped[int]
    trial: Mapped[int]
    risk_json: Mapped[str]
    ladder: Mapped[str] = mapped_column(sort_order=2, server_default="")
    found: Mapped[int] = mapped_column(sort_order=2, server_default="1")


RANK = (ResultRow.score, ResultRow.candidate_id)
"""Order of the results of a cell: the lowest score first, ties by id."""


class OutboxRow(Base):
    """One number owed to MLflow, for the run and one of its cells."""

    __tablename__ = "outbox"
    __table_args__ = (_of_cell(), Index("ix_outbox_owed", "experiment_id", "id", sqlite_where=text("NOT delivered")))

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int]
    cell_index: Mapped[int]
    key: Mapped[str]
    value: Mapped[float]
    step: Mapped[int]
    timestamp_ms: Mapped[int]
    delivered: Mapped[bool]


class ProofRow(Base):
    """The best proof of a cell: no ladder within its limits scores below ``lower``."""

    __tablename__ = "proofs"
    __table_args__ = (_of_cell(),)

    experiment_id: Mapped[int] = mapped_column(primary_key=True)
    cell_index: Mapped[int] = mapped_column(primary_key=True)
    lower: Mapped[float]
    boxes: Mapped[int]
    seconds: Mapped[float]
    created_at: Mapped[str]


class ReplayRow(Base):
    """What one ladder did on prices under one rule of when deals end: a winner, or a classical ladder beside it."""

    __tablename__ = "replays"
    __table_args__ = (
        _of_cell(),
        CheckConstraint("kind IN ('ladder', 'classical')", name="kind"),
        UniqueConstraint("experiment_id", "cell_index", "kind", "candidate_id", "prices", "rule_json"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    experiment_id: Mapped[int]
    cell_index: Mapped[int]
    kind: Mapped[str]
    candidate_id: Mapped[str]
    prices: Mapped[str]
    rule_json: Mapped[str]
    content_json: Mapped[str]
    created_at: Mapped[str]
