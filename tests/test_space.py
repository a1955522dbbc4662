"""Every ladder that the space builds keeps every limit, as it is stored."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlab.core.records import Cell, Need, Sizing
from mlab.model.contract import contract
from mlab.model.ladder import Array, accumulate
from mlab.model.limits import EXACT, Limits, broken_limits, conflict
from mlab.model.objective import Objective, Score, Wave
from mlab.model.scoring import evaluate
from mlab.model.space import Space, volumes

DEFAULT = Limits()


def default_space(
    overlap: float = 20.0,
    orders: int = 10,
    limits: Limits = DEFAULT,
    wave: Wave = Wave(),  # noqa: B008 - is immutable
) -> Space:
    return Space.of(Cell(0, overlap, orders), Objective(Score(wave=wave), limits))


def stored(space: Space, growth: Array) -> list[dict[str, Any]]:
    """The contracts of ladders with these growths."""
    indent, volume, _ = space.priced(growth)
    evaluation = evaluate(indent, volume, space.objective)
    return [contract(evaluation, ladder, 202.91, space.objective) for ladder in range(growth.shape[1])]


def raw_growths(space: Space, random: np.random.Generator, ladders: int = 8) -> Array:
    """Growths of all sizes, feasible or not, often right on a level."""
    shape = (space.steps, ladders)
    wild = space.growth_min * np.exp(random.normal(size=shape) * random.uniform(0.01, 3.0))
    return np.where(random.random(shape) < 0.5, random.choice(space.levels, size=shape), wild)


@st.composite
def limited_cells(draw: st.DrawFn) -> tuple[Cell, Limits]:
    """A cell and limits that the config would accept, often only just."""
    orders = draw(st.sampled_from([2, 3, 4, 5, 8, 10, 15, 20, 40, 100, 200]))
    overlap = draw(st.one_of(st.sampled_from([0.01, 0.05, 0.5, 3.0, 20.0, 95.0]), st.floats(0.01, 95.0)))
    low = draw(st.one_of(st.sampled_from([0.0, 1.0, 10.0, 50.0]), st.floats(0.0, 30.0)))
    high = low + draw(st.one_of(st.sampled_from([0.0, 1e-9, 49.0, 99.0]), st.floats(0.0, 300.0)))
    growth = 1.0 + low / 100.0
    largest_first = 100.0 / sum(growth**k for k in range(orders))
    smallest_last = 100.0 / sum(growth**-k for k in range(orders))
    tight = draw(st.sampled_from([2e-6, 1e-3, 0.3, 0.9]))
    first = draw(st.sampled_from([0.01, 1.0, largest_first * (1.0 - tight)]))
    cap = min(100.0, draw(st.sampled_from([20.0, 40.0, 100.0, smallest_last * (1.0 + tight)])))
    step = draw(st.sampled_from([0.0, 0.001, 0.05, overlap / (orders - 1) * (1.0 - tight)]))
    cell = Cell(0, overlap, orders)
    limits = Limits(
        min_indent_step_pct=step,
        max_gap_ratio=draw(st.sampled_from([None, 1.01, 1.1, 2.5, 1000.0])),
        martingale_pct=(low, high),
        first_volume_min_pct=first,
        tail_cap_pct=cap,
    )
    assume(conflict(cell, limits) is None)
    return cell, limits


@settings(max_examples=150)
@given(
    limited_cells(),
    st.sampled_from(["quote", "base"]),
    st.sampled_from(["fill", "path"]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_every_ladder_keeps_every_limit_as_stored(
    limited: tuple[Cell, Limits], sizing: Sizing, need: Need, wave: bool, seed: int
) -> None:
    cell, limits = limited
    space = Space.of(cell, Objective(Score(need=need, wave=Wave(enabled=wave)), limits, sizing))
    random = np.random.default_rng(seed)
    raw = raw_growths(space, random)
    feasible = space.feasible(raw)
    step, change = random.integers(space.steps, size=8), random.random(8) < 0.7
    absorbed = np.clip(raw, space.growth_min, space.growth_max)
    space.absorb(absorbed, step, change)
    absorbed = space.feasible(absorbed)
    for ladder in stored(space, np.hstack([feasible, absorbed])):
        assert broken_limits(ladder["schedule"], limits) == []
        assert not any(ladder["sanity"].values())
    np.testing.assert_allclose(space.feasible(feasible), feasible, rtol=1e-14)


@pytest.mark.parametrize("overlap", [0.4, 0.8, 1.6])
def test_cells_where_widest_and_narrowest_gaps_make_up_the_overlap(overlap: float) -> None:
    """With the default limits: a quarter of the gaps at 2.5 times the mean, the rest at half of it."""
    space = default_space(overlap, round(10 * overlap) + 1)
    growth = space.feasible(raw_growths(space, np.random.default_rng(1), 50))
    assert all(broken_limits(ladder["schedule"], DEFAULT) == [] for ladder in stored(space, growth))


def test_feasible_leaves_feasible_growths_alone() -> None:
    space = default_space()
    growth = np.full((9, 3), 1.3)
    before = growth.copy()
    assert np.array_equal(space.feasible(growth), growth)
    assert np.array_equal(growth, before)


def test_feasible_lowers_late_growths_first_and_no_more_than_needed() -> None:
    space = default_space()
    growth = np.full((9, 1), 2.0)
    kept = space.feasible(growth)
    lowered = int(np.flatnonzero(kept[:, 0] < 1.999)[0])
    assert (kept[:lowered] == space.growth_max).all()
    assert accumulate(volumes(kept))[-1, 0] == pytest.approx(space.total_max)


def test_scaled_lowers_all_that_is_above_the_least_by_one_share() -> None:
    """The first ladder has too small a first order, the second too large a last, the third keeps the limits."""
    space = default_space(orders=4, limits=Limits(first_volume_min_pct=15.0))
    growth = np.array([[2.0, 1.9, 1.6], [1.01, 1.05, 2.0], [1.2, 1.1, 1.3]]).T
    kept = space.scaled(growth)
    volume = volumes(kept)
    share = (kept - space.growth_min) / (np.minimum(growth, space.growth_max) - space.growth_min)
    np.testing.assert_allclose(share[1:], share[1:2].repeat(2, axis=0), rtol=1e-8)
    np.testing.assert_allclose((volume[0] / volume.sum(axis=0))[0], 0.15, rtol=1e-8)
    np.testing.assert_allclose((volume[-1] / volume.sum(axis=0))[1], 0.40, rtol=1e-8)
    assert (share[-1, :2] < 0.99).all()
    np.testing.assert_array_equal(kept[:, 2], growth[:, 2])


@pytest.mark.parametrize("level", [1.45, 1.5])
def test_absorb_brings_the_first_volume_onto_its_limit(level: float) -> None:
    """From above it, one step grows more; from below it, less."""
    space = default_space()
    absorbed = np.full((9, 2), level)
    space.absorb(absorbed, np.array([4, 4]), np.array([True, False]))
    assert 100.0 / accumulate(volumes(absorbed))[-1, 0] == pytest.approx(1.0, rel=1e-9)
    assert (np.delete(absorbed[:, 0], 4) == level).all()
    unasked = absorbed[:, 1]
    assert (np.delete(unasked, 4) == level).all()
    if level == 1.45:
        assert unasked[4] == level  # order 1 is large enough as it is
    else:
        assert 100.0 / accumulate(volumes(absorbed))[-1, 1] == pytest.approx(1.0, rel=1e-9)


def test_volumes_are_the_products_of_the_growths() -> None:
    growth = np.random.default_rng(3).uniform(1.0, 2.0, size=(11, 20))
    volume = volumes(growth)
    np.testing.assert_allclose(volume[1:], np.cumprod(growth, axis=0), rtol=1e-13)
    np.testing.assert_allclose(accumulate(volume.copy()), np.cumsum(volume, axis=0), rtol=1e-13)


def test_levels_lie_on_their_sides_of_the_thresholds_as_stored() -> None:
    """Least growth, just weak, just not, just not strong, strong, largest: in what is stored, after rounding."""
    limits = Limits(max_gap_ratio=None, first_volume_min_pct=0.001, tail_cap_pct=99.0)
    space = default_space(20.0, 7, limits)
    assert len(space.levels) == 6
    chosen = np.random.default_rng(2).integers(6, size=(space.steps, 300))
    ladders = stored(space, space.levels[chosen])
    assert all(broken_limits(ladder["schedule"], limits) == [] for ladder in ladders)
    growth = np.array([ladder["schedule"]["martingale_pct"][1:] for ladder in ladders]).T
    least, weak, more, less, strong, largest = (growth[chosen == level] for level in range(6))
    bounds = [(least, 1.0), (weak, 10.0), (more, 10.0), (less, 50.0), (strong, 50.0), (largest, 100.0)]
    assert all(np.abs(growths - bound).max() < 1e-7 for growths, bound in bounds)
    assert (weak <= 10.0).all()
    assert (more > 10.0).all()
    assert (less < 50.0).all()
    assert (strong >= 50.0).all()


@pytest.mark.parametrize(
    ("wave", "levels"),
    [(Wave(enabled=False), 2), (Wave(strong_pct=200.0), 4), (Wave(strong_pct=200.0, weak_pct=0.5), 2)],
)
def test_levels_outside_the_limits_are_left_out(wave: Wave, levels: int) -> None:
    space = default_space(20.0, 5, wave=wave)
    assert len(space.levels) == levels
    assert space.levels.min() >= space.growth_min
    assert space.levels.max() <= space.growth_max


def good_schedule() -> dict[str, list[float]]:
    volume = [10.0, 15.0, 20.0, 25.0, 30.0]
    growth = [0.0, *((b / a - 1.0) * 100.0 for a, b in pairwise(volume))]
    return {"indent_pct": [0.0, 5.0, 10.0, 15.0, 20.0], "volume_pct": volume, "martingale_pct": growth}


@pytest.mark.parametrize(
    ("field", "value", "limit"),
    [
        ("indent_pct", [0.01, 5.0, 10.0, 15.0, 20.0], "min_indent_step_pct"),
        ("indent_pct", [0.0, 5.0, 5.04, 15.0, 20.0], "min_indent_step_pct"),
        ("indent_pct", [0.0, 5.0, 4.0, 15.0, 20.0], "min_indent_step_pct"),
        ("indent_pct", [0.0, 12.6, 15.0, 18.0, 20.0], "max_gap_ratio"),
        ("martingale_pct", [0.0, 0.99, 20.0, 20.0, 20.0], "martingale_pct"),
        ("martingale_pct", [0.0, 20.0, 20.0, 20.0, 100.01], "martingale_pct"),
        ("volume_pct", [0.99, 20.0, 25.0, 25.0, 29.01], "first_volume_min_pct"),
        ("volume_pct", [10.0, 10.0, 15.0, 24.9, 40.1], "tail_cap_pct"),
        ("volume_pct", [10.0, 15.0, 20.0, 25.0, 30.1], "volume_pct"),
        ("volume_pct", [float("nan"), 15.0, 20.0, 25.0, 30.0], "first_volume_min_pct"),
    ],
)
def test_each_broken_limit_is_named(field: str, value: list[float], limit: str) -> None:
    assert broken_limits(good_schedule(), DEFAULT) == []
    assert limit in broken_limits(good_schedule() | {field: value}, DEFAULT)


@pytest.mark.parametrize("end", [{"martingale_pct": (1.0, 50.0)}, {"martingale_pct": (50.0, 90.0)}])
def test_a_growth_may_be_off_by_its_rounding_and_no_more(end: dict[str, Any]) -> None:
    limits, outward = Limits(**end), 1.0 if end["martingale_pct"][1] == 50.0 else -1.0
    for off, broken in ((EXACT, []), (1.1 * EXACT, ["martingale_pct"])):
        growth = [0.0, *[50.0 + outward * off] * 4]
        assert broken_limits(good_schedule() | {"martingale_pct": growth}, limits) == broken


def test_a_ladder_exactly_on_its_limits_keeps_them() -> None:
    limits = Limits(min_indent_step_pct=3.0, max_gap_ratio=2.0, first_volume_min_pct=10.0, tail_cap_pct=30.0)
    assert broken_limits(good_schedule() | {"indent_pct": [0.0, 10.0, 13.0, 16.0, 20.0]}, limits) == []


def test_volumes_may_miss_their_sum_by_a_billionth_and_no_more() -> None:
    for off, broken in ((0.8e-9, []), (1.2e-9, ["volume_pct"])):
        schedule = good_schedule() | {"volume_pct": [10.0, 15.0, 20.0, 25.0, 30.0 + off]}
        assert broken_limits(schedule, DEFAULT) == broken


def test_gaps_are_free_where_the_ratio_is_off() -> None:
    limits = Limits(max_gap_ratio=None)
    assert broken_limits(good_schedule() | {"indent_pct": [0.0, 17.0, 18.0, 19.0, 20.0]}, limits) == []
