"""What MLflow is owed: the numbers of every batch, and how the run ended."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from mlab.core.records import PROVED, Experiment, Metric
from mlab.store import rows, runs
from mlab.store.schema import ExperimentRow, OutboxRow


def owing(session: Session) -> list[Experiment]:
    """The runs that have ended and of which MLflow lacks numbers, or the ending itself; oldest first."""
    lacks = select(OutboxRow.id).where(OutboxRow.experiment_id == ExperimentRow.id, ~OutboxRow.delivered).exists()
    query = select(ExperimentRow).where(
        ExperimentRow.status.in_(["COMPLETED", "FAILED", "STOPPED"]),
        or_(lacks, ExperimentRow.delivered_status.is_distinct_from(ExperimentRow.status)),
    )
    return [rows.experiment(row) for row in session.scalars(query.order_by(ExperimentRow.id))]


def owed(session: Session, exp_id: int) -> list[tuple[int, int, Metric]]:
    """Outbox id, cell and number of everything that has not been delivered, oldest first."""
    query = select(OutboxRow).where(OutboxRow.experiment_id == exp_id, ~OutboxRow.delivered).order_by(OutboxRow.id)
    return [
        (row.id, row.cell_index, Metric(row.key, row.value, row.step, row.timestamp_ms))
        for row in session.scalars(query)
    ]


def commits(session: Session, exp_id: int) -> list[tuple[int, int, float | None]]:
    """Cell, batch and best score of the cell at each commit, in the order of the commits."""
    query = (
        select(OutboxRow.cell_index, OutboxRow.step, func.min(OutboxRow.value).filter(OutboxRow.key == "best_score"))
        .where(OutboxRow.experiment_id == exp_id, OutboxRow.key.not_in(PROVED))
        .group_by(OutboxRow.cell_index, OutboxRow.step)
        .order_by(func.min(OutboxRow.id))
    )
    return [(cell, batch, best) for cell, batch, best in session.execute(query)]


def delivered(session: Session, outbox_ids: Sequence[int]) -> None:
    """Strike off what has been delivered."""
    if outbox_ids:
        session.execute(update(OutboxRow), [{"id": key, "delivered": True} for key in outbox_ids])


def delivered_ending(session: Session, run: Experiment) -> None:
    """Remember that MLflow has been told how a run ended, unless it has gone on since."""
    row = runs.by_id(session, run.exp_id)
    if (row.status, row.finished_at) == (run.status, run.finished_at):
        row.delivered_status = run.status
