"""A table of deviations and sizes as CSV: of one's own, and of shares, as the DIY mode of Pionex is typed."""

from __future__ import annotations

import csv
import io
import re
from decimal import ROUND_FLOOR

from mlab.bots.bot import Bot, Distance, ladder, rounded_up, typed
from mlab.core.errors import ConfigError
from mlab.core.fields import Fields

CSV, PIONEX = "table", "Pionex"
SHARES = 1000
"""Shares that Pionex divides the investment into: so many cost next to nothing."""

NAMED = {
    "deviation_from_first_pct": Distance.FIRST,
    "deviation_from_before_pct": Distance.BEFORE,
    "deviation_from_average_pct": Distance.AVERAGE,
    "indent_pct": Distance.FIRST,
}
"""Heads of columns that say what their distances count from; the last is that of ``mlab export``."""

UNNAMED = ("deviation", "deviation_pct", "price_deviation", "price_deviation_pct", "indent")
MONEY_SHARES = "money_pct"
"""Head of the shares of money in tables of this program, whose volumes may be coins."""

SHARES_OF = (MONEY_SHARES, "volume_pct", "shares")
SIZES = ("size", "size_quote", "volume", "amount", "money", *SHARES_OF)
HEADS = {distance: head for head, distance in NAMED.items() if head != "indent_pct"}


def read(text: str, source: str, distance: Distance | None, maker: str | None) -> Bot:
    """From a table with a head: a row an order, the first at 0. A maker that is named says what distances count from.

    Raises:
        ConfigError: columns are missing, their distances are named nowhere or twice, a row is longer or shorter than
            the head, or a number is wrong.
    """
    rows = _rows(text, source)
    head = [re.sub(r"[^a-z]+", "_", cell.lower().replace("%", " pct")).strip("_") for cell in rows[0]]
    depth = _column(source, head, (*NAMED, *UNNAMED))
    size = head.index(MONEY_SHARES) if head.count(MONEY_SHARES) == 1 else _column(source, head, SIZES)
    counted = _distance(source, head[depth], distance, maker)
    deviations, sizes = [], []
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(head):
            must = f"must have {len(head)} cells as the head has; decimal commas need semicolons between cells"
            raise ConfigError(source, f"row {number}", must, ", ".join(row))
        cells = Fields(source, dict(zip(head, row, strict=True)), f"row {number}, ")
        deviations.append(cells.number(head[depth], "0", "99.9999999"))
        sizes.append(cells.number(head[size], above="0"))
    if not deviations or deviations[0] != 0:
        raise ConfigError(source, f"row 1, {head[depth]}", "must be 0: the first order", *map(str, deviations[:1]))
    maker = maker or (PIONEX if head[size] == "shares" else CSV)
    orders = ladder(counted, deviations, sizes)
    return Bot("", maker, orders, distance=counted, shares=head[size] in SHARES_OF)


def _rows(text: str, source: str) -> list[list[str]]:
    first = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text.strip()), delimiter=separator, strict=True) if any(row)]
    except csv.Error as error:
        raise ConfigError(source, "", f"is not valid CSV: {error}") from None
    if not rows:
        raise ConfigError(source, "", "is empty, must be a bot's settings or a table")
    if separator == ";":  # of a country with decimal commas
        rows = [[re.sub(r"^(\d*),(\d+)$", r"\1.\2", cell.strip()) for cell in row] for row in rows]
    return rows


def _column(source: str, head: list[str], names: tuple[str, ...]) -> int:
    found = [k for k, cell in enumerate(head) if cell in names]
    if len(found) != 1:
        must = f"must have one column named {', '.join(names[:-1])} or {names[-1]}"
        raise ConfigError(source, "head", must, ", ".join(head))
    return found[0]


def _distance(source: str, name: str, given: Distance | None, maker: str | None) -> Distance:
    """What the head, the caller and the maker say, none of whom need; they may not contradict each other."""
    all_three = (
        ("the head counts", NAMED.get(name)),
        ("distances says", given),
        (f"{maker} counts", Distance.FIRST if maker == PIONEX else None),
    )
    said = [(who, distance) for who, distance in all_three if distance]
    if not said:
        must = "must say what its distances count from, or else distances must be first, before or average"
        raise ConfigError(source, name, must)
    (first, counted), *others = said
    for who, distance in others:
        if distance is not counted:
            raise ConfigError(source, name, f"{first} {counted}, but {who} {distance}")
    return counted


def write_csv(bot: Bot, decimals: int) -> str:
    """A row an order; the head of the second column says that deviations count from the first order."""
    rows = [(typed(order.deviation_pct, decimals), typed(rounded_up(order.size))) for order in bot.orders]
    return _table("size", rows)


def write_pionex(bot: Bot, decimals: int) -> str:
    """Deviation and whole shares of each order, as they are typed into the DIY mode."""
    shares = _shares(bot)
    rows = [(typed(order.deviation_pct, decimals), str(share)) for order, share in zip(bot.orders, shares, strict=True)]
    return _table("shares", rows)


def _table(size: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"order,{HEADS[Distance.FIRST]},{size}"]
    lines += [f"{number},{deviation},{amount}" for number, (deviation, amount) in enumerate(rows, start=1)]
    return "\n".join(lines) + "\n"


def _shares(bot: Bot) -> list[int]:
    """Sizes that are whole and few as they are, else 1,000 shares, at least one an order, the rest to the nearest."""
    sizes = [order.size for order in bot.orders]
    if all(size == int(size) for size in sizes) and sum(sizes) <= SHARES:
        return [int(size) for size in sizes]
    exact = [size * SHARES / bot.budget for size in sizes]
    whole = [max(1, int(value.to_integral_value(ROUND_FLOOR))) for value in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda k: whole[k] - exact[k])
    for k in by_remainder[: max(0, SHARES - sum(whole))]:
        whole[k] += 1
    return whole
