"""The flow ``maintain``: upkeep by a deployment, with its policy as a form; Prefect sees the report."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import flow, get_client, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.states import Completed, Failed

from flows import mirror
from mlab import maintenance
from mlab.core.state import State
from mlab.maintenance import Policy, Report
from mlab.store import Store

TOLD_S = 3600.0
"""For so long after the end of a run whoever tells Prefect of it may still be at that."""


@flow(name="maintain", flow_run_name="upkeep", persist_result=False)
def maintain(policy: Policy = Policy(), dry_run: bool = False) -> Any:  # noqa: B008, FBT001, FBT002 - a form
    """Bring in order what runs have left behind, and make it smaller; what ``mlab maintenance`` does.

    Args:
        policy: what is kept, and for how long.
        dry_run: change nothing, and report what would be done.

    Returns:
        A state that says what was done, failed where a step did.
    """
    state = State.here()
    report = maintenance.upkeep(state, policy, dry=dry_run)
    show(report, dry=dry_run)
    if not dry_run:
        mirror.bury([*report.orphans, *silent(state)])
    if report.faults:
        return Failed(message="; ".join(report.faults))
    done = "; ".join(f"{step.name}: {step.done}" for step in report.steps if step.changed) or report.verdict
    return Completed(message=f"Nothing was changed. What would be done: {done}" if dry_run else done)


def silent(state: State) -> list[str]:
    """The flow runs that Prefect takes for running though their runs have ended long ago: nobody was left to say so."""
    before = (datetime.now(UTC) - timedelta(seconds=TOLD_S)).isoformat(timespec="milliseconds")
    with Store.open(state.database) as store, get_client(sync_client=True) as client:
        running = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["optimize"])),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": [StateType.RUNNING]}}}),
        )
        ended = {run.flow_run_id for run in store.experiments() if run.finished_at and run.finished_at < before}
    return [str(run.id) for run in running if str(run.id) in ended]


def show(report: Report, *, dry: bool) -> None:
    """The report as a table, and in the log of the flow run."""
    rows = [{"what": step.name, "done": step.done, "failed": step.fault} for step in report.steps]
    about = f"{'What would be done' if dry else 'What was done'}. {report.verdict}"
    create_table_artifact(rows, key="maintenance", description=about)
    logger = get_run_logger()
    for step in report.steps:
        level = logging.ERROR if step.fault else logging.INFO
        logger.log(level, "%s", "; ".join(filter(None, [f"{step.name}: {step.done}", step.fault])))
