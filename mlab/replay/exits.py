"""Where a ladder buys and sells, and what a deal earns by its depth: known before any replay.

Formulas are numbered as in ``docs/replay.md``. Prices are over that of order 1, the entry, and money is in shares of
the budget. Shapes are as in :mod:`mlab.model.ladder`: (M, B) an order a row and a ladder a column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlab.core.records import Sizing
from mlab.model.exits import ExitRule, Fees
from mlab.model.ladder import Array, accumulate, prices


@dataclass(frozen=True, slots=True)
class Levels:
    """Prices at which ladders act, over the entry, and what is held after each order, all (M, B).

    Attributes:
        order: L_k, the price of order k.
        exit: T_k, the price of the take-profit once order k has filled.
        below: what comes next on the way down from order k: order k + 1, after the last the stop, 0 for none.
        money: Q_k, spent on orders 1 to k, in shares of the budget.
        coins: N_k, bought by them.
        take_profit: share of the money that the take-profit earns.
    """

    order: Array
    exit: Array
    below: Array
    money: Array
    coins: Array
    take_profit: float

    @classmethod
    def of(cls, indent_pct: Array, volume: Array, rule: ExitRule, sizing: Sizing = "quote") -> Levels:
        """The levels of ladders under one exit rule. F26.

        Indents are in percent, from 0 for order 1, volumes positive in any unit, money (``quote``) or coins (``base``).

        Example:
            Equal money at 100 and at 50, and 1 % of profit:

            >>> levels = Levels.of(np.array([[0.0, 50.0]]).T, np.ones((2, 1)), ExitRule(take_profit_pct=1))
            >>> (levels.exit[:, 0] * 100).round(4).tolist()
            [101.0, 67.3333]
        """
        take_profit = rule.take_profit_pct / 100.0
        order = prices(np.asarray(indent_pct, dtype=np.float64))  # F26
        spent = np.array(volume if sizing == "quote" else volume * order, dtype=np.float64)
        spent /= accumulate(spent.copy())[-1]
        money, coins = accumulate(spent.copy()), accumulate(spent / order)
        stop = np.zeros(order.shape[1]) if rule.stop_pct is None else order[-1] * (1.0 - rule.stop_pct / 100.0)
        return cls(
            order=order,
            exit=money / coins * (1.0 + take_profit),  # F26
            below=np.vstack((order[1:], stop)),
            money=money,
            coins=coins,
            take_profit=take_profit,
        )

    def bought(self, fees: Fees) -> Array:
        """Fees of the buys of a deal that has filled k orders, (M, B): order 1 at market, the others rest."""
        maker, taker = fees.maker_pct / 100.0, fees.taker_pct / 100.0
        paid: Array = taker * self.money[0] + maker * (self.money - self.money[0])
        return paid

    def profits(self, fees: Fees) -> Array:
        """Profit of a deal that took it at depth k, and in the last row of one that was stopped, (M + 1, B). F27.

        Example:
            >>> levels = Levels.of(np.array([[0.0, 50.0]]).T, np.ones((2, 1)), ExitRule(take_profit_pct=1))
            >>> (levels.profits(Fees(maker_pct=0, taker_pct=0))[:2, 0] * 100).round(9).tolist()
            [0.5, 1.0]
        """
        bought, maker, taker = self.bought(fees), fees.maker_pct / 100.0, fees.taker_pct / 100.0
        taken = self.money * self.take_profit - bought - maker * self.money * (1.0 + self.take_profit)  # F27
        stopped = self.coins[-1] * self.below[-1] * (1.0 - taker) - self.money[-1] - bought[-1]  # F27
        return np.vstack((taken, stopped))
