"""Prices of the past: read from files of many formats, embedded, or made. Arrays, judged once, named by their hash."""

from mlab.prices.candles import Candles, PricesError
from mlab.prices.embedded import Prices, chosen, msft
from mlab.prices.files import read
from mlab.prices.generator import made

__all__ = ["Candles", "Prices", "PricesError", "chosen", "made", "msft", "read"]
