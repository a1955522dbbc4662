"""Flow runs that Prefect takes for running though they are over.

``python -m flows.heartbeat`` has Prefect notice within two minutes that the process of one is gone.

The process of a flow run sends a heartbeat every half a minute. An automation on the server, made or renewed here,
marks a run as crashed that neither sends one nor ends. It outlives the server: once is enough.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from prefect import get_client
from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import State, StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Completed, Crashed, Failed

from flows.connection import ask_directly
from mlab.core.records import Experiment
from mlab.store import Store

NAME = "silent flow runs are crashed"
SILENCE = timedelta(seconds=90)
"""Three heartbeats, at the rate that prefect.yaml sets."""

HEARTBEAT = "prefect.flow-run.heartbeat"
FLOWS = ["optimize", "maintain"]
GOING = [StateType.RUNNING, StateType.CANCELLING]

TELLING_S = 15.0
"""For so long after the end of a run whoever executed it may still be telling Prefect."""

ENDINGS = ("Completed", "Failed", "Cancelled", "Crashed")


def automation() -> AutomationCore:
    """After a heartbeat of one of our flows another has to come, or an end."""
    return AutomationCore(
        name=NAME,
        description="The process of a flow run is gone where it has sent no heartbeat for a while.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={HEARTBEAT},
            expect={HEARTBEAT, *(f"prefect.flow-run.{ending}" for ending in ENDINGS)},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": FLOWS}),
            for_each={"prefect.resource.id"},
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name=None,
                force=False,
                message="No heartbeat: the process is gone. What it had saved is kept; a retry goes on from there.",
            )
        ],
    )


def catch_up(store: Store, orphans: Sequence[str], own: str = "") -> None:
    """Have Prefect know how runs ended that it takes for running: it was away, or their processes are gone.

    Args:
        store: the database, which knows.
        orphans: flow runs of runs that have just been found without a process.
        own: the flow run that asks.
    """
    with get_client(sync_client=True) as client:
        running = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=FLOWS[:1])),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": GOING}}}),
        )
        before = (datetime.now(UTC) - timedelta(seconds=TELLING_S)).isoformat(timespec="milliseconds")
        ended = {
            run.flow_run_id: run
            for run in store.experiments()
            if run.finished_at and (run.finished_at < before or (run.flow_run_id or "") in orphans)
        }
        for one in running:
            run = ended.get(str(one.id))
            if run is not None and str(one.id) != own:
                client.set_flow_run_state(one.id, _ending(run), force=True)


def _ending(run: Experiment) -> State[Any]:
    """How a run ended of which Prefect has heard nothing more."""
    if run.status == "COMPLETED":
        return Completed()
    again = f".venv/bin/mlab run --resume {run.run_id}"
    if run.status == "FAILED":
        return Failed(message=f".venv/bin/mlab show {run.run_id[-6:]} says more; {again} goes on from what was saved.")
    return Crashed(message=f"The process that executed this run is gone; {again} goes on from there.")


def main() -> int:
    """Make the automation, or renew it; the exit status."""
    ask_directly()
    try:
        with get_client(sync_client=True) as client:
            found = client.read_automations_by_name(NAME)
            if found:
                client.update_automation(found[0].id, automation())
            else:
                client.create_automation(automation())
    except (httpx.HTTPError, PrefectHTTPStatusError) as error:
        print(f"error: Prefect does not answer: {error}; check PREFECT_API_URL", file=sys.stderr)
        return 1
    print(f"Prefect: {NAME} after {SILENCE.seconds} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
