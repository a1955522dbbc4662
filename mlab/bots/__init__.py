"""Bots' settings: read from the format of their maker, and written in it; below the floor of the config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlab.bots import exchanges, programs, tables, threecommas, veles
from mlab.bots.bot import DECIMALS, Bot, BotOrder, Distance
from mlab.bots.document import parsed, written
from mlab.core.errors import ConfigError, one_line
from mlab.core.fields import Fields
from mlab.core.text_file import KB, read_text

__all__ = ["FORMATS", "Bot", "BotOrder", "Distance", "Format", "parse", "read", "write"]

MAX_BYTES = 256 * KB

DISTANCES = "distances"
"""Field of what is written that says what its distances count from; no maker has it, and none minds it."""


@dataclass(frozen=True, slots=True)
class Format:
    """How the settings of one maker are written.

    Attributes:
        maker: whose it is.
        distance: what its distances count from.
        write: fields, or a text, from a bot and the decimals of its percentages.
        recognises: whether fields are of this shape; None for tables, which have a head instead.
        read: a bot from fields.
    """

    maker: str
    distance: Distance
    write: Callable[[Bot, int], dict[str, Any] | str]
    recognises: Callable[[Fields], bool] | None = None
    read: Callable[[Fields], Bot] | None = None


FORMATS: dict[str, Format] = {
    "3commas": Format(
        threecommas.MAKER, Distance.FIRST, threecommas.write_custom, threecommas.is_custom, threecommas.read_custom
    ),
    "3commas-classic": Format(
        threecommas.MAKER, Distance.FIRST, threecommas.write_classic, threecommas.is_classic, threecommas.read_classic
    ),
    "okx": Format(exchanges.OKX, Distance.FIRST, exchanges.write_okx, exchanges.is_okx, exchanges.read_okx),
    "bybit": Format(exchanges.BYBIT, Distance.AVERAGE, exchanges.write_bybit, exchanges.is_bybit, exchanges.read_bybit),
    "veles": Format(veles.MAKER, Distance.FIRST, veles.write, veles.is_veles, veles.read),
    "pionex": Format(tables.PIONEX, Distance.FIRST, tables.write_pionex),
    "hummingbot": Format(
        programs.HUMMINGBOT,
        Distance.FIRST,
        programs.write_hummingbot,
        programs.is_hummingbot,
        programs.read_hummingbot,
    ),
    "gainium": Format(
        programs.GAINIUM, Distance.BEFORE, programs.write_gainium, programs.is_gainium, programs.read_gainium
    ),
    "csv": Format(tables.CSV, Distance.FIRST, tables.write_csv),
}
"""By the names that commands know them by."""


def read(path: Path, form: str | None = None, distance: Distance | None = None) -> Bot:
    """The bot of a file, named after it where it has no name.

    Args:
        path: JSON, YAML, or CSV with a head.
        form: one of :data:`FORMATS`; recognised by its shape where it is left out.
        distance: what the deviations of a table count from, where its head does not say so.

    Raises:
        ConfigError: it cannot be read, or something in it is missing, wrong, or another thing than asked for.
    """
    source = one_line(str(path))
    bot = parse(read_text(path, source, MAX_BYTES), source, form, distance)
    return bot if bot.name else replace(bot, name=one_line(path.stem))


def parse(text: str, source: str, form: str | None = None, distance: Distance | None = None) -> Bot:
    """As :func:`read`, from the text itself; ``source`` names it in refusals."""
    try:
        if FORMATS[form].read is None if form else _is_table(text):
            return tables.read(text, source, distance, FORMATS[form].maker if form else None)
        return _from_fields(parsed(text, source), form, distance)
    except ConfigError as error:
        if error.source == source:
            raise
        raise ConfigError(source, error.field, error.must, error.was) from None


def _is_table(text: str) -> bool:
    """Whether the first line is the head of a table; JSON begins with a bracket, YAML with a name and a colon."""
    first = text.lstrip().partition("\n")[0]
    return not first.startswith(("{", "[", "---", "#")) and ":" not in first


def _from_fields(fields: Fields, form: str | None, distance: Distance | None) -> Bot:
    """The bot of the one maker whose shape the fields have, which must be the one that was asked for."""
    shapes = [name for name, one in FORMATS.items() if one.recognises and one.recognises(fields)]
    if form and form not in shapes:
        shape = f"are in the shape of {' and '.join(shapes)}" if shapes else "are in no known shape"
        raise ConfigError(fields.source, fields.place[:-1], f"must be settings for {form}; these {shape}")
    if len(shapes) != 1 and not form:
        known = ", ".join(name for name, one in FORMATS.items() if one.recognises)
        shape = f"in more than one shape ({', '.join(shapes)}); name the format" if shapes else "in none of them"
        raise ConfigError(fields.source, fields.place[:-1], f"must be settings for {known}, or a table; is {shape}")
    chosen = FORMATS[form or shapes[0]]
    if distance and distance is not chosen.distance:
        must = f"distances says {distance}, but {chosen.maker} counts {chosen.distance}"
        raise ConfigError(fields.source, fields.place[:-1], must)
    said = fields.text(DISTANCES, chosen.distance)
    if said != chosen.distance:
        raise ConfigError(fields.source, DISTANCES, f"must be {chosen.distance!s}, as {chosen.maker} counts", said)
    assert chosen.read is not None  # noqa: S101 - it has recognised the fields
    return chosen.read(fields)


def write(bot: Bot, form: str, decimals: int = DECIMALS) -> str:
    """A bot in a format, which says what its distances count from.

    Args:
        bot: the bot.
        form: one of :data:`FORMATS`.
        decimals: of its percentages; 2 is what people type. What is then read back is what was written.

    Raises:
        ConfigError: the format has no such ladder, or not within its bounds, or two orders become one when they are
            rounded.
    """
    known = FORMATS[form]
    replace(bot, orders=tuple(BotOrder(round(one.deviation_pct, decimals), one.size) for one in bot.orders))
    tree = known.write(bot, decimals)
    text = tree if isinstance(tree, str) else written({DISTANCES: str(known.distance)} | tree)
    parse(text, f"settings for {form}", form)  # by the bounds of its maker
    return text
