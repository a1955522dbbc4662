"""The SQLite file: connections, transactions, migrations, and the one place where its errors are worded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from sqlalchemy import URL, Connection, create_engine, event, inspect, text
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from mlab.core.errors import REFUSALS, StoreError, reason
from mlab.core.events import emit
from mlab.store import disk
from mlab.store.schema import Base

BUSY_S = 30
MIGRATIONS = Path(__file__).parent / "migrations"
VERSION = (
    "CREATE TABLE alembic_version ( version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num) )"
)
"""Alembic's own table, as it makes it."""
REMEDIES = {
    sqlite3.SQLITE_BUSY: f"locked by another program for {BUSY_S} s; close it and resume the run",
    sqlite3.SQLITE_LOCKED: f"locked by another program for {BUSY_S} s; close it and resume the run",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and resume the run",
    # How SQLite says it of the file that its processes share; the disk itself would say SQLITE_IOERR.
    sqlite3.SQLITE_IOERR_SHMSIZE: "the disk is full; free some space and resume the run",
    sqlite3.SQLITE_READONLY: "read-only; make the file and its folder writable, or set MLAB_STATE_DIR",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; make its folder writable, or set MLAB_STATE_DIR",
    sqlite3.SQLITE_NOTADB: "not an SQLite database; move it away, or set MLAB_STATE_DIR",
    sqlite3.SQLITE_CORRUPT: "damaged; restore a copy, or save what `sqlite3 FILE .recover` can read",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write it; check the disk and resume the run",
}


class Database:
    """One SQLite file, made in WAL mode. A transaction that has been committed survives a loss of power."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._worded():
            self._reading = disk.reading(path)
        url = URL.create("sqlite", database=str(path))
        if self._reading:
            url = url.set(database=path.as_uri(), query=self._reading | {"uri": "true"})
        # Without an isolation level pysqlite begins nothing of its own accord: _begin alone decides.
        self._writer = create_engine(url, connect_args={"timeout": BUSY_S, "isolation_level": None})
        self._reader = self._writer.execution_options(begin="BEGIN")
        event.listen(self._writer, "connect", _configure)
        event.listen(self._writer, "begin", _begin)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database throughout, and waits for no writer."""
        with self._worded(), Session(self._reader) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session in one transaction, alone with the right to write: all of it is kept, or nothing."""
        with self._worded(), Session(self._writer) as session, session.begin():
            yield session

    def migrate(self) -> str:
        """Create the folder and the tables, or bring the tables up to date; the revision they have now.

        StoreError where the file is of a later version of the program, or is not a database of ours.
        """
        known = revisions()
        with self._worded():
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.reading() as session:
            current = _revision(session)
            if current not in {*known, None}:
                raise StoreError(
                    f"schema {current} is newer than this program, which knows {known[-1]}; "
                    "upgrade it, or set MLAB_STATE_DIR"
                )
            if self._reading and current != known[-1]:
                raise StoreError("read-only and of an earlier version; copy it to where it can be brought up to date")
        if current != known[-1]:
            with self.writing() as session:
                current = _revision(session)  # another may have been faster
                if current is None:
                    _create(session, known[-1])
                elif current != known[-1]:
                    _upgrade(session)
        return known[-1]

    def space(self) -> tuple[int, int]:
        """Bytes of the file, and how many of them removed rows have left free."""
        with self.reading() as session:
            names = ("page_count", "freelist_count", "page_size")
            pages, free, size = (session.scalar(text(f"PRAGMA {name}")) for name in names)
        return pages * size, free * size

    def vacuum(self) -> None:
        """Give the space of removed rows back to the disk; waits for all who read or write."""
        with self._worded(), self._writer.connect().execution_options(begin="SELECT 1") as connection:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections."""
        self._writer.dispose()

    @contextmanager
    def _worded(self) -> Iterator[None]:
        """Turn every failure into one line that names the file and the remedy, after an event."""
        try:
            yield
        except (StoreError, SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
            line = f"{self.path}: {_reason(error, self.path.parent)}"
            emit("DB.ERROR", line, level="error", error=type(error).__name__)
            raise StoreError(line) from error


def revisions() -> list[str]:
    """The revisions of the tables, the first one first: the files of alembic's begin with their numbers."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(session: Session) -> str | None:
    """The revision that the tables have; None where there are none yet."""
    if not inspect(session.connection()).has_table("alembic_version"):
        return None
    revision: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _create(session: Session, revision: str) -> None:
    """Make the tables as they are now: what all revisions come to."""
    Base.metadata.create_all(session.connection(), checkfirst=False)
    session.execute(text(VERSION))
    session.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})


def _upgrade(session: Session) -> None:
    """Bring the tables up to date."""
    from alembic import command  # noqa: PLC0415 - slow to load, and most databases are up to date
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = session.connection()
    command.upgrade(config, "head")


def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    deadline = monotonic() + BUSY_S
    # One that is there keeps its mode: WAL is for one machine only, and its owner may share it among several.
    while _is_new(cursor) and not _in_wal_mode(cursor, patient=monotonic() < deadline):
        sleep(0.01)
    cursor.close()


def _is_new(cursor: DBAPICursor) -> bool:
    return bool(cursor.execute("PRAGMA schema_version").fetchone()[0] == 0)


def _in_wal_mode(cursor: DBAPICursor, *, patient: bool) -> bool:
    """Ask for it; of several that open a new file at once, SQLite turns some away without waiting."""
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if patient and error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))


def _reason(error: Exception, folder: Path) -> str:
    """What happened and what to do, in one line."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, OSError):
        if cause.errno in REFUSALS:
            return f"{reason(cause)} and resume the run"
        return f"{reason(cause)}; make its folder writable, or set MLAB_STATE_DIR"
    if isinstance(cause, UnicodeError) or "Could not decode to UTF-8" in str(cause):  # Python finds that, not SQLite
        return REMEDIES[sqlite3.SQLITE_CORRUPT]
    code = getattr(cause, "sqlite_errorcode", 0)
    kind = code & 0xFF  # the low byte; the others are its variant
    if kind == sqlite3.SQLITE_IOERR and (refusal := disk.refusal(folder)):
        return f"{refusal} and resume the run"
    return REMEDIES.get(code) or REMEDIES.get(kind) or " ".join(str(cause).split())
