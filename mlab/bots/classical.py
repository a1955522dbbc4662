"""The ladders that most bots begin with, for any depth and number of orders: what other ladders are measured by."""

from __future__ import annotations

from decimal import Decimal

from mlab.bots.family import Geometric

SCALES = {
    "equal": (Decimal(1), Decimal(1)),
    "1.2 / 1.2": (Decimal("1.2"), Decimal("1.2")),
    "1.5 / 1.2": (Decimal("1.5"), Decimal("1.2")),
}
"""Scale of volumes and of steps, in the order in which 3Commas asks for them, by the name of the ladder."""


def classical(depth_pct: float, orders: int) -> dict[str, Geometric]:
    """Ladders that cover a depth in % with so many orders, at least 2, of which the first two are of one size.

    Example:
        >>> [str(order.deviation_pct) for order in classical(20.0, 5)["equal"].orders()]
        ['0', '5.0', '10.0', '15.0', '20.0']
        >>> [f"{order.deviation_pct:.2f} {order.size:.2f}" for order in classical(20.0, 4)["1.5 / 1.2"].orders()]
        ['0.00 1.00', '5.49 1.00', '12.09 1.50', '20.00 2.25']
    """
    return {
        name: Geometric(
            base=Decimal(1),
            safety=Decimal(1),
            count=orders - 1,
            step_pct=Decimal(repr(depth_pct)) / sum(steps**gap for gap in range(orders - 1)),
            step_scale=steps,
            volume_scale=volumes,
        )
        for name, (volumes, steps) in SCALES.items()
    }
