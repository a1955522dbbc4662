"""What leaves the database: runs that nobody wants any longer, and candidates that a policy does not keep."""

from __future__ import annotations

from collections.abc import Set

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from mlab.core.errors import StoreError
from mlab.store import runs
from mlab.store.schema import CellRow, OutboxRow, ResultRow, TrialRow

MOST = 500
"""Rows that are named in one statement."""


def set_deleted(session: Session, run_id: str, *, deleted: bool) -> None:
    """Take a run off the lists, or bring it back.

    Raises:
        RunBusy: a living process executes it.
    """
    row = runs.free(session, run_id) if deleted else runs.by_run_id(session, run_id)
    row.deleted = deleted


def purge(session: Session, run_id: str) -> None:
    """Remove all rows of a run that was deleted.

    Raises:
        StoreError: it was not.
    """
    row = runs.by_run_id(session, run_id)
    if not row.deleted:
        raise StoreError(f"run {run_id} is not deleted; mlab delete comes first")
    for table in (OutboxRow, ResultRow, TrialRow, CellRow):
        session.execute(delete(table).where(table.experiment_id == row.id))
    session.delete(row)


def crowded(session: Session, exp_id: int, most: int) -> bool:
    """Whether a cell of a run holds more candidates than that."""
    held = select(ResultRow.cell_index).where(ResultRow.experiment_id == exp_id).group_by(ResultRow.cell_index)
    return session.execute(held.having(func.count() > most).limit(1)).first() is not None


def prune(session: Session, exp_id: int, kept: Set[str]) -> int:
    """Remove all candidates of a COMPLETED run but those that are named; how many those were.

    Its trials stay, and the audit holds the best candidate of each cell against them: it has to be among the kept.

    Raises:
        StoreError: the run may still go on, or a cell would lose its best.
    """
    row = runs.by_id(session, exp_id)
    if row.status != "COMPLETED":
        raise StoreError(f"run {row.run_id} is {row.status}; of one that may go on no candidate is removed")
    held = session.execute(select(ResultRow.id, ResultRow.candidate_id).where(ResultRow.experiment_id + 0 == exp_id))
    gone = [key for key, name in held.all() if name not in kept]
    least = _least(session, exp_id)
    for start in range(0, len(gone), MOST):
        session.execute(delete(ResultRow).where(ResultRow.id.in_(gone[start : start + MOST])))
    if _least(session, exp_id) != least:
        raise StoreError(
            f"run {row.run_id}: the best candidate of a cell is not among those to keep; nothing was removed"
        )
    return len(gone)


def _least(session: Session, exp_id: int) -> dict[int, float]:
    """The best score of each cell of a run; an audit of all its rows would keep others from writing for too long."""
    query = select(ResultRow.cell_index, func.min(ResultRow.score)).where(ResultRow.experiment_id + 0 == exp_id)
    return dict(session.execute(query.group_by(ResultRow.cell_index)).tuples().all())
