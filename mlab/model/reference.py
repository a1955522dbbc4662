"""NeedPct order by order in plain Python: the second route that stored ladders are checked against.

Nothing here is shared with :mod:`mlab.model.ladder`, so that a fault in one shows up beside the other.
"""

from __future__ import annotations

from collections.abc import Sequence


def needs(order_prices: Sequence[float], volumes: Sequence[float], sizing: str) -> list[float]:
    """NeedPct after each fill, in percent of its price, from prices and volumes in any unit. F2 to F4.

    Example:
        >>> [round(need, 6) for need in needs([202.91, 192.7645, 182.619], [1.0, 1.2, 1.44], "quote")]
        [0.0, 2.325581, 4.692704]
    """
    money = coins = 0.0
    need = []
    for price, volume in zip(order_prices, volumes, strict=True):
        money += volume if sizing == "quote" else volume * price  # F2, F3
        coins += volume / price if sizing == "quote" else volume
        need.append((money / coins / price - 1.0) * 100.0)  # F4
    return need
