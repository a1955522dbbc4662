"""What runs have found, as records: experiments, cells, trials and candidates."""

from __future__ import annotations

from sqlalchemy import ColumnElement, distinct, func, select
from sqlalchemy.orm import Session

from mlab.core.records import Candidate, CellResult, Experiment, StoredReplay, Trial
from mlab.model.ranking import ALIKE
from mlab.store import rows, runs
from mlab.store.claims import Alive
from mlab.store.schema import RANK, CellRow, ExperimentRow, ProofRow, ReplayRow, ResultRow, TrialRow

BEST = (
    select(ResultRow.id)
    .where(ResultRow.experiment_id == CellRow.experiment_id, ResultRow.cell_index == CellRow.cell_index)
    .order_by(*RANK)
    .limit(1)
)
SEEN = select(
    TrialRow, func.min(TrialRow.score).over(partition_by=(TrialRow.experiment_id, TrialRow.cell_index)).label("least")
).subquery()
SHAPED = SEEN.c.params_json.contains('"place"') & (SEEN.c.outcome != "FAIL")
PROGRESS = (
    select(
        CellRow,
        ProofRow,
        BEST.scalar_subquery(),
        func.count(distinct(SEEN.c.batch)),
        func.count(SEEN.c.number),
        func.count().filter(SEEN.c.outcome == "PRUNED"),
        func.coalesce(func.sum(SEEN.c.evaluations), 0),
        func.count().filter(SHAPED),
        func.count().filter(SHAPED & (SEEN.c.score <= SEEN.c.least * (1.0 + ALIKE))),
    )
    .outerjoin(SEEN, (SEEN.c.experiment_id == CellRow.experiment_id) & (SEEN.c.cell_index == CellRow.cell_index))
    .outerjoin(ProofRow)
    .group_by(CellRow.experiment_id, CellRow.cell_index)
    .order_by(CellRow.cell_index)
)
"""Cells, the proof and the id of the best result of each, and sums over its trials."""


def experiment(session: Session, alive: Alive, run_id: str) -> Experiment | None:
    """A run by its id, as :func:`mlab.store.runs.seen`."""
    row = session.scalar(select(ExperimentRow).where(ExperimentRow.run_id == run_id))
    return runs.seen(row, alive) if row else None


def experiments(session: Session, alive: Alive, limit: int | None = None, *, deleted: bool = False) -> list[Experiment]:
    """The runs that are not deleted, or those that are; newest first."""
    query = select(ExperimentRow).where(ExperimentRow.deleted == deleted)
    return [runs.seen(row, alive) for row in session.scalars(query.order_by(ExperimentRow.id.desc()).limit(limit))]


def run_of_flow(session: Session, flow_run_id: str) -> str | None:
    """The id of the run that a Prefect flow run executes or executed last; None where there is none."""
    query = select(ExperimentRow.run_id).where(ExperimentRow.flow_run_id == flow_run_id)
    return session.scalar(query.order_by(ExperimentRow.id.desc()).limit(1))


def cell(session: Session, exp_id: int, cell_index: int) -> CellResult:
    """How far one cell of a run has come; StoreError where the run has no such cell."""
    found = _cells(session, CellRow.experiment_id == exp_id, CellRow.cell_index == cell_index)
    if not found:
        raise runs.no_cell(exp_id, cell_index)
    return found[0]


def cells(session: Session, exp_id: int) -> list[CellResult]:
    """How far each cell of a run has come, in order."""
    return _cells(session, CellRow.experiment_id == exp_id)


def _cells(session: Session, *which: ColumnElement[bool]) -> list[CellResult]:
    """Two queries, however many cells there are."""
    found = session.execute(PROGRESS.where(*which)).all()
    results = select(ResultRow).where(ResultRow.id.in_([best_id for _, _, best_id, *_ in found]))
    best = {row.id: row for row in session.scalars(results)}
    return [
        CellResult(
            cell=rows.cell(row),
            best=rows.candidate(best[best_id]) if best_id else None,
            evaluations=evaluations,
            trials=trials,
            pruned=pruned,
            batches=batches,
            finished=row.finished,
            stopped_early=row.stopped_early,
            independent=independent,
            ends=ends,
            proof=rows.proof(proof),
        )
        for row, proof, best_id, batches, trials, pruned, evaluations, independent, ends in found
    ]


def trials(session: Session, exp_id: int, cell_index: int, batch: int | None = None) -> list[Trial]:
    """The trials of a cell, or of one of its batches, in the order in which they were asked."""
    query = select(TrialRow).filter_by(**_given(experiment_id=exp_id, cell_index=cell_index, batch=batch))
    return [rows.trial(row) for row in session.scalars(query.order_by(TrialRow.number))]


def results(
    session: Session, exp_id: int, cell_index: int | None = None, limit: int | None = None, *, batch: int | None = None
) -> list[Candidate]:
    """The candidates kept, by cell and within it best first; of one cell, or of one batch, only where it is given."""
    query = select(ResultRow).filter_by(**_given(experiment_id=exp_id, cell_index=cell_index, batch=batch))
    query = query.order_by(ResultRow.cell_index, *RANK).limit(limit)
    return [rows.candidate(row) for row in session.scalars(query)]


def replays(session: Session, exp_id: int) -> list[StoredReplay]:
    """What the winners of a run did on prices, in the order in which they were replayed."""
    query = select(ReplayRow).where(ReplayRow.experiment_id == exp_id).order_by(ReplayRow.id)
    return [rows.replay(row) for row in session.scalars(query)]


def _given(**columns: int | None) -> dict[str, int]:
    return {name: value for name, value in columns.items() if value is not None}


def kept(session: Session, exp_id: int, candidate_id: str) -> Candidate | None:
    """The result that is the ladder of a candidate, its own or a better one's; None where that is not kept."""
    of_trial = (TrialRow.ladder == ResultRow.ladder) & (TrialRow.cell_index == ResultRow.cell_index)
    query = select(ResultRow).join(TrialRow, of_trial & (TrialRow.experiment_id == ResultRow.experiment_id))
    row = session.scalar(query.where(ResultRow.experiment_id == exp_id, TrialRow.candidate_id == candidate_id))
    return rows.candidate(row) if row else None
