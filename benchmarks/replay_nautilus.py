"""The first of the ladders in nautilus_trader, run by the interpreter of an environment of its own, of Python 3.12.

``python benchmarks/replay_nautilus.py CASES.npz``: reads candles and levels, prints one JSON object. It imports nothing
of this project.
"""

from __future__ import annotations

import json
import sys
from time import process_time

import nautilus_trader
import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

BUDGET, DIGITS = 1e9, 6  # of a deal, in money; of prices and coins, after the point
HOUR_NS = 3_600_000_000_000


class Ladder(Strategy):
    """Order 1 at market, the others resting; each fill moves the take-profit, and that of it begins the next deal."""

    def __init__(self, case, instrument, bars):
        super().__init__()
        self.down, self.up, self.share = (case[name].tolist() for name in ("down", "up", "share"))
        self.instrument, self.bars = instrument, bars
        self.begun, self.exit, self.entry, self.filled, self.coins, self.money = False, None, 0.0, 0, 0.0, 0.0
        self.deals, self.profit = 0, 0.0

    def on_start(self):
        """Ask for prices."""
        self.subscribe_bars(self.bars)

    def on_bar(self, bar):
        """The first deal begins when the first candle is known."""
        if not self.begun:
            self.begun = True
            self.begin(bar.close.as_double())

    def begin(self, price):
        """Order 1 of a deal."""
        self.filled, self.coins, self.money = 0, 0.0, 0.0
        coins = self.instrument.make_qty(BUDGET * self.share[0] / price)
        self.submit_order(self.order_factory.market(self.instrument.id, OrderSide.BUY, coins))

    def rest(self, side, price, coins):
        """A resting order."""
        price, coins = self.instrument.make_price(price), self.instrument.make_qty(coins)
        order = self.order_factory.limit(self.instrument.id, side, coins, price)
        self.submit_order(order)
        return order

    def on_order_filled(self, event):
        """What follows from a fill."""
        price, coins = event.last_px.as_double(), event.last_qty.as_double()
        if event.order_side == OrderSide.SELL:
            self.deals += 1
            self.profit += price * coins - self.money
            self.cancel_all_orders(self.instrument.id)
            self.begin(price)
            return
        self.filled, self.coins, self.money = self.filled + 1, self.coins + coins, self.money + price * coins
        if self.filled == 1:
            self.entry = price
            for down, share in zip(self.down[:-1], self.share[1:], strict=True):
                self.rest(OrderSide.BUY, price * down, BUDGET * share / (price * down))
        else:
            self.cancel_order(self.exit)
        self.exit = self.rest(OrderSide.SELL, self.entry * self.up[self.filled - 1], self.coins)


def nautilus(case):
    """Deals that ended, and their profit in % of the budget."""
    venue, name = Venue("SIM"), Symbol("BTC/USD")
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    money = [Money(2 * BUDGET, USD)]
    engine.add_venue(
        venue, OmsType.NETTING, AccountType.MARGIN, money, base_currency=USD, bar_adaptive_high_low_ordering=True
    )
    least = 10.0**-DIGITS
    steps = (Price(least, DIGITS), Quantity(least, DIGITS))
    instrument = CurrencyPair(InstrumentId(name, venue), name, BTC, USD, DIGITS, DIGITS, *steps, 0, 0)
    engine.add_instrument(instrument)
    bars = BarType.from_str(f"{instrument.id}-1-HOUR-LAST-EXTERNAL")
    points, volume = case["points"], Quantity(BUDGET, DIGITS)
    columns = (points[:, 0], points.max(axis=1), points.min(axis=1), points[:, 3])
    rows = enumerate(zip(*(column.tolist() for column in columns), strict=True), 1)
    candles = [
        Bar(bars, *(Price(price, DIGITS) for price in row), volume, hour * HOUR_NS, hour * HOUR_NS)
        for hour, row in rows
    ]
    engine.add_data(candles)
    ladder = Ladder(case, instrument, bars)
    engine.add_strategy(ladder)
    engine.run()
    return ladder.deals, ladder.profit / BUDGET * 100.0


def main():
    """What the first case comes to, and its time."""
    with np.load(sys.argv[1]) as stored:
        case = {name: stored[f"0_{name}"] for name in ("points", "down", "up", "share")}
    nautilus(case)
    began = process_time()
    deals, pct = nautilus(case)
    told = {"nautilus_deals": deals, "nautilus_pct": pct, "nautilus_s": process_time() - began}
    print(json.dumps({**told, "nautilus_version": nautilus_trader.__version__}))


if __name__ == "__main__":
    main()
