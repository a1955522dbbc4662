"""Prices that nobody paid: a fair game whose answer is known, for trying things out and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, count

import numpy as np

from mlab.model.ladder import Array
from mlab.prices.candles import Candles, judged

COIN_S = 15  # seconds from one throw to the next: small steps, for what happens between two would not be fair
COINS_AN_HOUR, COINS_A_DAY = 3_600 // COIN_S, 86_400 // COIN_S
AT_ONCE = 64 * COINS_A_DAY
CALM, SHOCKS, FADING = 0.3, 0.01, 0.98  # least variance; chance of a shock in an hour; what the next hour keeps of it
FIRST = np.datetime64("2020-01-01T00:00", "ms")


def made(candles: int = 8_760, *, seed: int = 1, step_s: int = 3_600, volatility_pct: float = 0.5) -> Candles:
    """Candles of a price that a coin moves up or down by the same share every 15 seconds: a fair game. F32.

    The volatility comes in clusters, as on markets. Only coins, products and square roots go into them, so that a seed
    gives the same prices on every machine, and with every step.

    Args:
        candles: how many, at least 2.
        seed: of the coins.
        step_s: time from one candle to the next in seconds: 15 or a multiple of it, and a day or a part of it.
        volatility_pct: standard deviation of the change in an hour, in %, on average over long.

    Raises:
        ValueError: the step is another.

    Example:
        >>> made(48, seed=1)
        <made, seed 1: 48 candles of 1 hour, 2020-01-01 to 2020-01-02, 24eddd3683f5>
    """
    if step_s % COIN_S or 86_400 % step_s:
        raise ValueError(f"step_s must be a multiple of {COIN_S} and a part of a day, was {step_s}")
    coins = step_s // COIN_S
    columns = np.empty((4, candles))
    start, done = 100.0, 0
    for price in _prices(seed, -(-candles * coins // COINS_AN_HOUR), volatility_pct / 100.0):
        grouped = price.reshape(-1, coins)[: candles - done]
        close = grouped[:, -1]
        open_ = np.append(start, close[:-1])
        part = slice(done, done := done + len(grouped))
        columns[:, part] = open_, np.maximum(open_, grouped.max(axis=1)), np.minimum(open_, grouped.min(axis=1)), close
        start = close[-1]
        if done == candles:
            break
    time = FIRST + np.arange(candles) * np.timedelta64(step_s * 1_000, "ms")
    return judged(f"made, seed {seed}", "made", time, tuple(columns), made=True)


def _prices(seed: int, hours: int, volatility: float) -> Iterator[Array]:
    """The price after each coin, in portions."""
    random, of_hours = (np.random.default_rng((seed, stream)) for stream in range(2))
    step = np.sqrt(_variances(of_hours, hours) / COINS_AN_HOUR) * volatility
    price = 100.0
    for first in count(0, AT_ONCE // COINS_AN_HOUR):
        heads = random.integers(0, 2, AT_ONCE, dtype=np.int8)
        step_now = np.repeat(step[first : first + AT_ONCE // COINS_AN_HOUR], COINS_AN_HOUR)
        change = 1.0 + (2.0 * heads[: len(step_now)] - 1.0) * step_now  # F32
        change[0] *= price
        prices: Array = np.asarray(np.cumprod(change), dtype=np.float64)
        price = float(prices[-1])
        yield prices


def _variances(random: np.random.Generator, hours: int) -> Array:
    """Variance of each hour, 1 on average: calm, and shocks that fade."""
    shocks = (random.random(hours) < SHOCKS) / SHOCKS
    faded = accumulate(shocks.tolist(), lambda before, shock: FADING * before + (1.0 - FADING) * shock)
    return CALM + (1.0 - CALM) * np.array(list(faded))
