"""The flow: open the experiment, have it searched, show how that goes, publish what was found.

The search is never done by the process of the flow. For the command line it is that which searches; for a deployment
the flow starts a process of its own. All that Prefect knows it is told from the database and the event log.
"""

from __future__ import annotations

import sys
import time
import traceback
from asyncio import CancelledError
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from importlib import import_module
from types import TracebackType
from typing import Annotated, Any, Protocol, Self

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Crashed, Failed, Pending
from pydantic import Field

from flows import mirror
from flows.search import SearchProcess
from mlab.config import Config, from_tree
from mlab.core import events
from mlab.core.errors import ConfigError
from mlab.core.event_log import EventLog
from mlab.core.records import CellResult, Experiment, Status
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.report import markdown, summary
from mlab.search import engine, pools
from mlab.search.polling import LOOK_S, Lookout
from mlab.store import Store

COMMAND_LINE = "command-line"
ABOUT = (
    "Searches that were started by python -m flows.run: they go on there, and are watched and cancelled here. "
    "Nobody executes one that is started or retried here; resume it with --resume."
)


class Searcher(Protocol):
    """The process that searches; a context. ``start`` is where its part of the event log of the run begins."""

    run_id: str
    start: int

    def going(self, status: Status) -> bool:
        """Whether it still searches, where this is the status of the run."""

    def __enter__(self) -> Self:
        """Begin, if it has not."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """See that it ends."""


searcher: ContextVar[Searcher | None] = ContextVar("searcher", default=None)
"""The command line, where it is what searches; a flow's own parameters must be plain JSON."""


@flow(name="optimize", persist_result=False)
def optimize(
    config: Config = Config(),  # noqa: B008 - frozen
    resume: str | None = None,
    workers: Annotated[int, Field(ge=1, le=pools.MOST)] = 1,
) -> Any:
    """Search every cell of ``config`` for the ladder with the fastest exit.

    Args:
        config: what to search; ignored where a run is resumed, which keeps its own.
        resume: id of a stored run to go on with; a flow run that is retried goes on with its own.
        workers: cells searched at a time, each in a process of its own; more than one changes no result.

    Returns:
        The object that ``python -m flows.run --json`` prints, or the state of a run that did not complete.
    """
    state = State.here()
    pools.Setting.here()
    with Store.open(state.database) as store:
        search = searcher.get() or _process(state, store, config, resume, workers)
        experiment = _stored(store, search.run_id)
        store.set_flow_run(experiment.exp_id, str(flow_run.id))
        log = state.events(experiment.run_id)
        told = mirror.Telling(from_tree(experiment.config, f"run {experiment.run_id}"), experiment, Pages.of(state))
        try:
            with search:
                try:
                    follow(store, search, EventLog(log, search.start), told)
                except (Exception, CancelledError):  # noqa: BLE001 - Prefect's; the search's own are in the database
                    print(f"Prefect could not be told:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        except BaseException:  # somebody has cancelled the flow run, and by now the search has ended, too
            with suppress(Exception):
                told.end(*_ended(store, search.run_id))
            raise
        return ending(store, _stored(store, search.run_id), EventLog(log, search.start))


def of_command_line(client: SyncPrefectClient, config: Config, run_id: str, workers: int) -> FlowRun:
    """A new flow run for a run of the command line: one of a deployment, for Prefect's pages cancel no others."""
    flow_id = client.create_flow_from_name(optimize.name)
    try:
        deployment = client.read_deployment_by_name(f"{optimize.name}/{COMMAND_LINE}").id
    except ObjectNotFound:
        deployment = client.create_deployment(flow_id, COMMAND_LINE, description=ABOUT, enforce_parameter_schema=False)
    parameters = optimize.serialize_parameters({"config": config, "resume": run_id, "workers": workers})
    name = mirror.name_of(config, run_id)
    return client.create_flow_run_from_deployment(deployment, parameters=parameters, state=Pending(), name=name)


def _process(state: State, store: Store, config: Config, resume: str | None, workers: int) -> SearchProcess:
    """A process for a new run, or for the stored one that is to be resumed: by name, or as this flow run is retried."""
    own = str(flow_run.id)  # a flow run that is retried is an orphan's, and lives
    mirror.bury([name for orphan in store.reconcile() if (name := orphan.flow_run_id) and name != own])
    resume = resume or store.run_of_flow(own)
    if resume is None:
        run_id, start = engine.open_experiment(state, store, config).run_id, 0
    else:
        store.check_free(resume)
        run_id, start = resume, EventLog.size(state.events(resume))
    events.recorder.close()  # the log is the other process's
    return SearchProcess(state, run_id, workers, start, get_current_settings().api.url or "")


def config_of(state: State, run_id: str) -> Config:
    """The config that a stored run began with."""
    with Store.open(state.database) as store:
        return from_tree(_stored(store, run_id).config, f"run {run_id}")


def _stored(store: Store, run_id: str) -> Experiment:
    experiment = store.experiment(run_id)
    if experiment is None:
        raise ConfigError("flow", "resume", "must be the id of a stored run", run_id)
    return experiment


def _ended(store: Store, run_id: str) -> tuple[Experiment, list[CellResult]]:
    """A run that nobody searches any more, and its cells."""
    experiment = _stored(store, run_id)
    if experiment.status in {"PENDING", "RUNNING"}:  # its process is gone, as the next start will find, too
        experiment = replace(experiment, status="STOPPED")
    return experiment, store.cells(experiment.exp_id)


def follow(store: Store, search: Searcher, log: EventLog, told: mirror.Telling) -> None:
    """Show Prefect how the search goes, until it has ended, and what was found."""
    with told:
        import_module("mlab.report.plots")  # loads matplotlib, which nobody should wait for at the end
        lookout = Lookout(store, _stored(store, search.run_id).exp_id, told)
        going = True
        while going:
            experiment = _stored(store, search.run_id)
            going = search.going(experiment.status)
            cells = lookout.look()
            told.news(log.news())
            if going:
                told.now_and_then(experiment, cells)
                time.sleep(LOOK_S)
    experiment, cells = _ended(store, search.run_id)
    told.update(experiment, cells)
    publish(cells, experiment.run_id)
    told.news(log.news())
    told.end(experiment, cells)


@task(task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish(cells: list[CellResult], run_id: str) -> None:
    """The front of a run that has ended, as a Prefect artifact."""
    from mlab.report import plots  # late: see above

    picture = plots.png(plots.front_plot(cells))
    create_markdown_artifact(markdown.front_note(cells, picture), key="front", description=f"Run {run_id}")


def ending(store: Store, experiment: Experiment, log: EventLog) -> Any:
    """The answer of a run that is completed; the state that says how any other ended."""
    if experiment.status == "COMPLETED":
        return summary.run_json(experiment, store.cells(experiment.exp_id))
    again = f"--resume {experiment.run_id} goes on from what was saved"
    said = list(log.news())
    if experiment.status == "STOPPED" and any(event["event"] == "ORCH.DONE" for event in said):
        return Cancelled(message=f"Stopped; {again}.")
    if experiment.status == "FAILED":
        errors = [event["msg"] for event in said if event["event"] == "ORCH.ERROR"]
        return Failed(message=f"{errors[-1] if errors else 'The search failed'}; {again}.")
    return Crashed(message=f"The process that searched is gone; {again}.")  # whoever found it so has marked it STOPPED
