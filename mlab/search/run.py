"""One road through a search: settle what is searched, open the run, search its cells, publish what was found.

A command, a flow of Prefect's, a notebook and the tests all go along here. What differs is who takes the steps
(:class:`Steps`), and who stands beside (:mod:`mlab.search.watcher`).
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from mlab.config import Config, config_of
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.search import engine, experiments
from mlab.search.engine import Execution
from mlab.search.watcher import Publisher, Publishing, Watcher
from mlab.store import Store

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """What somebody wants searched: a new run of ``config``, or what is left of the stored run ``resume``.

    ``workers`` says how many cells are searched at a time, which changes no result.
    """

    config: Config
    resume: str | None = None
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run went: 0, or the exit status of one that a signal stopped."""

    run_id: str
    exit_status: int


class Steps(Protocol):
    """Who takes the steps of a run: a plain call, or a task of an orchestrator."""

    def take(self, step: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Take one step, named after its function."""

    def search(self, run: Execution, watcher: Watcher) -> None:
        """Search all cells of a run, each to its end."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Every step is a call; cells are searched one after another here, or by several processes of this machine."""

    workers: int = 1

    def take(self, step: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Call it."""
        return step(*arguments, **named)

    def search(self, run: Execution, watcher: Watcher) -> None:
        """Search all cells of a run."""
        cells = run.config.cells()
        workers = min(self.workers, len(cells))
        if workers == 1:
            for cell in cells:
                run.search(cell, watcher)
        else:
            from mlab.search import pools  # noqa: PLC0415 - slow to load, and most runs have no workers

            with pools.processes(workers) as submit:
                pools.hand_out(run, workers, watcher, submit)


def run(
    state: State,
    store: Store,
    job: Job,
    steps: Steps | None = None,
    watcher: Watcher = Watcher(),  # noqa: B008 - watches nothing
    publishing: Publishing = lambda _: Publisher(),
) -> Ending:
    """Search what is ordered, from its config to its results.

    Args:
        state: the folder in which all lies.
        store: its database, open.
        job: what to search.
        steps: who takes the steps; where left out, each is a call.
        watcher: told of the run, of every batch and of every ending.
        publishing: starts the delivery to MLflow.

    Raises:
        ConfigError: there is no such run to resume.
        RunBusy: another process executes it.
        LabError: the search failed.
    """
    steps = steps or Plain(job.workers)
    config = steps.take(build_config, store, job)
    experiment = steps.take(open_experiment, state, store, job, config)
    status = 0
    with publishing(experiment.run_id) as publisher:
        watcher.begun(experiment, config)
        try:
            status = execute(state, store, experiment, config, steps, watcher)
            if status:
                publisher.skip_wait()
        finally:
            watcher.searched()
        try:
            steps.take(publish, publisher, watcher)
        except BaseException as stop:  # the search is over; only the waiting is cut
            if isinstance(stop, Exception):
                raise
            status = exit_status_of(stop)
    return Ending(experiment.run_id, status)


def build_config(store: Store, job: Job) -> Config:
    """The config of a run: the one that is ordered, or that with which a stored run began."""
    return job.config if job.resume is None else config_of(experiments.find(store, job.resume))


def open_experiment(state: State, store: Store, job: Job, config: Config) -> Experiment:
    """A new experiment for a config, or the stored one that is to be resumed."""
    if job.resume is None:
        return experiments.create(state, store, config)
    return experiments.find(store, job.resume)


def execute(
    state: State,
    store: Store,
    experiment: Experiment,
    config: Config,
    steps: Steps,
    watcher: Watcher = Watcher(),  # noqa: B008 - watches nothing
) -> int:
    """Search all cells of a run that are not finished, and replay the winners on the prices of the config, if any.

    It returns 0, or the exit status of a run that a signal stopped.

    Raises:
        RunBusy: another process executes it.
        LabError: the search failed.
    """
    try:
        with engine.execution(state, store, experiment, config) as current:
            steps.search(current, watcher)
            if config.replay is not None and current.experiment.status != "COMPLETED":
                from mlab.search.replays import replay  # noqa: PLC0415 - late, for most runs have none

                steps.take(replay, current, watcher)
    except BaseException as stop:
        if isinstance(stop, Exception):
            raise
        return exit_status_of(stop)
    return 0


def publish(publisher: Publisher, watcher: Watcher) -> None:
    """Have MLflow told of all that was found, and then whoever watches, so that links lead somewhere."""
    publisher.finish()
    watcher.published()


def exit_status_of(stop: BaseException) -> int:
    """The exit status of a command that a signal stopped: 130 for an interrupt, 143 for SIGTERM."""
    return 128 + (signal.SIGINT if isinstance(stop, KeyboardInterrupt) else signal.SIGTERM)
