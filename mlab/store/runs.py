"""The life of a run's row: created and claimed by one process, ended, removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from mlab.core.errors import RunBusy, StoreError
from mlab.core.records import Cell, Experiment, Json, Status
from mlab.store import rows
from mlab.store.claims import Alive, Holder
from mlab.store.schema import CellRow, ExperimentRow, OutboxRow, ProofRow, ReplayRow, ResultRow, TrialRow

GOING = ("PENDING", "RUNNING")
BY_ID = select(ExperimentRow).where(ExperimentRow.id == bindparam("exp_id"))  # made once, for it is asked twice a batch


def create(
    session: Session, holder: Holder, run_id: str, adapter: str, config: Json, notes: str, cells: Sequence[Cell]
) -> Experiment:
    """Add a run that its holder is about to execute."""
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
        holder=str(holder),
        machines_json="[]",
    )
    session.add(row)
    session.flush()
    session.add_all(CellRow(**rows.cell_row(row.id, cell)) for cell in cells)
    return rows.experiment(row)


def by_id(session: Session, exp_id: int) -> ExperimentRow:
    """The row of a run; StoreError where there is none."""
    row = session.scalar(BY_ID, {"exp_id": exp_id})
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


def free(session: Session, alive: Alive, run_id: str) -> ExperimentRow:
    """The row of a run that may be executed; RunBusy where a living process, this one included, holds it."""
    row = by_run_id(session, run_id)
    if row.status in GOING and alive(run_id):
        raise busy(row)
    return row


def check_free(session: Session, alive: Alive, run_id: str) -> None:
    """See that a run may be executed: StoreError where there is none, RunBusy where a living process executes it."""
    free(session, alive, run_id)


def claim(row: ExperimentRow, holder: Holder) -> None:
    """Make somebody the holder of a run, which goes on."""
    if row.status == "PENDING":
        row.started_at = rows.now()
    row.status, row.finished_at, row.delivered_status, row.holder = "RUNNING", None, None, str(holder)
    if not row.eval_count:
        row.machines_json = "[]"  # where it was cut before its first batch is of no account


def writable(session: Session, exp_id: int, holders: Sequence[Holder | None]) -> ExperimentRow:
    """The row of a run that one of these may write; RunBusy where somebody else has taken the run over."""
    row = by_id(session, exp_id)
    if Holder.of(row.holder) not in holders:
        raise busy(row)
    return row


def seen(row: ExperimentRow, alive: Alive) -> Experiment:
    """The record of a run; one that goes on by name only is STOPPED, as the next start will mark it."""
    run = rows.experiment(row)
    return replace(run, status="STOPPED") if row.status in GOING and not alive(row.run_id) else run


def end(row: ExperimentRow, status: Status) -> Experiment:
    """Close a run and let go of it."""
    row.status, row.finished_at = status, rows.now()
    row.holder = None
    return rows.experiment(row)


def set_deleted(session: Session, alive: Alive, run_id: str, *, deleted: bool) -> None:
    """Take a run off the lists, or bring it back; RunBusy where a living process executes it."""
    row = free(session, alive, run_id) if deleted else by_run_id(session, run_id)
    row.deleted = deleted


def purge(session: Session, run_id: str) -> None:
    """Remove all rows of a run that was deleted; StoreError where it was not."""
    row = by_run_id(session, run_id)
    if not row.deleted:
        raise StoreError(f"run {run_id} is not deleted; .venv/bin/mlab delete comes first")
    for table in (OutboxRow, ProofRow, ReplayRow, ResultRow, TrialRow, CellRow):
        session.execute(delete(table).where(table.experiment_id == row.id))
    session.delete(row)


def set_flow_run(session: Session, exp_id: int, flow_run_id: str) -> None:
    """Remember the Prefect flow run of a run."""
    by_id(session, exp_id).flow_run_id = flow_run_id


def set_mlflow_run(session: Session, exp_id: int, mlflow_run_id: str) -> None:
    """Remember the MLflow run of a run."""
    by_id(session, exp_id).mlflow_run_id = mlflow_run_id


def orphans(session: Session, alive: Alive) -> list[Experiment]:
    """The runs that go on by name only: their process is gone."""
    return [rows.experiment(row) for row in _orphans(session, alive)]


def reconcile(session: Session, alive: Alive) -> list[Experiment]:
    """Mark as STOPPED the runs whose process died without a word; those runs."""
    return [end(row, "STOPPED") for row in _orphans(session, alive)]


def _orphans(session: Session, alive: Alive) -> list[ExperimentRow]:
    going = session.scalars(select(ExperimentRow).where(ExperimentRow.status.in_(GOING))).all()
    return [row for row in going if not alive(row.run_id)]


def busy(row: ExperimentRow) -> RunBusy:
    """The error where somebody else holds a run, or nobody may write it any longer."""
    holder = Holder.of(row.holder)
    if holder is None:
        return RunBusy(f"run {row.run_id} is {row.status}, and takes nothing more")
    return RunBusy(f"run {row.run_id} is being executed by {holder.name}; wait for it, or stop it")
