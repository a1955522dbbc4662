"""Prices that come with the package; where real ones are from and on what terms stands beside them, in ``data``."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import resources
from typing import TypeAlias

from mlab.prices.candles import Candles, PricesError
from mlab.prices.files import candles, read
from mlab.prices.generator import made

Prices: TypeAlias = Candles | str | os.PathLike[str]
"""Candles, the path of a file, or a name in :data:`EMBEDDED`."""


def msft() -> Candles:
    """Microsoft, daily from 2000-03-01 to 2013-03-01, adjusted for splits and dividends; public domain.

    Example:
        >>> msft()
        <msft: 3,270 candles of 1 day, 2000-03-01 to 2013-03-01, c34af161f7fd>
    """
    name = "msft.csv.gz"
    return candles(resources.files("mlab.prices").joinpath("data", name).read_bytes(), name)


EMBEDDED: dict[str, Callable[[], Candles]] = {"msft": msft, "made": made}
"""By the names that commands and Python know them by; a file of such a name is ``./made``."""


def chosen(prices: Prices) -> Candles:
    """The candles that are meant.

    Raises:
        PricesError: it is no such thing, or as :func:`mlab.prices.read`.

    Example:
        >>> chosen("msft").name
        'msft'
    """
    if isinstance(prices, Candles):
        return prices
    if not isinstance(prices, str | os.PathLike):
        raise PricesError(f"prices must be Candles, the path of a file, {' or '.join(EMBEDDED)}, was {prices!r}")
    return EMBEDDED[prices]() if prices in EMBEDDED else read(os.fspath(prices))
