"""``python -m mlab.tracking [RUN_ID]``: the courier's process; follows a run, delivers what is owed of others."""

import logging
import os
import sys

from mlab.errors import LabError
from mlab.identity import State
from mlab.store import Store
from mlab.tracking.courier import Caller
from mlab.tracking.faults import Faults, say
from mlab.tracking.rounds import follow, settle

logging.getLogger("mlab").setLevel(logging.CRITICAL)  # what goes wrong is said here, once
state, caller, faults = State.here(), Caller(), Faults()
try:
    if sys.argv[1:]:
        caller.answer(follow(state, sys.argv[1], caller.gone))
    os.nice(10)  # nobody waits for the rest
    with Store.open(state.database) as store:
        for settlement in settle(state, store):
            (faults.say_once if settlement.left else say)(str(settlement))
except LabError as error:
    say(str(error))
sys.stderr.flush()
os._exit(0)  # everything is delivered; taking MLflow down in order would keep the run waiting for more than a second
