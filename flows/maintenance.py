"""The flow ``maintain``: upkeep by a deployment, with its policy as a form; Prefect sees the report."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.states import Failed

from flows import telling
from mlab import upkeep
from mlab.identity import State
from mlab.upkeep import Policy, Report


@flow(name="maintain", persist_result=False)
def maintain(policy: Policy = Policy(), dry_run: bool = False) -> Any:  # noqa: B008, FBT001, FBT002 - a form
    """Bring in order what runs have left behind, and make it smaller; what ``mlab upkeep`` does.

    Args:
        policy: what is kept, and for how long.
        dry_run: change nothing, and report what would be done.

    Returns:
        The rows of the report, or a failed state that names the steps that failed.
    """
    report = upkeep.upkeep(State.here(), policy, dry=dry_run)
    if not dry_run:
        telling.bury(report.orphans)
    rows = table(report)
    about = f"{'What would be done' if dry_run else 'What was done'}. {report.verdict}"
    create_table_artifact(rows, key="maintenance", description=about)
    return Failed(message="; ".join(report.faults)) if report.faults else rows


def table(report: Report) -> list[dict[str, str]]:
    """A row a step."""
    return [{"what": step.name, "done": step.done, "failed": step.fault} for step in report.steps]
