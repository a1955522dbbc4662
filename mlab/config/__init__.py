"""The config: YAML read into strict models. The only place where bad input is judged."""

from mlab.config.models import Config, Ladder, Limits, Score, Search, Wave
from mlab.config.source import dump, from_tree, load

__all__ = ["Config", "Ladder", "Limits", "Score", "Search", "Wave", "dump", "from_tree", "load"]
