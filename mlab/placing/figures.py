"""What a trader asks of orders, before they are rounded and after: rebound needed, depth, loss, money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.model.ladder import Array, average_entry, need_at_fill, need_before_fill


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a batch of ladders, shape (B,) each, or of one ladder; all in percent but the money.

    Attributes:
        max_need: largest rebound to break even right after a fill.
        max_need_path: largest rebound to break even anywhere down to the last order.
        depth_pct: depth of the last order below the first.
        loss_at_last_order_pct: loss when the last order fills, of the money spent.
        spent: money of all orders.
    """

    max_need: Array
    max_need_path: Array
    depth_pct: Array
    loss_at_last_order_pct: Array
    spent: Array

    @classmethod
    def of(cls, price: Array, coins: Array) -> Figures:
        """From prices and coins, shape (M, B) each.

        Example:
            >>> figures = Figures.of(np.array([[100.0], [50.0]]), np.array([[1.0], [2.0]]))
            >>> figures.max_need.round(6).tolist(), figures.spent.tolist()
            ([33.333333], [200.0])
        """
        average, _ = average_entry(price, coins, "base")
        at_fills = need_at_fill(price, average).max(axis=0)
        return cls(
            max_need=at_fills,
            max_need_path=np.maximum(at_fills, need_before_fill(price, average).max(axis=0)),  # F20
            depth_pct=(1.0 - price[-1] / price[0]) * 100.0,
            loss_at_last_order_pct=(1.0 - price[-1] / average[-1]) * 100.0,  # F22
            spent=(price * coins).sum(axis=0),
        )
