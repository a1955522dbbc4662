"""``mlab maintenance``: what runs have left behind, brought in order and made smaller."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from mlab import maintenance as work
from mlab.core.state import State
from mlab.report import terminal
from mlab.report.columns import Column


def _policy(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each field of the policy, with its limits and its description."""
    for name, field in reversed(work.Policy.model_fields.items()):
        limits = {kind: getattr(one, kind) for one in field.metadata for kind in ("ge", "le") if hasattr(one, kind)}
        option: Any = click.option(
            f"--{name.replace('_', '-')}",
            type=click.IntRange(limits["ge"], limits["le"]),
            default=field.default,
            show_default=True,
            help=field.description,
        )
        command = option(command)
    return command


def steps(done: str) -> tuple[Column, ...]:
    """The columns of a table of steps: how each went, its name, and what it has done, under this head."""
    return (
        Column("fault", "", lambda step: "!" if step.fault else "ok", kind="text"),
        Column("name", "what", lambda step: step.name, kind="text"),
        Column("done", done, _words, kind="text", wraps=True),
    )


def _words(step: work.Step) -> str:
    return f"{step.done}\nfailed: {step.fault}" if step.fault else step.done


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be done.")
@_policy
@click.pass_context
def maintenance(context: click.Context, /, *, dry_run: bool, **policy: int) -> None:
    """Bring in order what runs have left behind, and make it smaller.

    Marks runs whose process is gone, delivers what MLflow lacks, packs old event logs, removes old crash snapshots,
    reports of runs that are gone and all but the best candidates of old runs, and gives free space back to the disk.
    The exit status is 1 where a step failed; the others are done all the same.
    """
    state = State.here()
    if not state.database.exists():
        print(f"No runs are stored in {state.root}.")
        return
    report = work.upkeep(state, work.Policy(**policy), dry=dry_run)
    out = terminal.console(sys.stdout)
    terminal.table(out, steps("would be done" if dry_run else "done"), report.steps)
    out.print(report.verdict)
    if dry_run and any(step.changed for step in report.steps):
        out.print("Nothing was changed; mlab maintenance without --dry-run does it.")
    context.exit(1 if report.faults else 0)
