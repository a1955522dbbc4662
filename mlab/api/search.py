"""``mlab.search``: a search from a call, along the road that the command takes."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlab import config as configs
from mlab import tracking
from mlab.api.arguments import path_of, whole_of
from mlab.api.runs import Run, folder
from mlab.config import Config
from mlab.config.models import MAX_WORKERS
from mlab.core import events
from mlab.core.errors import ConfigError
from mlab.core.state import State
from mlab.model.limits import Limits
from mlab.model.objective import Score
from mlab.report.progress import Progress
from mlab.store import Store
from mlab.tracking import Sidecar

with warnings.catch_warnings(action="ignore"):  # a notebook without widgets, as tqdm says, which Optuna loads
    from mlab.search import run as road
    from mlab.search.watcher import Publisher, Watcher

KEYBOARD = 128 + signal.SIGINT
"""How a search ends that an interrupt from the keyboard has stopped."""

logging.getLogger("mlab").addHandler(logging.NullHandler())  # an error is told once, by what is raised


def search(
    config: str | os.PathLike[str] | Config | None = None,
    *,
    overlap_pct: float | Sequence[float] | None = None,
    num_orders: int | Sequence[int] | None = None,
    score: Score | None = None,
    limits: Limits | None = None,
    workers: int = 1,
    state: str | os.PathLike[str] | None = None,
    **fields: Any,
) -> Run:
    """Search for ladders.

    Args:
        config: a YAML file, or the defaults; what else is given replaces its fields.
        overlap_pct: depths to cover, in %.
        num_orders: numbers of orders; the cells are all pairs.
        score: what makes a ladder good.
        limits: what every ladder keeps.
        workers: cells searched at a time, each in a process of its own; changes no result. As ever with processes, a
            script then needs ``if __name__ == "__main__":``.
        state: folder in which the run is kept, and from which MLflow is told of it; where left out, all is done in
            memory and in a temporary folder, which is gone afterwards.
        fields: any other field of the config by its name, such as ``base_price``, ``seed`` or ``max_batches``.

    Raises:
        ConfigError: an argument is wrong; nothing was begun.
        LabError: the search failed.
        KeyboardInterrupt: the run was stopped; with ``state``, what it found is kept.

    Example:
        >>> import mlab
        >>> found = mlab.search(overlap_pct=20, num_orders=10)
        >>> round(found.best.score, 5)
        1.92709
    """
    given = {"overlap_pct": overlap_pct, "num_orders": num_orders, "score": score, "limits": limits}
    judged = _config(config, {name: value for name, value in given.items() if value is not None} | fields)
    configs.check_start(judged, "search")
    workers = whole_of("search", "workers", workers, 1, MAX_WORKERS)
    if state is not None:
        kept = folder("search", state)
        tracking.check(kept)
        return _searched(kept, judged, workers, kept=True)
    try:
        temporary = TemporaryDirectory(prefix="mlab-", ignore_cleanup_errors=True)
    except OSError as error:
        must = f"must be a folder, for a temporary one cannot be made: {error.strerror or error}"
        raise ConfigError("search", "state", must) from error
    with temporary as place:
        return _searched(State(Path(place)), judged, workers, kept=False)


def _config(config: str | os.PathLike[str] | Config | None, fields: dict[str, Any]) -> Config:
    """The config with fields replaced, which are told apart by their names alone."""
    if not isinstance(config, Config):
        config = configs.load(None if config is None else path_of("search", "config", config))
    tree = config.model_dump(mode="json")
    places = {name: tree[section] for section in ("ladder", "search") for name in tree[section]}
    for name, value in fields.items():
        plain = value.tolist() if hasattr(value, "tolist") else value  # of numpy
        places.get(name, tree)[name] = list(plain) if isinstance(plain, range) else plain
    return configs.from_tree(tree, "search")


def _searched(state: State, config: Config, workers: int, *, kept: bool) -> Run:
    """Search along the road of every run; what is not ``kept`` lies in a temporary folder, of which nobody is told."""
    started: list[Sidecar] = []

    def publishing(run_id: str) -> Publisher:
        if not kept:
            return Publisher()
        started.append(Sidecar(state, run_id))
        return started[0]

    with Store.open(state.database) as store, _watching() as watcher:
        store.reconcile()
        job = road.Job(config, workers=workers)
        try:
            ending = road.run(state, store, job, watcher=watcher, publishing=publishing)
        finally:
            events.recorder.close()
        if ending.exit_status:
            raise KeyboardInterrupt if ending.exit_status == KEYBOARD else SystemExit(ending.exit_status)
        run = store.experiment(ending.run_id)
        assert run is not None  # noqa: S101 - it has just ended
        if started and (line := tracking.undelivered(store, run, started[0].answer)):
            warnings.warn(line, stacklevel=3)
        loaded = Run.load(state, store, run)
        if not kept:
            loaded = replace(loaded, state=None)
        if config.replay is not None and not loaded.stored_replays:
            warnings.warn(_last_warning(loaded), stacklevel=3)
        return loaded


def _last_warning(run: Run) -> str:
    return str(next((event["msg"] for event in reversed(run.events) if event.get("lvl") == "WARNING"), "not replayed"))


@contextmanager
def _watching() -> Iterator[Watcher]:
    """A bar on a terminal, nothing elsewhere."""
    if sys.stderr.isatty():
        with _Bar() as bar:
            yield bar
    else:
        yield Watcher()


class _Bar(Progress, Watcher):
    """Shows a search as a bar."""
