"""Growths brought within the limits. F23 and F24 of ``docs/model.md``."""

from __future__ import annotations

import numpy as np

from mlab.model.compiled import jit
from mlab.model.ladder import Array


@jit
def kept(growth: Array, bounds: tuple[float, float, float], spread_min: Array, rest: Array) -> tuple[Array, ...]:
    """As ``Space._kept``; ``bounds`` are the least and the largest growth, and the largest sum of volumes."""
    low, high, total_max = bounds
    steps, ladders = growth.shape
    lowered, volume, held = np.empty((steps, ladders)), np.ones((steps + 1, ladders)), np.ones((steps + 1, ladders))
    for k in range(1, steps + 1):
        row, latest, before = lowered[k - 1], volume[k - 1], held[k - 1]
        for b in range(ladders):
            row[b] = (total_max - before[b]) / (latest[b] * rest[k])  # F23
        if spread_min[k] > 1.0:
            for b in range(ladders):
                row[b] = min(row[b], before[b] / latest[b] / (spread_min[k] - 1.0))  # F24
        for b in range(ladders):
            row[b] = min(max(growth[k - 1, b], low), high, max(row[b], low))
        for b in range(ladders):
            volume[k, b] = latest[b] * row[b]
            held[k, b] = before[b] + volume[k, b]
    return lowered, volume, held
