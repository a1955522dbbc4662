"""The flow: build the config, open the experiment, search each cell, publish what was found."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext, suppress
from queue import Empty, Queue
from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from pydantic import Field

from flows import cluster, watching
from flows.cluster import Hands
from flows.watching import Audience, Lookout, PrefectProgress
from mlab import engine, events
from mlab.config import Config
from mlab.engine import Execution, Watcher
from mlab.identity import State
from mlab.records import Cell, CellResult, Experiment
from mlab.report import markdown, summary
from mlab.store import Store
from mlab.tracking import Courier
from mlab.worker import Assignment, assignments

LOOK_S = 1.0
"""Seconds between two looks at what the workers have saved."""


@flow(name="optimize", flow_run_name="{config.name}", persist_result=False)
def optimize(
    config: Config = Config(),  # noqa: B008 - frozen
    resume: str | None = None,
    workers: Annotated[int, Field(ge=1, le=cluster.MOST)] = 1,
) -> dict[str, Any]:
    """Search every cell of ``config`` for the ladder with the fastest exit.

    Args:
        config: what to search; ignored where a run is resumed, which keeps its own.
        resume: id of a stored run to go on with.
        workers: cells searched at a time, each in a process of its own; more than one changes no result.

    Returns:
        The object that ``python -m flows.run --json`` prints.
    """
    state = State.here()
    setting = cluster.Setting.here()
    _trace_to_prefect()
    with Store.open(state.database) as store:
        experiment, config = open_experiment(state, store, build_config(config), resume)
        workers = min(workers, len(config.cells()))
        with nullcontext() if watching.delivered.get() else Courier(state, experiment.run_id):
            # Outside of the execution: what the workers still do when that has ended is refused by the store.
            with cluster.hands(setting, workers) as hands, engine.execution(state, store, experiment, config) as run:
                watcher = Audience(PrefectProgress(config, experiment.run_id), *watching.audience.get())
                if hands is None:
                    for cell in config.cells():
                        search.with_options(task_run_name=cell.label)(run, cell, watcher)
                else:
                    hand_out(hands, assignments(run, workers), Lookout(store, experiment.exp_id, watcher))
            return publish(store, experiment)


@task(task_run_name="build config", cache_policy=NO_CACHE, persist_result=False)
def build_config(config: Config) -> Config:
    """Log the config that was asked for; Prefect has validated it."""
    get_run_logger().info("config %s: %d cells, seed %d", config.name, len(config.cells()), config.seed)
    return config


@task(task_run_name="open experiment", cache_policy=NO_CACHE, persist_result=False)
def open_experiment(state: State, store: Store, config: Config, resume: str | None) -> tuple[Experiment, Config]:
    """A new experiment, or the stored one that is to be resumed; either knows this flow run."""
    if resume is None:
        experiment = engine.open_experiment(state, store, config)
    else:
        experiment, config = engine.find_experiment(state, store, resume)
    store.set_flow_run(experiment.exp_id, str(flow_run.id))
    return experiment, config


@task(cache_policy=NO_CACHE, persist_result=False)
def search(run: Execution, cell: Cell, watcher: Watcher) -> CellResult:
    """Search one cell to its end."""
    return run.search(cell, watcher)


@task(cache_policy=NO_CACHE, persist_result=False)
def search_elsewhere(worker: Callable[[Assignment], None], assignment: Assignment) -> None:
    """Have a worker search one cell to its end."""
    worker(assignment)


def hand_out(hands: Hands, todo: list[Assignment], lookout: Lookout) -> None:
    """Have workers search cells, and look now and then how far they are; the first failure ends it."""
    lookout.look()
    done: Queue[PrefectFuture[None]] = Queue()
    for assignment in todo:
        of_cell = search_elsewhere.with_options(task_run_name=assignment.cell.label)
        future = hands.runner.submit(of_cell, {"worker": hands.search, "assignment": assignment})
        future.add_done_callback(done.put)
    for _ in todo:
        _next(done, lookout).result()


def _next(done: Queue[PrefectFuture[None]], lookout: Lookout) -> PrefectFuture[None]:
    """The next task that ends; until then, show what the workers do."""
    future = None
    while future is None:
        with suppress(Empty):
            future = done.get(timeout=LOOK_S)
        events.relay()
        lookout.look()
    return future


@task(task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish(store: Store, experiment: Experiment) -> dict[str, Any]:
    """The results as Prefect artifacts: the front, a table of cells, and the ladders with their limits."""
    from mlab.report import plots  # late, for it loads matplotlib

    stored = store.experiment(experiment.run_id) or experiment
    cells = store.cells(experiment.exp_id)
    result = summary.run_json(stored, cells)
    picture = plots.png(plots.front_plot(cells))
    create_markdown_artifact(markdown.front_note(cells, picture), key="front", description=f"Run {stored.run_id}")
    about = f"Best ladder of each cell, run {stored.run_id}. {markdown.RANK}"
    create_table_artifact(result["cells"], key="cells", description=about)
    ladders = [f"## {cell.cell.label}\n\n{markdown.ladder_note(cell.best)}" for cell in cells if cell.best]
    create_markdown_artifact("\n\n".join([markdown.run_note(stored, cells), *ladders]), key="ladders")
    return result


def _trace_to_prefect() -> None:
    """Send the events to the flow run's log, beginning with those from before the flow."""
    logging.getLogger("mlab").setLevel(logging.DEBUG if events.debugging() else logging.INFO)
    for event in list(events.recorder.recent):
        if event["event"] not in events.QUIET:
            get_run_logger().info("%s %s", event["event"], event["msg"])
