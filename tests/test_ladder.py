"""Prices that make the needs equal, held against needs computed order by order in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from mlab.ladder import Array, Gaps, Need, Sizing, equal_need_indents, need_at_fill, running_sum
from tests import scalar

FREE = Gaps(least=0.0, most=1.0)
MEASURE = {"fill": scalar.need_at_fill, "path": scalar.need_before_fill}
ALL_FOUR = pytest.mark.parametrize(
    ("sizing", "need"), [(sizing, need) for sizing in ("quote", "base") for need in ("fill", "path")]
)


def growing_volumes(orders: int, ladders: int, seed: int = 1) -> Array:
    """Volumes whose largest growth keeps the last at most some thousand times the first."""
    growth = np.random.default_rng(seed).uniform(1.0, min(2.0, 1.0 + 12.0 / orders), size=(orders, ladders))
    return np.asarray(np.cumprod(growth, axis=0), dtype=np.float64)


def needs(indent: Array, volume: Array, sizing: str, need: str) -> Array:
    """Needs of orders 2..M by the scalar route, (M - 1, B)."""
    columns = zip(indent.T.tolist(), volume.T.tolist(), strict=True)
    return np.array([MEASURE[need](scalar.order_prices(i, 1.0), v, sizing)[1:] for i, v in columns]).T


@ALL_FOUR
@pytest.mark.parametrize("overlap", [0.5, 10.0, 50.0, 95.0])
@pytest.mark.parametrize("orders", [2, 3, 10, 60, 200])
def test_needs_are_equal_where_gaps_are_free(sizing: Sizing, need: Need, overlap: float, orders: int) -> None:
    volume = growing_volumes(orders, 5)
    indent = equal_need_indents(volume, overlap, sizing, need, FREE)
    found = needs(indent, volume, sizing, need)
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), rtol=1e-9)
    assert (indent[0] == 0.0).all()
    assert (indent[-1] == overlap).all()
    assert (np.diff(indent, axis=0) > 0.0).all()


@ALL_FOUR
def test_volumes_may_fall(sizing: Sizing, need: Need) -> None:
    volume = np.random.default_rng(2).uniform(0.2, 5.0, size=(8, 40))
    found = needs(equal_need_indents(volume, 30.0, sizing, need, FREE), volume, sizing, need)
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), rtol=1e-10)


@ALL_FOUR
@pytest.mark.parametrize("overlap", [0.5, 20.0, 95.0])
@pytest.mark.parametrize("orders", [3, 12, 80])
@pytest.mark.parametrize("ratio", [1.01, 1.5, 2.5])
def test_bounds_hold_and_free_orders_share_one_need(
    sizing: Sizing, need: Need, overlap: float, orders: int, ratio: float
) -> None:
    volume = growing_volumes(orders, 6)
    mean = overlap / 100.0 / (orders - 1)
    bounds = Gaps(least=0.4 * mean, most=ratio * mean)
    indent = equal_need_indents(volume, overlap, sizing, need, bounds)
    gaps = np.diff(indent, axis=0) / 100.0
    assert gaps.min() >= bounds.least - 2e-13
    assert gaps.max() <= bounds.most + 2e-13
    assert (indent[-1] == overlap).all()
    found = needs(indent, volume, sizing, need)
    free = (gaps > bounds.least + 1e-9) & (gaps < bounds.most - 1e-9)
    for ladder in range(volume.shape[1]):
        same = found[free[:, ladder], ladder]
        if len(same) > 1:
            assert np.ptp(same) <= 1e-8 * same.max()


@ALL_FOUR
def test_a_bound_binds_on_the_side_where_the_need_would_cross_it(sizing: Sizing, need: Need) -> None:
    """A gap at its widest leaves less than the common need, a gap at its narrowest more."""
    volume = growing_volumes(10, 50)
    bounds = Gaps(least=0.01, most=0.05)
    indent = equal_need_indents(volume, 30.0, sizing, need, bounds)
    gaps, found = np.diff(indent, axis=0) / 100.0, needs(indent, volume, sizing, need)
    widest, narrowest = gaps >= bounds.most - 1e-9, gaps <= bounds.least + 1e-9
    common = np.where(widest | narrowest, np.nan, found)
    judged = ~np.isnan(common).all(axis=0)
    assert judged.sum() > 10
    level = np.nanmean(common[:, judged], axis=0)
    assert (np.where(widest[:, judged], found[:, judged], -np.inf) <= level + 1e-7).all()
    assert (np.where(narrowest[:, judged], found[:, judged], np.inf) >= level - 1e-7).all()
    assert widest.any()


@ALL_FOUR
def test_overlap_at_the_edge_of_what_the_gaps_can_reach(sizing: Sizing, need: Need) -> None:
    """Two widest and two narrowest gaps make exactly the overlap: the last price has a plateau just there."""
    volume = growing_volumes(5, 20)
    bounds = Gaps(least=0.00675 + 3e-12, most=0.00825 - 1e-12)
    indent = equal_need_indents(volume, 3.0, sizing, need, bounds)
    gaps = np.diff(indent, axis=0) / 100.0
    assert gaps.min() >= bounds.least - 2e-13
    assert gaps.max() <= bounds.most + 2e-13


@ALL_FOUR
@pytest.mark.parametrize("bounds", [FREE, Gaps(least=0.0005, most=0.06)])
def test_a_ladder_does_not_depend_on_its_neighbours(sizing: Sizing, need: Need, bounds: Gaps) -> None:
    volume = growing_volumes(12, 80)
    together = equal_need_indents(volume, 35.0, sizing, need, bounds)
    alone = np.hstack([equal_need_indents(volume[:, [i]], 35.0, sizing, need, bounds) for i in range(80)])
    np.testing.assert_allclose(together / 100.0, alone / 100.0, atol=1e-12, rtol=0.0)


@ALL_FOUR
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e5])
def test_unit_of_the_volumes_does_not_matter(sizing: Sizing, need: Need, scale: float) -> None:
    volume = growing_volumes(9, 20)
    plain = equal_need_indents(volume, 20.0, sizing, need, FREE)
    np.testing.assert_allclose(equal_need_indents(volume * scale, 20.0, sizing, need, FREE), plain, atol=1e-10)


def test_inputs_are_left_as_they_were() -> None:
    volume = growing_volumes(6, 8)
    volume.setflags(write=False)
    assert equal_need_indents(volume, 20.0, "quote", "fill", FREE).shape == volume.shape
    assert equal_need_indents(volume.T.copy().T, 20.0, "quote", "fill", FREE).shape == volume.shape


def test_a_batch_may_be_empty() -> None:
    assert equal_need_indents(np.ones((4, 0)), 20.0, "quote", "fill", FREE).shape == (4, 0)


@pytest.mark.parametrize("seed", range(5))
def test_equal_needs_are_the_smallest_largest_need(seed: int) -> None:
    """No other prices for the same volumes and overlap have a smaller largest need."""
    random = np.random.default_rng(seed)
    volume = growing_volumes(8, 1, seed)
    best = equal_need_indents(volume, 25.0, "quote", "fill", FREE)
    other = best + np.vstack([np.zeros(200), random.normal(scale=0.5, size=(6, 200)), np.zeros(200)])
    price = 1.0 - np.hstack([best, other]) / 100.0
    share = np.repeat(volume, 201, axis=1)
    largest = need_at_fill(price, running_sum(share) / running_sum(share / price)).max(axis=0)
    assert (largest[1:] >= largest[0]).all()
