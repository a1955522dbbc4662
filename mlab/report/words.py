"""A ladder in words: the bullets of its orders, the shape of its needs, its sanity flags, and its risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from mlab.core.decimals import exact
from mlab.core.records import Candidate, CellResult, Json
from mlab.report import numbers

LIMITS = (
    "NeedPct is geometry, not probability: how far the price must rebound, not whether it will.",
    "The smallest NeedPct puts most of the money deepest; beyond the last order there is no defence.",
    "No ladder creates an edge: it trades many small gains for a rare large loss.",
)
"""What no result of a search can promise."""

MACHINES = "Searched on several kinds of machine, so none of them alone gives these numbers bit for bit"
"""What stands beside a run that was resumed on another processor, or in other versions."""

RANK = "A score ranks ladders within one cell only; the table goes by cell."
"""What stands beside every table that shows scores of several cells."""

NEEDS = {"fill": "need at fills", "path": "need on path"}
"""What a score counts, by the config's word for it."""

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = str.maketrans(BLOCKS, "_.-:=+*#")
"""Blocks in ASCII, for terminals and files that show nothing else."""

HALF_PCT = 50.0 - 1e-6
"""Half of the money, in %: a sum of shares may lack its last digits."""

LEAST_CHANCE_PCT = 0.01
"""Chances below this are not told apart."""

BADGES = {
    "max_need_mismatch": "need mismatch",
    "collapse_indents": "indents collapse",
    "tail_overflow": "tail over cap",
}


def bullets(schedule: Json, *, prices: bool = True) -> list[str]:
    """One line an order, from the schedule of a contract; the volumes add up to exactly 100.00 %."""
    volumes = numbers.shares(schedule["volume_pct"])
    columns = (schedule["indent_pct"], volumes, schedule["martingale_pct"], schedule["needpct"], price_texts(schedule))
    lines = []
    for order, (indent, volume, martingale, need, price) in enumerate(zip(*columns, strict=True), start=1):
        growth = "first order" if order == 1 else f"martingale {martingale:z.1f} %"
        shown = f"{order}. Order: indent {indent:z.2f} %  volume {volume:.2f} %  ({growth}) - NeedPct {need:z.2f} %"
        lines.append(f"{shown}  price {price}" if prices else shown)
    return lines


def price_texts(schedule: Json) -> list[str]:
    """The price of each order, as it is placed."""
    return [exact(price) for price in numbers.prices(schedule["order_prices"], schedule["indent_pct"])]


def sparkline(needpct: Sequence[float], most: int = 40) -> str:
    """One character an order, from 0 to the largest need; of orders that share one, for it is short, the largest."""
    largest, top, orders = max(*needpct, 1e-9), len(BLOCKS) - 1, len(needpct)
    parts = groupby(range(orders), key=lambda k: k * most // max(most, orders))
    heights = (max(needpct[k] for k in part) for _, part in parts)
    return "".join(BLOCKS[min(top, max(0, round(height / largest * top)))] for height in heights)


def badges(sanity: Mapping[str, bool]) -> str:
    """``ok``, or what fails, comma-separated."""
    return ", ".join(badge for flag, badge in BADGES.items() if sanity[flag]) or "ok"


def risk(ladder: Candidate) -> list[str]:
    """What NeedPct at fills does not show: the way down, where the position is bought, a further fall, and chances."""
    losses: dict[str, float] = ladder.risk["loss_below_last_pct"]
    after = " / ".join(f"{loss:.1f}" for loss in losses.values())
    further = f"A further fall of {' / '.join(losses)} % makes the loss {after} %, with no order left."
    return [_way_down(ladder), _deployment(ladder), further, *_expected(ladder.risk)]


def proved(result: CellResult) -> list[str]:
    """How near the best ladder of a cell is to the best possible, if anything of that was proved."""
    if not result.proved:
        return []
    lower, within = result.proved.values()
    least = f"no ladder that keeps the limits of this cell scores below {numbers.downwards(lower, 4)}"
    return [f"Proved within {numbers.upwards(within, 2)} %: {least}."]


def _way_down(ladder: Candidate) -> str:
    before: list[float] = ladder.risk["need_before_fill"]
    rounded = [round(need, 1) for need in before]  # among orders that read the same, the first is named
    worst = rounded.index(max(rounded))
    start = f"Before order 2 fills the position needs a rebound of {before[1]:z.1f} %"
    if worst == 1:
        return f"{start}, the most on the whole way down."
    return f"{start}; the most, before order {worst + 1}, is {rounded[worst]:.1f} %."


def _deployment(ladder: Candidate) -> str:
    deployed: list[float] = ladder.risk["capital_deployed_pct"]
    indent: list[float] = ladder.contract["schedule"]["indent_pct"]
    last = len(deployed) - 1
    half = half_bought(ladder)
    end = f"{_place(indent[-1])}, where the position is down {ladder.risk['loss_at_last_order_pct']:z.1f} %."
    if half == last:
        return f"More than half is bought by the last order alone, {end}"
    return f"Half is bought by order {half + 1} ({_place(indent[half])}), all {end}"


def _place(indent_pct: float) -> str:
    return f"at -{indent_pct:.1f} %" if round(indent_pct, 1) else "at the entry"


def half_bought(ladder: Candidate) -> int:
    """The order, counted from 0, with which half of the money is spent."""
    return next(order for order, share in enumerate(ladder.risk["capital_deployed_pct"]) if share >= HALF_PCT)


def _expected(risk: Json) -> list[str]:
    """What to expect of a deal; nothing where a former version stored the ladder."""
    if "chance_all_filled_pct" not in risk:
        return []
    chance, candles = risk["chance_all_filled_pct"], risk["expected_candles"]
    filled = f"{numbers.significant(chance, 2)} %" if chance >= LEAST_CHANCE_PCT else f"less than {LEAST_CHANCE_PCT} %"
    lasts, shorter = (numbers.significant(count, 2) for count in (candles, candles / 4.0))
    deals = f"deals with a take-profit of {risk['take_profit_pct']:g} %"
    at_work = f"{risk['expected_deployed_pct']:.1f} % of the budget at work"
    return [
        f"On a price without drift {filled} of {deals} fill all orders; a deal lasts about {lasts} candles of 1 % "
        f"volatility, or {shorter} of 2 %, with {at_work}."
    ]
