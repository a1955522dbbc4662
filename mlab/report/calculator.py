"""What the calculator of the HTML report begins with; ``calculator.js`` makes of it the orders of ``mlab place``."""

from __future__ import annotations

from collections.abc import Sequence

from mlab.config import Config
from mlab.core.decimals import exact, plain
from mlab.core.records import Candidate, Json, Sizing
from mlab.market import Market
from mlab.placing.grid import parts

FIELDS = {
    "budget": "budget",
    "price": "entry price",
    "quote": "quote currency",
    "tick": "price tick",
    "step": "quantity step",
    "least_quantity": "least quantity",
    "least_money": "least money",
    "take_profit": "take profit %",
    "fee": "fee on each side %",
}
"""What can be typed, and what it is called."""

FIXED = ("symbol", "most_quantity", "lowest_share", "most_orders", "contract_size", "inverse")
"""What counts of a market and has no field."""


def typed(config: Config) -> dict[str, str]:
    """The texts of the fields: what the run was told of its market, and what ``mlab place`` takes by itself."""
    market = market_of(config)
    rules = {name: plain(limit) for name, limit in market.rules().items() if name in FIELDS}
    return dict.fromkeys(FIELDS, "") | {
        "budget": exact(config.market.budget) if config.market else "",
        "price": exact(config.base_price),
        "quote": market.quote,
        "take_profit": exact(config.score.take_profit_pct),
        "fee": "0",
    } | rules  # fmt: skip


def fixed(config: Config) -> list[str]:
    """The rules of the run's market that have no field, in words."""
    market = market_of(config)
    rules = [f"{name.replace('_', ' ')} {plain(limit)}" for name, limit in market.rules().items() if name in FIXED]
    if market.inverse or market.contract_size != 1:
        rules.append(f"contracts of {plain(market.contract_size)} {market.quote if market.inverse else market.base}")
    return rules


def market_of(config: Config) -> Market:
    """That of a run, or one without rules."""
    return config.market.market() if config.market else Market()


def winner(best: Candidate, config: Config) -> Json:
    """A found ladder in whole numbers, and the rules that have no field."""
    schedule = best.contract["schedule"]
    return ladder(schedule["indent_pct"], schedule["volume_pct"], config.ladder.sizing, market_of(config))


def ladder(indent_pct: Sequence[float], volume: Sequence[float], sizing: Sizing, market: Market) -> Json:
    """Any ladder, as :func:`winner` has it; arguments as of :func:`mlab.placing.place`."""
    rules = market.to_dict()
    return {
        "depths": list(map(str, parts(indent_pct, 100.0))),
        "shares": list(map(str, parts(volume, sum(volume)))),
        "sizing": sizing,
        "market": {name: rules[name] for name in FIXED},
    }
