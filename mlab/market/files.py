"""A saved answer of an exchange, a market of ccxt, or five numbers in YAML: the rules of one symbol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mlab.core.decimals import plain
from mlab.core.errors import ConfigError, one_line
from mlab.core.fields import Fields
from mlab.core.text_file import KB, MB, read_text
from mlab.core.yaml_text import read_yaml
from mlab.market.exchanges import OPEN, Listing, complaint_of, names, shape_of
from mlab.market.rules import ONE, Market

MAX_BYTES = 64 * MB
"""More than the largest answer for all symbols of an exchange."""

MAX_FIELDS = 64 * KB
"""More than anybody writes by hand."""

UNNAMED = "market"
"""The symbol of rules that have none."""


def read(path: Path, symbol: str | None = None) -> Market:
    """The rules of one symbol.

    Args:
        path: the answer of an exchange as it was saved, a market of ccxt, or YAML such as
            ``{tick: 0.01, step: 0.00001, least_quantity: 0.00001, least_money: 5}``.
        symbol: which one, as the exchange writes it or without its separators; needed where the file has several.

    Raises:
        ConfigError: the file cannot be read, is none of these, lacks the symbol, or has numbers that are strange,
            missing, or contradict each other; names file, symbol and field.
    """
    source = one_line(str(path))
    tree = _tree(read_text(path, source, MAX_BYTES), source)
    shape = shape_of(tree)
    listed = shape.symbols(tree) if shape else {}
    if not listed and (told := complaint_of(tree)):
        raise ConfigError(source, "", "must be an answer with symbols", told)
    if shape is None:
        return yours(tree, source, symbol)
    name, listing = _chosen(listed, symbol, source)
    entry = Fields(source, listing, f"{name}.")
    state = listing.get("status", listing.get("state"))
    if (isinstance(state, str) and state not in OPEN) or listing.get("active") is False:
        raise ConfigError(source, f"{name}.status", "must be a symbol that is traded", state or "inactive")
    return checked(replace(shape.rules(entry, tree), as_of=shape.as_of(tree)), source, name)


def checked(market: Market, source: str, place: str = "") -> Market:
    """A market whose numbers do not contradict each other.

    Raises:
        ConfigError: they do; names the source and the field.
    """
    before = f"{place}." if place else ""
    if market.most_quantity and market.most_quantity < max(market.least_quantity, market.step):
        must = "must not be below least_quantity and step"
        raise ConfigError(source, f"{before}most_quantity", must, plain(market.most_quantity))
    if market.lowest_share >= 1:
        raise ConfigError(source, f"{before}lowest_share", "must be below 1", plain(market.lowest_share))
    if not market.contract_size:
        raise ConfigError(source, f"{before}contract_size", "must be above 0", "0")
    return market


def _tree(text: str, source: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        if len(text) > MAX_FIELDS:  # an answer that was cut: to look for YAML in it takes minutes
            raise ConfigError(source, "", f"is not valid JSON: {error}") from None
    try:
        return read_yaml(text, source)
    except ConfigError as error:
        if error.field:
            raise
        raise ConfigError(source, "", "must be the answer of an exchange in JSON, or fields in YAML") from None


def _chosen(listed: Mapping[str, Listing], symbol: str | None, source: str) -> tuple[str, Listing]:
    """The symbol that was asked for, or the only one."""
    if not listed:
        raise ConfigError(source, "", "must be an answer with symbols, has none")
    if symbol is None:
        if len(listed) == 1:
            return next(iter(listed.items()))
        some = ", ".join(list(listed)[:3])
        raise ConfigError(source, "symbol", f"must be given, the file has {len(listed)}, such as {some}")
    if symbol in listed:
        return symbol, listed[symbol]
    alike = [name for name, listing in listed.items() if any(same(symbol, one) for one in names(name, listing))]
    if len(alike) == 1:
        return alike[0], listed[alike[0]]
    close = alike or get_close_matches(symbol.upper(), listed, n=3)
    if len(listed) == 1:
        raise ConfigError(source, "symbol", f"must be {min(listed)}, the only one of the file", symbol)
    hint = f", did you mean {' or '.join(close)}?" if close else ""
    raise ConfigError(source, "symbol", f"has no such symbol{hint}", symbol)


def same(symbol: str, other: str) -> bool:
    """Whether two symbols are one, whatever stands between their letters."""
    one, two = ("".join(filter(str.isalnum, text)).upper() for text in (symbol, other))
    return one == two


def yours(tree: Any, source: str, symbol: str | None) -> Market:
    """Rules that a person has written; ``symbol`` names those that have none.

    Raises:
        ConfigError: as for :func:`read`.
    """
    if not isinstance(tree, Mapping):
        raise ConfigError(
            source, "", "must be the answer of an exchange, or a mapping such as {tick: 0.01, step: 0.001}"
        )
    known = {field.name for field in fields(Market)} - {"origin", "as_of"}
    for name in map(str, tree):
        if name not in known:
            likely = get_close_matches(name, known, n=1)
            hint = f", did you mean {likely[0]!r}?" if likely else ""
            raise ConfigError(source, one_line(name), f"unknown field{hint}")
    entry = Fields(source, tree, f"{tree.get('symbol', 'market')}.")
    inverse = tree.get("inverse", False)
    if inverse not in (True, False, "true", "false"):
        raise entry.refusal("inverse", "must be true or false", inverse)
    own = entry.word("symbol") if entry.has("symbol") else None
    market = Market(
        symbol=_chosen({own: tree}, symbol, source)[0] if own else symbol or UNNAMED,
        base=entry.word("base", "coins"),
        quote=entry.word("quote", "money"),
        tick=entry.amount("tick"),
        step=entry.amount("step"),
        least_quantity=entry.limit("least_quantity"),
        most_quantity=entry.limit("most_quantity"),
        least_money=entry.limit("least_money"),
        lowest_share=entry.limit("lowest_share"),
        most_orders=entry.count("most_orders"),
        contract_size=entry.amount("contract_size") if "contract_size" in tree else ONE,
        inverse=inverse in (True, "true"),
    )
    return checked(market, source)
