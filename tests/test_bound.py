"""No ladder scores below its bound: of a cell, a box, a window; and the bound is not far below the best ladder."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlab.core.errors import EvaluationError
from mlab.core.records import Cell
from mlab.model.bound import Prover
from mlab.model.bound.dual import Effort, highest
from mlab.model.bound.grid import grid
from mlab.model.bound.lagrangian import TAU, Box, Lagrangian, Tangent, radius, start
from mlab.model.bound.patterns import Patterns
from mlab.model.bound.programme import backward
from mlab.model.bound.terms import CLOSED, Terms
from mlab.model.ladder import Array, average_entry, need_at_fill, need_before_fill, prices
from mlab.model.limits import Limits
from mlab.model.objective import Objective, Score, Wave
from mlab.model.penalties import martingale
from mlab.model.scoring import scores
from mlab.model.space import Space, volumes

KNOWN = json.loads((Path(__file__).parent / "data" / "best_known.json").read_text())
KINDS = list(product(("quote", "base"), ("fill", "path"), (None, 2.5), (True, False)))
CELLS = [(10.0, 5), (20.0, 10), (8.0, 3), (5.0, 2), (12.0, 4), (50.0, 12), (80.0, 6), (30.0, 20)]
LONG_CELLS = [*CELLS, (40.0, 30), (95.0, 9), (70.0, 20)]


def space_of(
    overlap: float, orders: int, kind: tuple[Any, ...] = ("quote", "fill", None, True), **weights: Any
) -> Space:
    sizing, need, cap, wave = kind
    score = Score(need=need, wave=Wave(enabled=wave), **weights)
    limits = Limits(max_gap_ratio=cap, tail_cap_pct=40.0 if orders > 2 else 70.0)
    return Space.of(Cell(0, overlap, orders), Objective(score, limits, sizing))


def edges(space: Space) -> Array:
    """Growths on the limits and thresholds themselves, where the search keeps a guard from them."""
    limits, wave = space.objective.limits, space.objective.score.wave
    return 1.0 + np.array([*limits.martingale_pct, wave.weak_pct, wave.strong_pct]) / 100.0


def random_growths(space: Space, random: np.random.Generator, count: int) -> Array:
    """Feasible growths of all sizes, often on a level or right on an edge, often with the first volume at its least."""
    shape = (space.steps, count)
    wild = 1.0 + random.random(shape) ** random.uniform(0.3, 6.0, count)
    level = random.choice(np.concatenate((space.levels, edges(space))), size=shape)
    growth = np.where(random.random(shape) < random.random(count), level, wild)
    growth = np.where(random.random(count) < 0.5, space.feasible(growth), space.scaled(growth))
    space.absorb(growth, random.integers(0, space.steps, count), random.random(count) < 0.5)
    growth = space.feasible(growth)
    edge = random.choice(edges(space), size=shape)
    exact = np.where(np.abs(growth - edge) < 1e-9, edge, growth)
    held = np.cumsum(volumes(exact), axis=0)
    cap = 100.0 / space.objective.limits.tail_cap_pct
    kept = (held[-1] <= 100.0 / space.objective.limits.first_volume_min_pct) & (held[-1] >= cap * volumes(exact)[-1])
    return np.where(kept, exact, growth)


def random_ladders(space: Space, random: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Growths, indents and volumes; half at the best prices, half between these and random gaps, often at the cap."""
    growth = random_growths(space, random, count)
    best, volume, _ = space.priced(growth)
    limits, overlap = space.objective.limits, space.cell.overlap_pct
    least, mean = limits.min_indent_step_pct, overlap / space.steps
    most = np.inf if limits.max_gap_ratio is None else limits.max_gap_ratio * mean
    part = random.random(growth.shape) ** 2
    gap = least + (overlap - space.steps * least) * part / part.sum(axis=0)
    while np.isfinite(most) and (gap > most).any():
        over = np.maximum(gap - most, 0.0).sum(axis=0)
        gap = np.minimum(gap, most * (1.0 - 1e-12))
        room = np.where(gap < most * (1.0 - 1e-9), most - gap, 0.0)
        gap += over * room / room.sum(axis=0)
    other = np.vstack((np.zeros(count), np.cumsum(gap, axis=0)))
    share = np.where(random.random(count) < 0.5, 0.0, random.random(count) ** 3)
    indent = (1.0 - share) * best + share * other
    indent[-1] = overlap
    return growth, indent, volume


def needs(space: Space, indent: Array, volume: Array) -> Array:
    """c_1..c_M as shares."""
    price = prices(indent)
    average, _ = average_entry(price, volume, space.objective.sizing)
    measure = need_at_fill if space.objective.score.need == "fill" else need_before_fill
    return measure(price, average) / 100.0


def box_around(terms: Terms, growth: Array, need: Array, indent: Array, random: np.random.Generator) -> Box:
    """A box that holds the ladder: narrow or wide, its windows too, with a tangent at random."""
    widths, off = 10.0 ** random.uniform(-7.0, -1.3, 2), random.random(2)
    top, mean = need.max(), need.mean()
    windows, counted = terms.windows.copy(), martingale(volumes(growth[:, None]))[1:, 0]
    for window, ratio, percent in zip(windows, growth, counted, strict=True):
        chance = random.random()
        kind = int(random.choice(np.flatnonzero((window[:, 0] <= ratio) & (ratio <= window[:, 1]))))
        if len(window) > 1 and ratio in (1.1, 1.5):  # on a threshold the volumes, as they are rounded, decide
            kind = 0 if percent <= 10.0 else 2 if percent >= 50.0 else 1
        if chance < 0.3:
            continue
        low, high = window[kind]
        window[:] = CLOSED
        if chance > 0.6:
            width = 10.0 ** random.uniform(-6.0, 0.0)
            low, high = max(low, ratio - width * random.random()), min(high, ratio + width * random.random())
        window[kind] = min(low, ratio), max(high, ratio)
    gaps = np.diff(indent)
    tangent = Tangent(
        None if random.random() < 0.3 else tuple(gaps[:2] * random.uniform(0.5, 1.5, 2)) if len(gaps) > 1 else None
    )
    tangent = replace(tangent, second=random.uniform(0.8, 1.0), third=random.uniform(0.8, 1.0))
    return Box(
        (max(0.0, top - off[0] * widths[0]), top + (1.0 - off[0]) * widths[0] + 1e-15),
        (max(0.0, mean - off[1] * widths[1]), mean + (1.0 - off[1]) * widths[1]),
        windows,
        tangent,
    )


def random_multipliers(terms: Terms, random: np.random.Generator) -> Array:
    x = np.array([10.0 ** random.uniform(-1.0, 2.0), random.choice([0.0, 10.0 ** random.uniform(-2.0, 0.7)]), 0.0, 0.0])
    x[TAU] = random.choice([0.0, 0.3 * random.random()])
    theta = random.random() if terms.windows.shape[1] > 1 else 0.0
    caps = random.choice([0.0, 1.0], len(terms.capped)) * 5.0 * random.random(len(terms.capped))
    over = random.random(terms.steps) ** 3 * (random.random() < 0.7)
    over *= terms.largest * random.uniform(0.0, 1.5) / max(over.sum(), 1e-9)
    return np.concatenate((x[:3], [theta], caps, over))


def check_boxes(space: Space, random: np.random.Generator, count: int) -> None:
    """Each of some random ladders against the bound of a box made around it, at any multipliers or at good ones."""
    terms = Terms.of(space)
    growth, indent, volume = random_ladders(space, random, count)
    score, need = scores(indent, volume, space.objective), needs(space, indent, volume)
    for ladder in range(count):
        box = box_around(terms, growth[:, ladder], need[:, ladder], indent[:, ladder], random)
        nodes = grid(terms, box.windows, 10.0 ** random.uniform(-2.0, -0.8))
        if ladder % 6:
            bound = backward(Lagrangian.of(terms, box, random_multipliers(terms, random)), nodes).bound
        else:
            x = start(terms, float(score[ladder]))
            at = x, radius(terms, box, float(score[ladder]), x)
            bound = highest(terms, box, nodes, at, Patterns.none(terms), Effort(25, np.inf, 1e-9)).bound
        assert bound <= score[ladder], (growth[:, ladder].tolist(), box)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_ladder_scores_below_a_box_that_holds_it(kind: tuple[Any, ...]) -> None:
    random = np.random.default_rng(7)
    for overlap, orders in CELLS:
        if kind[2] is None or orders > 3:
            check_boxes(space_of(overlap, orders, kind), random, 4)


# cells ---------------------------------------------------------------------------------------------------


def target(row: dict[str, Any]) -> Space:
    return space_of(
        row["overlap_pct"], row["num_orders"], (row["sizing"], row["need"], row["max_gap_ratio"], row["wave"])
    )


def searched(space: Space, random: np.random.Generator, rounds: int) -> float:
    """Least score by a crude search of its own: growths on a comb and on levels, then around the best."""
    steps = space.steps
    axis = np.unique(
        np.concatenate(
            (np.linspace(space.growth_min, space.growth_max, {1: 20_001, 2: 200, 3: 36}[steps]), space.levels)
        )
    )
    growth = np.array([rows.ravel() for rows in np.meshgrid(*[axis] * steps, indexing="ij")])
    best, at, width = np.inf, growth[:, :1], space.growth_max - space.growth_min
    for _ in range(rounds):
        growth = space.feasible(growth)
        indent, volume, _ = space.priced(growth)
        score = scores(indent, volume, space.objective)
        least = int(score.argmin())
        if score[least] < best:
            best, at = float(score[least]), growth[:, least : least + 1].copy()
        else:
            width *= 0.6
        near = at + width * random.uniform(-1.0, 1.0, (steps, 2_000))
        near = np.where(random.random(near.shape) < 0.2, random.choice(space.levels, near.shape), near)
        growth = np.where(random.random(near.shape) < 0.3, at, near)
    return best


@pytest.mark.parametrize("kind", [*KINDS[:2], ("quote", "path", None, True), ("base", "fill", 1.6, True)], ids=str)
@pytest.mark.parametrize("orders", [2, 3, 4])
def test_with_few_orders_the_bound_meets_what_a_search_of_all_growths_finds(orders: int, kind: tuple[Any, ...]) -> None:
    random = np.random.default_rng(3)
    space = space_of(15.0 * orders, orders, kind if orders > 2 else (*kind[:2], None, kind[3]))
    best = searched(space, random, 30)
    prover = Prover(space, within_pct=0.1 if orders < 4 else 0.5)
    prover.advance(best, boxes=600)
    assert prover.complete
    assert 0.995 * best <= prover.lower <= best
    assert prover.ladder_score > prover.lower


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: f"{row['overlap_pct']:g}x{row['num_orders']}-{row['need']}")
def test_no_best_known_ladder_scores_below_its_cell(row: dict[str, Any]) -> None:
    space = target(row)
    prover = Prover(space)
    prover.advance(1.5 * row["best_J"], boxes=13)  # as if nothing as good were known
    indent, volume = np.array([row["indent_pct"]]).T, np.array([row["volume_pct"]]).T
    assert 0.0 < prover.lower <= scores(indent, volume, space.objective)[0]


@pytest.mark.parametrize("row", [row for row in KNOWN if row["num_orders"] <= 10], ids=lambda row: row["need"])
def test_a_better_ladder_that_is_not_known_is_never_cut_off(
    row: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Prover, "_try", lambda *_: None)  # nor is it met
    prover = Prover(target(row), within_pct=0.1)
    prover.advance(1.01 * row["best_J"], boxes=60)
    assert 0.9 * row["best_J"] < prover.lower <= row["best_J"] * (1.0 + 1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_random_ladder_scores_below_its_cell(kind: tuple[Any, ...]) -> None:
    random = np.random.default_rng(11)
    space = space_of(30.0, 5, kind)
    _, indent, volume = random_ladders(space, random, 10_000)
    least = float(scores(indent, volume, space.objective).min())
    prover = Prover(space, within_pct=1.0)
    prover.advance(least, boxes=20)
    assert 0.5 * least < prover.lower <= least


def test_a_cell_of_the_default_config_is_proved_within_a_thousandth() -> None:
    row = KNOWN[0]
    prover, told = Prover(target(row)), [0.0]
    while not prover.complete:
        prover.advance(row["best_J"], boxes=1)
        told.append(prover.lower)
    assert told == sorted(told)
    assert 0.999 * row["best_J"] <= prover.lower <= row["best_J"] * (1.0 + 1e-12)
    assert prover.ladder is not None
    assert prover.ladder.shape == (row["num_orders"] - 1,)


def test_the_same_steps_give_the_same_bound_however_they_are_cut() -> None:
    row = KNOWN[0]
    whole, parts = Prover(target(row)), Prover(target(row))
    whole.advance(row["best_J"], boxes=40)
    lowers = []
    for _ in range(8):
        parts.advance(row["best_J"], boxes=5)
        lowers.append(parts.lower)
    assert parts.lower == whole.lower
    assert parts.ladder_score == whole.ladder_score
    assert lowers == sorted(lowers)


def test_on_the_way_a_proof_meets_the_best_ladder_known() -> None:
    for row in KNOWN[:2]:
        space = target(row)
        prover = Prover(space)
        prover.advance(2.0 * row["best_J"], boxes=20)
        assert prover.ladder is not None
        indent, volume, _ = space.priced(prover.ladder[:, None])
        assert scores(indent, volume, space.objective)[0] == pytest.approx(row["best_J"], rel=1e-4)
        assert np.array_equal(space.feasible(prover.ladder[:, None]), prover.ladder[:, None])


def test_what_is_cut_off_a_box_is_not_proved_better_than_the_level_that_was_asked() -> None:
    row = KNOWN[0]
    prover = Prover(target(row), within_pct=1.0)
    prover.advance(row["best_J"], boxes=1_000)
    assert prover.complete
    assert 0.99 * row["best_J"] <= prover.lower <= 0.9901 * row["best_J"]


@pytest.mark.parametrize("score", [np.nan, np.inf, -1.0])
def test_a_score_that_no_ladder_has_is_refused(score: float) -> None:
    with pytest.raises(EvaluationError, match="best_score"):
        Prover(space_of(10.0, 3)).advance(score, boxes=1)


@pytest.mark.parametrize(
    "weights",
    [{"alpha": 0.0}, {"beta": 0.0}, {"lambda_penalty": 0.0, "gamma": 0.0}, {"alpha": 0.0, "beta": 0.0}],
    ids=str,
)
def test_any_weights_leave_a_bound(weights: dict[str, float]) -> None:
    space = space_of(20.0, 5, **weights)
    _, indent, volume = random_ladders(space, np.random.default_rng(2), 5_000)
    least = float(scores(indent, volume, space.objective).min())
    prover = Prover(space, within_pct=1.0)
    prover.advance(least, boxes=13)
    assert 0.0 <= prover.lower <= least
    check_boxes(space, np.random.default_rng(5), 6)


# for long ------------------------------------------------------------------------------------------------


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_ladder_of_many_scores_below_a_box_that_holds_it(kind: tuple[Any, ...]) -> None:
    random = np.random.default_rng(17)
    for overlap, orders in LONG_CELLS:
        if kind[2] is None or orders > 3:
            check_boxes(space_of(overlap, orders, kind), random, 150)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_ladder_of_a_million_scores_below_its_cell(kind: tuple[Any, ...]) -> None:
    random = np.random.default_rng(18)
    for overlap, orders in ((8.0, 4), (10.0, 5), (20.0, 10), (70.0, 8)):
        space = space_of(overlap, orders, kind)
        least = np.inf
        for _ in range(10):
            _, indent, volume = random_ladders(space, random, 25_000)
            least = min(least, float(scores(indent, volume, space.objective).min()))
        prover = Prover(space)
        prover.advance(least, boxes=150)
        assert 0.0 < prover.lower <= min(least, prover.ladder_score)


@pytest.mark.soak
@pytest.mark.parametrize("row", KNOWN, ids=lambda row: f"{row['overlap_pct']:g}x{row['num_orders']}-{row['need']}")
def test_the_best_known_are_near_their_bound(row: dict[str, Any]) -> None:
    prover = Prover(target(row))
    prover.advance(row["best_J"], boxes=400)
    assert (0.9 if row["max_gap_ratio"] and row["need"] == "fill" else 0.99) * row["best_J"] < prover.lower
    assert prover.lower <= min(row["best_J"], prover.ladder_score)
