"""What leaves the database: runs that nobody wants any longer, and candidates that a policy does not keep."""

from __future__ import annotations

from sqlalchemy import Select, delete, func, select, text
from sqlalchemy.orm import Session

from mlab.core.errors import StoreError
from mlab.store import commit, runs
from mlab.store.schema import CellRow, OutboxRow, ResultRow, TrialRow


def set_deleted(session: Session, run_id: str, *, deleted: bool) -> None:
    """Take a run off the lists, or bring it back; RunBusy where a living process executes it."""
    row = runs.free(session, run_id) if deleted else runs.by_run_id(session, run_id)
    row.deleted = deleted


def purge(session: Session, run_id: str) -> None:
    """Remove all rows of a run that was deleted; StoreError where it was not."""
    row = runs.by_run_id(session, run_id)
    if not row.deleted:
        raise StoreError(f"run {run_id} is not deleted; mlab delete comes first")
    for table in (OutboxRow, ResultRow, TrialRow, CellRow):
        session.execute(delete(table).where(table.experiment_id == row.id))
    session.delete(row)


def surplus(session: Session, exp_id: int, most: int) -> int:
    """How many results of a run are not among the best ``most`` of their cell."""
    query = select(func.count()).select_from(_beyond(exp_id, most).subquery())
    return session.scalar(query) or 0


def prune(session: Session, exp_id: int, most: int) -> int:
    """Remove all results of a COMPLETED run but the best ``most``, one or more, of each cell; how many those were.

    Its trials stay, and the audit holds the best result of each cell against them. StoreError where it may still go on.
    """
    row = runs.by_id(session, exp_id)
    if row.status != "COMPLETED":
        raise StoreError(f"run {row.run_id} is {row.status}; of one that may go on no candidate is removed")
    return commit.drop(session, _beyond(exp_id, most))


def space(session: Session) -> tuple[int, int]:
    """Bytes of the database, and how many of them removed rows have left free."""
    pages, free, size = (
        int(session.execute(text(f"PRAGMA {name}")).scalar_one())
        for name in ("page_count", "freelist_count", "page_size")
    )
    return pages * size, free * size


def _beyond(exp_id: int, most: int) -> Select[int]:
    return commit.beyond(most, ResultRow.cell_index, ResultRow.experiment_id + 0 == exp_id)  # found without an index
