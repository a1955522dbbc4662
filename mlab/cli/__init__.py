"""The command line beside a run: what is stored, what went wrong, and what to do about it."""

from mlab.cli.app import main, script

__all__ = ["main", "script"]
