"""``python -m mlab.cli``: the same as the command ``mlab``."""

from mlab.cli.app import script

script()
