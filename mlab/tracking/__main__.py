"""``python -m mlab.tracking [RUN_ID]``: the courier's process; follows a run, delivers what is owed of others."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from mlab.core.errors import LabError
from mlab.core.redaction import RedactedStream, Scrubbing
from mlab.core.state import State
from mlab.store import Store
from mlab.tracking.faults import Faults, say
from mlab.tracking.sidecar import Caller


def main(run_ids: Sequence[str]) -> None:
    """Deliver a run, then what is owed of others; what MLflow and this program have to say of it holds no secrets."""
    sys.stderr = RedactedStream(sys.stderr)
    from mlab.tracking.publisher import follow, settle  # noqa: PLC0415 - MLflow's loggers keep the stream that they find

    logging.getLogger("mlab").setLevel(logging.CRITICAL)  # what goes wrong is said here, once
    state, caller, faults = State.here(), Caller(), Faults()
    try:
        for run_id in run_ids:
            caller.answer(follow(state, run_id, caller.gone))
        os.nice(10)  # nobody waits for the rest
        with Store.open(state.database) as store:
            for settlement in settle(state, store):
                (faults.say_once if settlement.left else say)(str(settlement))
    except LabError as error:
        say(str(error))


with Scrubbing():
    main(sys.argv[1:])
sys.stderr.flush()
os._exit(0)  # everything is delivered; taking MLflow down in order would keep the run waiting for more than a second
