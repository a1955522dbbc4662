"""The config: YAML read into strict models, and what is wrong with it said before anything is written."""

from mlab.config.models import Config, Ladder, Search
from mlab.config.source import check_start, config_of, dump, from_tree, load
from mlab.model.limits import Limits
from mlab.model.objective import Score, Wave

__all__ = [
    "Config",
    "Ladder",
    "Limits",
    "Score",
    "Search",
    "Wave",
    "check_start",
    "config_of",
    "dump",
    "from_tree",
    "load",
]
