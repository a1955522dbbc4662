"""Crash snapshots for people: a line for each kind, and one in full."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mlab.core.records import Crash, Json
from mlab.report import terminal
from mlab.report.columns import Column
from mlab.report.numbers import moment

LAST_EVENTS = 12
"""Events that are shown of a crash; its file holds more."""

KINDS = (
    Column("last", "last", lambda kind: moment(kind[0].timestamp), kind="text"),
    Column("times", "times", len),
    Column("snapshot", "snapshot", lambda kind: kind[0].snapshot_id, kind="id"),
    Column("error", "error", lambda kind: _shortened(kind[0].error, 200), kind="text", wraps=True),
)
"""Crashes of one kind, the latest first, as a row."""


def list_crashes(out: Console, crashes: Sequence[Crash], *, every: bool) -> None:
    """Print crashes, the latest first; of each kind only the latest unless ``every`` is asked for."""
    kinds: dict[str, list[Crash]] = defaultdict(list)
    for crash in reversed(crashes):
        kinds[crash.snapshot_id if every else crash.fingerprint].append(crash)
    terminal.table(out, KINDS, list(kinds.values()))


def show_crash(out: Console, one: Crash) -> None:
    """Print one crash: the error, the run, the machine, the traceback, and the last events before."""
    context, system = one.content["error_context"], one.content["system_stats"]
    out.print(Text(one.error, style="bold"))
    out.print()
    facts = {
        "Snapshot": one.snapshot_id,
        "Time": moment(one.timestamp),
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


def _shortened(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."
