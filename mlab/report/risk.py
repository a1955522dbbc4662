"""The risk of a ladder in plain words: what NeedPct at fills does not show."""

from __future__ import annotations

from mlab.core.records import Candidate

LIMITS = (
    "NeedPct is geometry, not probability: how far the price must rebound, not whether it will.",
    "The smallest NeedPct puts most of the money deepest; beyond the last order there is no defence.",
    "No ladder creates an edge: it trades many small gains for a rare large loss.",
)
"""What no result of a search can promise."""


def sentences(candidate: Candidate) -> list[str]:
    """Three sentences: the way down, where the position is bought, and what happens below the last order."""
    return [_way_down(candidate), _deployment(candidate), _further_fall(candidate)]


def _way_down(candidate: Candidate) -> str:
    before: list[float] = candidate.risk["need_before_fill"]
    shown = [round(need, 1) for need in before]  # among orders that read the same, the first is named
    worst = shown.index(max(shown))
    start = f"Before order 2 fills the position needs a rebound of {before[1]:z.1f} %"
    if worst == 1:
        return f"{start}, the most on the whole way down."
    return f"{start}; the most, before order {worst + 1}, is {shown[worst]:.1f} %."


def _deployment(candidate: Candidate) -> str:
    deployed: list[float] = candidate.risk["capital_deployed_pct"]
    indent: list[float] = candidate.contract["schedule"]["indent_pct"]
    last = len(deployed) - 1
    half = next((order for order, share in enumerate(deployed) if share >= 50.0), last)
    end = f"at -{indent[-1]:.1f} %, where the position is down {candidate.risk['loss_at_last_order_pct']:z.1f} %."
    if half == last:
        return f"More than half is bought by the last order alone, {end}"
    return f"Half is bought by order {half + 1} (at -{indent[half]:z.1f} %), all {end}"


def _further_fall(candidate: Candidate) -> str:
    losses: dict[str, float] = candidate.risk["loss_below_last_pct"]
    falls = " / ".join(losses)
    after = " / ".join(f"{loss:.1f}" for loss in losses.values())
    return f"A further fall of {falls} % makes the loss {after} %, with no order left."
