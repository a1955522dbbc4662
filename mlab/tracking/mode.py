"""Whether MLflow is told of a run while it goes on, and which MLflow: what the environment says, judged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from mlab.core.errors import ConfigError
from mlab.core.state import State


def mode() -> Literal["online", "offline"]:
    """``MLAB_MODE``: an offline run starts no publisher, and ``mlab sync`` delivers it later; online where not set.

    Raises:
        ConfigError: it is neither.
    """
    match os.environ.get("MLAB_MODE") or "online":
        case "online" | "offline" as known:
            return known
        case other:
            raise ConfigError("environment", "MLAB_MODE", "must be online or offline", other)


def tracking_uri(state: State, variable: str = "MLFLOW_TRACKING_URI") -> str:
    """Where the environment says that MLflow keeps runs; empty where that is in the state folder.

    Raises:
        ConfigError: it names the database of the experiments, which MLflow would ruin with tables of its own.
    """
    uri = os.environ.get(variable, "")
    if any(_same(file, state.database) for file in _sqlite_files(uri)):
        must = "must not be the database of the experiments, to which MLflow would add its tables"
        raise ConfigError("environment", variable, must, uri)
    return uri


def check(state: State) -> None:
    """Refuse what is wrong, as :func:`mode` and :func:`tracking_uri` do, before anything is written."""
    mode()
    tracking_uri(state)


def keeps_files(uri: str) -> bool:
    """Whether it names a folder, where this MLflow keeps no runs unless it is told to."""
    told = os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in {"true", "1"}
    scheme, colon, _ = uri.partition(":")
    named = scheme.lower() == "file" if colon else bool(uri) and uri != "databricks"
    return named and not told


def _sqlite_files(uri: str) -> list[Path]:
    """The file that an address of SQLAlchemy's stands for, quoted or not; none where it is no file of SQLite's."""
    scheme, _, place = uri.partition(":///")
    if scheme.lower().partition("+")[0] != "sqlite" or not place:
        return []
    name = place.partition("?")[0].removeprefix("file:")
    if name.startswith("///"):  # SQLite's own addresses name a host, too
        name = name[2:]
    return [Path(name), Path(unquote(name))]


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # not there yet
        return one.resolve() == other.resolve()
