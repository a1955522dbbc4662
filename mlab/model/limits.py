"""Whether any ladder of a cell keeps the limits: sums of the slowest growth and of the smallest gaps."""

from __future__ import annotations

from mlab.core.records import Cell

ROOM = 1e-6
"""Share by which a limit must be clear of the impossible, so that a ladder on it survives rounding."""


def largest_first_pct(num_orders: int, growth_min_pct: float) -> float:
    """Most that order 1 can hold, in percent: 100 / sum(r^i, i = 0..M-1), r the least growth.

    Any larger growth makes order 1 smaller.
    """
    growth = 1.0 + growth_min_pct / 100.0
    return 100.0 / sum(growth**order for order in range(num_orders))


def smallest_last_pct(num_orders: int, growth_min_pct: float) -> float:
    """Least that order M can hold, in percent: 100 r^(M-1) / sum(r^i, i = 0..M-1), r the least growth.

    Any larger growth makes order M larger.
    """
    growth = 1.0 + growth_min_pct / 100.0
    return 100.0 / sum(growth**-order for order in range(num_orders))


def conflict(
    cell: Cell, min_indent_step_pct: float, growth_min_pct: float, first_volume_min_pct: float, tail_cap_pct: float
) -> str | None:
    """Why no ladder of ``cell`` keeps the limits, with the fields to change; None where some ladder does.

    All in percent. ``max_gap_ratio`` needs no rule: above 1 it always leaves the mean gap free.
    """
    orders = cell.num_orders
    most = largest_first_pct(orders, growth_min_pct)
    if first_volume_min_pct > most * (1.0 - ROOM):
        return (
            f"no ladder with num_orders {orders} keeps limits.first_volume_min_pct {first_volume_min_pct:g}: "
            f"at limits.martingale_pct {growth_min_pct:g} order 1 must stay below {most:.4g} %"
        )
    least = smallest_last_pct(orders, growth_min_pct)
    if tail_cap_pct < least * (1.0 + ROOM):
        return (
            f"no ladder with num_orders {orders} keeps limits.tail_cap_pct {tail_cap_pct:g}: "
            f"at limits.martingale_pct {growth_min_pct:g} the last order must exceed {least:.4g} %"
        )
    shortest = (orders - 1) * min_indent_step_pct
    if shortest > cell.overlap_pct * (1.0 - ROOM):
        return (
            f"no ladder with overlap_pct {cell.overlap_pct:g} and num_orders {orders} keeps "
            f"limits.min_indent_step_pct {min_indent_step_pct:g}: its {orders - 1} gaps need more than {shortest:.4g} %"
        )
    return None
