"""``python -m mlab.tracking RUN_ID``: the courier's process; it follows a run until it ends."""

import sys

from mlab.identity import State
from mlab.tracking.delivery import follow

follow(State.here(), sys.argv[1])
