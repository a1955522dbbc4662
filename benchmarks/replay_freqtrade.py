"""The first of the ladders in freqtrade, run by the interpreter of an environment of its own, of Python 3.12.

``python benchmarks/replay_freqtrade.py CASES.npz``: reads candles and levels, prints one JSON object. It imports
nothing of this project. Freqtrade asks an exchange for its markets even to look back; here it is told of one.
"""

from __future__ import annotations

import io
import json
import logging
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from unittest.mock import PropertyMock, patch

import freqtrade
import numpy as np
import pandas as pd
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.strategy import IStrategy

BUDGET, PAIR, STEP = 1e6, "BTC/USDT", 1e-8
ROI, PATIENCE = {"0": 0.01}, {"entry": 10**6, "exit": 10**6, "unit": "minutes"}
MARKET = {
    "id": "BTCUSDT", "symbol": PAIR, "base": "BTC", "quote": "USDT", "active": True, "spot": True, "type": "spot",
    "precision": {"price": STEP, "amount": STEP}, "contractSize": None, "info": {},
    "limits": {kind: {"min": STEP, "max": 1e12} for kind in ("amount", "price", "cost", "leverage")},
}  # fmt: skip
PRICING = {"price_side": "same", "use_order_book": False}
CONFIG = {
    "stake_currency": "USDT", "stake_amount": "unlimited", "dry_run_wallet": 1_000 * BUDGET, "dry_run": True,
    "max_open_trades": 1, "timeframe": "1h", "fee": 0.0, "trading_mode": "spot", "margin_mode": "",
    "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []}, "pairs": [PAIR],
    "pairlists": [{"method": "StaticPairList"}], "entry_pricing": PRICING, "exit_pricing": PRICING,
    "strategy": "Ladder", "dataformat_ohlcv": "feather", "export": "none", "candle_type_def": CandleType.SPOT,
    "runmode": RunMode.BACKTEST, "backtest_cache": "none", "tradable_balance_ratio": 1.0,
}  # fmt: skip


class Ladder(IStrategy):
    """Order 1 at the open, the others one after the other; the take-profit is the return on investment aimed at."""

    timeframe, startup_candle_count = "1h", 0
    minimal_roi, stoploss, position_adjustment_enable = ROI, -0.99, True
    unfilledtimeout = PATIENCE

    def populate_indicators(self, dataframe, _metadata):
        """None is needed."""
        return dataframe

    def populate_entry_trend(self, dataframe, _metadata):
        """Always."""
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, _metadata):
        """Never by a signal."""
        return dataframe

    def custom_stake_amount(self, **_):
        """Money of order 1."""
        return BUDGET * self.config["share"][0]

    def custom_entry_price(self, trade, proposed_rate, **_):
        """The open, or the price of the next order."""
        if trade is None:
            return proposed_rate
        filled = trade.select_filled_orders("buy")
        return filled[0].safe_price * self.config["down"][len(filled) - 1]

    def adjust_trade_position(self, trade, **_):
        """Money of the next order, once the one before has filled."""
        filled = len(trade.select_filled_orders("buy"))
        if trade.has_open_orders or filled == len(self.config["share"]):
            return None
        return BUDGET * self.config["share"][filled]


def freqtrade_(case, folder):
    """Deals that ended, and their profit in % of the budget."""
    points = case["points"]
    table = pd.DataFrame(
        {
            "date": pd.date_range("2020-01-01", periods=len(points), freq="h", tz="UTC"),
            "open": points[:, 0], "high": points.max(axis=1), "low": points.min(axis=1), "close": points[:, 3],
            "volume": BUDGET,
        }
    )  # fmt: skip
    get_datahandler(folder, "feather").ohlcv_store(PAIR, "1h", table, CandleType.SPOT)
    shutil.copy(__file__, folder)
    parts = {name: case[name].tolist() for name in ("down", "share")}
    folders = {"strategy_path": str(folder), "user_data_dir": folder, "datadir": folder, "exportfilename": folder}
    told = {"markets": {PAIR: MARKET}, "precisionMode": 4, "precision_mode_price": 4}
    with (
        patch.multiple(Exchange, **{name: PropertyMock(return_value=value) for name, value in told.items()}),
        patch.multiple(Exchange, reload_markets=lambda *_, **__: None, validate_config=lambda *_: None),
        redirect_stdout(io.StringIO()),
    ):
        run = Backtesting({**CONFIG, **parts, **folders})
        run.start()
    trades = [t for t in run.results["strategy"]["Ladder"]["trades"] if t["exit_reason"] != "force_exit"]
    return len(trades), sum(trade["profit_abs"] for trade in trades) / BUDGET * 100.0


def main():
    """What the first case comes to, and its time."""
    logging.disable(logging.CRITICAL)
    with np.load(sys.argv[1]) as stored:
        case = {name: stored[f"0_{name}"] for name in ("points", "down", "share")}
    with TemporaryDirectory() as folder:
        began = process_time()
        deals, pct = freqtrade_(case, Path(folder))
        told = {"freqtrade_deals": deals, "freqtrade_pct": pct, "freqtrade_s": process_time() - began}
    print(json.dumps({**told, "freqtrade_version": freqtrade.__version__}))


if __name__ == "__main__":
    main()
