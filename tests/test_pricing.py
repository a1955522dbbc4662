"""Prices for given volumes, held against needs computed in plain Python, and against a general solver."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from mlab.core.records import Need, Sizing
from mlab.model.ladder import Array
from mlab.model.limits import Gaps
from mlab.model.objective import Objective, Score, Wave
from mlab.model.pricing import Pricing
from mlab.model.scoring import scores
from tests import scalar

FREE = Gaps(least=0.0, most=None)
MEASURE = {"fill": scalar.need_at_fill, "path": scalar.need_before_fill}
ALL_FOUR = pytest.mark.parametrize(
    ("sizing", "need"), [(sizing, need) for sizing in ("quote", "base") for need in ("fill", "path")]
)


def goal(sizing: Sizing, need: Need, alpha: float = 0.5, beta: float = 0.3) -> Objective:
    score = Score(need=need, alpha=alpha, beta=beta, wave=Wave(enabled=False))
    return Objective(score, sizing=sizing)


def pricing(overlap: float, objective: Objective, gaps: Gaps = FREE) -> Pricing:
    return Pricing.of(overlap, gaps, objective)


def growing_volumes(orders: int, ladders: int, seed: int = 1) -> Array:
    """Volumes whose largest growth keeps the last at most some thousand times the first."""
    growth = np.random.default_rng(seed).uniform(1.0, min(2.0, 1.0 + 12.0 / orders), size=(orders, ladders))
    return np.asarray(np.cumprod(growth, axis=0), dtype=np.float64)


def needs(indent: Array, volume: Array, sizing: str, need: str) -> Array:
    """Needs of orders 2..M by the scalar route, (M - 1, B)."""
    columns = zip(indent.T.tolist(), volume.T.tolist(), strict=True)
    return np.array([MEASURE[need](scalar.order_prices(i, 1.0), v, sizing)[1:] for i, v in columns]).T


def general(indent: Array, volume: Array, objective: Objective, gaps: Gaps) -> float:
    """The least score that SLSQP finds for one ladder's volumes, beginning with equal gaps."""
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to load, and of the tests only these need it

    overlap, steps = float(indent[-1]), len(volume) - 1
    aside = np.hstack([np.zeros((steps, 1)), 1.5e-8 * np.eye(steps)])  # as far as SLSQP itself looks for a slope
    volumes = np.repeat(volume[:, None], steps + 1, axis=1)

    @lru_cache(maxsize=1)
    def around(gap: bytes) -> tuple[Array, Array]:
        """Score and needs where the gaps are these, and then where each of them is a little wider."""
        depth = np.vstack([np.zeros(steps + 1), np.cumsum(np.frombuffer(gap)[:, None] + aside, axis=0)])
        measured = needs(depth, volumes, objective.sizing, objective.score.need)
        return scores(depth, volumes, objective), measured

    def smooth(point: Array) -> tuple[float, Array]:
        """The score with its maximum as a variable of its own, and its slope."""
        score, measured = around(point[:-1].tobytes())
        rest = score - objective.score.alpha * np.maximum(0.0, measured.max(axis=0))
        slope = np.append((rest[1:] - rest[0]) / aside.max(), objective.score.alpha)
        return float(rest[0] + objective.score.alpha * point[-1]), slope

    def slack_slope(point: Array) -> Array:
        _, measured = around(point[:-1].tobytes())
        return np.hstack([-(measured[:, 1:] - measured[:, :1]) / aside.max(), np.ones((steps, 1))])

    start = np.full(steps, overlap / steps)
    widest = overlap if gaps.most is None else gaps.most * 100.0
    slack = {"fun": lambda point: point[-1] - around(point[:-1].tobytes())[1][:, 0], "jac": slack_slope}
    covered = {"fun": lambda point: point[:-1].sum() - overlap, "jac": lambda _: np.append(np.ones(steps), 0.0)}
    solution = minimize(
        smooth,
        np.append(start, around(start.tobytes())[1][:, 0].max()),
        jac=True,
        constraints=[{"type": "eq", **covered}, {"type": "ineq", **slack}],
        bounds=[(max(gaps.least * 100.0, 1e-6), widest)] * steps + [(0.0, None)],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-13},
    )
    gap = np.clip(solution.x[:-1], 1e-9, widest)
    return float(around((gap * overlap / gap.sum()).tobytes())[0][0])


@ALL_FOUR
@pytest.mark.parametrize(("overlap", "orders", "ratio"), [(20, 8, None), (35, 12, 2.5), (70, 10, None), (70, 10, 1.8)])
def test_no_general_solver_finds_better_prices(
    sizing: Sizing, need: Need, overlap: float, orders: int, ratio: float | None
) -> None:
    objective, volume = goal(sizing, need), growing_volumes(orders, 4)
    gaps = Gaps(0.0005, None if ratio is None else ratio * overlap / 100.0 / (orders - 1))
    indent, _ = pricing(overlap, objective, gaps).indents(volume)
    for ladder in range(volume.shape[1]):
        ours = float(scores(indent[:, [ladder]], volume[:, [ladder]], objective)[0])
        theirs = general(indent[:, ladder], volume[:, ladder], objective, gaps)
        assert ours <= theirs * 1.0002


@ALL_FOUR
@pytest.mark.parametrize("overlap", [5.0, 50.0, 90.0])
@pytest.mark.parametrize("orders", [3, 12, 60])
def test_no_small_move_of_an_order_helps(sizing: Sizing, need: Need, overlap: float, orders: int) -> None:
    objective, volume = goal(sizing, need), growing_volumes(orders, 1, seed=3)
    best, _ = pricing(overlap, objective).indents(volume)
    random = np.random.default_rng(4)
    moved = best + random.normal(scale=1e-3 * overlap / orders, size=(orders, 300)) * (
        random.random((orders, 300)) < 0.3
    )
    moved[0], moved[-1] = 0.0, overlap
    score = scores(np.hstack([best, moved]), np.repeat(volume, 301, axis=1), objective)
    assert score[0] <= score.min() * (1.0 + 1e-4)


@ALL_FOUR
@pytest.mark.parametrize("overlap", [0.5, 10.0, 50.0, 90.0])
@pytest.mark.parametrize("orders", [2, 3, 10, 60, 200])
def test_needs_are_equal_where_only_the_largest_counts(sizing: Sizing, need: Need, overlap: float, orders: int) -> None:
    volume = growing_volumes(orders, 5)
    indent, _ = pricing(overlap, goal(sizing, need, beta=0.0)).indents(volume)
    measured = needs(indent, volume, sizing, need)
    np.testing.assert_allclose(measured, np.broadcast_to(measured[0], measured.shape), rtol=2e-4)
    assert (indent[0] == 0.0).all()
    assert (indent[-1] == overlap).all()
    assert (np.diff(indent, axis=0) > 0.0).all()


@ALL_FOUR
def test_the_needs_that_are_returned_are_those_of_the_prices(sizing: Sizing, need: Need) -> None:
    """F6 against the definitions: the closed form of the prices leads to just these needs."""
    volume = growing_volumes(14, 30)
    indent, returned = pricing(40.0, goal(sizing, need)).indents(volume)
    measured = needs(indent, volume, sizing, need) / 100.0
    np.testing.assert_allclose(returned.need[:-1], measured[:-1], rtol=1e-9)
    np.testing.assert_allclose(returned.need[-1], measured[-1], rtol=1e-4)


@ALL_FOUR
def test_a_light_variance_makes_needs_equal_and_a_heavy_one_lets_them_fall(sizing: Sizing, need: Need) -> None:
    volume = growing_volumes(12, 6)

    def spread(beta: float) -> Array:
        measured = needs(pricing(60.0, goal(sizing, need, beta=beta)).indents(volume)[0], volume, sizing, need)
        return np.asarray(np.ptp(measured, axis=0))

    assert spread(1e-4).max() < 1e-3
    assert (spread(10.0) > 0.3).all()


@ALL_FOUR
@pytest.mark.parametrize("overlap", [0.5, 20.0, 90.0])
@pytest.mark.parametrize("orders", [3, 12, 80])
@pytest.mark.parametrize("ratio", [1.01, 1.5, 2.5])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.98])
def test_gaps_keep_their_bounds(
    sizing: Sizing, need: Need, overlap: float, orders: int, ratio: float, share: float
) -> None:
    volume = growing_volumes(orders, 6)
    mean = overlap / 100.0 / (orders - 1)
    bounds = Gaps(least=share * mean, most=ratio * mean)
    indent, _ = pricing(overlap, goal(sizing, need), bounds).indents(volume)
    gaps = np.diff(indent, axis=0) / 100.0
    assert gaps.min() >= bounds.least - 2e-13
    assert gaps.max() <= bounds.most + 2e-13  # type: ignore[operator]
    assert (indent[-1] == overlap).all()
    assert np.isfinite(indent).all()


@ALL_FOUR
@pytest.mark.parametrize("gaps", [FREE, Gaps(0.0005, 0.06), Gaps(0.02, None)])
def test_a_ladder_does_not_depend_on_its_neighbours(sizing: Sizing, need: Need, gaps: Gaps) -> None:
    volume, solver = growing_volumes(12, 80), pricing(35.0, goal(sizing, need), gaps)
    together, _ = solver.indents(volume)
    alone = np.hstack([solver.indents(volume[:, [i]])[0] for i in range(80)])
    np.testing.assert_allclose(together, alone, atol=1e-9, rtol=0.0)


@ALL_FOUR
@pytest.mark.parametrize("gaps", [FREE, Gaps(0.0005, 0.05)])
def test_the_short_way_from_a_similar_ladder_ends_at_the_same_prices(sizing: Sizing, need: Need, gaps: Gaps) -> None:
    solver, volume = pricing(35.0, goal(sizing, need), gaps), growing_volumes(12, 40)
    _, known = solver.indents(volume)
    growth = volume[1:] / volume[:-1]
    growth[5] *= 1.1
    changed = np.vstack([volume[:1], volume[0] * np.cumprod(growth, axis=0)])
    held = np.cumsum(changed, axis=0)
    price, _ = solver.near(changed, held, solver.near(changed, held, known)[1])
    exact, _ = solver.indents(changed)
    objective = goal(sizing, need)
    np.testing.assert_allclose(
        scores((1.0 - price) * 100.0, changed, objective), scores(exact, changed, objective), rtol=5e-4
    )


@ALL_FOUR
@pytest.mark.parametrize("most", [None, 0.05])
def test_the_first_needs_are_equal_but_for_what_the_widest_gaps_lead_to(
    sizing: Sizing, need: Need, most: float | None
) -> None:
    """Volumes 1, 1.2, 2.4, 3.6 over 14 %: the share of all later volumes over those before (fill) or after (path)."""
    volume = np.array([[1.0, 1.2, 2.4, 3.6]]).T
    later = 1.2 / 1.0 + 2.4 / 2.2 + 3.6 / 4.6 if need == "fill" else 1.2 / 2.2 + 2.4 / 4.6
    first = pricing(14.0, goal(sizing, need), Gaps(0.0, most)).first_needs(volume)
    expected = np.full(3, -np.log(0.86) / (1.0 + later))
    if most is not None:
        widest = MEASURE[need](scalar.order_prices([0.0, 5.0, 10.0, 14.0], 1.0), volume[:, 0].tolist(), sizing)
        expected = np.minimum(expected, np.array(widest[1:]) / 100.0)
        assert expected[0] < expected.max()
    np.testing.assert_allclose(first.need[:, 0], expected, rtol=1e-12)
    np.testing.assert_allclose((first.top, first.base, first.pull), [[expected.max()], [expected.max()], [0.0]])


@ALL_FOUR
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e5])
def test_unit_of_the_volumes_does_not_matter(sizing: Sizing, need: Need, scale: float) -> None:
    volume, solver = growing_volumes(9, 20), pricing(20.0, goal(sizing, need))
    np.testing.assert_allclose(solver.indents(volume * scale)[0], solver.indents(volume)[0], atol=1e-9)


def test_volumes_may_fall() -> None:
    volume = np.random.default_rng(2).uniform(0.2, 5.0, size=(8, 40))
    indent, _ = pricing(30.0, goal("quote", "fill")).indents(volume)
    assert np.diff(indent, axis=0).min() >= -1e-12


def test_inputs_are_left_as_they_were() -> None:
    volume, solver = growing_volumes(6, 8), pricing(20.0, goal("quote", "fill"), Gaps(0.0005, 0.1))
    volume.setflags(write=False)
    plain, known = solver.indents(volume)
    before = replace(known, need=known.need.copy())
    solver.near(volume * 1.0, np.cumsum(volume, axis=0), known)
    np.testing.assert_array_equal(known.need, before.need)
    np.testing.assert_allclose(solver.indents(volume.T.copy().T)[0], plain, atol=1e-12)


def test_a_batch_may_be_empty() -> None:
    assert pricing(20.0, goal("quote", "fill")).indents(np.ones((4, 0)))[0].shape == (4, 0)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.0), (0.0, 0.3), (0.0, 0.0), (1e6, 1e-6), (1e-6, 1e6)])
def test_any_weights_give_a_ladder(alpha: float, beta: float) -> None:
    volume = growing_volumes(10, 10)
    for sizing, need in (("quote", "fill"), ("base", "path")):
        for gaps in (FREE, Gaps(0.0005, 0.06)):
            indent, _ = pricing(30.0, goal(sizing, need, alpha, beta), gaps).indents(volume)  # type: ignore[arg-type]
            assert np.isfinite(indent).all()
            assert (np.diff(indent, axis=0) >= 0.0).all()
