"""``python -m mlab.tracking RUN_ID``: the courier's process; it follows a run until it ends."""

import os
import sys

from mlab.identity import State
from mlab.redaction import RedactedStream, Scrubbing


def main(run_id: str) -> None:
    """Deliver a run; what MLflow and this program have to say of it holds no secrets."""
    sys.stderr = RedactedStream(sys.stderr)
    with Scrubbing():
        from mlab.tracking.delivery import follow  # noqa: PLC0415 - MLflow's loggers keep the stream that they find

        follow(State.here(), run_id)


main(sys.argv[1])
sys.stderr.flush()
os._exit(0)  # everything is delivered; taking MLflow down in order would keep the run waiting for more than a second
