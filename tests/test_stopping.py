"""When a cell stops, and what is kept."""

from __future__ import annotations

import pytest

from mlab.search.stopping import IMPROVEMENT, Patience, worth_keeping


def after(limit: int, *scores: float | None) -> Patience:
    patience = Patience(limit)
    for score in scores:
        patience = patience.after(score)
    return patience


@pytest.mark.parametrize(
    ("scores", "best", "waited"),
    [
        ((), None, 0),
        ((3.0,), 3.0, 0),
        ((3.0, 3.0), 3.0, 1),
        ((3.0, 4.0, 2.0), 2.0, 0),
        ((3.0, 4.0, 5.0), 3.0, 2),
        ((None, None), None, 2),
        ((None, 3.0), 3.0, 0),
        ((3.0, None, 2.0, None), 2.0, 1),
        ((0.0, 0.0), 0.0, 1),
    ],
)
def test_waiting_counts_batches_without_improvement(
    scores: tuple[float | None, ...], best: float | None, waited: int
) -> None:
    patience = after(5, *scores)
    assert (patience.best, patience.waited) == (best, waited)


def test_an_improvement_that_is_only_rounding_does_not_reset_the_wait() -> None:
    less = 3.0 * (1.0 - IMPROVEMENT / 2.0)
    patience = after(5, 3.0, less)
    assert patience.waited == 1
    assert patience.best == less


def test_cell_stops_exactly_at_the_limit() -> None:
    assert not after(2, 3.0, 3.0).exhausted
    assert after(2, 3.0, 3.0, 3.0).exhausted
    assert not after(2, 3.0, 3.0, 3.0, 1.0).exhausted
    assert after(2, None, None).exhausted


@pytest.mark.parametrize(("score", "kept"), [(1.0, True), (2.0, True), (2.0000001, False)])
def test_candidates_within_the_factor_are_kept(score: float, kept: bool) -> None:
    assert worth_keeping(score, 1.0, 2.0) is kept
