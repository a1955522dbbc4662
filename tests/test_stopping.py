"""When a cell stops, and what is kept."""

from __future__ import annotations

from math import exp, lgamma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlab.core.records import Trial
from mlab.search.stopping import IMPROVEMENT, Evidence, Patience, searched_enough, worth_keeping


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


def trial(score: float | None, *, shaped: bool = True, number: int = 0) -> Trial:
    params = {"temperature": 0.001, "stride": 0.1} | ({"place": 0.5, "width": 0.1} if shaped else {})
    return Trial(number, 0, params, "COMPLETE" if score else "FAIL", score, (), 1, None)


def test_evidence_counts_the_independent_trials_that_came_to_the_best() -> None:
    trials = [trial(2.0), trial(2.0001), trial(2.001), trial(None), trial(2.0, shaped=False), trial(3.0)]
    evidence = Evidence.of(trials)
    assert (evidence.independent, evidence.ends) == (4, 2)
    assert Evidence.of([]) == Evidence(0, 0)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_chance_of_a_miss_is_the_mean_over_all_shares_that_fit_what_was_seen(independent: int, ends: int) -> None:
    """The mean of (1 - p)^n where p is Beta(f + 1, n - f + 1), by logarithms of gamma functions."""
    ends = min(ends, independent)
    missed = independent - ends
    expected = lgamma(2 * independent - ends + 1) - lgamma(2 * independent + 2)
    expected -= lgamma(missed + 1) - lgamma(independent + 2)
    assert Evidence(independent, ends).miss_chance == pytest.approx(exp(expected), rel=1e-9)


def test_more_trials_that_agree_leave_less_chance_and_none_leave_all() -> None:
    chances = [Evidence(20, ends).miss_chance for ends in range(21)]
    assert chances == sorted(chances, reverse=True)
    assert Evidence().miss_chance == 1.0


def test_a_cell_is_searched_enough_where_trials_agree_and_two_batches_found_nothing_better() -> None:
    sure, unsure = Evidence(24, 10), Evidence(24, 1)
    assert not searched_enough(after(5, 3.0, 3.0), sure, 0.01)
    assert searched_enough(after(5, 3.0, 3.0, 3.0), sure, 0.01)
    assert not searched_enough(after(5, 3.0, 3.0, 3.0), unsure, 0.01)
    assert searched_enough(after(5, *[3.0] * 6), unsure, 0.01)
    assert not searched_enough(after(5, 3.0, 3.0, 3.0), sure, 0.0)
