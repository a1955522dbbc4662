"""What ladders would have done on the prices of the past, as docs/replay.md describes it. Pure: no files, no clock."""

from mlab.model.exits import ExitRule, Fees
from mlab.replay.beside import Beside, beside
from mlab.replay.bootstrap import bootstrap, interval, resampled, split, windows
from mlab.replay.deal import Deal, deals
from mlab.replay.equity import Curve, curve
from mlab.replay.exits import Levels
from mlab.replay.outcome import Outcome
from mlab.replay.path import Convention, Path
from mlab.replay.run import replay
from mlab.replay.several import Plan, Replayed, levels_of, replay_all

__all__ = [
    "Beside",
    "Convention",
    "Curve",
    "Deal",
    "ExitRule",
    "Fees",
    "Levels",
    "Outcome",
    "Path",
    "Plan",
    "Replayed",
    "beside",
    "bootstrap",
    "curve",
    "deals",
    "interval",
    "levels_of",
    "replay",
    "replay_all",
    "resampled",
    "split",
    "windows",
]
