"""The settings of a bot as a ladder."""

from __future__ import annotations

import os
from pathlib import Path

from mlab import bots
from mlab.api.ladders import Ladder
from mlab.core.errors import ConfigError


def read_bot(path: str | os.PathLike[str], *, form: str | None = None, distances: str | None = None) -> Ladder:
    """The ladder of a bot, whoever makes it: its volumes are money, its base price the bot's, or 100 where it has none.

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
        mlab.core.errors.ConfigError: read_bot: distances: must be one of first, before, average, was 'last'
    """
    if form is not None and form not in bots.FORMATS:
        raise ConfigError("read_bot", "form", f"must be one of {', '.join(bots.FORMATS)}", form)
    kinds = {one.name.lower(): one for one in bots.Distance}
    if distances is not None and distances not in kinds:
        raise ConfigError("read_bot", "distances", f"must be one of {', '.join(kinds)}", distances)
    bot = bots.read(Path(path), form, kinds[distances] if distances else None)
    return Ladder(bot.indent()[:, 0], bot.volume()[:, 0], float(bot.price or 100))
