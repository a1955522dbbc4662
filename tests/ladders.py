"""Records made by the scalar route, for tests that need no search."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from mlab.core.records import Candidate, Cell, CellResult, Experiment
from mlab.core.state import candidate_id
from tests import scalar

RUN_ID = "20260314-092653-589793"
SETTINGS = scalar.Settings(wave=None)


def candidate(indent: list[float], volume: list[float], cell: int = 0, batch: int = 0, index: int = 0) -> Candidate:
    """A candidate from indents in percent and volumes in any unit; base price 100, default weights, no wave rule."""
    contract, risk = scalar.contract(indent, volume, SETTINGS), scalar.risk(indent, volume, SETTINGS)
    place = Cell(cell, indent[-1], len(indent))
    name = candidate_id(RUN_ID, cell, batch, index)
    return Candidate(name, place, batch, batch * 8 + index, contract["score"], contract, risk)


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
        independent=60,
        ends=9,
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
        config={"name": "default", "seed": 42, "score": {"need": "fill"}},
        notes="",
        started_at="2026-03-14T09:26:53.589+00:00",
        finished_at="2026-03-14T09:27:35.000+00:00",
        best_score=best_score,
        eval_count=22_400_036,
        elapsed_s=41.4142,
        mlflow_run_id="0123456789abcdef0123456789abcdef",
        flow_run_id=None,
    )
