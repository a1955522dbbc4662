"""Whether MLflow is told of a run while it goes on, and which MLflow: what the environment says, judged."""

from __future__ import annotations

import os
from typing import Literal

from mlab.core.errors import ConfigError
from mlab.core.state import State
from mlab.tracking.apart import check_apart, same


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
    """Where the environment says that MLflow keeps runs; empty where that is its database in the state folder.

    Raises:
        ConfigError: it names a database of another's.
    """
    check_apart(state)
    uri = os.environ.get(variable, "")
    return "" if same(uri, state.mlflow_database) else uri


def check_writable(uri: str, variable: str = "MLFLOW_TRACKING_URI") -> None:
    """Refuse a folder.

    Raises:
        ConfigError: it is one.
    """
    if keeps_files(uri):
        must = "must name a server or a database, as sqlite:///FILE: MLflow writes to folders no longer"
        raise ConfigError("environment", variable, must, uri)


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


def is_server(uri: str) -> bool:
    """Whether it is asked over a network."""
    return uri.lower().startswith(("http://", "https://"))
