"""Where a benchmark's numbers go: a table on the terminal, and a small JSON file beside the code."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows with the same keys as a table."""
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(width=140).print(table)


def save(name: str, content: Mapping[str, Any]) -> None:
    """Write one benchmark's numbers, with what they were measured on."""
    host = {"python": platform.python_version(), "numpy": np.__version__, "cores": os.cpu_count()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(_finite({"host": host, **content}), indent=1) + "\n")


def saved(name: str) -> Any:
    """One benchmark's numbers, as they were last saved."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def _finite(value: Any) -> Any:
    """What was never reached is null: JSON knows no infinity."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
