"""The order of candidates within one cell; ladders that were found several times count once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from mlab.core.records import Candidate

SAME_DECIMALS = 6
"""Ladders whose indents and volumes agree to this many decimals of a percent are one and the same."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One ladder of a cell, and every candidate that is this ladder, best first."""

    rank: int
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The candidate that stands for all of them."""
        return self.candidates[0]

    @property
    def found(self) -> int:
        """How often the search came upon this ladder."""
        return len(self.candidates)


def ranked(candidates: Iterable[Candidate]) -> list[Ranked]:
    """The ladders of one cell by score, lower first.

    Raises:
        ValueError: candidates of several cells, whose scores do not compare.
    """
    ordered = sorted(candidates, key=lambda candidate: (candidate.score, candidate.candidate_id))
    cells = {candidate.cell.index for candidate in ordered}
    if len(cells) > 1:
        raise ValueError(f"scores rank within one cell, these are of cells {sorted(cells)}")
    same: dict[tuple[float, ...], list[Candidate]] = {}
    for candidate in ordered:
        same.setdefault(_fingerprint(candidate), []).append(candidate)
    return [Ranked(rank, tuple(group)) for rank, group in enumerate(same.values(), start=1)]


def ranked_by_cell(candidates: Iterable[Candidate]) -> list[list[Ranked]]:
    """The ladders of each cell, by cell."""
    by_cell = sorted(candidates, key=lambda candidate: candidate.cell.index)
    return [ranked(group) for _, group in groupby(by_cell, key=lambda candidate: candidate.cell.index)]


def _fingerprint(candidate: Candidate) -> tuple[float, ...]:
    schedule = candidate.contract["schedule"]
    return tuple(round(value, SAME_DECIMALS) for value in (*schedule["indent_pct"], *schedule["volume_pct"]))
