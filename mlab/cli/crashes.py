"""``mlab crashes``: the crash snapshots, those of one kind as one."""

from __future__ import annotations

import sys
from collections import defaultdict

import click
from rich.console import Console
from rich.text import Text

from mlab.core import crash, streams
from mlab.core.errors import ConfigError
from mlab.core.records import Crash
from mlab.core.state import State
from mlab.report import summary, terminal
from mlab.report.columns import Column
from mlab.report.numbers import moment
from mlab.report.terminal import line

LAST_EVENTS = 12
"""Events that are shown of a crash; its file holds more."""

KINDS = (
    Column("last", "last", lambda kind: moment(kind[0].timestamp), kind="text"),
    Column("times", "times", len),
    Column("snapshot", "snapshot", lambda kind: kind[0].snapshot_id, kind="id"),
    Column("error", "error", lambda kind: _shortened(kind[0].error), kind="text", wraps=True),
)
"""Crashes of one kind, the latest first, as a row."""


@click.group()
def crashes() -> None:
    """Crash snapshots: list them, show one."""


@crashes.command("ls")
@click.option("--all", "every", is_flag=True, help="Every snapshot, not one line for each kind.")
def list_crashes(*, every: bool) -> None:
    """List crashes, the latest first.

    Those that were raised first at the same place are of one kind.
    """
    out, state = terminal.console(sys.stdout), State.here()
    kinds: dict[str, list[Crash]] = defaultdict(list)
    for one in reversed(crash.listed(state)):
        kinds[one.snapshot_id if every else one.fingerprint].append(one)
    if not kinds:
        out.print(f"No crash snapshots in {state.crashes}.")
        return
    terminal.table(out, KINDS, kinds.values())
    out.print(".venv/bin/mlab crashes show SNAPSHOT tells more of one.")


@crashes.command("show")
@click.argument("snapshot_id", metavar="SNAPSHOT")
@click.option("--json", "as_json", is_flag=True, help="The whole snapshot as JSON.")
def show_crash(snapshot_id: str, *, as_json: bool) -> None:
    """Show one crash: what failed, where, and the last events before.

    SNAPSHOT is the id of a snapshot, or the end of one.
    """
    named = [one for one in crash.listed(State.here()) if one.snapshot_id.endswith(snapshot_id or "none")]
    if len(named) != 1:
        must = f"must name one snapshot, names {len(named)}; .venv/bin/mlab crashes ls --all lists them"
        raise ConfigError("command line", "SNAPSHOT", must, snapshot_id)
    if as_json:
        streams.write(summary.as_json(named[0].content))
    else:
        _show(terminal.console(sys.stdout), named[0])


def _show(out: Console, one: Crash) -> None:
    """Print the error, the run, the machine, the traceback, and the last events before."""
    context, system = one.content["error_context"], one.content["system_stats"]
    then = one.content["application_state"].items()
    facts = {
        "Snapshot": one.snapshot_id,
        "Time": moment(one.timestamp),
        "Run": one.run_id or "none",
        "Seen before": f"{context['seen_before']} times",
        "State then": ", ".join(f"{key} {f'{it:.1f}' if isinstance(it, float) else it}" for key, it in then),
        "Machine": f"{system['cpu_count']} cores, {system['memory_available_mb']:,} MB of memory and "
        f"{system['disk_free_mb']:,} MB of disk free",
        "File": str(one.path),
    }
    out.print(Text(one.error, style="bold"))
    out.print()
    terminal.facts(out, facts, width=14)
    line(out, "".join(context["traceback"]).rstrip())
    out.print()
    for event in one.content["recent_logs"][-LAST_EVENTS:]:
        line(out, f"{str(event.get('ts', ''))[11:19]}  {event.get('event')} {_shortened(str(event.get('msg')))}")


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 200 else words[:197] + "..."
