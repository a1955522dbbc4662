"""The rules of one symbol: the grid of its prices and quantities, and the least and most that an order may be.

All numbers are decimals, for what an exchange compares is text: 0.29 is 29 steps of 0.01, and not 28.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from mlab.core.decimals import plain
from mlab.core.records import Json

ZERO, ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Rules of one symbol. A number of 0 means that there is no such rule.

    Attributes:
        symbol: as the exchange writes it.
        base: the coin.
        quote: the money.
        tick: prices are multiples of it.
        step: quantities are multiples of it; it need not be a power of ten.
        least_quantity: least quantity of an order.
        most_quantity: largest quantity of an order.
        least_money: least money of an order, in quote currency.
        lowest_share: a buy below this share of the present price is refused.
        most_orders: open orders that the symbol takes.
        contract_size: coins that one unit of quantity stands for, or money where it is inverse; 1 where it is a coin.
        inverse: whether quantities are contracts worth a fixed sum of money, settled in coins.
        origin: whose answer it was.
        as_of: when the exchange gave it, None where it does not say.
    """

    symbol: str = ""
    base: str = "coins"
    quote: str = "money"
    tick: Decimal = ZERO
    step: Decimal = ZERO
    least_quantity: Decimal = ZERO
    most_quantity: Decimal = ZERO
    least_money: Decimal = ZERO
    lowest_share: Decimal = ZERO
    most_orders: int = 0
    contract_size: Decimal = ONE
    inverse: bool = False
    origin: str = "numbers of your own"
    as_of: datetime | None = None

    def money(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What a quantity costs."""
        size = self.contract_size
        return quantity * size if self.inverse else quantity * size * price

    def coins(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What a quantity holds."""
        size = self.contract_size
        return quantity * size / price if self.inverse else quantity * size

    def rules(self) -> dict[str, Decimal]:
        """The rules that there are, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: Decimal(values[name]) for name in RULES if values[name]}

    def to_dict(self) -> Json:
        """All fields in plain JSON values, numbers as texts."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        texts = {name: plain(value) if isinstance(value, Decimal) else value for name, value in values.items()}
        stamp = self.as_of.isoformat() if self.as_of else None
        return texts | {"most_orders": str(self.most_orders), "as_of": stamp}


RULES = ("tick", "step", "least_quantity", "most_quantity", "least_money", "lowest_share", "most_orders")
"""The fields of a market that are rules."""
