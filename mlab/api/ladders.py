"""A ladder of one's own, which can be placed on an exchange and replayed on prices."""

from __future__ import annotations

from dataclasses import dataclass, fields

from numpy.typing import ArrayLike

from mlab import config as configs
from mlab.api.arguments import ladders_of
from mlab.api.orders import Orders, Rules, market_of, placed_orders
from mlab.api.replays import Replay, replayed_ladder
from mlab.config.wording import judged
from mlab.core.errors import ConfigError
from mlab.core.records import Sizing
from mlab.prices import Prices
from mlab.replay import ExitRule, Plan


@dataclass(frozen=True, init=False)
class Ladder:
    """Buy orders, from the entry down.

    Args:
        indent_pct: depth of each order below the base price in %, shape (orders,): at least 0, rising, below 100.
        volume: volume of each order in any unit, shape (orders,), above 0; only ratios matter.
        base_price: price that indents count from, in quote currency; where left out, prices are told over 100.
        take_profit_pct: profit that ends its deals, above the average entry; None where that is left to who uses it.

    Raises:
        ConfigError: one of them is wrong, which is a ``ValueError``.

    Example:
        >>> import mlab
        >>> mlab.Ladder(indent_pct=[0, 5, 10], volume=[1, 1.2, 1.44], base_price=202.91)
        Ladder(indent_pct=(0.0, 5.0, 10.0), volume=(1.0, 1.2, 1.44), base_price=202.91, take_profit_pct=None)
        >>> mlab.Ladder(indent_pct=[0, 5, 10], volume=[1, -1.2, 1.44])
        Traceback (most recent call last):
        mlab.core.errors.ConfigError: Ladder: volume[1]: must be a finite number above 0, was -1.2
    """

    indent_pct: tuple[float, ...]
    volume: tuple[float, ...]
    base_price: float | None
    take_profit_pct: float | None

    def __init__(
        self,
        indent_pct: ArrayLike,
        volume: ArrayLike,
        base_price: float | None = None,
        take_profit_pct: float | None = None,
    ) -> None:
        indent, amount = ladders_of("Ladder", indent_pct, volume, 1)
        if base_price is not None:
            base_price = configs.from_tree({"ladder": {"base_price": base_price}}, "Ladder").ladder.base_price
        if take_profit_pct is not None:
            take_profit_pct = judged(ExitRule, "Ladder", {"take_profit_pct": take_profit_pct}).take_profit_pct
        values = (tuple(indent.tolist()), tuple(amount.tolist()), base_price, take_profit_pct)
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)

    def place(
        self,
        market: Rules,
        budget: object,
        price: object = None,
        *,
        symbol: str | None = None,
        sizing: Sizing = "quote",
        take_profit_pct: object = None,
        fee_pct: object = 0,
    ) -> Orders:
        """Turn it into orders that an exchange takes: on its ticks and steps, none below its least, all in the budget.

        Args:
            market: the rules: a :class:`mlab.Market`, a mapping such as ``{"tick": "0.01", "step": "0.001"}``, or the
                path of an exchange's saved answer.
            budget: the most that all orders cost, in quote currency. Numbers may be texts, and then are exact.
            price: of the first order; may be left out where the ladder has a base price.
            symbol: which one of the file.
            sizing: what its volumes are, money (``quote``) or coins (``base``).
            take_profit_pct: of a sale, above the average entry; where left out the ladder's own, else 1.
            fee_pct: of each side, which the rebound to break even then has to cover.

        Raises:
            ConfigError: an argument is wrong.
            PlacementError: a rule cannot be kept; says which, by which order, and what would pass.

        Example:
            >>> import mlab
            >>> ladder = mlab.Ladder(indent_pct=[0, 5, 10], volume=[1, 1.2, 1.44])
            >>> placed = ladder.place({"tick": "0.01", "step": "0.00001", "least_money": 5}, budget=500, price=65000)
            >>> placed
            <3 orders on market, numbers of your own, 499.7525 money>
            >>> [str(order["quantity"]) for order in placed.table]
            ['0.00211', '0.00267', '0.00338']
        """
        entry = self.base_price if price is None else price
        if entry is None:
            raise ConfigError("place", "price", "must be given, for the ladder has no base_price")
        profit = self._take_profit_pct if take_profit_pct is None else take_profit_pct
        numbers = {"budget": budget, "price": entry, "take_profit_pct": profit, "fee_pct": fee_pct}
        return placed_orders(self.indent_pct, self.volume, sizing, market_of(market, symbol), numbers)

    def replay(
        self,
        prices: Prices,
        take_profit_pct: float | None = None,
        *,
        stop_pct: float | None = None,
        fee_maker_pct: float = 0.1,
        fee_taker_pct: float = 0.1,
        sizing: Sizing = "quote",
        bootstrap: int = 100,
    ) -> Replay:
        """Take it through prices: what it would have done, with the classical ladders of its kind beside it.

        Order 1 is bought at market, the others keep their distance to it; percents are of a budget that every deal
        spends anew. ``docs/replay.md`` says what happens within a candle, and what a replay is not.

        Args:
            prices: a :class:`mlab.Candles`, the path of a file, ``"msft"`` (real, daily) or ``"made"``.
            take_profit_pct: profit that ends a deal, above the average entry; where left out the ladder's own, else 1.
            stop_pct: fall below the last order that ends a deal.
            fee_maker_pct: of orders that rest.
            fee_taker_pct: of orders at market.
            sizing: what its volumes are, money (``quote``) or coins (``base``).
            bootstrap: other histories, of weeks drawn anew, of which the intervals come; 0 for none.

        Raises:
            ConfigError: an argument is wrong.
            PricesError: the prices cannot be used: file, row and reason.

        Example:
            >>> import mlab
            >>> equal = mlab.Ladder(indent_pct=[0, 10, 20, 30, 40], volume=[1, 1, 1, 1, 1])
            >>> equal.replay("msft", take_profit_pct=10, bootstrap=0)
            <40 % x 5 on msft, take profit 10 %: total -7.9 %, drawdown 57.6 %, 2 deals, one open>
        """
        profit = self._take_profit_pct if take_profit_pct is None else take_profit_pct
        return replayed_ladder(
            Plan("ladder", self.indent_pct, self.volume, sizing),
            prices,
            {"take_profit_pct": profit, "stop_pct": stop_pct},
            {"maker_pct": fee_maker_pct, "taker_pct": fee_taker_pct},
            bootstrap,
        )

    @property
    def _take_profit_pct(self) -> float:
        return 1.0 if self.take_profit_pct is None else self.take_profit_pct

    def _repr_html_(self) -> str:
        from mlab.api.evaluation import evaluate  # noqa: PLC0415 - late, for it is made of ladders

        return evaluate(self).orders._repr_html_()
