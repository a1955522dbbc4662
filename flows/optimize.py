"""The flow: settle what is searched, open the experiment, search each cell, publish what was found.

Its tasks do the work that they show, along the road of :mod:`mlab.search.run` that a run without Prefect takes, too. A
worker executes the flow for a deployment, :func:`in_process` for the command line.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.events.worker import EventsWorker
from prefect.exceptions import ObjectNotFound, TerminationSignal
from prefect.flow_engine import run_flow
from prefect.logging.handlers import APILogWorker
from prefect.runtime import flow_run
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Failed, Pending
from pydantic import Field

from flows.cluster import Cluster
from flows.mirror import Mirror, worded
from flows.tasks import TaskSteps
from mlab import tracking
from mlab.config import Config, check_start
from mlab.config.models import MAX_WORKERS
from mlab.core.lock import alone
from mlab.core.probe import answers
from mlab.core.redaction import redacted
from mlab.core.state import State
from mlab.report import summary
from mlab.search.run import Ending, Job, run
from mlab.search.watcher import Publishing, Watcher, Watchers
from mlab.store import Store

COMMAND_LINE = "command-line"
ABOUT = (
    "Searches that were started by .venv/bin/mlab run: they go on there, and are watched and cancelled here. "
    "Nobody executes one that is started or retried here; resume it with .venv/bin/mlab run --resume."
)

START_S = 20.0
"""Longest time that a search of the command line waits for Prefect to begin its flow run."""

END_S = 4.0
"""Longest time that Prefect has to note how a flow run of the command line ended."""

DRAIN_S = 3.0
"""Longest wait for its last log lines, and for its last events, to be sent."""

BEHIND_S = 8.0
"""Longest time that a worker's process goes on after its search where Prefect does not answer."""


@dataclass
class Request:
    """What is wanted of the flow, beside what plain JSON can say, and how it went.

    Attributes:
        job: what is to be searched.
        store: the database.
        watcher: told of the run, beside Prefect.
        publishing: starts the delivery to MLflow.
        orphans: flow runs whose processes are gone.
        run_id: the run, once it is open.
        ending: how it went, None where the flow did not get that far.
        error: what the search raised.
        untold: why Prefect does not know all of the run, empty where it does.
    """

    job: Job
    store: Store
    watcher: Watcher
    publishing: Publishing
    orphans: Sequence[str]
    run_id: str | None = None
    ending: Ending | None = None
    error: Exception | None = None
    untold: str = ""


command: ContextVar[Request | None] = ContextVar("command", default=None)
"""What the command line wants, where the flow runs in its process."""


class Silent(BaseException):
    """Prefect keeps the command line waiting."""


@flow(name="optimize", persist_result=False)
def optimize(
    config: Config = Config(),  # noqa: B008 - frozen
    resume: str | None = None,
    workers: Annotated[int, Field(ge=1, le=MAX_WORKERS)] = 1,
) -> Any:
    """Search every cell of ``config`` for the ladder that needs the smallest rebound to break even.

    Args:
        config: what to search; ignored where a run is resumed, which keeps its own.
        resume: id of a stored run to go on with; a flow run that is retried goes on with its own.
        workers: cells searched at a time, each in a process of its own; more than one changes no result.

    Returns:
        The object that ``python -m flows.run --json`` prints, or the state of a run that did not complete.
    """
    state, request = State.here(), _of_command()
    if request is not None:
        with _not_kept_waiting():
            return _search(state, request, cancels=True)
    tracking.check(state)
    if resume is None:
        check_start(config, "flow run")
    os.environ.update(state.environment())  # of a worker that people have started by themselves
    with Store.open(state.database) as store:
        own = str(flow_run.id)  # a flow run that is retried is an orphan's, and lives
        orphans = [name for orphan in store.reconcile() if (name := orphan.flow_run_id) and name != own]
        job = Job(config, resume or store.run_of_flow(own), workers)
        request = Request(job, store, Watcher(), lambda run_id: tracking.Sidecar(state, run_id), orphans)
        answer = _search(state, request, cancels=False)
    threading.Thread(target=_end_behind, args=(get_current_settings().api.url or "",), daemon=True).start()
    if request.ending is not None and request.ending.exit_status:
        _leave_ending_to_worker(own)
    return answer


def _of_command() -> Request | None:
    """What the command line wants. A flow travels to workers by value, with what it names but for functions."""
    return command.get()


def _search(state: State, request: Request, *, cancels: bool) -> Any:
    """Search what is wanted, shown in Prefect; the answer of a run that completed, the state of any other."""
    steps = TaskSteps(request.job.workers, Cluster.here())
    mirror = Mirror(state, request.store, request.orphans, cancels=cancels)
    try:
        watchers = Watchers(request.watcher, mirror)
        request.ending = run(state, request.store, request.job, steps, watchers, request.publishing)
    except Exception as error:  # noqa: BLE001 - the search's own: it is in the database, and becomes the flow run's state
        request.error = error
    request.run_id, request.untold = mirror.run_id, worded(steps.fault) or mirror.untold
    return _answer(request)


def _answer(request: Request) -> Any:
    """The answer of a run that is completed; the state that says how any other ended."""
    experiment = request.store.experiment(request.run_id) if request.run_id else None
    if experiment is None:
        return Failed(message=redacted(str(request.error)))
    if experiment.status == "COMPLETED":
        return summary.run_json(experiment, request.store.cells(experiment.exp_id))
    again = f".venv/bin/mlab run --resume {experiment.run_id} goes on from what was saved"
    if experiment.status == "STOPPED":
        return Cancelled(message=f"Stopped; {again}.")
    return Failed(message=redacted(f"{request.error}; {again}."))


# In the process of the command line


def in_process(
    state: State, store: Store, job: Job, watcher: Watcher, publishing: Publishing, orphans: Sequence[str]
) -> Request:
    """Run the flow in this process; how it went.

    Whatever becomes of Prefect, that takes its time at most.

    Raises:
        LabError: the search failed.
    """
    request = Request(job, store, watcher, publishing, orphans)
    logging.raiseExceptions = False  # Prefect would write on the terminal that a log line could not be sent
    before = signal.signal(signal.SIGALRM, _lose_patience)
    _expect_within(START_S)
    command.set(request)
    try:
        run_flow(optimize, _new_flow_run(state, job), return_type="state")
        if not request.untold:
            _expect_within(3 * DRAIN_S)
            APILogWorker.drain_all(timeout=DRAIN_S)
            EventsWorker.drain_all(timeout=DRAIN_S)
    except (Exception, Silent) as fault:  # noqa: BLE001 - Prefect's: the search's own are noted
        request.untold = request.untold or worded(fault)
    finally:
        _expect_within(0.0)
        signal.signal(signal.SIGALRM, before)
    if request.error is not None:
        raise request.error
    if request.ending is None:
        request.untold = request.untold or "it did not begin the flow run"
    return request


def _new_flow_run(state: State, job: Job) -> FlowRun:
    """One of a deployment, for Prefect's pages cancel no others."""
    # Where several create the same flow at once, Prefect's server hangs for a minute.
    with alone(state.prefect / "turn", 0, START_S), get_client(sync_client=True) as client:
        deployment = _deployment(client)
        parameters: dict[str, Any] = {"config": job.config, "resume": job.resume, "workers": job.workers}
        return client.create_flow_run_from_deployment(
            deployment, parameters=optimize.serialize_parameters(parameters), state=Pending()
        )


def _deployment(client: SyncPrefectClient) -> Any:
    try:
        return client.read_deployment_by_name(f"{optimize.name}/{COMMAND_LINE}").id
    except ObjectNotFound:
        flow_id = client.create_flow_from_name(optimize.name)
        return client.create_deployment(flow_id, COMMAND_LINE, description=ABOUT, enforce_parameter_schema=False)


@contextmanager
def _not_kept_waiting() -> Iterator[None]:
    """Prefect has begun in time; once the block is over it has some seconds to end."""
    _expect_within(0.0)
    try:
        yield
    finally:
        _expect_within(END_S)


def _expect_within(seconds: float) -> None:
    """Raise :class:`Silent` in so many seconds, and every second from then on; never for 0."""
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0 if seconds else 0.0)


def _lose_patience(*_signal: object) -> None:
    raise Silent("it does not answer")


# In the process of a worker


def _leave_ending_to_worker(own: str) -> None:
    """Raise what ends a flow run that is being cancelled, so that its worker says so once this process is over.

    The worker says it in any case, whatever the flow run has become by then: where it has been said before and the
    flow run is retried meanwhile, it would cancel that, too.
    """
    with suppress(Exception), get_client(sync_client=True) as client:  # where Prefect does not answer, nobody cancels
        state = client.read_flow_run(UUID(own)).state
        if state is not None and state.is_cancelling():
            raise TerminationSignal(signal.SIGTERM)


def _end_behind(api: str) -> None:
    """End soon after the search where Prefect does not answer, whatever this process is waiting for."""
    deadline = time.monotonic() + BEHIND_S
    while not api or not answers(f"{api}/health"):
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.5)
