"""``python -m mlab.tracking [RUN_ID]``: the publisher; follows a run, then delivers what is pending of others."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial

from mlab.core.errors import LabError
from mlab.core.keeper import end_without
from mlab.core.redaction import RedactedStream
from mlab.core.state import State
from mlab.store import Store
from mlab.tracking.faults import Faults, say
from mlab.tracking.sidecar import Caller

UNUSED = ("pandas", "pyarrow", "pygments", "scipy")
"""Packages that MLflow loads where they are there, and does without: a quarter of its memory. None = not there."""


def main(run_ids: Sequence[str]) -> None:
    """Deliver a run, then what is pending of others; what is said of it holds no secrets."""
    sys.stderr = RedactedStream(sys.stderr)
    state = State.here()
    os.environ.update(state.environment())
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]
    gc.set_threshold(100_000, 50, 50)  # of 2,000 modules nothing is garbage
    from mlab.tracking.publisher import follow, publish_pending  # noqa: PLC0415 - its loggers keep this stream

    logging.getLogger("mlab").setLevel(logging.CRITICAL)  # what goes wrong is said here, once
    caller, faults = Caller(), Faults()
    if state.root.exists():
        end_without(state.root, partial(os._exit, 1))  # there is nothing left to deliver
    try:
        for run_id in run_ids:
            caller.answer(follow(state, run_id, caller.gone))
        os.nice(10)  # nobody waits for the rest
        with Store.open(state.database) as store:
            for attempt in publish_pending(state, store):
                (faults.say_once if attempt.left else say)(str(attempt))
    except LabError as error:
        say(str(error))


main(sys.argv[1:])
sys.stderr.flush()
os._exit(0)  # everything is delivered; taking MLflow down in order would keep the run waiting for more than a second
