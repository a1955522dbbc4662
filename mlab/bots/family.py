"""The two families of ladders that most bots take: a few numbers, from which all orders follow."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mlab.bots.bot import Bot, BotOrder, Distance, distances, ladder
from mlab.core.errors import ConfigError

NEAR = Decimal("1e-6")
"""Share by which a ladder may differ from its family for having been written with ten decimals."""

SCALE_DECIMALS, LARGEST_SCALE = 8, Decimal(10**6)


@dataclass(frozen=True, slots=True)
class Geometric:
    """3Commas classic, OKX, and most calculators: each step and each size is a multiple of the one before.

    Attributes:
        base: money of order 1.
        safety: money of order 2.
        count: orders after the first.
        step_pct: deviation of order 2 from order 1, in %.
        step_scale: of each step over the one before; steps add up, all in % of the first price.
        volume_scale: of each size over the one before, from order 3 on.

    Example:
        >>> settings = Geometric(Decimal(10), Decimal(10), 3, Decimal(1), Decimal("1.5"), Decimal("1.4"))
        >>> [(str(order.deviation_pct), str(order.size)) for order in settings.orders()]
        [('0', '10'), ('1', '10'), ('2.5', '14.0'), ('4.75', '19.60')]
    """

    base: Decimal
    safety: Decimal
    count: int
    step_pct: Decimal
    step_scale: Decimal = Decimal(1)
    volume_scale: Decimal = Decimal(1)

    def orders(self) -> tuple[BotOrder, ...]:
        """All orders; a sum, not a formula that divides by the scale less 1."""
        orders = [BotOrder(Decimal(0), self.base)]
        step, size = self.step_pct, self.safety
        for _ in range(self.count):
            orders.append(BotOrder(orders[-1].deviation_pct + step, size))
            step, size = step * self.step_scale, size * self.volume_scale
        return tuple(orders)

    @classmethod
    def of(cls, bot: Bot) -> Geometric:
        """The numbers from which a bot's orders follow.

        Raises:
            ConfigError: there are none.
        """
        first, second, *more = bot.orders
        step_scale = volume_scale = Decimal(1)
        if more:
            step_scale = (more[0].deviation_pct - second.deviation_pct) / second.deviation_pct
            volume_scale = more[0].size / second.size
        count = len(bot.orders) - 1
        settings = cls(first.size, second.size, count, second.deviation_pct, _scale(step_scale), _scale(volume_scale))
        _refuse_others(bot, settings.orders(), "takes steps and sizes that grow by one scale each")
        return settings


@dataclass(frozen=True, slots=True)
class Averaged:
    """Bybit: every order lies one step below the average entry so far, and is a multiple of the one before.

    Attributes:
        first: money of order 1.
        count: orders after the first.
        step_pct: below the average entry, in %; for order 2 that is order 1.
        multiplier: of each size over the one before.
    """

    first: Decimal
    count: int
    step_pct: Decimal
    multiplier: Decimal

    def orders(self) -> tuple[BotOrder, ...]:
        """All orders."""
        steps = [Decimal(0)] + [self.step_pct] * self.count
        return ladder(Distance.AVERAGE, steps, [self.first * self.multiplier**k for k in range(self.count + 1)])

    @classmethod
    def of(cls, bot: Bot) -> Averaged:
        """The numbers from which a bot's orders follow.

        Raises:
            ConfigError: there are none.
        """
        step = distances(Distance.AVERAGE, bot.orders)[1]
        multiplier = _scale(bot.orders[1].size / bot.orders[0].size)
        settings = cls(bot.orders[0].size, len(bot.orders) - 1, step, multiplier)
        _refuse_others(bot, settings.orders(), "takes one step from the average, and one multiplier")
        return settings


def _scale(value: Decimal) -> Decimal:
    """A scale without the rounding of what it comes from; no family has one that is beyond all bounds."""
    return round(min(value, LARGEST_SCALE), SCALE_DECIMALS)


def _refuse_others(bot: Bot, orders: tuple[BotOrder, ...], must: str) -> None:
    """Refuse a bot whose orders are not these."""
    for number, (own, other) in enumerate(zip(bot.orders, orders, strict=True), start=1):
        depth, size = abs(own.deviation_pct - other.deviation_pct), abs(own.size - other.size)
        if depth > NEAR * max(Decimal(1), own.deviation_pct) or size > NEAR * max(own.size, bot.orders[0].size):
            raise ConfigError(
                "this format", f"order {number}", f"{must}: first the best member of that family is needed"
            )
