"""The same ladders in vectorbt and backtesting.py, run by the interpreter of an environment of their own.

``python benchmarks/replay_peers.py CASES.npz``: reads candles and levels, prints one JSON object. It imports nothing of
this project, for what it needs does not go together with what this project needs.
"""

from __future__ import annotations

import json
import sys
import warnings
from time import process_time

import numpy as np
import pandas as pd
import vectorbt as vbt
from backtesting import Backtest, Strategy
from numba import njit
from vectorbt.portfolio import nb

warnings.filterwarnings("ignore")
COLUMNS = 64  # of one simulation, where many ladders are run at once
BUDGET = 1_000_000.0  # of a deal, in money; backtesting.py has whole units only


@njit
def order_func(context, points, down, up, share, states):
    """The next order of this candle, or none. State: entry, orders filled, candle, point, whether a deal begins."""
    column = context.from_col
    state = states[column]
    if state[2] != context.i:
        state[2], state[3] = context.i, 0
    if state[4] == 1.0:
        state[4] = 0.0
        return column, nb.order_nb(size=share[0] / state[0], price=state[0])
    while state[3] < 4:
        price, depth = points[context.i, int(state[3])], int(state[1])
        if depth < len(share) - 1 and price <= state[0] * down[depth]:
            state[1] = depth + 1
            at = state[0] * down[depth]
            return column, nb.order_nb(size=share[depth + 1] / at, price=at)
        if price >= state[0] * up[depth]:
            at = state[0] * up[depth]
            state[0], state[1], state[4] = at, 0.0, 1.0
            return column, nb.order_nb(size=-context.last_position[column], price=at)
        state[3] += 1
    return -1, nb.order_nothing_nb()


def vectorbt(case, columns=1):
    """Its portfolio, by a flexible order function: of one ladder, or of as many of the same as there are columns."""
    states = np.tile([case["points"][0, 0], 0.0, -1.0, 0.0, 1.0], (columns, 1))
    levels = (case["down"], case["up"], case["share"])
    close = np.repeat(case["points"][:, 3:], columns, axis=1)
    return vbt.Portfolio.from_order_func(
        close, order_func, case["points"], *levels, states, flexible=True, init_cash=1_000.0
    )


def numbers(portfolio):
    """Two of the numbers that a replay has."""
    return portfolio.total_return(), portfolio.max_drawdown()


def deals(portfolio):
    """Depth, candle and price of every deal that ended."""
    found, depth = [], 0
    for candle, price, side in portfolio.order_records[["idx", "price", "side"]].tolist():
        if side == 0:
            depth += 1
        else:
            found.append((depth, candle, price))
            depth = 0
    return found


class Ladder(Strategy):
    """Order 1 at market, the others resting; the take-profit follows at the next candle, which is as soon as it can."""

    down, share, take_profit = (), (), 0.01

    def init(self):
        """Begin without orders."""
        self.depth = 0

    def next(self):
        """Place the orders of a deal, or move its take-profit."""
        if not self.position:
            for order in self.orders:
                order.cancel()
            price, self.depth = self.data.Close[-1], 0
            self.buy(size=max(1, round(BUDGET * self.share[0] / price)))
            for down, share in zip(self.down[:-1], self.share[1:], strict=True):
                self.buy(size=max(1, round(BUDGET * share / (price * down))), limit=price * down)
        elif len(self.trades) != self.depth:
            self.depth = len(self.trades)
            units = sum(trade.size for trade in self.trades)
            average = sum(trade.size * trade.entry_price for trade in self.trades) / units
            for trade in self.trades:
                trade.tp = average * (1.0 + self.take_profit)


def backtesting(case):
    """Deals that ended and their profit in % of the budget."""
    points = case["points"]
    table = pd.DataFrame(
        {"Open": points[:, 0], "High": points.max(axis=1), "Low": points.min(axis=1), "Close": points[:, 3]},
        index=pd.date_range("2020-01-01", periods=len(points), freq="h"),
    )
    run = Backtest(table, Ladder, cash=10 * BUDGET, commission=0.0, exclusive_orders=False)
    parts = {name: case[name].tolist() for name in ("down", "share")}
    closed = run.run(take_profit=float(case["up"][0] - 1.0), **parts)["_trades"]
    return int(closed["ExitTime"].nunique()), float(closed["PnL"].sum() / BUDGET * 100.0)


def seconds(action, repeats):
    """Least processor time of several calls."""
    times = []
    for _ in range(repeats):
        began = process_time()
        action()
        times.append(process_time() - began)
    return min(times)


def main():
    """Deals of every case, and the times of the first."""
    with np.load(sys.argv[1]) as stored:
        parts = dict(stored)
    cases = [
        {name: parts[f"{number}_{name}"] for name in ("points", "down", "up", "share")}
        for number in range(len(parts) // 4)
    ]
    told = {"deals": [deals(vectorbt(case)) for case in cases]}
    numbers(vectorbt(cases[0]))
    told["vectorbt_s"] = seconds(lambda: vectorbt(cases[0]), 200)
    told["vectorbt_with_numbers_s"] = seconds(lambda: numbers(vectorbt(cases[0])), 60)
    told["vectorbt_column_s"] = seconds(lambda: numbers(vectorbt(cases[0], COLUMNS)), 5) / COLUMNS
    told["backtesting_deals"], told["backtesting_pct"] = backtesting(cases[0])
    told["backtesting_s"] = seconds(lambda: backtesting(cases[0]), 6)
    told["versions"] = {"vectorbt": vbt.__version__, "backtesting": __import__("backtesting").__version__}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
