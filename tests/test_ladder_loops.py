"""Loops for numba keep, price and score ladders as arrays do, to the last bit: a search is the same without."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlab
from mlab.api import batches
from mlab.core import events
from mlab.core.errors import EvaluationError
from mlab.core.records import Cell
from mlab.model import compiled, loops, scoring
from mlab.model.annealing import Refinement, Shape, Start
from mlab.model.compiled import LADDERS, Loops
from mlab.model.ladder import Array
from mlab.model.limits import Limits
from mlab.model.objective import Objective, Score, Wave
from mlab.model.penalties import Position
from mlab.model.scoring import scores
from mlab.model.space import Space
from mlab.search import engine, machine

needs_numba = pytest.mark.skipif(not compiled.ready(), reason="needs numba: pip install 'martingale-lab[compiled]'")

Found = TypeVar("Found")

objectives = st.builds(
    Objective,
    st.builds(
        Score,
        need=st.sampled_from(["fill", "path"]),
        beta=st.sampled_from([0.0, 0.3]),
        wave=st.sampled_from([Wave(), Wave(enabled=False)]),
    ),
    st.builds(
        Limits, max_gap_ratio=st.sampled_from([None, 1.05, 2.5]), min_indent_step_pct=st.sampled_from([0.0, 0.05, 0.9])
    ),
    st.sampled_from(["quote", "base"]),
)
spaces = st.builds(
    lambda orders, overlap, objective: Space.of(Cell(0, overlap, orders), objective),
    st.integers(2, 21),
    st.sampled_from([20.0, 80.0]),
    objectives,
)
counts = st.integers(2, 9) | (st.just(2 * loops.pricing.WIDTH + 1) if compiled.ready() else st.just(13))
seeds = st.integers(0, 2**32 - 1)


def by_both(work: Callable[[], Found]) -> tuple[Found, Found]:
    """What arrays find, and what loops do: compiled where numba is installed, else as they stand."""
    with pytest.MonkeyPatch.context() as patched:
        if not compiled.ready():  # what is compiled has the width in it; what is not is slow
            for module in (loops.pricing, loops.scoring):
                patched.setattr(module, "WIDTH", 4)
        with LADDERS.trying(None):
            arrays = work()
        with LADDERS.trying(loops):
            return arrays, work()


def same(arrays: tuple[Array, ...], others: tuple[Array, ...]) -> None:
    assert [one.tobytes() for one in arrays] == [other.tobytes() for other in others]


def random_growths(space: Space, ladders: int, random: np.random.Generator) -> Array:
    """Growths on levels, between them and beyond the limits."""
    shape = space.steps, ladders
    wild = space.growth_max * 1.1 * random.random(shape) ** 2
    return np.where(random.random(shape) < 0.6, random.choice(space.levels, shape), wild)


@given(spaces, counts, seeds)
def test_growths_are_kept_within_the_limits_alike(space: Space, ladders: int, seed: int) -> None:
    growth = random_growths(space, ladders, np.random.default_rng(seed))
    same(*by_both(lambda: space._kept(growth)))


@given(spaces, counts, seeds)
def test_ladders_are_priced_alike_from_nothing_and_from_the_needs_of_others(
    space: Space, ladders: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    growth = random_growths(space, ladders, random)
    changed = np.where(random.random(growth.shape) < 0.2, random.choice(space.levels, growth.shape), growth)

    def priced() -> tuple[Array, ...]:
        indent, volume, needs = space.priced(space.feasible(growth))
        kept, near_indent, near_volume, near = space.near(changed, needs.of(np.arange(ladders)[::-1]))
        found = indent, volume, needs.need, needs.top, needs.base, needs.pull
        return *found, kept, near_indent, near_volume, near.need, near.top, near.base, near.pull

    same(*by_both(priced))


@given(objectives, st.integers(2, 21), counts, seeds)
def test_ladders_are_scored_alike(objective: Objective, orders: int, ladders: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    indent = np.sort(60.0 * random.random((orders, ladders)), axis=0)
    growth = random.choice([1.0, 1.0 + random.random(), 1.1, 1.5, 2.0], (orders, ladders))
    if random.random() < 0.2:  # some fall, or stand in the wrong order
        growth[random.integers(orders), random.integers(ladders)] = 0.5
        indent[[0, -1]] = indent[[-1, 0]]
    same(*by_both(lambda: (scores(indent, np.cumprod(growth, axis=0), objective),)))


def test_ladders_are_scored_alike_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 16)  # five ladders of three orders, then five, then one
    random = np.random.default_rng(5)
    indent, volume = np.cumsum(random.random((3, 11)), axis=0), np.cumsum(random.random((3, 11)) + 0.1, axis=0)
    same(*by_both(lambda: (scores(indent, volume),)))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_volumes_and_indents_that_no_formula_holds_for_are_refused_alike(value: float) -> None:
    for wrong in ("volume", "indent"):
        if wrong == "indent" and value <= 0.0:
            continue
        given_ = {"indent": np.tile([[0.0], [5.0], [9.0]], 4), "volume": np.tile([[1.0], [2.0], [4.0]], 4)}
        given_[wrong][1, 2] = value

        def message(given_: dict[str, Array] = given_) -> str:
            with pytest.raises(EvaluationError) as raised:
                scores(**given_)
            return str(raised.value)

        arrays, others = by_both(message)
        assert arrays == others


def test_a_score_that_overflows_is_refused_alike() -> None:
    indent, volume = np.tile([[0.0], [5.0], [9.0]], 2), np.tile([[1.0], [1e308], [1.7e308]], 2)

    def message() -> str:
        with pytest.raises(EvaluationError) as raised, np.errstate(all="ignore"):
            scores(indent, volume)
        return str(raised.value)

    arrays, others = by_both(message)
    assert arrays == others


@needs_numba
@settings(max_examples=25)
@given(spaces, seeds)
def test_starts_are_refined_alike(space: Space, seed: int) -> None:
    starts = [Start(temperature=2e-3, stride=0.2, shape=Shape(place, width=0.2)) for place in (0.0, 0.5, 1.0)]

    def refined() -> tuple[Array, ...]:
        refinement = Refinement(space, starts, None, np.random.SeedSequence(seed))
        refinement.generation()
        refinement.stop(0)
        refinement.generation()
        return refinement.best.growth, refinement.best.score

    same(*by_both(refined))


@needs_numba
def test_a_search_finds_the_same_ladders_with_numba_and_without() -> None:
    def found() -> list[tuple[float, str]]:
        run = mlab.search(overlap_pct=[10, 20], num_orders=[5, 8], search={"max_batches": 3})
        return [(best.score, repr(best.to_dict()["schedule"])) for best in run.top(50)]

    arrays, others = by_both(found)
    assert arrays == others


@needs_numba
@pytest.mark.parametrize(("worth", "loaded"), [(10**9, False), (1_000, True)])
def test_a_search_loads_numba_once_it_pays(worth: int, loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Loops("mlab.model.loops", worth)
    for module in (engine, machine):
        monkeypatch.setattr(module, "LADDERS", fresh)
    mlab.search(overlap_pct=20, num_orders=5, search={"max_batches": 2})
    assert (fresh.loaded is not None) is loaded


@needs_numba
def test_scores_of_ones_own_count_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Loops("mlab.model.loops", worth=3)
    monkeypatch.setattr(batches, "LADDERS", fresh)
    for loaded in (False, True):
        mlab.scores(np.tile([0, 5, 10], (9, 1)), np.tile([1, 2, 3], (9, 1)))
        assert (fresh.loaded is not None) is loaded


@needs_numba
def test_loops_that_find_something_else_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loops.agree()
    for module, name in (
        (loops.space, "kept"),
        (loops.pricing, "step"),
        (loops.pricing, "prices"),
        *([(loops.scoring, "score")] if scoring._penalty_names() == loops.scoring.PENALTIES else []),  # none was added
    ):
        with monkeypatch.context() as patched:
            found = getattr(module, name)

            def other(*given_: object, found: Callable[..., Array | tuple[Array, ...]] = found) -> object:
                true = found(*given_)
                rows = true[0] if isinstance(true, tuple) else true
                rows[..., -1] = np.nextafter(rows[..., -1], np.inf)  # of the last ladder, by the last bit
                return true

            patched.setattr(module, name, other)
            assert not loops.agree()


@pytest.mark.parametrize(("agree", "why"), [(lambda: False, "finds other numbers"), (None, "TypeError")])
def test_a_search_that_cannot_use_a_numba_says_so_once_and_goes_on(
    agree: Callable[[], bool] | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = Loops("mlab.model.loops")
    for module in (engine, machine):
        monkeypatch.setattr(module, "LADDERS", fresh)
    monkeypatch.setattr(compiled, "ready", lambda: True)
    monkeypatch.setattr(loops, "agree", agree)
    events.recorder.recent.clear()
    mlab.search(overlap_pct=20, num_orders=5, search={"max_batches": 2})
    (said,) = [one for one in events.recorder.recent if one["event"] == "EVAL.ERROR"]
    assert said["msg"].startswith("goes on without numba: ")
    assert why in said["msg"]
    assert fresh.loaded is None


def test_a_penalty_that_loops_do_not_know_is_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    known = scoring.penalties

    def more(position: Position, rule: Wave, tail_cap_pct: float) -> dict[str, Array]:
        return {**known(position, rule, tail_cap_pct), "P_more": np.full(position.volume.shape[1], 10.0)}

    indent, volume = np.tile([[0.0], [5.0], [9.0]], 2), np.tile([[1.0], [2.0], [4.0]], 2)
    before = by_both(lambda: scores(indent, volume))
    monkeypatch.setattr(scoring, "penalties", more)
    scoring._penalty_names.cache_clear()
    try:
        after = by_both(lambda: scores(indent, volume))
    finally:
        scoring._penalty_names.cache_clear()
    np.testing.assert_allclose(np.array(after) - np.array(before), 1.0)
