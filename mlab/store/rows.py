"""Records as rows and back. What comes back equals what went in, to the last bit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from mlab.core.records import Batch, Candidate, Cell, Experiment, Json, Outcome, Status, Trial
from mlab.model.ranking import ladder_key
from mlab.store.canonical_json import check, decoded, encoded
from mlab.store.schema import CellRow, ExperimentRow, ResultRow, TrialRow

PARTS = ("sanity", "diagnostics", "penalties")
"""Keys of the contract that have a column of their own; the payload holds the others."""


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def cell_row(exp_id: int, cell: Cell) -> Json:
    """A row of ``cells`` that has not been searched yet."""
    row = {"cell_index": cell.index, "overlap_pct": cell.overlap_pct, "num_orders": cell.num_orders}
    check(row, cell.label)
    return row | {"experiment_id": exp_id, "finished": False, "stopped_early": False}


def trial_row(exp_id: int, cell: Cell, trial: Trial, ladder: str | None) -> Json:
    """A row of ``trials``."""
    where = f"{cell.label}, trial {trial.number}"
    row = {
        "experiment_id": exp_id,
        "cell_index": cell.index,
        "number": trial.number,
        "batch": trial.batch,
        "params_json": encoded(trial.params, f"{where}: params"),
        "outcome": trial.outcome,
        "score": trial.score,
        "reports_json": encoded(list(trial.reports), f"{where}: reports"),
        "evaluations": trial.evaluations,
        "candidate_id": trial.candidate_id,
        "error": trial.error,
        "ladder": ladder,
    }
    check(row, where)
    return row


def result_row(exp_id: int, candidate: Candidate) -> Json:
    """A row of ``results``."""
    where, contract = candidate.candidate_id, candidate.contract
    row = {
        "candidate_id": candidate.candidate_id,
        "cell_index": candidate.cell.index,
        "overlap_pct": candidate.cell.overlap_pct,
        "num_orders": candidate.cell.num_orders,
        "batch": candidate.batch,
        "trial": candidate.trial,
        "score": candidate.score,
        "found": candidate.found,
        "payload_json": encoded({key: contract[key] for key in contract if key not in PARTS}, where),
        "risk_json": encoded(candidate.risk, f"{where}.risk"),
    } | {f"{part}_json": encoded(contract[part], f"{where}.{part}") for part in PARTS}
    check(row, where)
    return row | {"experiment_id": exp_id, "created_at": now(), "ladder": ladder_key(contract["schedule"])}


def outbox_rows(exp_id: int, batch: Batch) -> list[Json]:
    """The rows of ``outbox`` of one batch."""
    rows = [
        {"key": metric.key, "value": metric.value, "step": metric.step, "timestamp_ms": metric.timestamp_ms}
        for metric in batch.metrics
    ]
    for row in rows:
        check(row, f"metric {row['key']}")
    return [row | {"experiment_id": exp_id, "cell_index": batch.cell.index, "delivered": False} for row in rows]


def experiment(row: ExperimentRow) -> Experiment:
    """The record of a row of ``experiments``."""
    return Experiment(
        exp_id=row.id,
        run_id=row.run_id,
        status=cast(Status, row.status),
        config=decoded(row.config_json),
        notes=row.notes,
        started_at=row.started_at,
        finished_at=row.finished_at,
        best_score=row.best_score,
        eval_count=row.eval_count,
        elapsed_s=row.elapsed_s,
        mlflow_run_id=row.mlflow_run_id,
        flow_run_id=row.flow_run_id,
    )


def cell(row: CellRow | ResultRow) -> Cell:
    """The cell that a row names."""
    return Cell(row.cell_index, row.overlap_pct, row.num_orders)


def trial(row: TrialRow) -> Trial:
    """The record of a row of ``trials``."""
    return Trial(
        number=row.number,
        batch=row.batch,
        params=decoded(row.params_json),
        outcome=cast(Outcome, row.outcome),
        score=row.score,
        reports=tuple(decoded(row.reports_json)),
        evaluations=row.evaluations,
        candidate_id=row.candidate_id,
        error=row.error,
    )


def candidate(row: ResultRow) -> Candidate:
    """The record of a row of ``results``."""
    parts = {part: decoded(getattr(row, f"{part}_json")) for part in PARTS}
    return Candidate(
        candidate_id=row.candidate_id,
        cell=cell(row),
        batch=row.batch,
        trial=row.trial,
        score=row.score,
        contract=decoded(row.payload_json) | parts,
        risk=decoded(row.risk_json),
        found=row.found,
    )
