"""``python -m flows.heartbeat``: have Prefect notice flow runs whose process is gone, within two minutes.

The process of a flow run sends a heartbeat every half a minute. An automation on the server, made or renewed here,
marks a run as crashed that neither sends one nor ends. It outlives the server: once is enough.
"""

from __future__ import annotations

import sys
from datetime import timedelta

import httpx
from prefect import get_client
from prefect.automations import AutomationCore, EventTrigger, Posture
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import PrefectHTTPStatusError

NAME = "silent flow runs are crashed"
SILENCE = timedelta(seconds=90)
"""Three heartbeats, at the rate that prefect.yaml sets."""

HEARTBEAT = "prefect.flow-run.heartbeat"
FLOWS = ["optimize", "maintain"]
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


def main() -> int:
    """Make the automation, or renew it; the exit status."""
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
