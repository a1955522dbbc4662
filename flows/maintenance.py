"""The flow ``maintain``: upkeep by a deployment, with its policy as a form; Prefect sees the report."""

from __future__ import annotations

import logging
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.states import Completed, Failed

from flows.heartbeat import catch_up
from mlab import maintenance
from mlab.core.state import State
from mlab.maintenance import Policy, Report
from mlab.store import Store


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
        with Store.open(state.database) as store:
            catch_up(store, report.orphans)
    if report.faults:
        return Failed(message="; ".join(report.faults))
    done = "; ".join(f"{step.name}: {step.done}" for step in report.steps if step.changed) or report.verdict
    return Completed(message=f"Nothing was changed. What would be done: {done}" if dry_run else done)


def show(report: Report, *, dry: bool) -> None:
    """The report as a table, and in the log of the flow run."""
    rows = [{"what": step.name, "done": step.done, "failed": step.fault} for step in report.steps]
    about = f"{'What would be done' if dry else 'What was done'}. {report.verdict}"
    create_table_artifact(rows, key="maintenance", description=about)
    logger = get_run_logger()
    for step in report.steps:
        level = logging.ERROR if step.fault else logging.INFO
        logger.log(level, "%s", "; ".join(filter(None, [f"{step.name}: {step.done}", step.fault])))
