"""Prices of the past: read from files of many formats, embedded, or made."""

from mlab.prices.candles import Candles, PricesError
from mlab.prices.made import made

__all__ = ["Candles", "PricesError", "made"]
