"""What ladders would have done on the prices of the past, as docs/replay.md describes it. Pure: no files, no clock."""

from mlab.replay.bootstrap import bootstrap, interval, resampled, split, windows
from mlab.replay.deal import Deal, deals
from mlab.replay.exits import ExitRule, Fees, Levels
from mlab.replay.outcome import Outcome
from mlab.replay.path import Convention, Path
from mlab.replay.run import replay
from mlab.replay.several import Plan, Replayed, replay_all

__all__ = [
    "Convention",
    "Deal",
    "ExitRule",
    "Fees",
    "Levels",
    "Outcome",
    "Path",
    "Plan",
    "Replayed",
    "bootstrap",
    "deals",
    "interval",
    "replay",
    "replay_all",
    "resampled",
    "split",
    "windows",
]
