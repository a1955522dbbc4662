"""Records made in plain Python by the formulas of the spec, for tests that need no search."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import Any

from mlab.core.records import Candidate, Cell, CellResult, Experiment
from mlab.core.state import candidate_id

RUN_ID = "20260314-092653-589793"


def candidate(indent: list[float], volume: list[float], cell: int = 0, batch: int = 0, index: int = 0) -> Candidate:
    """A candidate from indents and volumes in percent; sizing quote, base price 100, default weights."""
    volume = [100.0 * v / sum(volume) for v in volume]
    prices = [100.0 - i for i in indent]
    money = list(accumulate(volume))
    coins = list(accumulate(v / p for v, p in zip(volume, prices, strict=True)))
    average = [m / c for m, c in zip(money, coins, strict=True)]
    need = [(a / p - 1.0) * 100.0 for a, p in zip(average, prices, strict=True)]
    before = [0.0] + [(a / p - 1.0) * 100.0 for a, p in zip(average, prices[1:], strict=False)]
    contract = _contract(indent, volume, prices, need)
    risk = {
        "need_before_fill": before,
        "max_need_path": max(need + before),
        "var_need_path": variance(before),
        "capital_deployed_pct": money,
        "loss_at_last_order_pct": _loss(prices[-1], average[-1], 0),
        "loss_below_last_pct": {str(fall): _loss(prices[-1], average[-1], fall) for fall in (10, 20, 30)},
    }
    place = Cell(cell, indent[-1], len(indent))
    name = candidate_id(RUN_ID, cell, batch, index)
    return Candidate(name, place, batch, batch * 8 + index, contract["score"], contract, risk)


def _contract(indent: list[float], volume: list[float], prices: list[float], need: list[float]) -> dict[str, Any]:
    orders = len(indent)
    steps = [0.0] + [b - a for a, b in pairwise(indent)]
    tail = sum(volume[8 * orders // 10 :]) / 100.0
    gini = 2.0 * sum(i * v for i, v in enumerate(sorted(volume), 1)) / (orders * 100.0) - (orders + 1) / orders
    entropy = -sum(v / 100.0 * math.log(v / 100.0) for v in volume) / math.log(orders)
    penalties = {"P_gini": gini, "P_entropy": 1.0 - entropy, "P_monotone": 0.0, "P_smooth": variance(steps) / 100.0}
    penalties |= {"P_tailcap": max(0.0, (volume[-1] - 40.0) / 40.0), "P_need_mismatch": 0.0, "P_wave": 0.0}
    return {
        "score": 0.5 * max(need) + 0.3 * variance(need) + 0.2 * tail + 0.1 * sum(penalties.values()),
        "max_need": max(need),
        "var_need": variance(need),
        "tail": tail,
        "schedule": {
            "indent_pct": indent,
            "volume_pct": volume,
            "martingale_pct": [0.0] + [(b / a - 1.0) * 100.0 for a, b in pairwise(volume)],
            "needpct": need,
            "order_prices": prices,
            "price_step_pct": steps,
        },
        "sanity": {
            "max_need_mismatch": False,
            "collapse_indents": min(steps[1:]) < 0.05,
            "tail_overflow": volume[-1] > 40.0,
        },
        "diagnostics": {
            "wci": sum(i * v for i, v in enumerate(volume)) / (100.0 * (orders - 1)),
            "sign_flips": 0,
            "gini": gini,
            "entropy": entropy,
        },
        "penalties": penalties,
    }


def equal_need(overlap: float, volume: list[float]) -> list[float]:
    """Indents that make NeedPct of orders 2..M equal, by bisection over the common need."""
    low, high = 0.0, overlap / (100.0 - overlap)
    for _ in range(100):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _descent(volume, middle)[-1] > 1.0 - overlap / 100.0 else (low, middle)
    return [(1.0 - price) * 100.0 for price in _descent(volume, low)[:-1]] + [overlap]


def _descent(volume: list[float], common: float) -> list[float]:
    prices, money, coins = [1.0], volume[0], volume[0]
    for v in volume[1:]:
        prices.append(max(1e-9, (money - common * v) / ((1.0 + common) * coins)))
        money, coins = money + v, coins + v / prices[-1]
    return prices


def result(index: int, overlap: float, orders: int) -> CellResult:
    """A cell searched to a plausible end: growth strong at first, then weak and strong by turns."""
    growth = [1.9, 1.6, 1.1] + [1.05 if k % 2 else 1.2 for k in range(orders)]
    volume = list(accumulate(growth[: orders - 1], lambda v, g: v * g, initial=1.0))
    best = candidate(equal_need(overlap, volume), volume, cell=index, batch=3, index=index % 8)
    batches = 20 if index % 2 else 11
    return CellResult(
        cell=best.cell,
        best=best,
        evaluations=160_000 * batches + index,
        trials=8 * batches,
        pruned=3 * batches,
        batches=batches,
        finished=True,
        stopped_early=batches < 20,
    )


def failed(index: int, overlap: float, orders: int) -> CellResult:
    """A cell in which every trial failed."""
    return CellResult(Cell(index, overlap, orders), None, 0, 8, 0, 1, finished=True, stopped_early=False)


def nine_cells() -> list[CellResult]:
    """The cells of the default config."""
    pairs = [(overlap, orders) for overlap in (10.0, 20.0, 30.0) for orders in (5, 10, 15)]
    return [result(index, overlap, orders) for index, (overlap, orders) in enumerate(pairs)]


def experiment(status: Any = "COMPLETED", best_score: float | None = 1.1609) -> Experiment:
    """The stored row of the run that all records here belong to."""
    return Experiment(
        exp_id=7,
        run_id=RUN_ID,
        status=status,
        config={"name": "default", "seed": 42},
        notes="",
        started_at="2026-03-14T09:26:53.589+00:00",
        finished_at="2026-03-14T09:27:35.000+00:00",
        best_score=best_score,
        eval_count=22_400_036,
        elapsed_s=41.4142,
        mlflow_run_id="0123456789abcdef0123456789abcdef",
        flow_run_id=None,
    )


def variance(values: list[float]) -> float:
    """Population variance."""
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def _loss(price: float, average: float, further_fall: float) -> float:
    return (1.0 - price * (1.0 - further_fall / 100.0) / average) * 100.0
