"""On what a search computes: two kinds of machine may differ in the last bit of a number, and then in all that follows.

numpy chooses its loops by what the processor can do; with AVX-512 some exponentials end in another bit than without.
"""

from __future__ import annotations

import platform
import time
from functools import cache
from importlib.metadata import version

import numpy as np

from mlab.core.events import emit
from mlab.model.compiled import LADDERS
from mlab.store import Store

_told: set[str] = set()  # runs that have been told why there is no numba


@cache
def kind() -> str:
    """Architecture, the extensions of the processor that numpy uses, and the versions that count, in one line."""
    extensions = np.show_config(mode="dicts").get("SIMD Extensions", {})  # what is empty is left out there
    used = " ".join([*extensions.get("baseline", []), *extensions.get("found", [])])
    versions = [f"{name} {version(name)}" for name in ("numpy", "optuna")]
    python = ".".join(platform.python_version_tuple()[:2])
    return f"{platform.machine()} with {used}, {', '.join(versions)}, Python {python}"


def note(store: Store, exp_id: int) -> None:
    """Keep on what this process computes, and say so where the run has been searched on something else."""
    here = kind()
    others = store.note_machine(exp_id, here)
    if others:
        words = (
            f"began on {others[0]} and goes on with {here}: what it finds is not bit for bit what either finds alone"
        )
        emit("ORCH.START", words, level="warning", machine=here)


def use_numba(run_id: str) -> float:
    """Have ladders priced and scored by what numba compiles, where it is installed and there were enough to pay it.

    That it cannot be used is said once in a run. The answer is how many seconds the loading took, which are no search:
    some ten where it compiles for the first time, none where there was nothing to load.
    """
    before, began = (LADDERS.loaded, LADDERS.refused), time.monotonic()
    LADDERS.ahead(0)
    if LADDERS.refused and run_id not in _told:
        _told.add(run_id)
        emit("EVAL.ERROR", f"goes on without numba: {LADDERS.refused}", level="warning")
    return time.monotonic() - began if (LADDERS.loaded, LADDERS.refused) != before else 0.0
