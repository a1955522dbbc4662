"""Replays by loops that numba compiles, where it is installed: the same to the last bit, sooner."""

from mlab.model.compiled import Loops

REPLAYS = Loops("mlab.replay.loops", worth=30_000_000)
"""Work is candles times ladders, of which one ladder after the other takes a second for so many."""
