"""What runs have found, as records: experiments, cells, trials and candidates."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, distinct, func, select
from sqlalchemy.orm import Session

from mlab.core.records import Candidate, CellResult, Experiment, StoredReplay, Trial
from mlab.model.ranking import ALIKE
from mlab.store import rows, runs
from mlab.store.claims import Alive
from mlab.store.schema import RANK, Base, CellRow, ExperimentRow, ProofRow, ReplayRow, ResultRow, TrialRow

BEST = (
    select(ResultRow.id)
    .where(ResultRow.experiment_id == CellRow.experiment_id, ResultRow.cell_index == CellRow.cell_index)
    .order_by(*RANK)
    .limit(1)
    .correlate(CellRow)
)
SUMS = ("batches", "trials", "pruned", "evaluations", "independent", "ends")
"""What the trials of a cell add up to, by the names of :class:`mlab.core.records.CellResult`."""


# Statements are made once: to put one together takes longer than to execute it.
@cache
def _cells_with(*columns: str) -> Select[CellRow, ResultRow, ProofRow]:
    """Cells where the columns have the values given, in order, the best result and the proof of each."""
    best = ResultRow.id == BEST.scalar_subquery()
    cells = select(CellRow, ResultRow, ProofRow).outerjoin(ResultRow, best).outerjoin(ProofRow)
    return cells.where(*_equal(CellRow, columns)).order_by(CellRow.cell_index)


@cache
def _sums(*columns: str) -> Select[Any]:
    """``SUMS`` over the trials of each cell that has some, after its index.

    They are joined to nothing: SQLite would go through those of all cells for each, or through those of all runs.
    """
    least = func.min(TrialRow.score).over(partition_by=TrialRow.cell_index)
    seen = select(TrialRow, least.label("least")).where(*_equal(TrialRow, columns)).subquery()
    shaped = seen.c.params_json.contains('"place"') & (seen.c.outcome != "FAIL")
    return select(
        seen.c.cell_index,
        func.count(distinct(seen.c.batch)),
        func.count(),
        func.count().filter(seen.c.outcome == "PRUNED"),
        func.sum(seen.c.evaluations),
        func.count().filter(shaped),
        func.count().filter(shaped & (seen.c.score <= seen.c.least * (1.0 + ALIKE))),
    ).group_by(seen.c.cell_index)


@cache
def _trials(*columns: str) -> Select[Any]:
    return select(TrialRow).where(*_equal(TrialRow, columns)).order_by(TrialRow.number)


@cache
def _results(*columns: str) -> Select[Any]:
    ordered = select(ResultRow).where(*_equal(ResultRow, columns)).order_by(ResultRow.cell_index, *RANK)
    return ordered.limit(bindparam("limit", type_=Integer))


def _equal(table: type[Base], columns: Iterable[str]) -> list[ColumnElement[bool]]:
    return [getattr(table, name) == bindparam(name) for name in columns]


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
    found = _cells(session, experiment_id=exp_id, cell_index=cell_index)
    if not found:
        raise runs.no_cell(exp_id, cell_index)
    return found[0]


def cells(session: Session, exp_id: int) -> list[CellResult]:
    """How far each cell of a run has come, in order."""
    return _cells(session, experiment_id=exp_id)


def _cells(session: Session, **given: int) -> list[CellResult]:
    """Two queries, however many cells there are."""
    counted = session.execute(_sums(*given), given)
    sums = {index: dict(zip(SUMS, row, strict=True)) for index, *row in counted}
    return [
        CellResult(
            cell=rows.cell(row),
            best=rows.candidate(best) if best else None,
            finished=row.finished,
            stopped_early=row.stopped_early,
            proof=rows.proof(proof),
            **sums.get(row.cell_index, dict.fromkeys(SUMS, 0)),
        )
        for row, best, proof in session.execute(_cells_with(*given), given)
    ]


def trials(session: Session, exp_id: int, cell_index: int, batch: int | None = None) -> list[Trial]:
    """The trials of a cell, or of one of its batches, in the order in which they were asked."""
    given = _given(experiment_id=exp_id, cell_index=cell_index, batch=batch)
    return [rows.trial(row) for row in session.scalars(_trials(*given), given)]


def results(
    session: Session, exp_id: int, cell_index: int | None = None, limit: int | None = None, *, batch: int | None = None
) -> list[Candidate]:
    """The candidates kept, by cell and within it best first; of one cell, or of one batch, only where it is given."""
    given = _given(experiment_id=exp_id, cell_index=cell_index, batch=batch)
    return [
        rows.candidate(row)
        for row in session.scalars(_results(*given), given | {"limit": -1 if limit is None else limit})
    ]


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
