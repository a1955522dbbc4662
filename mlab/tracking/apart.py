"""Which database an address names, and that nobody is given another's: each would add tables of its own."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mlab.core.errors import ConfigError
from mlab.core.state import State

TOLD = {
    "MLFLOW_TRACKING_URI": "MLflow",
    "MLFLOW_BACKEND_STORE_URI": "MLflow",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": "Prefect",
    "PREFECT_API_DATABASE_CONNECTION_URL": "Prefect",
    "PREFECT_SERVER_DATABASE_NAME": "Prefect",
}
"""Variables that name a database, and whose that then is; the last names one beside variables for driver and host."""

LOCAL = {"", "localhost", "127.0.0.1", "::1"}


def check_apart(state: State) -> None:
    """Refuse an address in the environment that names a database of another's.

    Raises:
        ConfigError: it does, through whatever links and in whatever spelling.
    """
    told = {variable: uri for variable in TOLD if (uri := os.environ.get(variable))} | _named_by_parts()
    for variable, uri in told.items():
        for whose, other in _taken(state, told):
            if whose != TOLD[variable] and same(uri, other):
                raise _refused(variable, f"the database of {whose}", uri)
        if any(map(_holds_experiments, sqlite_files(uri))):
            raise _refused(variable, "a database of experiments", uri)


def _named_by_parts() -> dict[str, str]:
    """The database of Prefect that is named without a URL, as its URL."""
    driver, host, port, name = (
        os.environ.get(f"PREFECT_SERVER_DATABASE_{part}") or os.environ.get(f"PREFECT_API_DATABASE_{part}") or ""
        for part in ("DRIVER", "HOST", "PORT", "NAME")
    )
    server = f"{host}:{port or 5432}" if driver.startswith("postgres") else ""
    return {"PREFECT_SERVER_DATABASE_NAME": f"{driver}://{server}/{name}" if driver and name else ""}


def _refused(variable: str, what: str, uri: str) -> ConfigError:
    must = f"must not be {what}, to which {TOLD[variable]} would add its tables"
    return ConfigError("environment", variable, must, uri)


def absolute_addresses() -> dict[str, str]:
    """The addresses in the environment that name a file in this working directory, for a process that has another."""
    here = str(Path.cwd()).replace("%", "%25").replace("?", "%3F")
    found = {}
    for variable in TOLD:
        uri = os.environ.get(variable, "")
        if (files := sqlite_files(uri)) and not files[0].is_absolute():
            before = ":///file:" if ":///file:" in uri else ":///"
            found[variable] = uri.replace(before, f"{before}{here}/", 1)
    return found


def _taken(state: State, told: dict[str, str]) -> Iterator[tuple[str, str | Path]]:
    """Every database, and whose it is."""
    yield "the experiments", state.database
    yield "MLflow", state.mlflow_database
    yield "Prefect", state.prefect_database
    for variable, uri in told.items():
        yield TOLD[variable], uri


def same(one: str | Path, other: str | Path) -> bool:
    """Whether two addresses, or files of SQLite's, are one database."""
    files, others = sqlite_files(one), sqlite_files(other)
    if files or others:
        return any(_same_file(file, another) for file in files for another in others)
    return (server := _on_server(str(one))) is not None and server == _on_server(str(other))


def sqlite_files(uri: str | Path) -> list[Path]:
    """The file that an address of SQLAlchemy's stands for, quoted or not; none where it is no file of SQLite's."""
    if isinstance(uri, Path):
        return [uri]
    scheme, _, place = uri.partition(":///")
    if scheme.lower().partition("+")[0] != "sqlite" or not place:
        return []
    name = place.partition("?")[0].removeprefix("file:")
    if name.startswith("///"):  # SQLite's own addresses name a host, too
        name = name[2:]
    return [Path(name), Path(unquote(name))]


def _holds_experiments(file: Path) -> bool:
    """Whether a file is the database of some state folder's, or a copy of one: it has a table that no other has."""
    if not file.is_file():
        return False
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{quote(str(file))}?immutable=1", uri=True)) as opened:
        return opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchone() is not None
    return False


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # not there yet
        return one.resolve() == other.resolve()


def _on_server(uri: str) -> tuple[str, str, str] | None:
    """Host, port and name of a database of PostgreSQL's, the one server that both work with; None of any other.

    One that is told to look for its tables in a schema of its own shares none.
    """
    try:
        parts = urlsplit(uri)
        asked = parse_qs(parts.query)
        host = (asked.get("host") or [parts.hostname or ""])[0].lower()
        port = (asked.get("port") or [str(parts.port or 5432)])[0]
    except ValueError:
        return None
    if not parts.scheme.startswith("postgres") or "search_path" in parts.query:
        return None
    local = host in LOCAL or host.startswith("/")
    return "" if local else host, port, unquote(parts.path.strip("/")) or unquote(parts.username or "")
