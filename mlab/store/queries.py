"""What runs have found, as records: experiments, cells, trials and candidates."""

from __future__ import annotations

from sqlalchemy import case, distinct, func, select
from sqlalchemy.orm import Session

from mlab.core.records import Candidate, CellResult, Experiment, Trial
from mlab.store import commit, rows
from mlab.store.schema import CellRow, ExperimentRow, ResultRow, TrialRow


def experiment(session: Session, run_id: str) -> Experiment | None:
    """A run by its id."""
    row = session.scalar(select(ExperimentRow).where(ExperimentRow.run_id == run_id))
    return rows.experiment(row) if row else None


def experiments(session: Session, limit: int | None, *, deleted: bool) -> list[Experiment]:
    """The runs that are not deleted, or those that are; newest first."""
    query = select(ExperimentRow).where(ExperimentRow.deleted == deleted)
    return [rows.experiment(row) for row in session.scalars(query.order_by(ExperimentRow.id.desc()).limit(limit))]


def run_of_flow(session: Session, flow_run_id: str) -> str | None:
    """The id of the run that a Prefect flow run executes or executed last; None where there is none."""
    query = select(ExperimentRow.run_id).where(ExperimentRow.flow_run_id == flow_run_id)
    return session.scalar(query.order_by(ExperimentRow.id.desc()).limit(1))


def cells(session: Session, exp_id: int) -> list[CellResult]:
    """How far each cell of a run has come, in order."""
    query = (
        select(
            CellRow,
            func.count(distinct(TrialRow.batch)),
            func.count(TrialRow.number),
            func.coalesce(func.sum(case((TrialRow.outcome == "PRUNED", 1), else_=0)), 0),
            func.coalesce(func.sum(TrialRow.evaluations), 0),
        )
        .outerjoin(TrialRow)
        .where(CellRow.experiment_id == exp_id)
        .group_by(CellRow.cell_index)
        .order_by(CellRow.cell_index)
    )
    return [
        CellResult(
            cell=rows.cell(row),
            best=commit.best(session, exp_id, row.cell_index),
            evaluations=evaluations,
            trials=trials,
            pruned=pruned,
            batches=batches,
            finished=row.finished,
            stopped_early=row.stopped_early,
        )
        for row, batches, trials, pruned, evaluations in session.execute(query).all()
    ]


def trials(session: Session, exp_id: int, cell_index: int) -> list[Trial]:
    """The trials of a cell in the order in which they were asked."""
    query = select(TrialRow).where(TrialRow.experiment_id == exp_id, TrialRow.cell_index == cell_index)
    return [rows.trial(row) for row in session.scalars(query.order_by(TrialRow.number))]


def candidates(session: Session, exp_id: int, cell_index: int | None, limit: int | None) -> list[Candidate]:
    """The candidates kept, by cell and within it best first; of one cell only where it is given."""
    query = select(ResultRow).where(ResultRow.experiment_id == exp_id)
    if cell_index is not None:
        query = query.where(ResultRow.cell_index == cell_index)
    query = query.order_by(ResultRow.cell_index, *commit.RANK).limit(limit)
    return [rows.candidate(row) for row in session.scalars(query)]
