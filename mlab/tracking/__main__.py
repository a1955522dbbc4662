"""``python -m mlab.tracking RUN_ID``: the courier's process; it follows a run until it ends."""

import os
import sys

from mlab.identity import State
from mlab.tracking.delivery import follow

follow(State.here(), sys.argv[1])
sys.stderr.flush()
os._exit(0)  # everything is delivered; taking MLflow down in order would keep the run waiting for more than a second
