"""``mlab maintenance`` and ``mlab sync``: what runs have left behind brought in order, and delivered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import click
from rich.console import Console

from mlab import maintenance as work
from mlab import tracking
from mlab.core.decimals import counted
from mlab.core.state import State
from mlab.report import terminal
from mlab.report.columns import texts
from mlab.store import Store


def _policy(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each field of the policy, with its limits and its description."""
    for name, field in reversed(work.Policy.model_fields.items()):
        limits = {kind: getattr(one, kind) for one in field.metadata for kind in ("ge", "le") if hasattr(one, kind)}
        kind, flag = click.IntRange(limits["ge"], limits["le"]), f"--{name.replace('_', '-')}"
        option: Any = click.option(flag, type=kind, default=field.default, show_default=True, help=field.description)
        command = option(command)
    return command


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be done.")
@_policy
@click.pass_context
def maintenance(context: click.Context, /, *, dry_run: bool, **policy: int) -> None:
    """Bring in order what runs have left behind, and make it smaller.

    Marks runs whose process is gone, delivers what MLflow lacks of runs that ended ten minutes ago, packs old event
    logs, removes old crash snapshots, reports of runs that are gone and all but the best candidates of old runs, and
    gives free space back to the disk.
    The exit status is 1 where a step failed; the others are done all the same.
    """
    state = _stored(context)
    report = work.upkeep(state, work.Policy(**policy), dry=dry_run)
    out = terminal.console(sys.stdout)
    list_steps(out, report.steps, "would be done" if dry_run else "done")
    out.print(report.verdict)
    if dry_run and any(step.changed for step in report.steps):
        out.print("Nothing was changed; .venv/bin/mlab maintenance without --dry-run does it.")
    context.exit(1 if report.faults else 0)


def list_steps(out: Console, steps: Iterable[work.Step], done: str) -> None:
    """Print how each step went, its name, and, under the head ``done``, what it has done."""
    rows = [
        ("!", step.name, f"{step.done}\nfailed: {step.fault}") if step.fault else ("ok", step.name, step.done)
        for step in steps
    ]
    terminal.table(out, texts("", "what", done, wrap=(done,)), rows)


@click.command()
@click.pass_context
def sync(context: click.Context) -> None:
    """Deliver to MLflow what it has not got yet.

    Of runs that have ended; the exit status is 1 where something is pending afterwards.
    """
    state, failed = _stored(context), False
    if not tracking.tracking_uri(state):
        tracking.follow_folder(state)
    with Store.open(state.database) as store:
        store.reconcile()
        pending = len(store.owing())
        if not pending:
            print("All is delivered to MLflow.")
            return
        print(f"Delivering {counted(pending, 'run')} to MLflow, which takes some seconds to start.", flush=True)
        from mlab.tracking.publisher import publish_pending  # noqa: PLC0415 - late, for it loads MLflow

        for attempt in publish_pending(state, store):
            print(attempt, flush=True)
            failed |= bool(attempt.left)
    context.exit(1 if failed else 0)


def _stored(context: click.Context) -> State:
    """The state folder; where no runs are stored in it that is said, and there is nothing to do."""
    state = State.here()
    if not state.database.exists():
        print(f"No runs are stored in {state.root}.")
        context.exit()
    return state
