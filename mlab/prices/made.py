"""Prices that nobody paid: a fair game whose answer is known, for trying things out and for tests."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from mlab.model.ladder import Array
from mlab.prices.candles import Candles, judged

COINS = 32  # thrown for each candle
AT_ONCE = 16_384  # candles
CALM, SHOCKS, FADING = 0.3, 0.01, 0.98  # least variance; chance of a shock in an hour; what the next hour keeps of it
FIRST = np.datetime64("2020-01-01T00:00", "ms")


def made(candles: int = 8_760, *, seed: int = 1, step_s: int = 3_600, volatility_pct: float = 0.5) -> Candles:
    """Candles whose price is as likely to rise as to fall by the same share at every step: a fair game. F32.

    The volatility comes in clusters, as on markets. Only coins, products and square roots go into them, so that a seed
    makes the same candles on every machine.

    Args:
        candles: how many, at least 2.
        seed: of the coins.
        step_s: time from one candle to the next in seconds.
        volatility_pct: standard deviation of the change in an hour, in %, on average over long.

    Example:
        >>> made(48, seed=1)
        <made, seed 1: 48 candles of 1 hour, 2020-01-01 to 2020-01-02, 6ef0ee8a0b6e>
    """
    random = np.random.default_rng(seed)
    hour = np.arange(candles) * step_s // 3_600
    variance = _variances(random, int(hour[-1]) + 1)[hour] * (step_s / 3_600 / COINS)
    step = np.sqrt(variance) * (volatility_pct / 100.0)
    columns = np.empty((4, candles))
    start = 100.0
    for first in range(0, candles, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        heads = random.integers(0, 2, (len(step[part]), COINS), dtype=np.int8)
        change = 1.0 + (2.0 * heads - 1.0) * step[part, None]  # F32
        price = start * np.cumprod(change).reshape(change.shape)
        close = price[:, -1]
        open_ = np.append(start, close[:-1])
        columns[:, part] = open_, np.maximum(open_, price.max(axis=1)), np.minimum(open_, price.min(axis=1)), close
        start = close[-1]
    time = FIRST + np.arange(candles) * np.timedelta64(step_s * 1_000, "ms")
    return judged(f"made, seed {seed}", "made", time, tuple(columns), made=True)


def _variances(random: np.random.Generator, hours: int) -> Array:
    """Variance of each hour, 1 on average: calm, and shocks that fade."""
    shocks = (random.random(hours) < SHOCKS) / SHOCKS
    faded = accumulate(shocks.tolist(), lambda before, shock: FADING * before + (1.0 - FADING) * shock, initial=1.0)
    return CALM + (1.0 - CALM) * np.array(list(faded)[1:])
