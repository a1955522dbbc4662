"""``python -m mlab.cli``: the commands that look at what is stored."""

from mlab.cli.app import script

script()
