"""A bot's ladder, whoever makes the bot: orders with their depth below the first, and money.

Numbers are :class:`decimal.Decimal`, made from text, as people and programs write them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal
from enum import StrEnum

import numpy as np

from mlab.core.decimals import LEAST_PRICE, MOST_PRICE, PRICE, UNPRICED, plain
from mlab.core.errors import ConfigError
from mlab.core.records import Candidate
from mlab.model import contract
from mlab.model.ladder import Array
from mlab.model.objective import Objective

HUNDRED = Decimal(100)
DECIMALS = 10
"""Of what is written, where no fewer are asked for."""
LARGE = Context(prec=100)
"""For amounts of any size with all their decimals."""
MOST_ORDERS = 201
"""A base order and the 200 safety orders that the largest of the makers allows."""


class Distance(StrEnum):
    """What a maker's price deviations count from. The same numbers are three different ladders."""

    FIRST = "from the first order"
    BEFORE = "from the order before"
    AVERAGE = "from the average"


@dataclass(frozen=True, slots=True)
class BotOrder:
    """One buy: how far below the first order, in % of its price, and how much money, or shares of it."""

    deviation_pct: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Bot:
    """What a bot buys, from its first order down.

    Attributes:
        name: what its owner calls it.
        maker: whose format it comes from.
        orders: at least 2; deviations begin at 0, rise and stay below 100, sizes are above 0.
        take_profit_pct: above the average entry; None where the settings have none.
        price: of the first order, in quote currency, from 1e-12 to 1e12; None where the settings have none.
        distance: how the maker counts, and the file counted. Deviations here always count from the first order.
        shares: whether sizes are shares of a sum that the settings do not name, rather than money.
        left_out: settings by which the bot trades, and which are not judged.

    Raises:
        ConfigError: there is no such ladder.

    Example:
        >>> orders = (BotOrder(Decimal(0), Decimal(20)), BotOrder(Decimal("0.5"), Decimal(40)))
        >>> bot = Bot("mine", "3Commas", orders, Decimal("1.5"))
        >>> bot.depth_pct, bot.budget, str(bot.distance)
        (Decimal('0.5'), Decimal('60'), 'from the first order')
    """

    name: str
    maker: str
    orders: tuple[BotOrder, ...]
    take_profit_pct: Decimal | None = None
    price: Decimal | None = None
    distance: Distance = Distance.FIRST
    shares: bool = False
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= len(self.orders) <= MOST_ORDERS:
            raise self._refusal("orders", f"must be 2 to {MOST_ORDERS} with the first", len(self.orders))
        if self.orders[0].deviation_pct != 0:
            raise self._refusal("order 1", "must have the deviation 0", self.orders[0].deviation_pct)
        above = Decimal(-1)
        for number, order in enumerate(self.orders, start=1):
            if not above < order.deviation_pct < HUNDRED:
                must = "must lie deeper than the order before it, and less than 100 % below the first"
                raise self._refusal(f"order {number}", must, order.deviation_pct)
            if not order.size > 0:
                raise self._refusal(f"order {number}", "must have a size above 0", order.size)
            above = order.deviation_pct
        if self.price is not None and not LEAST_PRICE <= self.price <= MOST_PRICE:
            raise self._refusal("price", f"must be {PRICE}", f"{self.price:g}")

    def _refusal(self, field: str, must: str, was: object) -> ConfigError:
        return ConfigError(f"{self.maker} bot", field, must, typed(was) if isinstance(was, Decimal) else was)

    @property
    def depth_pct(self) -> Decimal:
        """How deep the last order lies: what the ladder covers."""
        return self.orders[-1].deviation_pct

    @property
    def budget(self) -> Decimal:
        """All the money, or shares, that the orders take."""
        return sum((order.size for order in self.orders), Decimal(0))

    def indent(self) -> Array:
        """Depth of each order in %, shape (M, 1)."""
        return np.array([[float(order.deviation_pct)] for order in self.orders])

    def volume(self) -> Array:
        """Money of each order, shape (M, 1)."""
        return np.array([[float(order.size)] for order in self.orders])

    def judged(self, objective: Objective, price: Decimal | None = None) -> Candidate:
        """Its contract and its risk, as those of any ladder; the limits make two flags and a penalty of it.

        Prices are those over a first order at ``price``, else at the bot's own, else at 100. Chances are those of its
        own take-profit where it has one, else of that of the objective.

        Raises:
            EvaluationError: its sizes or depths are out of all proportion.
        """
        if self.take_profit_pct is not None:
            score = objective.score.model_copy(update={"take_profit_pct": float(self.take_profit_pct)})
            objective = replace(objective, score=score)
        return contract.judged(self.indent(), self.volume(), float(price or self.price or UNPRICED), objective)


def ladder(distance: Distance, deviations: Sequence[Decimal], sizes: Sequence[Decimal]) -> tuple[BotOrder, ...]:
    """Orders from their distances in % as a maker counts them, the first 0.

    Example:
        Twice 10 % down: of the first price, of the price before, of the average after equal money at 100 and 90.

        >>> for distance in Distance:
        ...     orders = ladder(distance, [Decimal(0), Decimal(10), Decimal(20)], [Decimal(1)] * 3)
        ...     print(f"{orders[2].deviation_pct:.4f} {distance}")
        20.0000 from the first order
        28.0000 from the order before
        24.2105 from the average
    """
    orders: list[BotOrder] = []
    price, money, coins = Decimal(1), Decimal(0), Decimal(0)
    for deviation, size in zip(deviations, sizes, strict=True):
        above = {
            Distance.FIRST: Decimal(1),
            Distance.BEFORE: price,
            Distance.AVERAGE: money / coins if coins else price,
        }
        price = above[distance] * (1 - deviation / HUNDRED)
        orders.append(BotOrder(deviation if distance is Distance.FIRST else (1 - price) * HUNDRED, size))
        if price <= 0:  # told by who makes a bot of it
            break
        money, coins = money + size, coins + size / price
    return tuple(orders)


def distances(distance: Distance, orders: Sequence[BotOrder]) -> list[Decimal]:
    """The distances in % from which :func:`ladder` makes these orders.

    Example:
        >>> orders = ladder(Distance.BEFORE, [Decimal(0), Decimal(10), Decimal(10)], [Decimal(1)] * 3)
        >>> [typed(value, 6) for value in distances(Distance.BEFORE, orders)]
        ['0', '10', '10']
    """
    counted: list[Decimal] = []
    before, money, coins = Decimal(1), Decimal(0), Decimal(0)
    for order in orders:
        price = 1 - order.deviation_pct / HUNDRED
        above = {
            Distance.FIRST: Decimal(1),
            Distance.BEFORE: before,
            Distance.AVERAGE: money / coins if coins else before,
        }
        counted.append(order.deviation_pct if distance is Distance.FIRST else (1 - price / above[distance]) * HUNDRED)
        before, money, coins = price, money + order.size, coins + order.size / price
    return counted


def typed(value: Decimal, decimals: int = DECIMALS) -> str:
    """A number as settings have it: written out, and finer than any bot takes it."""
    return plain(value, decimals)


def rounded_up(value: Decimal, decimals: int = DECIMALS) -> Decimal:
    """An amount of money as settings have it: of less than was placed a bot that rounds down buys a step less.

    Example:
        >>> rounded_up(Decimal("8.46711"), 2), rounded_up(Decimal("8.40"), 2)
        (Decimal('8.47'), Decimal('8.40'))
    """
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_CEILING, LARGE)
