"""What counts as one and the same ladder, and the order of the ladders of a cell."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from mlab.core.records import Candidate, Cell, Json

SAME_DECIMALS = 6  # ladders whose indents and volumes agree to this many decimals of a percent are one and the same

ALIKE = 1e-4  # share of the score within which two trials have come to the same end: 0.01 %


@dataclass(frozen=True, slots=True)
class Ranked:
    """One ladder of a cell, and its place among them."""

    rank: int
    ladder: Candidate

    @property
    def cell(self) -> Cell:
        """Which cell."""
        return self.ladder.cell


def ladder_key(schedule: Json) -> str:
    """16 hex digits that two schedules of the evaluation contract share where they are one ladder."""
    percents = (*schedule["indent_pct"], *schedule["volume_pct"])
    text = " ".join(f"{round(value, SAME_DECIMALS) + 0.0:.{SAME_DECIMALS}f}" for value in percents)  # no minus at 0
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rank_key(candidate: Candidate) -> tuple[float, str]:
    """What ranks the ladders of one cell: the lower score, ties by id."""
    return candidate.score, candidate.candidate_id


def ranked(candidates: Iterable[Candidate]) -> list[Ranked]:
    """The ladders of one cell by score, lower first; ties go by id.

    Raises:
        ValueError: candidates of several cells, whose scores do not compare.
    """
    ordered = sorted(candidates, key=rank_key)
    cells = {candidate.cell.index for candidate in ordered}
    if len(cells) > 1:
        raise ValueError(f"scores rank within one cell, these are of cells {sorted(cells)}")
    return [Ranked(rank, candidate) for rank, candidate in enumerate(ordered, start=1)]


def ranked_by_cell(candidates: Iterable[Candidate]) -> list[list[Ranked]]:
    """The ladders of each cell, by cell."""
    by_cell = sorted(candidates, key=lambda candidate: candidate.cell.index)
    return [ranked(group) for _, group in groupby(by_cell, key=lambda candidate: candidate.cell.index)]
