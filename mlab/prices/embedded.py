"""Real prices that come with the package; where they are from and on what terms stands beside them, in ``data``."""

from __future__ import annotations

from importlib import resources

from mlab.prices.candles import Candles
from mlab.prices.files import candles


def msft() -> Candles:
    """Microsoft, daily from 2000-03-01 to 2013-03-01, adjusted for splits and dividends; public domain.

    Example:
        >>> msft()
        <msft: 3,270 candles of 1 day, 2000-03-01 to 2013-03-01, c34af161f7fd>
    """
    name = "msft.csv.gz"
    return candles(resources.files("mlab.prices").joinpath("data", name).read_bytes(), name)
