"""``python -m docs.replays``: makes the pictures and numbers of docs/replay.md anew, from a search of its own."""

from __future__ import annotations

import sys
from itertools import product

import numpy as np

import mlab
from docs.figures import IMAGES
from mlab.prices import made
from mlab.replay import Convention, ExitRule, Fees, Levels, Path, replay

OVERLAP_PCT, ORDERS, TAKE_PROFIT_PCT = 40, 15, 10
HOURS, COINS = 8_760, 240
TAKE_PROFITS_PCT = (0.5, 1.0, 2.0)


def main() -> None:
    """Draw, and print what the page says."""
    equal = mlab.Ladder(np.linspace(0, OVERLAP_PCT, ORDERS), np.ones(ORDERS))
    found = mlab.search(overlap_pct=OVERLAP_PCT, num_orders=ORDERS).best.ladder
    for name, ladder in (("equal", equal), ("found", found)):
        told = ladder.replay("msft", take_profit_pct=TAKE_PROFIT_PCT, fee_maker_pct=0, fee_taker_pct=0)
        told.plot().save(IMAGES / f"replay-{name}.png")
        if name == "equal":
            told.plot_longest_deal().save(IMAGES / "replay-deal.png")
        sys.stdout.write(f"{name}\n{told}\n")
    for line in conventions():
        sys.stdout.write(f"{line}\n")


def conventions() -> list[str]:
    """Realised profit from made hours in each order of prices, over that from the path of which the hours are made."""
    hours, path = made(HOURS, volatility_pct=1.0), Path(made(HOURS * COINS, step_s=15, volatility_pct=1.0))
    lines = []
    for profit in TAKE_PROFITS_PCT:
        indent, money = np.linspace(0, 20, 10)[:, None], 1.2 ** np.arange(10)[:, None]
        levels = Levels.of(indent, money, ExitRule(take_profit_pct=profit))
        free = Fees(maker_pct=0, taker_pct=0)
        true = replay(path, levels, free)
        lines.append(f"take-profit {profit:g} %: {true.deals[0]} deals, {true.realised_pct[0]:.2f} %")
        for first, then in product(("nearer", "high", "low"), ("at once", "next open")):
            told = replay(Path(hours, Convention(first, then)), levels, free)
            share = told.realised_pct[0] / true.realised_pct[0]
            lines.append(f"  {first} first, next {then}: {told.deals[0]} deals, {share:.2f}")
    return lines


if __name__ == "__main__":
    main()
