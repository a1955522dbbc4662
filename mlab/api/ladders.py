"""A ladder of one's own: judged by every number of the contract, placed on an exchange, replayed on prices."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mlab import config as configs
from mlab.api.arguments import LIMITS, SCORE, ladders_of, objective_of
from mlab.api.orders import Orders, Rules, placed_orders
from mlab.api.replays import Replay, replayed_ladder
from mlab.api.shown import Table
from mlab.core.errors import ConfigError
from mlab.core.records import Candidate, Cell, Json
from mlab.model import contract, objective
from mlab.model import limits as limit
from mlab.model.ladder import Sizing
from mlab.model.ranking import Ranked
from mlab.prices import Prices
from mlab.replay import Plan
from mlab.report import columns, words

if TYPE_CHECKING:
    from mlab.api.pictures import Plot


@dataclass(frozen=True, init=False)
class Ladder:
    """Buy orders, from the entry down.

    Args:
        indent_pct: depth of each order below the base price in %, shape (orders,): at least 0, rising, below 100.
        volume: volume of each order in any unit, shape (orders,), above 0; only ratios matter.
        base_price: price that indents count from, in quote currency.

    Raises:
        ConfigError: one of them is wrong, which is a ``ValueError``.

    Example:
        >>> import mlab
        >>> mlab.Ladder(indent_pct=[0, 5, 10], volume=[1, 1.2, 1.44], base_price=202.91)
        Ladder(indent_pct=(0.0, 5.0, 10.0), volume=(1.0, 1.2, 1.44), base_price=202.91)
        >>> mlab.Ladder(indent_pct=[0, 5, 10], volume=[1, -1.2, 1.44])
        Traceback (most recent call last):
        mlab.core.errors.ConfigError: Ladder: volume[1]: must be a finite number above 0, was -1.2
    """

    indent_pct: tuple[float, ...]
    volume: tuple[float, ...]
    base_price: float

    def __init__(self, indent_pct: ArrayLike, volume: ArrayLike, base_price: float = 100.0) -> None:
        indent, amount = ladders_of("Ladder", indent_pct, volume, 1)
        price = configs.from_tree({"ladder": {"base_price": base_price}}, "Ladder").ladder.base_price
        for name, value in {"indent_pct": tuple(indent.tolist()), "volume": tuple(amount.tolist())}.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "base_price", price)

    def place(
        self,
        market: Rules,
        budget: object,
        price: object = None,
        *,
        symbol: str | None = None,
        sizing: Sizing = "quote",
        take_profit_pct: object = 1,
        fee_pct: object = 0,
    ) -> Orders:
        """Turn it into orders that an exchange takes: on its ticks and steps, none below its least, all in the budget.

        Args:
            market: the rules: a :class:`mlab.Market`, a mapping such as ``{"tick": "0.01", "step": "0.001"}``, or the
                path of an exchange's saved answer.
            budget: the most that all orders cost, in quote currency. Numbers may be texts, and then are exact.
            price: of the first order; the base price where left out.
            symbol: which one of the file.
            sizing: what its volumes are, money (``quote``) or coins (``base``).
            take_profit_pct: of a sale, above the average entry.
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
        return placed_orders(
            self.indent_pct,
            self.volume,
            sizing,
            market=market,
            budget=budget,
            price=entry,
            symbol=symbol,
            take_profit_pct=take_profit_pct,
            fee_pct=fee_pct,
        )

    def replay(
        self,
        prices: Prices,
        take_profit_pct: float = 1,
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
            take_profit_pct: profit that ends a deal, above the average entry.
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
        return replayed_ladder(
            Plan("ladder", self.indent_pct, self.volume, sizing),
            prices,
            {"take_profit_pct": take_profit_pct, "stop_pct": stop_pct},
            {"maker_pct": fee_maker_pct, "taker_pct": fee_taker_pct},
            bootstrap,
        )

    def _repr_html_(self) -> str:
        return evaluate(self).orders._repr_html_()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One ladder and every number about it. ``str`` tells it in words, a notebook shows its orders.

    Attributes:
        record: what is stored of a ladder, its contract and its risk block among it.
    """

    record: Candidate

    @property
    def candidate_id(self) -> str:
        """Its name in the database, MLflow and every report; empty for a ladder of one's own."""
        return self.record.candidate_id

    @property
    def cell(self) -> Cell:
        """Its overlap in % and number of orders."""
        return self.record.cell

    @property
    def ladder(self) -> Ladder:
        """The ladder, its volumes in % of the position."""
        schedule = self.record.contract["schedule"]
        price = schedule["order_prices"][0] / (1.0 - schedule["indent_pct"][0] / 100.0)
        return Ladder(schedule["indent_pct"], schedule["volume_pct"], price)

    @property
    def score(self) -> float:
        """J, lower is better; it ranks ladders of one overlap and number of orders only."""
        return self.record.score

    @property
    def needpct(self) -> list[float]:
        """Rebound to break even after each fill, in % of its price, one an order."""
        return list(self.record.contract["schedule"]["needpct"])

    @property
    def risk(self) -> Json:
        """What NeedPct does not show: need before each fill, money deployed, losses, and what to expect of deals.

        All are in %, and time in candles of 1 % volatility. What a former version stored has less.
        """
        return dict(self.record.risk)

    @property
    def orders(self) -> Table[Json]:
        """The ladder as it is entered at an exchange: a row an order."""
        rows = columns.order_rows(self.record)
        return Table(rows, columns.ORDER, rows)

    def to_dict(self) -> Json:
        """The contract of the evaluation, in plain JSON values."""
        return dict(self.record.contract)

    def plot(self) -> Plot:
        """How much is bought where, and the rebound needed at every price on the way down."""
        from mlab.api.pictures import ladder  # noqa: PLC0415 - late, for it loads matplotlib

        return ladder(self.record)

    @property
    def _title(self) -> str:
        row = Ranked(1, self.record)
        need, path = columns.AT_FILLS.text(row), columns.ON_PATH.text(row)
        return f"{self.cell.label}: score {self.score:.4f}, need {need} % at fills, {path} % on path"

    def __repr__(self) -> str:
        return f"<{self._title}>"

    def __str__(self) -> str:
        return "\n".join([self._title, *words.bullets(self.record.contract["schedule"]), *words.risk(self.record)])

    def _repr_html_(self) -> str:
        risk = "".join(f"<p>{escape(sentence)}</p>" for sentence in words.risk(self.record))
        return f"<p><b>{escape(self._title)}</b></p>{self.orders._repr_html_()}{risk}"


def evaluate(
    ladder: Ladder, *, score: objective.Score = SCORE, limits: limit.Limits = LIMITS, sizing: Sizing = "quote"
) -> Evaluation:
    """Judge one ladder.

    Args:
        ladder: the ladder.
        score: what makes it good.
        limits: two of which are flags of the contract, and one a penalty; the ladder need not keep them.
        sizing: what its volumes are, money (``quote``) or coins (``base``).

    Raises:
        ConfigError: an argument is wrong.
        EvaluationError: volumes or indents are out of all proportion.

    Example:
        >>> import mlab
        >>> ladder = mlab.Ladder(indent_pct=[0, 5, 10], volume=[1, 1.2, 1.44], base_price=202.91)
        >>> [round(need, 6) for need in mlab.evaluate(ladder).needpct]
        [0.0, 2.325581, 4.692704]
    """
    if not isinstance(ladder, Ladder):
        raise ConfigError("evaluate", "ladder", "must be a mlab.Ladder", ladder)
    judged_by = objective_of("evaluate", score, limits, sizing)
    indent, volume = (np.array([values]).T for values in (ladder.indent_pct, ladder.volume))
    return Evaluation(contract.judged(indent, volume, ladder.base_price, judged_by))
