"""What passes between search, store, tracking and report: frozen records of plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "STOPPED"]
TrialOutcome: TypeAlias = Literal["COMPLETE", "PRUNED", "FAIL"]
Kind: TypeAlias = Literal["ladder", "classical"]
Json: TypeAlias = dict[str, Any]
Sizing: TypeAlias = Literal["quote", "base"]
"""What an order's volume counts: money, or coins."""
Need: TypeAlias = Literal["fill", "path"]
"""Where a needed rebound is taken: after a fill, or just before it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair of overlap and number of orders: the unit within which scores may be ranked."""

    index: int
    overlap_pct: float
    num_orders: int

    @property
    def label(self) -> str:
        """For people: ``20 % x 10``."""
        return f"{self.overlap_pct:g} % x {self.num_orders}"

    @property
    def key(self) -> str:
        """For names of files and metrics: ``overlap20_orders10``."""
        return f"overlap{self.overlap_pct:g}_orders{self.num_orders}"


@dataclass(frozen=True, slots=True)
class Trial:
    """One point that Optuna asked for, and how its refinement went.

    ``number`` counts within the cell; ``reports`` are the best scores after each generation.
    ``score`` and ``candidate_id`` are None where the evaluation failed.
    """

    number: int
    batch: int
    params: dict[str, float]
    outcome: TrialOutcome
    score: float | None
    reports: tuple[float, ...]
    evaluations: int
    candidate_id: str | None
    error: str | None = None

    @property
    def shaped(self) -> bool:
        """Whether it began with a shape of its own, and not with the best ladder of its cell."""
        return "place" in self.params


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ladder: ``contract`` has the keys of the evaluation contract, ``risk`` the risk block.

    ``found`` tells how often the search of its cell has come upon it; it is no part of what the ladder is.
    """

    candidate_id: str
    cell: Cell
    batch: int
    trial: int
    score: float
    contract: Json
    risk: Json
    found: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class StoredReplay:
    """What one ladder of a cell did on prices, under one rule of when deals end.

    ``kind`` is ``ladder``, and ``candidate_id`` that of one, or ``classical``, and it is the name of the ladder beside
    it. ``prices`` is the hash of the prices, ``content`` what :mod:`mlab.report.replayed` reads.
    """

    cell_index: int
    kind: Kind
    candidate_id: str
    prices: str
    rule: Json
    content: Json


@dataclass(frozen=True, slots=True)
class StoredProof:
    """What was proved of a cell: no ladder within its limits scores below ``lower``, which took so many boxes."""

    lower: float
    boxes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Metric:
    """One number for MLflow, stamped when it is made so that sending it twice changes nothing."""

    key: str
    value: float
    step: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The trials asked, evaluated and committed together.

    ``candidates`` are those worth keeping; ``metrics`` are owed to MLflow, for the run and for its cell.
    """

    cell: Cell
    index: int
    trials: tuple[Trial, ...]
    candidates: tuple[Candidate, ...]
    metrics: tuple[Metric, ...]

    @property
    def failed(self) -> bool:
        """Whether its trials are error records."""
        return any(trial.outcome == "FAIL" for trial in self.trials)


@dataclass(frozen=True, slots=True)
class CellResult:
    """How far the search of one cell has come; ``best`` is None where nothing was kept.

    ``evaluations`` counts ladders, ``trials`` and ``pruned`` trials. Resume goes on from ``batches``. Of the
    ``independent`` trials, which began with shapes of their own, ``ends`` came to the best.
    """

    cell: Cell
    best: Candidate | None
    evaluations: int
    trials: int
    pruned: int
    batches: int
    finished: bool
    stopped_early: bool
    independent: int = 0
    ends: int = 0
    proof: StoredProof | None = None

    @property
    def proved(self) -> dict[str, float]:
        """What was proved by the names that it has everywhere: none, or the bound and how near to it the best is."""
        if self.proof is None or self.best is None:
            return {}
        score, lower = self.best.score, self.proof.lower
        within = (score - lower) / score * 100.0 if score > 0.0 else 0.0
        return dict(zip(PROVED, (lower, within), strict=True))


PROVED = ("lower_bound", "proved_within_pct")
"""The numbers of a proof, as tables and MLflow have them."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """The stored row of one run; ``machines`` are the kinds of machine on which it was searched."""

    exp_id: int
    run_id: str
    status: Status
    config: Json
    notes: str
    started_at: str
    finished_at: str | None
    best_score: float | None
    eval_count: int
    elapsed_s: float
    mlflow_run_id: str | None
    flow_run_id: str | None
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Crash:
    """One stored crash snapshot. Crashes of one kind, raised first at one place, have one ``fingerprint``."""

    path: Path
    snapshot_id: str
    timestamp: str
    run_id: str | None
    fingerprint: str
    error: str
    content: Json
