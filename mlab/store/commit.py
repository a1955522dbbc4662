"""One batch: written whole in one transaction, and read back."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from mlab.core.errors import StoreError
from mlab.core.records import Batch, Candidate, Json, Trial
from mlab.store import rows
from mlab.store.checksum import seal
from mlab.store.schema import Base, ExperimentRow, OutboxRow, ResultRow, TrialRow

RANK = (ResultRow.score, ResultRow.candidate_id)
"""Order of the results of a cell: the lowest score first, ties by id."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a commit left: rows of the batch that were kept, rows the cell holds, and the best score of the run."""

    rows: int
    held: int
    best_score: float | None


def save(session: Session, experiment: ExperimentRow, batch: Batch, top_k: int, elapsed_s: float) -> Saved:
    """Write a batch, keeping the ``top_k`` best results of its cell; a batch that is there already changes nothing.

    Raises:
        StoreError: another batch with that number is there.
    """
    stored = _trials(session, experiment.id, batch)
    if stored and stored != batch.trials:
        raise StoreError(f"{_named(experiment, batch)} is stored with other trials; resume the run")
    if not stored:
        exp_id = experiment.id
        _insert(session, TrialRow, [rows.trial_row(exp_id, batch.cell, trial) for trial in batch.trials])
        _insert(session, ResultRow, [rows.result_row(exp_id, candidate) for candidate in batch.candidates])
        _insert(session, OutboxRow, rows.outbox_rows(exp_id, batch))
        _drop_beyond(session, exp_id, batch.cell.index, top_k)
        experiment.best_score = _least(session, exp_id)
        experiment.eval_count += sum(trial.evaluations for trial in batch.trials)
        experiment.elapsed_s = max(experiment.elapsed_s, elapsed_s)
    ranking = _ranking(session, experiment.id, batch.cell.index)
    kept = sum(index == batch.index for _, _, index in ranking)
    return Saved(kept, len(ranking), experiment.best_score)


def verify(session: Session, experiment: ExperimentRow, batch: Batch) -> int:
    """Read a batch back and compare it with what was sent; the rows of it that the database holds.

    Raises:
        StoreError: a trial or result is missing or differs, or the best score is not the least.
    """
    named = _named(experiment, batch)
    if _trials(session, experiment.id, batch) != batch.trials:
        raise StoreError(f"{named}: its trials do not read back as they were sent; check the disk")
    kept = _kept(session, experiment.id, batch)
    if not kept.items() <= {candidate.candidate_id: candidate for candidate in batch.candidates}.items():
        raise StoreError(f"{named}: its results do not read back as they were sent; check the disk")
    ranking = _ranking(session, experiment.id, batch.cell.index)
    for candidate in batch.candidates:
        dropped_out = ranking and (candidate.score, candidate.candidate_id) > ranking[-1][:2]
        if candidate.candidate_id not in kept and not dropped_out:
            raise StoreError(f"{named}: result {candidate.candidate_id} is missing; check the disk")
    if experiment.best_score != _least(session, experiment.id):
        raise StoreError(f"{named}: the best score of the run is not the least of its results; check the disk")
    return len(kept)


def _named(experiment: ExperimentRow, batch: Batch) -> str:
    return f"run {experiment.run_id}, cell {batch.cell.label}, batch {batch.index}"


def _insert(session: Session, table: type[Base], values: list[Json]) -> None:
    if values:  # none would insert a row of defaults
        session.execute(insert(table), [{**row, "checksum": seal(table, row)} for row in values])


def _drop_beyond(session: Session, exp_id: int, cell_index: int, top_k: int) -> None:
    beyond = (
        select(ResultRow.id)
        .where(ResultRow.experiment_id == exp_id, ResultRow.cell_index == cell_index)
        .order_by(*RANK)
        .limit(-1)  # SQLite has no offset without a limit
        .offset(top_k)
    )
    session.execute(delete(ResultRow).where(ResultRow.id.in_(beyond)).execution_options(synchronize_session=False))


def _least(session: Session, exp_id: int) -> float | None:
    return session.scalar(select(func.min(ResultRow.score)).where(ResultRow.experiment_id == exp_id))


def _trials(session: Session, exp_id: int, batch: Batch) -> tuple[Trial, ...]:
    """The stored trials of a batch, in order."""
    query = (
        select(TrialRow)
        .where(TrialRow.experiment_id == exp_id, TrialRow.cell_index == batch.cell.index, TrialRow.batch == batch.index)
        .order_by(TrialRow.number)
    )
    return tuple(rows.trial(row) for row in session.scalars(query))


def _kept(session: Session, exp_id: int, batch: Batch) -> dict[str, Candidate]:
    """The stored candidates of a batch by id."""
    query = select(ResultRow).where(
        ResultRow.experiment_id == exp_id, ResultRow.cell_index == batch.cell.index, ResultRow.batch == batch.index
    )
    return {row.candidate_id: rows.candidate(row) for row in session.scalars(query)}


def _ranking(session: Session, exp_id: int, cell_index: int) -> list[tuple[float, str, int]]:
    """Score, id and batch of each result that a cell holds, best first."""
    query = (
        select(ResultRow.score, ResultRow.candidate_id, ResultRow.batch)
        .where(ResultRow.experiment_id == exp_id, ResultRow.cell_index == cell_index)
        .order_by(*RANK)
    )
    return [(score, name, batch) for score, name, batch in session.execute(query)]
