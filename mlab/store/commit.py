"""Which results are kept: batches are written whole in one transaction, read back, and pruned long after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, CursorResult, Select, Table, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from mlab.core.errors import StoreError
from mlab.core.records import Batch, Json, Metric, StoredProof, StoredReplay
from mlab.model.ranking import ladder_key
from mlab.store import queries, rows, runs
from mlab.store.checksum import seal
from mlab.store.schema import RANK, Base, CellRow, ExperimentRow, OutboxRow, ProofRow, ReplayRow, ResultRow, TrialRow


def _of_cell(table: type[TrialRow | ResultRow]) -> tuple[ColumnElement[bool], ...]:
    return table.experiment_id == bindparam("exp_id"), table.cell_index == bindparam("cell")


# Made once: to put a statement together takes longer than to execute it.
RANKING = (
    select(ResultRow.score, ResultRow.candidate_id, ResultRow.batch, ResultRow.ladder)
    .where(*_of_cell(ResultRow))
    .order_by(*RANK)
)
GONE = (
    delete(ResultRow)
    .where(ResultRow.candidate_id.in_(bindparam("gone", expanding=True)))
    .execution_options(synchronize_session=False)
)
AGAIN = select(ResultRow).where(*_of_cell(ResultRow), ResultRow.ladder.in_(bindparam("again", expanding=True)))
FOUND = select(TrialRow.ladder, func.count()).where(*_of_cell(TrialRow)).group_by(TrialRow.ladder)
OF_CELL = select(func.min(ResultRow.score)).where(
    ResultRow.experiment_id == CellRow.experiment_id, ResultRow.cell_index == CellRow.cell_index
)
# Cell by cell, of which the index tells the least at once; asked of the run, it would go through all results.
LEAST = select(func.min(OF_CELL.scalar_subquery())).where(CellRow.experiment_id == bindparam("exp_id"))


@dataclass(frozen=True, slots=True)
class Saved:
    """What a commit left: rows of the batch that were kept, rows the cell holds, and the best score of the run."""

    rows: int
    held: int
    best_score: float | None


class Place(NamedTuple):
    """A result among those of its cell: the lowest score comes first, ties go by id."""

    score: float
    candidate_id: str
    batch: int
    ladder: str


def save(session: Session, experiment: ExperimentRow, batch: Batch, top_k: int, elapsed_s: float) -> Saved:
    """Write a batch, keeping the ``top_k`` best ladders of its cell; a batch that is there already changes nothing.

    StoreError where another batch with that number is there.
    """
    exp_id, cell = experiment.id, batch.cell
    numbers = {"index": batch.index, "cell_index": cell.index, "top_k": top_k, "elapsed_s": elapsed_s}
    rows.check(numbers, _named(experiment, batch))  # SQLite would take an integer of numpy for bytes
    stored = queries.trials(session, exp_id, cell.index, batch.index)
    if stored and stored != [*batch.trials]:
        raise StoreError(f"{_named(experiment, batch)} is stored with other trials; resume the run")
    if not stored:
        results = [rows.result_row(exp_id, candidate) for candidate in batch.candidates]
        ladders = {row["candidate_id"]: row["ladder"] for row in results}
        trials = [rows.trial_row(exp_id, cell, trial, ladders.get(trial.candidate_id)) for trial in batch.trials]
        _insert(session, TrialRow, trials)
        _insert(session, OutboxRow, rows.outbox_rows(exp_id, cell.index, batch.metrics))
        ranking = _keep(session, exp_id, cell.index, results, top_k)
        scores = [place.score for place in ranking[:1]] + [experiment.best_score]
        experiment.best_score = min((score for score in scores if score is not None), default=None)
        experiment.eval_count += sum(trial.evaluations for trial in batch.trials)
        experiment.elapsed_s = max(experiment.elapsed_s, elapsed_s)
    else:
        ranking = _ranking(session, exp_id, cell.index)
    kept = sum(place.batch == batch.index for place in ranking)
    return Saved(kept, len(ranking), experiment.best_score)


def verify(session: Session, experiment: ExperimentRow, batch: Batch) -> int:
    """Read a batch back and compare it with what was sent; the rows of it that the database holds.

    StoreError where a trial or result is missing or differs, or the best score is not the least.
    """
    named, exp_id, cell_index = _named(experiment, batch), experiment.id, batch.cell.index
    if queries.trials(session, exp_id, cell_index, batch.index) != [*batch.trials]:
        raise StoreError(f"{named}: its trials do not read back as they were sent; check the disk")
    results = queries.results(session, exp_id, cell_index, batch=batch.index)
    kept = {candidate.candidate_id: candidate for candidate in results}
    if not kept.items() <= {candidate.candidate_id: candidate for candidate in batch.candidates}.items():
        raise StoreError(f"{named}: its results do not read back as they were sent; check the disk")
    ranking = _ranking(session, exp_id, cell_index)
    places = {row.ladder: (row.score, row.candidate_id) for row in ranking}
    last = max(places.values(), default=(math.inf, ""))
    for candidate in batch.candidates:
        if candidate.candidate_id in kept:
            continue
        better = min(last, places.get(ladder_key(candidate.contract["schedule"]), last))
        if (candidate.score, candidate.candidate_id) < better:
            raise StoreError(f"{named}: result {candidate.candidate_id} is missing; check the disk")
    if experiment.best_score != session.scalar(LEAST, {"exp_id": exp_id}):
        raise StoreError(f"{named}: the best score of the run is not the least of its results; check the disk")
    return len(kept)


def save_replays(session: Session, exp_id: int, replays: Sequence[StoredReplay]) -> None:
    """Write what the winners of a run did on prices, in the place of what was written before."""
    session.execute(delete(ReplayRow).where(ReplayRow.experiment_id == exp_id))
    _insert(session, ReplayRow, [rows.replay_row(exp_id, replay) for replay in replays])


def verify_replays(session: Session, exp_id: int, replays: Sequence[StoredReplay]) -> None:
    """Read them back and compare; StoreError where one is missing or differs."""
    if queries.replays(session, exp_id) != [*replays]:
        raise StoreError(f"the replays of run {exp_id} do not read back as they were sent; check the disk")


def save_proof(
    session: Session, exp_id: int, cell_index: int, proof: StoredProof, metrics: Sequence[Metric]
) -> StoredProof:
    """Write what was proved of a cell, and the numbers of it that MLflow is owed; the better proof, which is kept."""
    row = session.get(ProofRow, (exp_id, cell_index))
    before = rows.proof(row)
    if before is not None and before.lower >= proof.lower:
        return before
    if row is not None:
        session.delete(row)
        session.flush()
    _insert(session, ProofRow, [rows.proof_row(exp_id, cell_index, proof)])
    _insert(session, OutboxRow, rows.outbox_rows(exp_id, cell_index, metrics))
    return proof


def verify_proof(session: Session, exp_id: int, cell_index: int, proof: StoredProof) -> None:
    """Read it back and compare; StoreError where it differs."""
    if queries.cell(session, exp_id, cell_index).proof != proof:
        raise StoreError(f"a proof of run {exp_id} does not read back as it was sent; check the disk")


def surplus(session: Session, exp_id: int, most: int) -> int:
    """How many results of a run are not among the best ``most`` of their cell."""
    query = select(func.count()).select_from(_surplus(exp_id, most).subquery())
    return session.scalar(query) or 0


def prune(session: Session, exp_id: int, most: int) -> int:
    """Remove all results of a COMPLETED run but the best ``most``, one or more, of each cell; how many those were.

    Its trials stay, and the audit holds the best result of each cell against them; replays go with their ladders.
    StoreError where the run may still go on.
    """
    row = runs.by_id(session, exp_id)
    if row.status != "COMPLETED":
        raise StoreError(f"run {row.run_id} is {row.status}; of one that may go on no candidate is removed")
    beyond = delete(ResultRow).where(ResultRow.id.in_(_surplus(exp_id, most)))
    gone = cast(CursorResult[Any], session.execute(beyond.execution_options(synchronize_session=False))).rowcount
    kept = select(ResultRow.candidate_id).where(ResultRow.experiment_id == exp_id)
    lost = (ReplayRow.kind == "ladder") & ReplayRow.candidate_id.not_in(kept)
    session.execute(delete(ReplayRow).where(ReplayRow.experiment_id == exp_id, lost))
    return gone


def _surplus(exp_id: int, most: int) -> Select[int]:
    """The ids of the results of a run but for the best ``most`` of each cell."""
    place = func.row_number().over(partition_by=ResultRow.cell_index, order_by=RANK).label("place")
    of_run = ResultRow.experiment_id + 0 == exp_id  # found without an index
    ranked = select(ResultRow.id, place).where(of_run).subquery()
    return select(ranked.c.id).where(ranked.c.place > most)


def _named(experiment: ExperimentRow, batch: Batch) -> str:
    return f"run {experiment.run_id}, cell {batch.cell.label}, batch {batch.index}"


def _insert(session: Session, table: type[Base], values: list[Json]) -> None:
    if values:  # none would insert a row of defaults
        session.execute(insert(cast(Table, table.__table__)), [{**row, "checksum": seal(table, row)} for row in values])


def _keep(session: Session, exp_id: int, cell_index: int, results: Sequence[Json], top_k: int) -> list[Place]:
    """Keep the ``top_k`` best ladders of a cell, each as its best candidate found it, and how often its trials did.

    ``results`` are the rows of a batch, whose trials are written. Returns what is kept, best first.
    """
    of_cell = {"exp_id": exp_id, "cell": cell_index}
    stored = _ranking(session, exp_id, cell_index)
    new = [Place(*(row[name] for name in Place._fields)) for row in results]
    best: dict[str, Place] = {}
    for place in sorted([*stored, *new]):
        best.setdefault(place.ladder, place)
    kept = [*best.values()][:top_k]
    if gone := [place.candidate_id for place in stored if place not in kept]:
        session.execute(GONE, {"gone": gone})
    found = dict(session.execute(FOUND, of_cell).tuples().all())
    added = zip(results, new, strict=True)
    _insert(session, ResultRow, [{**row, "found": found[row["ladder"]]} for row, place in added if place in kept])
    if again := {place.ladder for place in kept if place not in new} & {place.ladder for place in new}:
        for row in session.scalars(AGAIN, of_cell | {"again": [*again]}):
            row.found = found[row.ladder]
    return kept


def _ranking(session: Session, exp_id: int, cell_index: int) -> list[Place]:
    """Each result that a cell holds, best first."""
    return [Place(*row) for row in session.execute(RANKING, {"exp_id": exp_id, "cell": cell_index})]
