"""What leaves the database: runs that nobody wants any longer, and candidates that a policy does not keep."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from mlab.errors import StoreError
from mlab.store import runs
from mlab.store.commit import RANK
from mlab.store.schema import CellRow, OutboxRow, ResultRow, TrialRow


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


def surplus(session: Session, exp_id: int, kept: int) -> list[int]:
    """The rows of a run's candidates that are not among the ``kept`` best of their cells."""
    rank = func.row_number().over(partition_by=ResultRow.cell_index, order_by=RANK).label("rank")
    ranked = select(ResultRow.id, rank).where(ResultRow.experiment_id == exp_id).subquery()
    return list(session.scalars(select(ranked.c.id).where(ranked.c.rank > kept)))


def prune(session: Session, exp_id: int, kept: int) -> int:
    """Remove all candidates of a COMPLETED run but the ``kept`` best of each cell; how many those were.

    Its trials stay: the audit compares the best candidate with them.

    Raises:
        StoreError: the run may still go on, or none would be kept.
    """
    row = runs.by_id(session, exp_id)
    if row.status != "COMPLETED" or kept < 1:
        raise StoreError(f"run {row.run_id} is {row.status}; only of a COMPLETED one all but the best are removed")
    gone = surplus(session, exp_id, kept)
    for start in range(0, len(gone), 500):  # SQLite takes so many numbers in one statement
        session.execute(delete(ResultRow).where(ResultRow.id.in_(gone[start : start + 500])))
    return len(gone)
