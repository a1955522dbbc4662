"""When a cell has been searched enough, and which finished candidates are worth keeping."""

from __future__ import annotations

from dataclasses import dataclass

IMPROVEMENT = 1e-9  # least share by which a score must fall to count as better than the best before it


@dataclass(frozen=True, slots=True)
class Patience:
    """Best score of a cell, and for how many batches it has not improved."""

    limit: int
    best: float | None = None
    waited: int = 0

    def after(self, batch_best: float | None) -> Patience:
        """The state after a batch; ``batch_best`` is None where every trial of it failed."""
        if batch_best is None:
            return Patience(self.limit, self.best, self.waited + 1)
        if self.best is None or batch_best < self.best * (1.0 - IMPROVEMENT):
            return Patience(self.limit, batch_best, 0)
        return Patience(self.limit, min(self.best, batch_best), self.waited + 1)

    @property
    def exhausted(self) -> bool:
        """Whether the cell should stop early."""
        return self.waited >= self.limit


def worth_keeping(score: float, best: float, prune_factor: float) -> bool:
    """Whether a finished candidate is within ``prune_factor`` times the best of its cell."""
    return score <= best * prune_factor
