"""The life of a run's row: created, claimed by one process, ended, removed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from mlab.core.errors import RunBusy, StoreError
from mlab.core.process import Holder
from mlab.core.records import Cell, Experiment, Json, Status
from mlab.store import rows
from mlab.store.schema import CellRow, ExperimentRow, OutboxRow, ResultRow, TrialRow


def create(session: Session, run_id: str, adapter: str, config: Json, notes: str, cells: Sequence[Cell]) -> Experiment:
    """Add a run that nobody executes yet."""
    texts = {"run_id": run_id, "adapter": adapter, "notes": notes}
    rows.check(texts, "experiment")
    created = rows.now()
    row = ExperimentRow(
        **texts,
        config_json=rows.encoded(config, "config"),
        created_at=created,
        started_at=created,
        status="PENDING",
        eval_count=0,
        elapsed_s=0.0,
        deleted=False,
    )
    session.add(row)
    session.flush()
    session.add_all(CellRow(**rows.cell_row(row.id, cell)) for cell in cells)
    return rows.experiment(row)


def by_id(session: Session, exp_id: int) -> ExperimentRow:
    """The row of a run; StoreError where there is none."""
    row = session.get(ExperimentRow, exp_id)
    if row is None:
        raise StoreError(f"there is no experiment {exp_id}; check MLAB_STATE_DIR")
    return row


def by_run_id(session: Session, run_id: str) -> ExperimentRow:
    """The row of a run; StoreError where there is none."""
    row = session.scalar(select(ExperimentRow).where(ExperimentRow.run_id == run_id))
    if row is None:
        raise StoreError(f"there is no run {run_id}; check the id and MLAB_STATE_DIR")
    return row


def cell(session: Session, exp_id: int, cell_index: int) -> CellRow:
    """The row of a cell of a run; StoreError where there is none."""
    row = session.get(CellRow, (exp_id, cell_index))
    if row is None:
        raise no_cell(exp_id, cell_index)
    return row


def no_cell(exp_id: int, cell_index: int) -> StoreError:
    """The error where a run lacks a cell."""
    return StoreError(f"run {exp_id} has no cell {cell_index}; resume it with the config it began with")


def free(session: Session, run_id: str) -> ExperimentRow:
    """The row of a run that may be executed; RunBusy where a living process, this one included, holds it."""
    row = by_run_id(session, run_id)
    holder = _holder(row)
    if holder and holder.alive:
        raise _busy(row)
    return row


def check_free(session: Session, run_id: str) -> None:
    """See that a run may be executed: StoreError where there is none, RunBusy where a living process executes it."""
    free(session, run_id)


def claim(session: Session, run_id: str) -> Experiment:
    """Make this process the holder of a run, unless it is COMPLETED; RunBusy as in :func:`free`."""
    row = free(session, run_id)
    if row.status != "COMPLETED":
        if row.status == "PENDING":
            row.started_at = rows.now()
        here = Holder.here()
        row.holder_pid, row.holder_boot, row.holder_started = here.pid, here.boot, here.started
        row.status, row.finished_at, row.delivered_status = "RUNNING", None, None
    return rows.experiment(row)


def writable(session: Session, exp_id: int, holder: Holder | None) -> ExperimentRow:
    """The row of a run that may be written; RunBusy where another process has taken the run over.

    ``holder`` is the process on whose behalf a worker writes, which has to hold the run; None where this process
    writes for itself: then it holds the run, or nobody does.
    """
    row = by_id(session, exp_id)
    if _holder(row) not in ({None, Holder.here()} if holder is None else {holder}):
        raise _busy(row)
    return row


def end(row: ExperimentRow, status: Status) -> Experiment:
    """Close a run and let go of it."""
    row.status, row.finished_at = status, rows.now()
    row.holder_pid = row.holder_boot = row.holder_started = None
    return rows.experiment(row)


def set_deleted(session: Session, run_id: str, *, deleted: bool) -> None:
    """Take a run off the lists, or bring it back; RunBusy where a living process executes it."""
    row = free(session, run_id) if deleted else by_run_id(session, run_id)
    row.deleted = deleted


def purge(session: Session, run_id: str) -> None:
    """Remove all rows of a run that was deleted; StoreError where it was not."""
    row = by_run_id(session, run_id)
    if not row.deleted:
        raise StoreError(f"run {run_id} is not deleted; mlab delete comes first")
    for table in (OutboxRow, ResultRow, TrialRow, CellRow):
        session.execute(delete(table).where(table.experiment_id == row.id))
    session.delete(row)


def set_flow_run(session: Session, exp_id: int, flow_run_id: str) -> None:
    """Remember the Prefect flow run of a run."""
    by_id(session, exp_id).flow_run_id = flow_run_id


def set_mlflow_run(session: Session, exp_id: int, mlflow_run_id: str) -> None:
    """Remember the MLflow run of a run."""
    by_id(session, exp_id).mlflow_run_id = mlflow_run_id


def orphans(session: Session) -> list[Experiment]:
    """The runs that are RUNNING by name only: their process is gone."""
    return [rows.experiment(row) for row in _orphans(session)]


def reconcile(session: Session) -> list[Experiment]:
    """Mark as STOPPED the runs whose process died without a word; those runs."""
    return [end(row, "STOPPED") for row in _orphans(session)]


def _orphans(session: Session) -> list[ExperimentRow]:
    running = session.scalars(select(ExperimentRow).where(ExperimentRow.status == "RUNNING")).all()
    return [row for row in running if not ((holder := _holder(row)) and holder.alive)]


def _holder(row: ExperimentRow) -> Holder | None:
    if row.holder_pid is None or row.holder_boot is None or row.holder_started is None:
        return None
    return Holder(row.holder_pid, row.holder_boot, row.holder_started)


def _busy(row: ExperimentRow) -> RunBusy:
    if row.holder_pid is None:
        return RunBusy(f"run {row.run_id} is {row.status}, and takes nothing more")
    return RunBusy(f"run {row.run_id} is being executed by process {row.holder_pid}; wait for it, or stop it")
