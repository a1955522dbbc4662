"""The settings of a bot as a ladder."""

from __future__ import annotations

import os
import warnings

from mlab import bots
from mlab.api.arguments import one_of, path_of
from mlab.api.ladders import Ladder
from mlab.report.bots import left_out


def read_bot(path: str | os.PathLike[str], *, form: str | None = None, distances: str | None = None) -> Ladder:
    """The ladder of a bot, whoever makes it, with its price and its take-profit, where it has those.

    Volumes are money, or shares where the bot has those. What else it trades by is left out, with a warning.

    Args:
        path: what 3Commas, OKX, Bybit, Veles, Hummingbot or Gainium take or answer, as JSON or YAML, or a table of
            deviation and size as CSV.
        form: the format, such as ``3commas``; recognised by its shape where it is left out.
        distances: what the deviations of a table count from, ``first``, ``before`` or ``average`` (the first order,
            the order before, the average entry), where its head does not say so.

    Raises:
        ConfigError: it cannot be read, or something in it is missing or wrong.

    Example:
        >>> import mlab
        >>> mlab.read_bot("bot.csv", distances="last")
        Traceback (most recent call last):
        mlab.core.errors.ConfigError: read_bot: distances: must be 'first', 'before' or 'average', was 'last'
    """
    if form is not None:
        one_of("read_bot", "form", form, bots.FORMATS)
    kinds = {one.name.lower(): one for one in bots.Distance}
    if distances is not None:
        one_of("read_bot", "distances", distances, kinds)
    bot = bots.read(path_of("read_bot", "path", path), form, kinds[distances] if distances else None)
    for sentence in left_out(bot):
        warnings.warn(sentence, stacklevel=2)
    price, profit = (None if value is None else float(value) for value in (bot.price, bot.take_profit_pct))
    return Ladder(bot.indent()[:, 0], bot.volume()[:, 0], price, profit)
