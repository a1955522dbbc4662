"""What it costs to place ladders: rounding, lifting small orders, other ways of treating them, and the time it takes.

``python -m benchmarks.placing``
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from time import process_time

import numpy as np

import mlab
from benchmarks.cells import BEST_KNOWN
from benchmarks.record import save, show
from mlab.core.records import Json
from mlab.market import Market
from mlab.placing import Figures, Grid, place
from mlab.placing.orders import make
from mlab.placing.placement import figures_of

D = Decimal
MARKETS = {
    "BTC at 65,000": (Market(tick=D("0.01"), step=D("0.00001"), least_money=D(5)), D(65000)),
    "ETH at 3,100": (Market(tick=D("0.01"), step=D("0.0001"), least_money=D(5)), D(3100)),
    "SHIB at 0.00001": (Market(tick=D("0.00000001"), step=D(1), least_money=D(1)), D("0.00001")),
}
"""Rules like those of a large exchange, with prices of their order of magnitude."""

ROUNDED, SMALL = (1000, 5000, 50_000), (500, 300)
LADDERS, ORDERS, ROUNDS = 10_000, 15, 5


@dataclass(frozen=True, slots=True)
class Ladder:
    """A ladder of the best known ones."""

    label: str
    indent: list[float]
    volume: list[float]
    row: Json


def ladders() -> list[Ladder]:
    """Those of 10 to 20 orders, sized in money."""
    rows = json.loads(BEST_KNOWN.read_text(encoding="utf-8"))
    kept = [row for row in rows if row["sizing"] == "quote" and 10 <= row["num_orders"] <= 20]
    return [
        Ladder(
            f"{row['overlap_pct']:g} % x {row['num_orders']} {row['need']}{', capped' if row['max_gap_ratio'] else ''}",
            row["indent_pct"],
            row["volume_pct"],
            row,
        )
        for row in kept
    ]


def change_pct(placed: Figures, wanted: Figures) -> tuple[float, float]:
    """How much larger the need at fills is, and that on the path."""
    at_fills, on_path = placed.max_need / wanted.max_need, placed.max_need_path / wanted.max_need_path
    return (at_fills.item() - 1.0) * 100.0, (on_path.item() - 1.0) * 100.0


def rounding(budgets: Iterable[int], name: str) -> list[Json]:
    """Worst change of the needs over all ladders, by market and budget."""
    rows = []
    market, price = MARKETS[name]
    for budget in budgets:
        placements = [place(one.indent, one.volume, "quote", market, D(budget), price) for one in ladders()]
        changes = np.array([change_pct(one.placed, one.wanted) for one in placements])
        rows.append(
            {
                "market": name,
                "budget": budget,
                "lifted": max(len(one.orders.lifted) for one in placements),
                "need at fills": f"{changes[:, 0].min():+.2f} to {changes[:, 0].max():+.2f} %",
                "need on path": f"{changes[:, 1].min():+.2f} to {changes[:, 1].max():+.2f} %",
                "spent": f"{min(one.placed.spent.item() for one in placements) / budget * 100:.1f} %",
            }
        )
    return rows


def small_orders(budget: int, name: str) -> Json:
    """Orders below the least: lifted, left out, merged into the next; or a ladder searched for that budget."""
    market, price = MARKETS[name]
    grid = Grid.of(market, D(budget), price)
    least = float(D(100 * grid.dearest(grid.ticks(0))) / grid.budget)  # of order 1
    ways: dict[str, list[float]] = {"lifted": [], "left out": [], "merged": [], "searched again": []}
    for one in ladders():
        wanted = figures(one.indent, one.volume)
        lifted = place(one.indent, one.volume, "quote", market, D(budget), price)
        ways["lifted"].append(change_pct(lifted.placed, wanted)[1])
        ways["left out"].append(change_pct(figures(*left_out(one, least)), wanted)[1])
        ways["merged"].append(change_pct(figures(*merged(one, least)), wanted)[1])
        ways["searched again"].append(change_pct(searched(one, least), wanted)[1])
    texts = {way: f"{min(values):+.1f} to {max(values):+.1f} %" for way, values in ways.items()}
    return {"market": name, "budget": budget, "least share": f"{least:.2f} %"} | texts


def figures(indent: list[float], volume: list[float]) -> Figures:
    """Of a ladder that is not rounded."""
    price = (1.0 - np.array([indent]).T / 100.0) * 100.0
    return Figures.of(price, np.array([volume]).T / price)


def left_out(one: Ladder, least: float) -> tuple[list[float], list[float]]:
    """Without the orders below the least, but for the first."""
    total = sum(one.volume)
    kept = [k for k, value in enumerate(one.volume) if k == 0 or 100.0 * value / total >= least]
    return [one.indent[k] for k in kept], [max(one.volume[k], least * total / 100.0 * (k == 0)) for k in kept]


def merged(one: Ladder, least: float) -> tuple[list[float], list[float]]:
    """Each order below the least, but for the first, added to the one below it."""
    total, indent, volume, carried = sum(one.volume), [], [], 0.0
    for k, (depth, value) in enumerate(zip(one.indent, one.volume, strict=True)):
        size = value + carried
        if k and 100.0 * size / total < least:
            carried = size
            continue
        indent.append(depth)
        volume.append(max(size, least * total / 100.0))
        carried = 0.0
    return indent, volume


def searched(one: Ladder, least: float) -> Figures:
    """The best ladder of that cell whose first order is no less than that."""
    row = one.row
    limits = mlab.Limits(first_volume_min_pct=max(1.0, least), max_gap_ratio=row["max_gap_ratio"])
    found = mlab.search(
        overlap_pct=row["overlap_pct"],
        num_orders=row["num_orders"],
        score=mlab.Score(need=row["need"]),
        limits=limits,
        max_batches=3,
    )
    schedule = found.best.to_dict()["schedule"]
    return figures(schedule["indent_pct"], schedule["volume_pct"])


def turned_down(budget: int) -> list[Json]:
    """Of 15 orders over 30 %, how many an exchange would turn down as they are."""
    (one,) = [it for it in ladders() if it.label == "30 % x 15 fill, capped"]
    rows = []
    for name, (market, price) in MARKETS.items():
        placement = place(one.indent, one.volume, "quote", market, D(100_000), price)
        shares = [float(order.money / placement.spent) for order in placement.orders]
        rows.append({"market": name, "turned down": sum(budget * share < market.least_money for share in shares)})
    return rows


def seconds() -> Json:
    """Processor time of placing a column of results: orders in whole numbers, and their figures."""
    random = np.random.default_rng(1)
    indent = np.cumsum(random.uniform(0.2, 1.0, (LADDERS, ORDERS)), axis=1)
    indent = (indent - indent[:, :1]) / (indent[:, -1:] - indent[:, :1]) * 30.0
    volume = np.cumprod(random.uniform(1.01, 1.4, size=(LADDERS, ORDERS)), axis=1)
    rows = list(zip(indent.tolist(), volume.tolist(), strict=True))
    market, price = MARKETS["BTC at 65,000"]
    times = []
    for _ in range(ROUNDS):
        began = process_time()
        grid = Grid.of(market, D(500), price)
        figures_of([make(*row, "quote", grid) for row in rows])
        times.append(process_time() - began)
    return {"ladders": LADDERS, "orders": ORDERS, "CPU s": round(median(times), 3)}


def main() -> None:
    """Print the tables and keep them."""
    tables = {
        "rounding": [row for name in MARKETS for row in rounding(ROUNDED, name)],
        "small_orders": [small_orders(budget, "BTC at 65,000") for budget in SMALL],
        "turned_down_at_500": turned_down(500),
        "time": [seconds()],
    }
    for title, rows in tables.items():
        show(title, rows)
    save("placing", tables)


if __name__ == "__main__":
    main()
