"""The answers of exchanges to the question for their symbols, each known by its shape.

An answer is saved once, as it comes: Binance ``exchangeInfo`` (spot, USD-M and COIN-M futures), OKX ``instruments``,
Bybit v5 ``instruments-info``, Kraken ``AssetPairs``; or a market of the library ccxt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from mlab.core.errors import ConfigError
from mlab.core.fields import Fields
from mlab.market.rules import ONE, ZERO, Market

Listing: TypeAlias = Mapping[str, Any]

OPEN = {"TRADING", "Trading", "live", "online", "PENDING_TRADING", "preopen"}
"""What the exchanges call a symbol that can be traded, or soon."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of answer: whether a tree is one, its symbols, the rules of one of them, and its time in ms."""

    fits: Callable[[Any], bool]
    symbols: Callable[[Any], dict[str, Listing]]
    rules: Callable[[Fields, Any], Market]
    time: str = ""

    def as_of(self, answer: Any) -> datetime | None:
        """When the exchange gave the answer, where it says so."""
        stamp = answer.get(self.time) if self.time else None
        if not isinstance(stamp, int) or not 10**12 < stamp < 10**14:
            return None
        return datetime.fromtimestamp(stamp / 1000, UTC)


def shape_of(tree: Any) -> Shape | None:
    """The kind of answer that a tree is, None where it is none of them."""
    return next((shape for shape in SHAPES if shape.fits(tree)), None)


def complaint_of(tree: Any) -> str:
    """What an exchange said in the place of an answer; empty where it said nothing."""
    said = (
        next((tree[name] for name in ("msg", "retMsg", "error") if tree.get(name)), "")
        if isinstance(tree, Mapping)
        else ""
    )
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said)


def names(name: str, listing: Listing) -> list[str]:
    """What a symbol is called: Kraken has three names for each."""
    return [name, *(str(listing[other]) for other in ("altname", "wsname") if other in listing)]


def _binance(entry: Fields, _: Any) -> Market:
    filters = _filters(entry)
    grid, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    sizes = _agreed(entry, [_least_money(filters[name]) for name in ("NOTIONAL", "MIN_NOTIONAL") if name in filters])
    sided = filters.get("PERCENT_PRICE_BY_SIDE")  # PERCENT_PRICE of futures bounds a buy from above only
    coin_margined, future = "contractSize" in entry.values, "contractType" in entry.values
    return Market(
        symbol=entry.word("symbol"),
        base=entry.word("baseAsset", "coins"),
        quote=entry.word("quoteAsset", "money"),
        tick=grid.amount("tickSize"),
        step=lot.amount("stepSize"),
        least_quantity=lot.limit("minQty"),
        most_quantity=lot.limit("maxQty"),
        least_money=sizes,
        lowest_share=sided.amount("bidMultiplierDown") if sided else ZERO,
        most_orders=_most_orders(filters.get("MAX_NUM_ORDERS")),
        contract_size=entry.amount("contractSize") if coin_margined else ONE,
        inverse=coin_margined,
        origin=f"Binance {'COIN-M futures' if coin_margined else 'USD-M futures' if future else 'spot'}",
    )


def _filters(entry: Fields) -> dict[str, Fields]:
    """The filters of a symbol by their type: LOT_SIZE, and not MARKET_LOT_SIZE."""
    given = entry.values.get("filters")
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise entry.refusal("filters", "must be a list of filters", given)
    found: dict[str, Fields] = {}
    for values in given:
        kind = str(values.get("filterType"))
        one = Fields(entry.source, values, f"{entry.place}{kind}.")
        if kind in found and found[kind].values != values:
            raise entry.refusal(kind, "must be there once, is there with different numbers", dict(values))
        found[kind] = one
    for needed in ("PRICE_FILTER", "LOT_SIZE"):
        if needed not in found:
            raise entry.refusal(needed, "must be given")
    return found


def _least_money(one: Fields) -> Decimal:
    return one.amount("notional" if "notional" in one.values else "minNotional")


def _agreed(entry: Fields, numbers: list[Decimal]) -> Decimal:
    if len(set(numbers)) > 1:
        raise entry.refusal("MIN_NOTIONAL", f"must be that of NOTIONAL, {numbers[0]}", numbers[1])
    return numbers[0] if numbers else ZERO


def _most_orders(one: Fields | None) -> int:
    if one is None:
        return 0
    return one.count("limit" if "limit" in one.values else "maxNumOrders")


def _okx(entry: Fields, _: Any) -> Market:
    kind = entry.word("instType")
    if kind == "OPTION":
        raise entry.refusal("instType", "must be SPOT, MARGIN, SWAP or FUTURES", kind)
    spot = kind in {"SPOT", "MARGIN"}
    names = ("baseCcy", "quoteCcy") if spot else ("ctValCcy", "settleCcy")
    inverse = not spot and entry.word("ctType") == "inverse"
    return Market(
        symbol=entry.word("instId"),
        base=entry.word(names[1 if inverse else 0], "coins"),
        quote=entry.word(names[0 if inverse else 1], "money"),
        tick=entry.amount("tickSz"),
        step=entry.amount("lotSz"),
        least_quantity=entry.amount("minSz"),
        most_quantity=entry.limit("maxLmtSz"),
        contract_size=ONE if spot else entry.amount("ctVal") * (entry.limit("ctMult") or ONE),
        inverse=inverse,
        origin=f"OKX {kind.lower()}",
    )


def _bybit(entry: Fields, answer: Any) -> Market:
    category = answer["result"].get("category", "spot")
    if category == "option":
        raise ConfigError(entry.source, "result.category", "must be spot, linear or inverse", category)
    grid, lot = entry.inner("priceFilter"), entry.inner("lotSizeFilter")
    least = "minOrderAmt" if category == "spot" else "minNotionalValue"
    return Market(
        symbol=entry.word("symbol"),
        base=entry.word("baseCoin", "coins"),
        quote=entry.word("quoteCoin", "money"),
        tick=grid.amount("tickSize"),
        step=lot.amount("basePrecision" if category == "spot" else "qtyStep"),
        least_quantity=lot.amount("minOrderQty"),
        most_quantity=lot.limit("maxLimitOrderQty") or lot.limit("maxOrderQty"),
        least_money=lot.amount(least) if category == "spot" else lot.limit(least),
        inverse=category == "inverse",  # a contract is worth one dollar
        origin=f"Bybit {category}",
    )


def _kraken(entry: Fields, _: Any) -> Market:
    base, _, quote = entry.word("wsname", "coins/money").partition("/")
    return Market(
        symbol=entry.word("altname", entry.place[:-1]),
        base=base,
        quote=quote,
        tick=entry.limit("tick_size") or _unit(entry, "pair_decimals"),
        step=_unit(entry, "lot_decimals"),
        least_quantity=entry.amount("ordermin"),
        least_money=entry.limit("costmin"),
        origin="Kraken",
    )


def _unit(entry: Fields, decimals: str) -> Decimal:
    """One in the last of so many decimals."""
    return Decimal(1).scaleb(-entry.whole(decimals, 0, 30))


def _ccxt(entry: Fields, _: Any) -> Market:
    grid, limits = entry.inner("precision"), entry.inner("limits")
    price, step = grid.values.get("price"), grid.values.get("amount")
    if isinstance(price, int) and isinstance(step, int):  # ticks where one is a fraction; both may count digits
        must = "must be the tick itself, such as 0.01; it may be a number of digits: if it is the tick, write 1.0 for 1"
        raise grid.refusal("price", must, price)
    contract = bool(entry.values.get("contract"))
    return Market(
        symbol=entry.word("symbol"),
        base=entry.word("base", "coins"),
        quote=entry.word("quote", "money"),
        tick=grid.amount("price"),
        step=grid.amount("amount"),
        least_quantity=limits.inner("amount").limit("min"),
        most_quantity=limits.inner("amount").limit("max"),
        least_money=limits.inner("cost").limit("min"),
        contract_size=entry.amount("contractSize") if contract else ONE,
        inverse=contract and entry.values.get("inverse") is True,
        origin="a market of ccxt",
    )


def _has(*path: str) -> Callable[[Any], bool]:
    """Whether a tree has a mapping or list there."""

    def fits(tree: Any) -> bool:
        for key in path:
            tree = tree.get(key) if isinstance(tree, Mapping) else None
        return isinstance(tree, Mapping | list)

    return fits


def _by(name: str, *path: str) -> Callable[[Any], dict[str, Listing]]:
    """The symbols of a list in an answer."""

    def symbols(tree: Any) -> dict[str, Listing]:
        for key in path:
            tree = tree[key]
        return {str(one.get(name)): one for one in tree if isinstance(one, Mapping)}

    return symbols


def _kraken_pairs(tree: Any) -> dict[str, Listing]:
    pairs = tree["result"]
    return (
        {name: pair for name, pair in pairs.items() if isinstance(pair, Mapping)} if isinstance(pairs, Mapping) else {}
    )


def _is_ccxt(tree: Any) -> bool:
    one = next(iter(_ccxt_markets(tree).values()), {})
    return isinstance(one.get("precision"), Mapping) and isinstance(one.get("limits"), Mapping)


def _ccxt_markets(tree: Any) -> dict[str, Listing]:
    """Those of a single market, of a list of them, or of all that ``load_markets`` gives."""
    if isinstance(tree, Mapping):
        tree = [tree] if "precision" in tree else list(tree.values())
    markets = tree if isinstance(tree, list) else []
    return {str(one.get("symbol")): one for one in markets if isinstance(one, Mapping)}


SHAPES = (
    Shape(_has("symbols"), _by("symbol", "symbols"), _binance, time="serverTime"),
    Shape(_has("result", "list"), _by("symbol", "result", "list"), _bybit, time="time"),
    Shape(_has("data"), _by("instId", "data"), _okx),
    Shape(_has("result"), _kraken_pairs, _kraken),
    Shape(_is_ccxt, _ccxt_markets, _ccxt),
)
"""All kinds of answers that are known."""
