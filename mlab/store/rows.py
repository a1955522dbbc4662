"""Records as rows and back. What comes back equals what went in, to the last bit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson

from mlab.core.errors import StoreError
from mlab.core.records import Candidate, Cell, Experiment, Json, Metric, StoredProof, StoredReplay, Trial
from mlab.model.ranking import ladder_key
from mlab.store.schema import Base, CellRow, ExperimentRow, OutboxRow, ProofRow, ReplayRow, ResultRow, TrialRow

PARTS = ("sanity", "diagnostics", "penalties")
"""Keys of the contract that have a column of their own; the payload holds the others."""


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def cell_row(exp_id: int, cell: Cell) -> Json:
    """A row of ``cells`` that has not been searched yet."""
    row = _of_cell(cell)
    check(row, cell.label)
    return row | {"experiment_id": exp_id, "finished": False, "stopped_early": False}


def trial_row(exp_id: int, cell: Cell, trial: Trial, ladder: str | None) -> Json:
    """A row of ``trials``."""
    where = f"{cell.label}, trial {trial.number}"
    row = _alike(Trial, TrialRow, trial)
    check(row, where)
    return row | {
        "experiment_id": exp_id,
        "cell_index": cell.index,
        "params_json": encoded(trial.params, f"{where}: params"),
        "reports_json": encoded(list(trial.reports), f"{where}: reports"),
        "ladder": ladder,
    }


def result_row(exp_id: int, candidate: Candidate) -> Json:
    """A row of ``results``."""
    where, contract = candidate.candidate_id, candidate.contract
    row = _alike(Candidate, ResultRow, candidate) | _of_cell(candidate.cell)
    check(row, where)
    row["payload_json"] = encoded({key: contract[key] for key in contract if key not in PARTS}, where)
    row["risk_json"] = encoded(candidate.risk, f"{where}.risk")
    row |= {f"{part}_json": encoded(contract[part], f"{where}.{part}") for part in PARTS}
    return row | {"experiment_id": exp_id, "created_at": now(), "ladder": ladder_key(contract["schedule"])}


def outbox_rows(exp_id: int, cell_index: int, metrics: Sequence[Metric]) -> list[Json]:
    """The rows of ``outbox`` of some numbers of a cell."""
    rows = [_alike(Metric, OutboxRow, metric) for metric in metrics]
    for row in rows:
        check(row, f"metric {row['key']}")
    return [row | {"experiment_id": exp_id, "cell_index": cell_index, "delivered": False} for row in rows]


def proof_row(exp_id: int, cell_index: int, proof: StoredProof) -> Json:
    """A row of ``proofs``."""
    row = _alike(StoredProof, ProofRow, proof)
    check(row, "proof")
    return row | {"experiment_id": exp_id, "cell_index": cell_index, "created_at": now()}


def replay_row(exp_id: int, replay: StoredReplay) -> Json:
    """A row of ``replays``."""
    where = f"replay of {replay.candidate_id}"
    row = _alike(StoredReplay, ReplayRow, replay)
    check(row, where)
    row |= {f"{part}_json": encoded(getattr(replay, part), f"{where}: {part}") for part in ("rule", "content")}
    return row | {"experiment_id": exp_id, "created_at": now()}


def experiment(row: ExperimentRow) -> Experiment:
    """The record of a row of ``experiments``."""
    config = orjson.loads(row.config_json)
    return Experiment(exp_id=row.id, config=config, machines=machines(row), **_alike(Experiment, ExperimentRow, row))


def machines(row: ExperimentRow) -> tuple[str, ...]:
    """The kinds of machine on which a run was searched, in the order in which they came."""
    return tuple(orjson.loads(row.machines_json))


def cell(row: CellRow | ResultRow) -> Cell:
    """The cell that a row names."""
    return Cell(row.cell_index, row.overlap_pct, row.num_orders)


def trial(row: TrialRow) -> Trial:
    """The record of a row of ``trials``."""
    params, reports = orjson.loads(row.params_json), tuple(orjson.loads(row.reports_json))
    return Trial(params=params, reports=reports, **_alike(Trial, TrialRow, row))


def candidate(row: ResultRow) -> Candidate:
    """The record of a row of ``results``."""
    parts = {part: orjson.loads(getattr(row, f"{part}_json")) for part in PARTS}
    contract, risk = orjson.loads(row.payload_json) | parts, orjson.loads(row.risk_json)
    return Candidate(cell=cell(row), contract=contract, risk=risk, **_alike(Candidate, ResultRow, row))


def proof(row: ProofRow | None) -> StoredProof | None:
    """The record of a row of ``proofs``, if there is one."""
    return StoredProof(**_alike(StoredProof, ProofRow, row)) if row else None


def replay(row: ReplayRow) -> StoredReplay:
    """The record of a row of ``replays``."""
    parts = {part: orjson.loads(getattr(row, f"{part}_json")) for part in ("rule", "content")}
    return StoredReplay(**parts, **_alike(StoredReplay, ReplayRow, row))


def encoded(value: Any, where: str) -> str:
    """JSON with sorted keys; StoreError names what is not plain and finite as below ``where``."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS)
    except TypeError as error:
        check(value, where)
        raise StoreError(f"{where}: {error}; nothing was stored") from error
    if orjson.loads(text) != value:  # takes a tenth of the time in which it is checked number by number
        check(value, where)
    return text.decode()


def check(value: Any, where: str) -> None:
    """Refuse all but finite plain JSON values: StoreError names the first that is something else.

    Numpy numbers and tuples would not come back as they went in, and orjson would turn NaN into null.
    """
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise StoreError(f"{where}: keys must be text, was {key!r}; nothing was stored")
            check(item, f"{where}.{key}")
    elif kind is list:
        for index, item in enumerate(value):
            check(item, f"{where}[{index}]")
    elif kind is float and not math.isfinite(value):
        raise StoreError(f"{where}: must be a finite number, was {value}; nothing was stored")
    elif value is not None and kind not in {bool, int, float, str}:
        raise StoreError(
            f"{where}: must be a plain JSON value, was {kind.__module__}.{kind.__name__}; nothing was stored"
        )


def _alike(record: Any, table: type[Base], one: object) -> Json:
    """The fields that a record and the rows of a table have under the same names, of one of either kind."""
    return {name: getattr(one, name) for name in _shared(record, table)}


@cache
def _shared(record: Any, table: type[Base]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(record) if hasattr(table, field.name))


def _of_cell(cell: Cell) -> Json:
    return {"cell_index": cell.index, "overlap_pct": cell.overlap_pct, "num_orders": cell.num_orders}
