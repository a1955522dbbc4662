"""``python -m mlab.console``: the same as the command ``mlab``."""

from mlab.console.app import script

script()
