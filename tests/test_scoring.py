"""The numpy evaluator against the scalar route, which shares no code with it, and against known values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlab.core.errors import EvaluationError
from mlab.model import penalties, scoring
from mlab.model.contract import contract, risks
from mlab.model.ladder import Array, average_entry, need_at_fill, prices
from mlab.model.limits import Limits
from mlab.model.objective import Objective, Score, Wave
from mlab.model.scoring import Evaluation, evaluate, scores
from tests import scalar
from tests.scalar import Settings

BEST_KNOWN = json.loads((Path(__file__).parent / "data" / "best_known.json").read_text())
KINDS = [(sizing, need, wave) for sizing in ("quote", "base") for need in ("fill", "path") for wave in ((50, 10), None)]
OFF = Wave(enabled=False)
DISCRETE = {"sign_flips", "collapse_indents", "tail_overflow", "max_need_mismatch"}


def objective(given: Settings) -> Objective:
    score = Score(
        need=given.need,  # type: ignore[arg-type]
        alpha=given.alpha,
        beta=given.beta,
        gamma=given.gamma,
        lambda_penalty=given.lambda_penalty,
        wave=OFF if given.wave is None else Wave(strong_pct=given.wave[0], weak_pct=given.wave[1]),
    )
    limits = Limits(tail_cap_pct=given.tail_cap_pct, min_indent_step_pct=given.min_indent_step_pct)
    return Objective(score, limits, given.sizing)  # type: ignore[arg-type]


def random_ladders(random: np.random.Generator, orders: int, ladders: int) -> tuple[Array, Array]:
    """Ladders good and bad: steps that cross back, volumes that fall, jump and lie on the wave's thresholds."""
    gaps = random.exponential(size=(orders, ladders)) ** random.uniform(0.5, 2.0)
    gaps[0] *= random.integers(2)
    indent = np.cumsum(gaps, axis=0)
    indent *= random.uniform(0.5, 95.0) / indent[-1]
    if random.random() < 0.3:
        random.shuffle(indent, axis=0)
    growth = random.choice([1.1, 1.5, 2.0, 1.01, 1.0, 0.6], size=(orders, ladders))
    growth = np.where(random.random(growth.shape) < 0.5, growth, random.uniform(0.7, 1.6, growth.shape))
    volume = np.cumprod(growth if orders <= 40 else growth ** (40 / orders), axis=0)
    return indent, volume * random.choice([1.0, 1e-3, 1e6])


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every number of a contract with the path to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for k, item in enumerate(value):
            yield from leaves(item, (*path, str(k)))
    else:
        yield path, value


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal field by field, to 1e-9 of each; the floor is the rounding of differences of numbers near 1 and 100."""
    ours, theirs = dict(leaves(found)), dict(leaves(expected))
    assert ours.keys() == theirs.keys()
    scale = max(1.0, expected.get("max_need", 1.0), expected.get("max_need_path", 1.0))
    for path, value in theirs.items():
        if not DISCRETE & set(path):
            assert math.isclose(ours[path], value, rel_tol=1e-9, abs_tol=1e-12 * scale), (path, ours[path], value)
    if "diagnostics" in expected and decided(expected):
        assert found["sanity"] == expected["sanity"]
        assert found["diagnostics"]["sign_flips"] == expected["diagnostics"]["sign_flips"]


def decided(expected: dict[str, Any]) -> bool:
    """Whether no yes-or-no field hangs on the last bit of a number."""
    needs, volume = expected["schedule"]["needpct"], expected["schedule"]["volume_pct"]
    turns = np.abs(np.diff(needs)).min() > 1e-9 * max(1.0, *needs)
    return bool(turns) and abs(volume[-1] - 40.0) > 1e-9


def assert_batch(indent: Array, volume: Array, given: Settings, base_price: float = 100.0) -> None:
    """All ladders of a batch, contract and risk block, and the score-only pass."""
    evaluation = evaluate(indent, volume, objective(given))
    quick, blocks = scores(indent, volume, objective(given)), risks(evaluation, objective(given))
    for i in range(indent.shape[1]):
        i_list, v_list = indent[:, i].tolist(), volume[:, i].tolist()
        expected = scalar.contract(i_list, v_list, given, base_price)
        assert_same(contract(evaluation, i, base_price, objective(given)), expected)
        assert_same(blocks[i], scalar.risk(i_list, v_list, given, base_price))
        assert quick[i] == pytest.approx(expected["score"], rel=1e-9)


@pytest.mark.parametrize(("sizing", "need", "wave"), KINDS)
def test_thousands_of_ladders_match_the_scalar_route(sizing: str, need: str, wave: tuple[float, float] | None) -> None:
    random = np.random.default_rng(20)
    given = Settings(sizing=sizing, need=need, wave=wave)
    for orders in (2, 3, 4, 5, 7, 10, 14, 20, 33):
        assert_batch(*random_ladders(random, orders, 25), given, base_price=202.91)
    for orders in (60, 200):
        assert_batch(*random_ladders(random, orders, 4), given)


@settings(max_examples=60)
@given(st.data())
def test_any_ladder_and_any_weights_match_the_scalar_route(data: st.DataObject) -> None:
    orders = data.draw(st.integers(2, 12))
    weight = st.floats(0.0, 10.0)
    given = Settings(
        sizing=data.draw(st.sampled_from(["quote", "base"])),
        need=data.draw(st.sampled_from(["fill", "path"])),
        alpha=data.draw(weight),
        beta=data.draw(weight),
        gamma=data.draw(st.floats(0.1, 10.0)),
        lambda_penalty=data.draw(weight),
        wave=data.draw(st.one_of(st.none(), st.just((50.0, 10.0)), st.just((30.0, 30.0 - 1e-9)))),
        tail_cap_pct=data.draw(st.sampled_from([5.0, 40.0, 100.0])),
    )
    indent = data.draw(st.lists(st.floats(-20.0, 99.0), min_size=orders, max_size=orders))
    volume = data.draw(st.lists(st.floats(1e-6, 1e6), min_size=orders, max_size=orders))
    assert_batch(np.array([indent]).T, np.array([volume]).T, given, base_price=data.draw(st.floats(1e-4, 1e6)))


def layouts(rows: Array) -> dict[str, Array]:
    """The same numbers, laid out in memory in every way that a caller may hand them over."""
    wide = np.zeros((rows.shape[0] * 2, rows.shape[1] * 3))
    wide[::2, ::3] = rows
    return {
        "fortran": np.asfortranarray(rows),
        "transposed": np.ascontiguousarray(rows.T).T,
        "strided": wide[::2, ::3],
        "backward": np.ascontiguousarray(rows[::-1, ::-1])[::-1, ::-1],
    }


@pytest.mark.parametrize("layout", ["fortran", "transposed", "strided", "backward"])
@pytest.mark.parametrize("ladders", [1, 5, scoring.CHUNK // 9 + 3])
@pytest.mark.parametrize("need", ["fill", "path"])
def test_memory_layout_changes_no_number(layout: str, ladders: int, need: str) -> None:
    indent, volume = random_ladders(np.random.default_rng(3), 9, ladders)
    goal = objective(Settings(need=need))
    plain = evaluate(indent, volume, goal)
    odd_indent, odd_volume = layouts(indent)[layout], layouts(volume)[layout]
    before = odd_indent.copy(), odd_volume.copy()
    other = evaluate(odd_indent, odd_volume, goal)
    np.testing.assert_allclose(other.score, plain.score, rtol=1e-13)
    np.testing.assert_allclose(scores(odd_indent, odd_volume, goal), plain.score, rtol=1e-13)
    np.testing.assert_allclose(other.need, plain.need, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(odd_indent, before[0])
    np.testing.assert_array_equal(odd_volume, before[1])


def test_so_many_orders_are_scored_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    indent, volume = random_ladders(np.random.default_rng(3), 10, 9)
    whole, widths, once = scores(indent, volume), [], scoring._scored
    monkeypatch.setattr(scoring, "CHUNK", 40)
    monkeypatch.setattr(scoring, "_scored", lambda i, v, goal: (widths.append(i.shape[1]), once(i, v, goal))[1])
    np.testing.assert_allclose(scores(indent, volume), whole, rtol=1e-13)
    assert widths == [4, 4, 1]


def test_inputs_can_be_read_only() -> None:
    indent, volume = random_ladders(np.random.default_rng(4), 6, 10)
    indent.setflags(write=False)
    volume.setflags(write=False)
    assert np.isfinite(evaluate(indent, volume, objective(Settings())).score).all()


@pytest.mark.parametrize("scale", [1e-6, 3.0, 1e9])
def test_unit_of_the_volumes_does_not_matter(scale: float) -> None:
    indent, volume = random_ladders(np.random.default_rng(5), 12, 50)
    volume *= np.random.default_rng(6).uniform(0.999, 1.001, volume.shape)  # off the thresholds of the wave
    goal = objective(Settings())
    np.testing.assert_allclose(scores(indent, volume * scale, goal), scores(indent, volume, goal), rtol=1e-12)


@pytest.mark.parametrize("row", BEST_KNOWN, ids=lambda r: f"{r['overlap_pct']}x{r['num_orders']}-{r['need']}")
def test_best_known_ladders_score_what_they_are_known_for(row: dict[str, Any]) -> None:
    goal = objective(Settings(sizing=row["sizing"], need=row["need"]))
    indent, volume = np.array([row["indent_pct"]]).T, np.array([row["volume_pct"]]).T
    assert evaluate(indent, volume, goal).score[0] == pytest.approx(row["best_J"], rel=1e-9)
    assert scores(indent, volume, goal)[0] == pytest.approx(row["best_J"], rel=1e-9)


EQUAL_GAPS = [25.0 * k / 11.0 for k in range(12)]
KNOWN = [
    ("quote", [0, 5, 7.698864, 9.60198], [1, 1.25, 1.5, 1.75], {1: 2.272727, 2: 3.092784, 3: 3.529412}),
    ("quote", [0, 5, 10], [1, 1.2, 1.44], {1: 2.325581, 2: 4.692704}),
    ("base", [0, 5, 10], [1, 1.2, 1.44], {1: 2.392344, 2: 4.884005}),
    ("quote", [0, 1, 5, 21, 85], [100, 30, 60, 120, 240], {1: 0.775194, 2: 3.380049, 3: 13.622148, 4: 88.482713}),
    ("base", [0, 1, 5, 21, 85], [100, 30, 60, 120, 240], {1: 0.777001, 2: 3.434903, 3: 14.944875, 4: 284.848485}),
    ("quote", [0, 1, 3, 7], [1, 1, 2, 4], {1: 0.502513, 2: 1.271002, 3: 2.736387}),
    ("quote", EQUAL_GAPS, [1.2**k for k in range(12)], {1: 1.043841, 2: 2.056881, 10: 9.052954, 11: 9.810237}),
]


@pytest.mark.parametrize(("sizing", "indent", "volume", "needs"), KNOWN)
def test_known_needs(sizing: str, indent: list[float], volume: list[float], needs: dict[int, float]) -> None:
    need_pct = evaluate(np.array([indent]).T, np.array([volume]).T, objective(Settings(sizing=sizing))).need[:, 0]
    independent = scalar.contract(indent, volume, Settings(sizing=sizing))["schedule"]["needpct"]
    assert need_pct[0] == 0.0
    for k, need in needs.items():
        assert need_pct[k] == pytest.approx(need, abs=1e-6)
        assert independent[k] == pytest.approx(need, abs=1e-6)


def test_known_average_entry() -> None:
    price, volume = prices(np.array([[0.0, 5.0, 10.0]]).T), np.array([[1.0, 1.2, 1.44]]).T
    assert 202.91 * average_entry(price, volume, "quote")[0][-1, 0] == pytest.approx(191.188768, abs=1e-6)


def test_need_after_one_order_at_the_market_is_zero() -> None:
    price = np.ones((2, 1))
    assert need_at_fill(price, average_entry(price, np.ones((2, 1)), "quote")[0])[0, 0] == 0.0


@pytest.mark.parametrize(
    ("growth", "expected"),
    [
        ([2.0, 2.0, 2.0], 0.4),  # strong beside strong, twice
        ([1.05, 1.05], 0.2),  # weak beside weak
        ([2.0, 1.05, 2.0], 0.0),  # waves only ease
        ([2.0, 2.0, 1.05], 0.1),
        ([1.3, 1.3, 1.3], 0.0),  # neither
        ([1.5, 1.5], 0.2),  # on the strong threshold
        ([1.1, 1.1], 0.2),  # on the weak one
    ],
)
def test_wave(growth: list[float], expected: float) -> None:
    rows = np.array([[0.0, *((g - 1.0) * 100.0 for g in growth)]]).T
    rows[np.isclose(rows, 10.0)] = 10.0
    assert penalties.wave(rows, Wave())[0] == pytest.approx(expected)
    assert penalties.wave(rows, OFF)[0] == 0.0


def test_a_volume_exactly_on_a_threshold_counts_as_on_it() -> None:
    """60 is 1.5 times 40: dividing both by 100 first would make it a hair less."""
    evaluation = evaluate(np.array([[0.0, 1.0, 3.0]]).T, np.array([[40.0, 60.0, 90.0]]).T, objective(Settings()))
    assert evaluation.growth[1:, 0].tolist() == [50.0, 50.0]
    assert evaluation.penalties["P_wave"][0] == pytest.approx(0.2)


def evaluated(volume: Array) -> Evaluation:
    """Volumes at prices one percent apart."""
    indent = np.repeat(np.arange(len(volume), dtype=float)[:, None], volume.shape[1], axis=1)
    return evaluate(indent, volume, objective(Settings()))


@pytest.mark.parametrize(("orders", "first"), [(2, 1), (4, 3), (5, 4), (6, 4), (10, 8), (11, 8), (35, 28)])
def test_tail_begins_at_four_fifths(orders: int, first: int) -> None:
    assert evaluated(np.full((orders, 1), 3.0)).tail[0] == pytest.approx((orders - first) / orders)


def test_equal_volumes_have_no_gini_and_full_entropy() -> None:
    evaluation = evaluated(np.full((8, 1), 0.125))
    assert evaluation.penalties["P_gini"][0] == pytest.approx(0.0, abs=1e-15)
    assert evaluation.penalties["P_entropy"][0] == pytest.approx(0.0, abs=1e-15)
    assert evaluation.wci[0] == pytest.approx(0.5)


def test_gini_of_unsorted_volumes_is_that_of_sorted_ones() -> None:
    volume = np.random.default_rng(7).random((30, 40))
    unsorted, ordered = evaluated(volume), evaluated(np.sort(volume, axis=0))
    np.testing.assert_allclose(unsorted.penalties["P_gini"], ordered.penalties["P_gini"], rtol=1e-12)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_volume_that_is_no_volume_is_refused(bad: float) -> None:
    with pytest.raises(EvaluationError, match="every volume must"):
        evaluate(np.array([[0.0], [1.0]]), np.array([[1.0], [bad]]), objective(Settings()))


@pytest.mark.parametrize("bad", [100.0, 101.0, math.nan, math.inf, -math.inf])
def test_indent_that_is_no_indent_is_refused(bad: float) -> None:
    with pytest.raises(EvaluationError, match="every indent must"):
        scores(np.array([[0.0], [bad]]), np.ones((2, 1)), objective(Settings()))


@pytest.mark.parametrize(
    ("indent", "volume"), [((1, 4), (1, 4)), ((3, 4), (3, 5)), ((3,), (3,)), ((2, 3, 4), (2, 3, 4))]
)
def test_shapes_that_are_no_ladders_are_refused(indent: tuple[int, ...], volume: tuple[int, ...]) -> None:
    with pytest.raises(EvaluationError, match="orders"):
        evaluate(np.zeros(indent), np.ones(volume), objective(Settings()))


@pytest.mark.parametrize(
    ("indent", "volume"), [([0.0, 1.0], [5e-324, 1e10]), ([0.0, 1.0], [1e308, 1e308]), ([0.0, -1e300], [1.0, 1.0])]
)
def test_a_score_that_overflows_is_an_error_not_a_number(indent: list[float], volume: list[float]) -> None:
    with np.errstate(all="ignore"), pytest.raises(EvaluationError):
        evaluate(np.array([indent]).T, np.array([volume]).T, objective(Settings()))
