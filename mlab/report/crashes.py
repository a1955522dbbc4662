"""Crash snapshots for people: a line for each kind, and one in full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlab.core.records import Crash, Json

LAST_EVENTS = 12
"""Events that are shown of a crash; its file holds more."""


def crashes_table(crashes: Sequence[Crash], *, every: bool) -> Table:
    """Crashes, the latest first; of each kind only the latest unless ``every`` is asked for."""
    kinds: dict[str, list[Crash]] = defaultdict(list)
    for crash in reversed(crashes):
        kinds[crash.snapshot_id if every else crash.fingerprint].append(crash)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for head in ("last", "times", "snapshot", "error"):
        table.add_column(head, no_wrap=head != "error", justify="right" if head == "times" else "left")
    for kind in kinds.values():
        latest = kind[0]
        times = str(len(kind)) if not every else "1"
        table.add_row(_clock(latest.timestamp), times, latest.snapshot_id, Text(_shortened(latest.error, 200)))
    return table


def crash(out: Console, one: Crash) -> None:
    """Print one crash: the error, the run, the machine, the traceback, and the last events before."""
    context, system = one.content["error_context"], one.content["system_stats"]
    out.print(Text(one.error, style="bold"))
    out.print()
    facts = {
        "Snapshot": one.snapshot_id,
        "Time": _clock(one.timestamp),
        "Run": one.run_id or "none",
        "Seen before": f"{context['seen_before']} times",
        "State then": ", ".join(f"{key} {_short(value)}" for key, value in one.content["application_state"].items()),
        "Machine": f"{system['cpu_count']} cores, {system['memory_available_mb']:,} MB of memory and "
        f"{system['disk_free_mb']:,} MB of disk free",
        "File": str(one.path),
    }
    for name, value in facts.items():
        out.print(f"{name:<12}  {value}", soft_wrap=True)
    out.print()
    out.print("".join(context["traceback"]).rstrip(), soft_wrap=True)
    out.print()
    for event in one.content["recent_logs"][-LAST_EVENTS:]:
        out.print(_line(event), soft_wrap=True)


def _line(event: Json) -> str:
    return f"{str(event.get('ts', ''))[11:19]}  {event.get('event')} {_shortened(str(event.get('msg')), 200)}"


def _short(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _clock(timestamp: str) -> str:
    """``2026-01-31 23:59:59`` of a time in ISO 8601."""
    return timestamp[:19].replace("T", " ")


def _shortened(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."
