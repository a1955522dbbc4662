"""The contract and the risk block of one ladder, in plain Python loops straight from the spec's formulas.

The second opinion that the numpy evaluator is held against: nothing of ``mlab`` is imported here, no array is
used, and every formula is written as the spec words it rather than as it runs fast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any


@dataclass(frozen=True)
class Settings:
    """What a config says about scoring, under the names of the config."""

    sizing: str = "quote"
    need: str = "fill"
    alpha: float = 0.5
    beta: float = 0.3
    gamma: float = 0.2
    lambda_penalty: float = 0.1
    wave: tuple[float, float] | None = (50.0, 10.0)
    tail_cap_pct: float = 40.0
    min_indent_step_pct: float = 0.05
    take_profit_pct: float = 1.0


def contract(
    indent: Sequence[float], volume: Sequence[float], settings: Settings, base_price: float = 100.0
) -> dict[str, Any]:
    """Every field of the contract; ``volume`` in any unit."""
    orders, total = len(indent), sum(volume)
    volume_pct = [100.0 * v / total for v in volume]
    price = order_prices(indent, base_price)
    needpct = need_at_fill(price, volume, settings.sizing)
    growth = martingale(volume)
    step = [indent[k] - (indent[k - 1] if k else 0.0) for k in range(orders)]
    penalties = {
        "P_gini": gini(volume),
        "P_entropy": 1.0 - entropy(volume),
        "P_monotone": sum(max(0.0, indent[k - 1] - indent[k]) for k in range(1, orders)),
        "P_smooth": variance(step) / 100.0,
        "P_tailcap": max(0.0, (volume_pct[-1] - settings.tail_cap_pct) / settings.tail_cap_pct),
        "P_need_mismatch": 0.0,
        "P_wave": wave(growth, settings.wave),
    }
    measured = needpct if settings.need == "fill" else need_before_fill(price, volume, settings.sizing)
    tail = sum(volume_pct[math.floor(0.8 * orders) :]) / 100.0
    return {
        "score": settings.alpha * max(measured)
        + settings.beta * variance(measured)
        + settings.gamma * tail
        + settings.lambda_penalty * sum(penalties.values()),
        "max_need": max(needpct),
        "var_need": variance(needpct),
        "tail": tail,
        "schedule": {
            "indent_pct": list(indent),
            "volume_pct": volume_pct,
            "martingale_pct": growth,
            "needpct": needpct,
            "order_prices": price,
            "price_step_pct": step,
        },
        "sanity": {
            "max_need_mismatch": False,
            "collapse_indents": any(gap < settings.min_indent_step_pct for gap in step[1:]),
            "tail_overflow": volume_pct[-1] > settings.tail_cap_pct,
        },
        "diagnostics": {
            "wci": sum(i * v for i, v in enumerate(volume)) / (total * (orders - 1)),
            "sign_flips": sign_flips(needpct),
            "gini": penalties["P_gini"],
            "entropy": entropy(volume),
        },
        "penalties": penalties,
    }


def risk(
    indent: Sequence[float], volume: Sequence[float], settings: Settings, base_price: float = 100.0
) -> dict[str, Any]:
    """Every field of the risk block."""
    price = order_prices(indent, base_price)
    average = averages(price, volume, settings.sizing)
    before = need_before_fill(price, volume, settings.sizing)
    money = list(volume) if settings.sizing == "quote" else [v * p for v, p in zip(volume, price, strict=True)]
    total = sum(money)
    deployed = [spent / total for spent in accumulate(money)]
    goes_down = all(above <= below for above, below in pairwise(indent))
    return {
        "need_before_fill": before,
        "max_need_path": max(*before, *need_at_fill(price, volume, settings.sizing)),
        "var_need_path": variance(before),
        "capital_deployed_pct": [100.0 * spent for spent in deployed],
        "loss_at_last_order_pct": 100.0 * (average[-1] - price[-1]) / average[-1],
        "loss_below_last_pct": {
            str(fall): 100.0 * (average[-1] - price[-1] * (100 - fall) / 100.0) / average[-1] for fall in (10, 20, 30)
        },
        **(expected(price, average, deployed, settings.take_profit_pct) if goes_down else {}),
    }


def expected(
    price: Sequence[float], average: Sequence[float], deployed: Sequence[float], take_profit_pct: float
) -> dict[str, Any]:
    """What to expect of a deal on a price without drift; time in candles of 1 % volatility."""
    reach, time, money = [1.0], 0.0, 0.0
    for k, level in enumerate(price):
        up = math.log(average[k] * (1.0 + take_profit_pct / 100.0) / level)
        down = math.log(level / price[k + 1]) if k + 1 < len(price) else math.log(1.0 / 0.8)
        spent = reach[k] * up * down
        time, money = time + spent, money + spent * deployed[k]
        reach.append(reach[k] * (1.0 - down / (down + up)))
    filled = [100.0 * chance for chance in reach[:-1]]
    return {
        "take_profit_pct": take_profit_pct,
        "chance_filled_pct": filled,
        "chance_all_filled_pct": filled[-1],
        "expected_candles": time / 0.0001,
        "expected_deployed_pct": 100.0 * money / time,
    }


def order_prices(indent: Sequence[float], base_price: float) -> list[float]:
    return [base_price * (1.0 - i / 100.0) for i in indent]


def averages(price: Sequence[float], volume: Sequence[float], sizing: str) -> list[float]:
    """Average entry after each fill: money spent over coins held."""
    average = []
    money = coins = 0.0
    for p, v in zip(price, volume, strict=True):
        money += v if sizing == "quote" else v * p
        coins += v / p if sizing == "quote" else v
        average.append(money / coins)
    return average


def need_at_fill(price: Sequence[float], volume: Sequence[float], sizing: str) -> list[float]:
    return [(a / p - 1.0) * 100.0 for a, p in zip(averages(price, volume, sizing), price, strict=True)]


def need_before_fill(price: Sequence[float], volume: Sequence[float], sizing: str) -> list[float]:
    average = averages(price, volume, sizing)
    return [0.0] + [(average[k - 1] / price[k] - 1.0) * 100.0 for k in range(1, len(price))]


def martingale(volume: Sequence[float]) -> list[float]:
    return [0.0] + [(volume[k] / volume[k - 1] - 1.0) * 100.0 for k in range(1, len(volume))]


def variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def gini(volume: Sequence[float]) -> float:
    n, ordered = len(volume), sorted(volume)
    value = 2.0 * sum(i * x for i, x in enumerate(ordered, start=1)) / (n * sum(volume)) - (n + 1) / n
    return min(1.0, max(0.0, value))


def entropy(volume: Sequence[float]) -> float:
    total = sum(volume)
    shares = [v / total for v in volume]
    return -sum(s * math.log(s) for s in shares) / math.log(len(volume))


def wave(growth: Sequence[float], thresholds: tuple[float, float] | None) -> float:
    if thresholds is None:
        return 0.0
    strong, weak = thresholds
    w = 0.0
    for k in range(2, len(growth)):
        a, b = growth[k - 1], growth[k]
        if (a >= strong and b <= weak) or (a <= weak and b >= strong):
            w += 0.1
        elif (a >= strong and b >= strong) or (a <= weak and b <= weak):
            w -= 0.2
    return max(0.0, -w)


def sign_flips(needpct: Sequence[float]) -> int:
    rise = [needpct[k] - needpct[k - 1] for k in range(1, len(needpct))]
    return sum(1 for k in range(1, len(rise)) if rise[k] * rise[k - 1] < 0.0)
