"""``mlab crashes``: the crash snapshots, those of one kind as one."""

from __future__ import annotations

import sys

import click
import orjson

from mlab.core import crash
from mlab.core.errors import ConfigError
from mlab.core.state import State
from mlab.report import crashes as report
from mlab.report import terminal


@click.group()
def crashes() -> None:
    """Crash snapshots: list them, show one."""


@crashes.command("ls")
@click.option("--all", "every", is_flag=True, help="Every snapshot, not one line for each kind.")
def list_crashes(*, every: bool) -> None:
    """List crashes, the latest first.

    Those that were raised first at the same place are of one kind.
    """
    snapshots = crash.listed(State.here())
    out = terminal.console(sys.stdout)
    if not snapshots:
        out.print(f"No crash snapshots in {State.here().crashes}.")
        return
    report.list_crashes(out, snapshots, every=every)
    out.print("mlab crashes show SNAPSHOT tells more of one.")


@crashes.command("show")
@click.argument("snapshot_id", metavar="SNAPSHOT")
@click.option("--json", "as_json", is_flag=True, help="The whole snapshot as JSON.")
def show_crash(snapshot_id: str, *, as_json: bool) -> None:
    """Show one crash: what failed, where, and the last events before.

    SNAPSHOT is the id of a snapshot, or the end of one.
    """
    named = [one for one in crash.listed(State.here()) if one.snapshot_id.endswith(snapshot_id or "none")]
    if len(named) != 1:
        must = f"must name one snapshot, names {len(named)}; mlab crashes ls --all lists them"
        raise ConfigError("command line", "SNAPSHOT", must, snapshot_id)
    if as_json:
        print(orjson.dumps(named[0].content, option=orjson.OPT_INDENT_2).decode())
    else:
        report.show_crash(terminal.console(sys.stdout), named[0])
