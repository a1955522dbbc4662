"""Every row carries a checksum of its content: it comes back as it was written, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Float, event, inspect

from mlab.core.errors import StoreError
from mlab.store.schema import Base, ProofRow, ReplayRow, ResultRow, TrialRow

UNSEALED = {"id", "checksum", "delivered"}
"""Columns that no checksum covers: the database's own number, and what is struck off by the thousand."""


def seal(table: type[Base], values: Mapping[str, Any]) -> str:
    """The checksum of a row with these values: SHA-256 in hex of their JSON, in the order of the columns."""
    content = [_as_stored(values[name]) if is_float else values[name] for name, is_float in _sealed(table)]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()


@cache
def _sealed(table: type[Base]) -> tuple[tuple[str, bool], ...]:
    """The columns that a checksum covers, and whether they are of floats."""
    columns = [column for column in table.__table__.columns if column.name not in UNSEALED]
    return tuple((column.name, isinstance(column.type, Float)) for column in columns)


def _as_stored(value: float | None) -> float | None:
    """The value that comes back: a float where 20 was written into a column of floats, and no minus before a zero."""
    return None if value is None else float(value) + 0.0


@event.listens_for(Base, "before_insert", propagate=True)
@event.listens_for(Base, "before_update", propagate=True)
def _seal(_mapper: object, _connection: object, row: Base) -> None:
    row.checksum = seal(type(row), {name: getattr(row, name) for name, _ in _sealed(type(row))})


@event.listens_for(Base, "load", propagate=True)
@event.listens_for(Base, "refresh", propagate=True)
def _check(row: Base, *_context: object) -> None:
    try:
        intact = row.checksum == seal(type(row), row.__dict__)  # all columns were just read
    except (TypeError, ValueError):  # the type of a value has changed
        intact = False
    if not intact:
        raise StoreError(f"{_named(row)} is not as it was written (checksum); restore a copy, or begin a new run")


def _named(row: Base) -> str:
    if isinstance(row, ResultRow):
        return f"result {row.candidate_id}"
    if isinstance(row, ReplayRow):
        return f"replay of {row.candidate_id}, cell {row.cell_index} of experiment {row.experiment_id}"
    if isinstance(row, ProofRow):
        return f"proof of experiment {row.experiment_id}, cell {row.cell_index}"
    if isinstance(row, TrialRow):
        return f"trial {row.number} of experiment {row.experiment_id}, cell {row.cell_index}"
    return f"row {inspect(row).identity} of {row.__tablename__}"
