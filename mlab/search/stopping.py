"""When a cell has been searched enough, and which finished candidates are worth keeping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlab.core.records import Trial
from mlab.model.ranking import ALIKE

IMPROVEMENT = 1e-6  # least share by which a score must fall to count as better than the best before it
CONFIRMING = 2  # batches that must find nothing better, however much the trials agree


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
        """Whether it has not improved for as long as allowed."""
        return self.waited >= self.limit


@dataclass(frozen=True, slots=True)
class Evidence:
    """How often trials that began independently of each other, with shapes, came to the cell's best ladder.

    A better ladder that is as easy to find as the best one found would have been found as well: that so many trials
    miss it becomes unlikely, the more of them agree.

    Example:
        Of 16 trials one, and then five, came to the best:

        >>> [round(Evidence(16, ends).miss_chance, 4) for ends in (1, 5)]
        [0.2576, 0.0112]
    """

    independent: int = 0
    ends: int = 0

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Evidence:
        """That of all trials of a cell."""
        best = min((trial.score for trial in trials if trial.score is not None), default=0.0)
        independent = [trial.score for trial in trials if trial.shaped and trial.score is not None]
        return cls(len(independent), sum(score <= best * (1.0 + ALIKE) for score in independent))

    @property
    def miss_chance(self) -> float:
        """Chance that a better ladder that is as easy to find has been missed. F33.

        Were the chance p of a trial to end at the best ladder anything from 0 to 1, then the f of n ends seen make it
        Beta(f + 1, n - f + 1), of which this is the mean of (1 - p)^n.
        """
        missed = self.independent - self.ends
        return math.prod(
            (missed + 1.0 + j) / (self.independent + missed + 1.0 + j) for j in range(self.ends + 1)
        )  # F33


def searched_enough(patience: Patience, evidence: Evidence, miss_chance: float) -> bool:
    """Whether a cell should stop early.

    It should where nothing better is found any more: for as many batches as the patience has, or for two while trials
    that began independently agree on the best.
    """
    return patience.exhausted or (patience.waited >= CONFIRMING and evidence.miss_chance <= miss_chance)


def worth_keeping(score: float, best: float, prune_factor: float) -> bool:
    """Whether a finished candidate is within ``prune_factor`` times the best of its cell."""
    return score <= best * prune_factor
