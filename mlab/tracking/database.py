"""MLflow's database in the state folder: its address, and the absolute places in it, which follow the folder.

MLflow writes down where artifacts lie when it makes an experiment and a run, and goes on to write and look there
wherever the folder has been moved or copied since.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from mlab.core.errors import StoreError
from mlab.core.state import State

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)
"""Columns of MLflow's that hold places, ours or what people have added to them."""

BUSY_S = 30.0


def address(file: Path) -> str:
    """A file of SQLite's as MLflow wants it named, whatever characters are in its path."""
    # With the driver, for of an address without one MLflow takes the quoted path for a folder, and makes it.
    return f"sqlite+pysqlite:///{quote(str(file))}"


def former_place(state: State) -> str:
    """Where the database has the artifacts of a folder that has been moved or copied; empty where that is here.

    Raises:
        StoreError: it cannot be read.
    """
    if not state.mlflow_database.exists():
        return ""
    with _opened(state, "ro") as file:
        return _former(file, state.artifacts.as_uri())


def follow_folder(state: State) -> None:
    """Have the places in the database follow the folder, all or none of them.

    Raises:
        StoreError: it cannot be read or written.
    """
    if not former_place(state):
        return
    here = state.artifacts.as_uri()
    with _opened(state, "rw") as file:
        file.execute("BEGIN IMMEDIATE")
        former = _former(file, here)
        for table, column in PLACES if former else ():
            if file.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, column)).fetchone():
                file.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - names from above
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (here, len(former) + 1, former, len(former) + 1, f"{former}/"),
                )


@contextmanager
def _opened(state: State, mode: str) -> Iterator[sqlite3.Connection]:
    """The file, never made; what the block has begun is kept whole, or nothing of it."""
    place = f"file:{quote(str(state.mlflow_database))}?mode={mode}"
    try:
        with closing(sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, uri=True)) as file, file:
            yield file
    except sqlite3.Error as error:
        raise StoreError(f"{state.mlflow_database}: {error}") from error


def _former(file: sqlite3.Connection, here: str) -> str:
    """The place of all artifacts by that of MLflow's first experiment, which was made with the database."""
    if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return ""  # MLflow has not made its tables yet
    places = file.execute("SELECT artifact_location FROM experiments WHERE experiment_id = 0").fetchall()
    root = next((place.removesuffix("/0") for (place,) in places if place.endswith("/artifacts/0")), "")
    return root if root != here and root.startswith("file:") else ""
