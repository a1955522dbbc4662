"""What an exchange takes: the rules of one symbol, read from the exchange's own answer or from a few numbers."""

from mlab.market.files import read
from mlab.market.rules import Market

__all__ = ["Market", "read"]
