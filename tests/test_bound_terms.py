"""Every inequality of docs/bound.md by itself: none is above what it bounds, or far below where it should touch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlab
from mlab.model.bound.branching import _cut_growth, _cut_largest, _cut_mean
from mlab.model.bound.caps import least_prices, most_needs, most_needs_of
from mlab.model.bound.dual import Effort, highest
from mlab.model.bound.grid import BEND_ENTROPY, BEND_WEIGHT, FAR, Grid, first_cost, grid, volume_cost
from mlab.model.bound.lagrangian import (
    CAPS,
    MU,
    NU,
    TAU,
    THETA,
    Box,
    Lagrangian,
    Tangent,
    _least_shares,
    _third_price,
    radius,
    start,
)
from mlab.model.bound.needs import Cost, least
from mlab.model.bound.nodes import Nodes, most_growth
from mlab.model.bound.patterns import Patterns, judged
from mlab.model.bound.programme import Pass, _bend_of_needs, _blended, backward, dip, drops, least_ahead
from mlab.model.bound.prover import Prover
from mlab.model.bound.terms import Terms, narrowed
from mlab.model.bound.through import _before, tightened
from mlab.model.ladder import Array, prices
from mlab.model.penalties import Position, entropy, gini, penalties, smooth, tail
from mlab.model.scoring import scores
from mlab.model.space import Space, volumes
from tests.test_bound import KINDS, box_around, needs, random_growths, random_ladders, random_multipliers, space_of

FOUR = [
    ("quote", "fill", 2.5, True),
    ("quote", "path", 2.5, True),
    ("base", "fill", 2.5, True),
    ("base", "path", 2.5, True),
]
each_kind = pytest.mark.parametrize("kind", FOUR, ids=lambda kind: f"{kind[0]}-{kind[1]}")


def chain(growth: Array) -> Array:
    """u_k of orders 2..M."""
    held = np.cumsum(volumes(growth), axis=0)
    return held[:-1] / volumes(growth)[1:]


def whole_box(terms: Terms, largest: float = 0.2, mean: float = 0.1, **changes: Any) -> Box:
    box = Box((largest / 2.0, largest), (0.0, 2.0 * mean), terms.windows)
    return replace(box, **changes)


# formulas ------------------------------------------------------------------------------------------------


def cited(source: str) -> Iterator[int]:
    for first, last in re.findall(r"\bB(\d+)(?: (?:to|and) B(\d+))?\b", source):
        yield from {int(first), int(last or first)} if last else {int(first)}


def test_formulas_of_the_code_are_those_of_the_page() -> None:
    package = Path(mlab.__file__).parent
    page = (package.parent / "docs" / "bound.md").read_text()
    defined = [int(number) for number in re.findall(r"\*\*B(\d+)\*\*", page)]
    lines = [line for file in (package / "model" / "bound").glob("*.py") for line in file.read_text().splitlines()]
    assert defined == list(range(1, len(defined) + 1))
    assert {number for line in lines for number in cited(line)} == set(defined)
    assert {number for line in lines for number in cited(line.partition("  # ")[2])} == set(defined)
    assert set(cited(page)) == set(defined)


# the score as a sum over orders --------------------------------------------------------------------------


def test_the_volumes_of_a_ladder_cost_what_the_chain_says() -> None:
    for orders in (2, 3, 5, 20):
        space = space_of(20.0, orders)
        terms = Terms.of(space)
        growth, indent, volume = random_ladders(space, np.random.default_rng(1), 50)
        share = 1.0 / (1.0 + chain(growth))
        cost = np.full(50, first_cost(terms))
        for part, own in zip(share, volume_cost(terms, share), strict=True):
            cost = own + (1.0 - part) * cost
        position = Position.of(indent, volume, "quote")
        expected = terms.penalty * (gini(position) + 1.0 - entropy(position)) + terms.tail * tail(position)
        constant = terms.penalty * ((orders + 1.0) / orders + 1.0) + terms.tail
        assert cost + constant == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_lagrangian_is_the_score_with_each_constraint_priced(kind: tuple[Any, ...]) -> None:
    random = np.random.default_rng(4)
    for overlap, orders in ((5.0, 2), (8.0, 3), (20.0, 4), (40.0, 9)):
        if kind[2] and orders < 4:
            continue
        space = space_of(overlap, orders, kind)
        terms = Terms.of(space)
        growth, indent, volume = random_ladders(space, random, 12)
        for ladder in range(12):
            one = growth[:, ladder : ladder + 1], indent[:, ladder : ladder + 1], volume[:, ladder : ladder + 1]
            need = needs(space, *one[1:])
            box = box_around(terms, one[0][:, 0], need[:, 0], one[1][:, 0], random)
            x = random_multipliers(terms, random)
            assert sum_of_terms(terms, box, x, one[0], need) == pytest.approx(
                priced_in(space, terms, box, x, *one), abs=1e-9
            )
            assert sum_of_terms(terms, box, x, one[0], need) <= scores(one[1], one[2], space.objective)[0] + 1e-12


def sum_of_terms(terms: Terms, box: Box, x: Array, growth: Array, need: Array) -> float:
    """As the programme adds it up, at needs that are given."""
    lagrangian = Lagrangian.of(terms, box, x)
    u = chain(growth)
    cost = Cost.of(lagrangian, u)
    value = cost.value(need[1:])
    value = value + lagrangian.over[:, None] * np.maximum(need[1:] - box.largest[0], 0.0)
    kind = kinds(terms, growth)
    judged_there = judged(lagrangian, growth, kind)
    own, _ = least(lagrangian, u, most_needs_of(terms, box.windows, u, kind))
    return float(judged_there.value[0] - own.sum() + value.sum())


def kinds(terms: Terms, growth: Array) -> Any:
    if terms.windows.shape[1] == 1:
        return np.zeros(growth.shape, dtype=np.int64)
    pct = (growth - 1.0) * 100.0
    return np.where(pct <= 10.0 + 1e-9, 0, np.where(pct >= 50.0 - 1e-9, 2, 1))


def priced_in(space: Any, terms: Terms, box: Box, x: Array, growth: Array, indent: Array, volume: Array) -> float:
    """The same from prices and volumes as they are."""
    need, price = needs(space, indent, volume)[:, 0], prices(indent)[:, 0]
    position = Position.of(indent, volume, terms.sizing)
    held = np.cumsum(volume[:, 0])
    caps, over = x[CAPS : CAPS + len(terms.capped)], x[CAPS + len(terms.capped) :]
    total = terms.largest * box.largest[0] + (over * np.maximum(need[1:] - box.largest[0], 0.0)).sum()
    total -= max(over.sum() - terms.largest, 0.0) * (box.largest[1] - box.largest[0])
    total += terms.spread * (((need - box.middle) ** 2).mean() - box.half**2)
    total += terms.penalty * float((gini(position) + 1.0 - entropy(position))[0]) + terms.tail * float(
        tail(position)[0]
    )
    kind = kinds(terms, growth)[:, 0]
    alike = ((kind[1:] == kind[:-1]) & (kind[1:] != 1)).sum()
    unlike = (np.abs(kind[1:] - kind[:-1]) == 2).sum()
    total += x[THETA] * terms.penalty * (0.2 * alike - 0.1 * unlike)
    total += x[NU] * np.log(held[-1] / volume[0, 0] / terms.total)
    total += x[TAU] * (terms.least_spread - held[-1] / volume[-1, 0])
    total += sum(
        h * (bound - np.log(price[k - 1])) for k, bound, h in zip(terms.capped, terms.capped_price, caps, strict=True)
    )
    return float(total + smoothed(terms, box, np.diff(indent[:, 0]), price, position))


def smoothed(terms: Terms, box: Box, gap: Array, price: Array, position: Position) -> float:
    """P_smooth by its tangents, in gaps; with the product in P_3 by its plane."""
    if box.tangent.gaps is None or terms.orders == 2:
        return (
            terms.penalty
            / 100.0
            * (terms.overlap**2 / terms.steps / terms.orders - (terms.overlap / terms.orders) ** 2)
        )
    second = max(box.tangent.gaps[0], terms.overlap / terms.steps)
    if terms.orders == 3:
        touch = np.array([second, terms.overlap - second])
    else:
        third = min(box.tangent.gaps[1], second)
        rest = min((terms.overlap - second - third) / (terms.orders - 3), third)
        touch = np.concatenate(([second, third], np.full(terms.orders - 3, rest)))
    square = (2.0 * touch * gap - touch**2).sum()
    value = terms.penalty / 100.0 * (square / terms.orders - (terms.overlap / terms.orders) ** 2)
    if terms.orders > 3:
        weight = terms.penalty / 100.0 / terms.orders * 200.0 * (touch[1] - touch[2])
        on_price, on_average = np.zeros(terms.steps), np.zeros(terms.steps)
        constant = _third_price(terms, box, weight, on_price, on_average)
        average = float(position.average[1, 0])
        plane = on_price[1] * price[2] / average + on_average[0] * average - constant
        assert plane >= weight * price[2] - 1e-15
        value -= plane - weight * price[2]
    exact = terms.penalty * float(smooth(position.step)[0])
    assert value <= exact + 1e-12
    return float(value)


def test_touching_the_gaps_of_a_ladder_its_smoothness_is_met() -> None:
    for orders in (2, 3):
        space = space_of(20.0, orders)
        terms = Terms.of(space)
        _, indent, volume = random_ladders(space, np.random.default_rng(3), 40)
        for ladder in range(40):
            one = indent[:, ladder : ladder + 1], volume[:, ladder : ladder + 1]
            gap = np.diff(one[0][:, 0])
            if orders == 3 and gap[0] < gap[1]:
                continue
            box = whole_box(terms, tangent=Tangent((gap[0], gap[-1])))
            position = Position.of(*one, "quote")
            exact = terms.penalty * penalties(position, space.objective.score.wave, 40.0)["P_smooth"][0]
            assert smoothed(terms, box, gap, prices(one[0])[:, 0], position) == pytest.approx(exact, abs=1e-12)


@each_kind
def test_what_shares_of_the_average_cannot_be_below(kind: tuple[Any, ...]) -> None:
    space = space_of(60.0, 6, kind)
    terms = Terms.of(space)
    growth, indent, volume = random_ladders(space, np.random.default_rng(5), 300)
    need, price = needs(space, indent, volume), prices(indent)
    average = Position.of(indent, volume, terms.sizing).average
    for ladder in range(300):
        windows = np.stack((growth[:, ladder] * 0.99, growth[:, ladder]), axis=-1)[:, None, :]
        box = whole_box(terms, need[:, ladder].max(), windows=windows)
        second, third = _least_shares(terms, box)
        assert second <= average[1, ladder] + 1e-12
        assert third <= price[2, ladder] / average[1, ladder] + 1e-12


# the need of one order -----------------------------------------------------------------------------------


def costs(kind: tuple[Any, ...], random: np.random.Generator, **weights: float) -> Iterator[tuple[Lagrangian, Array]]:
    """Lagrangians at multipliers of all sizes, and u."""
    terms = Terms.of(space_of(40.0, 8, kind, **weights))
    for _ in range(12):
        top = random.uniform(0.01, 0.9)
        tangent = (
            Tangent((15.0, 9.0), random.uniform(0.8, 1.0), random.uniform(0.8, 1.0))
            if random.random() < 0.6
            else Tangent()
        )
        box = Box((random.random() * top, top), (0.0, random.random() * top), terms.windows, tangent)
        yield (
            Lagrangian.of(terms, box, random_multipliers(terms, random)),
            0.5 + 10.0 * random.random((terms.steps, 5)) ** 2,
        )


@each_kind
@pytest.mark.parametrize("steps", [0, 1])
def test_a_search_for_the_least_need_that_ends_early_is_safe(
    monkeypatch: pytest.MonkeyPatch, kind: tuple[Any, ...], steps: int
) -> None:
    monkeypatch.setattr("mlab.model.bound.needs.NEWTON", steps)
    monkeypatch.setattr("mlab.model.bound.needs.CLOSE", 0.0)
    monkeypatch.setattr("mlab.model.bound.needs.POINTS", 6)
    check_least(kind, 0.3, far=np.inf)
    check_least(kind, 0.0, far=np.inf)


@each_kind
@pytest.mark.parametrize("beta", [0.3, 0.0])
def test_no_need_costs_less_than_the_least(kind: tuple[Any, ...], beta: float) -> None:
    check_least(kind, beta, far=2e-3)


def check_least(kind: tuple[Any, ...], beta: float, far: float) -> None:
    random = np.random.default_rng(6)
    for lagrangian, u in costs(kind, random, beta=beta):
        kink, top = lagrangian.box.largest
        most = np.where(random.random(u.shape) < 0.5, np.inf, top * random.random(u.shape))
        value, need = least(lagrangian, u, most)
        most = np.minimum(most, top)
        tried = [at_need(lagrangian, u, part * most) for part in np.linspace(0.0, 1.0, 401)]
        lowest = np.min([*tried, at_need(lagrangian, u, np.minimum(kink, most))], axis=0)
        assert (need <= most).all()
        assert (value <= lowest + 1e-12 * lagrangian.scale).all()
        assert (value <= at_need(lagrangian, u, need) + 1e-12 * lagrangian.scale).all()
        assert (value >= lowest - far * lagrangian.scale).all()


def at_need(lagrangian: Lagrangian, u: Array, need: Array) -> Array:
    return Cost.of(lagrangian, u).value(need) + lagrangian.over[:, None] * np.maximum(
        need - lagrangian.box.largest[0], 0.0
    )


@each_kind
def test_slopes_and_curvatures_of_the_cost_are_those_of_its_values(kind: tuple[Any, ...]) -> None:
    step = 1e-4
    for lagrangian, u in costs(kind, np.random.default_rng(8)):
        cost = Cost.of(lagrangian, u)
        low, high = cost.curvature()
        for need in np.linspace(2 * step, lagrangian.box.largest[1] - 2 * step, 9):
            values = [cost.value(np.full(u.shape, need + off)) for off in (-step, 0.0, step)]
            first, second = cost.slopes(np.full(u.shape, need))
            away = np.abs(need * cost.factor.ratio - cost.factor.most) > 3 * step * cost.factor.ratio
            loose = 1e-3 * (1.0 + np.abs(second) + lagrangian.scale)
            assert (np.abs((values[2] - values[0]) / (2 * step) - first)[away] <= loose[away]).all()
            assert (np.abs((values[2] - 2 * values[1] + values[0]) / step**2 - second)[away] <= loose[away]).all()
            assert (low <= second + 1e-9).all()
            assert (second <= high + 1e-9).all()


# the programme -------------------------------------------------------------------------------------------


def test_costs_between_nodes_of_the_volumes_cost_are_a_chord() -> None:
    terms = Terms.of(space_of(20.0, 7))
    nodes = grid(terms, terms.windows, 0.1)
    for j in range(terms.steps - 1):
        reached = nodes.cost[j][:, None] + (1.0 - nodes.share[j])[:, None] * nodes.g[j]
        for kind in range(3):
            held = np.zeros((3, *reached.shape))
            held[kind] = nodes.g[j + 1]
            assert _blended(held, nodes, j)[:, kind] == pytest.approx(reached, abs=1e-12)


def test_costs_between_nodes_keep_their_weight_however_narrow_the_windows_and_large_the_weights() -> None:
    space = space_of(20.0, 10, lambda_penalty=1e6)
    terms = Terms.of(space)
    for growth in random_growths(space, np.random.default_rng(21), 30).T:
        windows = np.repeat(np.stack((growth, growth), axis=-1)[:, None, :], terms.windows.shape[1], axis=1)
        nodes = grid(terms, windows, 0.02)
        for j in range(terms.steps - 1):
            held = np.ones((windows.shape[1], *nodes.u[j].shape, nodes.g.shape[1]))
            assert (_blended(held, nodes, j) == 1.0).all()
            assert (np.abs(nodes.chord.part - 0.5) <= 0.5).all()


def test_the_largest_bends_are_those_of_the_page() -> None:
    share = np.linspace(1e-6, 1.0 - 1e-6, 200_001)
    weight = 2.0 * share * share * (1.0 - share)
    entropy_bend = share * (1.0 - share) * (1.0 + 2.0 * share * np.log((1.0 - share) / share))
    assert weight.max() <= BEND_WEIGHT <= 1.01 * weight.max()
    assert entropy_bend.max() <= BEND_ENTROPY <= 1.02 * entropy_bend.max()


def test_each_weight_of_a_held_share_counts_in_the_bend() -> None:
    for orders in (2, 5, 11):
        terms = Terms.of(space_of(20.0, orders, gamma=0.7))
        nodes = grid(terms, terms.windows, 0.1)
        reached = [-first_cost(terms), *(-row[0] for row in nodes.g[1:])]
        for k in range(2, orders + 1):
            shares = reached[k - 2] + sum(2.0 * terms.penalty / orders for _ in range(k, orders))
            shares += terms.tail if 8 * orders // 10 >= k else 0.0
            bend = nodes.bend[k - 2]
            assert bend >= 8.0 / 27.0 * shares + 0.327 * terms.penalty / np.log(orders) - 1e-12
            assert bend <= 0.2965 * shares + 0.34 * terms.penalty / np.log(orders)


@each_kind
def test_the_need_of_a_later_order_counts_in_the_bend_of_all_before_it(kind: tuple[Any, ...]) -> None:
    terms = Terms.of(space_of(40.0, 6, kind))
    whole = Lagrangian.of(terms, whole_box(terms), random_multipliers(terms, np.random.default_rng(20)))
    for j in range(terms.steps):
        only = np.where(np.arange(terms.steps) == j, -3.0, 0.0)
        nothing = np.zeros(terms.steps)
        bend = _bend_of_needs(replace(whole, factor=only, price=nothing, average=nothing), np.full(terms.steps, 0.5))
        assert (bend[: j + 1] == bend[j]).all()
        assert bend[j] > 0.0
        assert (bend[j + 1 :] == 0.0).all()


def bent(lagrangian: Lagrangian, growth: Array, need: Array, j: int, u: Array, before: float) -> Array:
    """What orders j + 2..M cost by the u of the first of them, with later growths and all needs as they are."""
    terms, x = lagrangian.terms, lagrangian.x
    total, cost = np.zeros(u.shape), np.full(u.shape, before)
    for i in range(j, terms.steps):
        rows = np.ones((terms.steps, len(u)))
        rows[i] = u
        total += Cost.of(lagrangian, rows).value(np.tile(need[:, None], len(u)))[i]
        total += x[NU] * np.log1p(1.0 / u)
        share = 1.0 / (1.0 + rows)
        cost = volume_cost(terms, share)[i] + (1.0 - share[i]) * cost
        last, u = u, (1.0 + u) / growth[i + 1] if i + 1 < terms.steps else u
    return np.asarray(total + cost + x[TAU] * (terms.least_spread - 1.0 - last))


@each_kind
@pytest.mark.parametrize(
    "weights", [{}, {"lambda_penalty": 0.0, "gamma": 5.0}, {"lambda_penalty": 5.0, "gamma": 0.0}], ids=str
)
def test_costs_between_nodes_of_u_do_not_dip_below_the_parabola(
    kind: tuple[Any, ...], weights: dict[str, float]
) -> None:
    random = np.random.default_rng(9)
    worst = 0.0
    space = space_of(40.0, 6, kind, **weights)
    terms = Terms.of(space)
    nodes = grid(terms, terms.windows, 0.1)
    for growth in random_ladders(space, random, 60)[0].T:
        top = random.uniform(0.05, 0.6)
        x = random_multipliers(terms, random)
        x[MU] *= random.choice([0.0, 0.0, 0.1, 1.0])
        x[CAPS : -terms.steps] *= random.choice([0.0, 1.0, 20.0])
        x[NU] *= random.choice([0.0, 1.0])
        box = whole_box(terms, top, tangent=Tangent((15.0, 9.0)))
        lagrangian = Lagrangian.of(terms, box, x)
        below = drops(lagrangian, nodes)
        for j in range(terms.steps):
            u, need = nodes.u[j], top * random.random(terms.steps)
            middle = (u[1:] + u[:-1]) / 2.0
            before = random.choice([nodes.g[j, 0], nodes.g[j, -1]])
            ends, inner = (bent(lagrangian, growth, need, j, at, before) for at in (u, middle))
            dip = ((ends[1:] + ends[:-1]) / 2.0 - inner) / below[j]
            worst = max(worst, float(dip.max()))
    assert worst <= 1.0 + 1e-6
    assert worst >= (0.7 if weights.get("gamma") else 0.15)


def test_the_least_of_a_cell_is_that_of_its_parabola() -> None:
    random = np.random.default_rng(10)
    for _ in range(200):
        left, rise, drop = random.normal(size=3) * (1.0, 0.3, 0.1)
        drop, (low, high) = abs(drop) + 1e-6, np.sort(random.random(2))
        place = np.linspace(low, high, 2_001)
        parabola = left + place * rise - 4.0 * drop * place * (1.0 - place)
        found = float(dip(np.array([left]), np.array([rise]), drop, low, high)[0])
        assert parabola.min() - 1e-5 <= found <= parabola.min() + 1e-12


def test_the_least_ahead_is_over_all_that_growths_reach_and_no_more() -> None:
    random = np.random.default_rng(12)
    terms = Terms.of(space_of(20.0, 5))
    windows = terms.windows.copy()
    windows[2, 1] = 1.2, 1.2001  # narrower than a cell
    nodes = grid(terms, windows, 0.06)
    for j in range(1, terms.steps):
        costs = 0.1 * random.normal(size=(nodes.u.shape[1], 3, 2))
        found = least_ahead(costs, 0.05, nodes, j)
        for i, kind in product(range(0, nodes.u.shape[1], 3), range(3)):
            low, high = windows[j, kind]
            u = np.linspace((1.0 + nodes.u[j - 1, i]) / high, (1.0 + nodes.u[j - 1, i]) / low, 4_001)
            cell = np.clip(np.searchsorted(nodes.u[j], u) - 1, 0, nodes.u.shape[1] - 2)
            place = (u - nodes.u[j, cell]) / (nodes.u[j, cell + 1] - nodes.u[j, cell])
            for g in range(2):
                left, right = costs[cell, kind, g], costs[cell + 1, kind, g]
                parabola = left + place * (right - left) - 4.0 * 0.05 * place * (1.0 - place)
                assert parabola.min() - 1e-3 <= found[kind, i, g] <= parabola.min() + 1e-9


@pytest.mark.parametrize("kind", [("quote", "fill", None, False), ("base", "path", None, True)], ids=str)
def test_the_bound_of_one_ladder_is_its_score(kind: tuple[Any, ...]) -> None:
    """Windows of no width, and a box about as narrow: nothing is left to relax but the prices, which are best."""
    space = space_of(25.0, 6, kind, lambda_penalty=0.0)
    terms = Terms.of(space)
    growth = random_ladders(space, np.random.default_rng(13), 3)[0]
    indent, volume, _ = space.priced(growth)
    need, score = needs(space, indent, volume), scores(indent, volume, space.objective)
    for ladder in range(3):
        windows = np.repeat(
            np.stack((growth[:, ladder], growth[:, ladder]), axis=-1)[:, None, :], terms.windows.shape[1], axis=1
        )
        top, mean = need[:, ladder].max(), need[:, ladder].mean()
        box = whole_box(terms, largest=top, windows=windows)
        box = replace(box, largest=(top * (1 - 1e-9), top * (1 + 1e-9)), mean=(mean * (1 - 1e-9), mean * (1 + 1e-9)))
        found = best_bound(terms, box, float(score[ladder]))
        assert score[ladder] - 1e-4 * score[ladder] <= found <= score[ladder]


def best_bound(terms: Terms, box: Box, score: float) -> float:
    nodes = grid(terms, box.windows, 0.02)
    return highest(terms, box, nodes, begin(terms, box, score), Patterns.none(terms), Effort(60, np.inf, 1e-9)).bound


def begin(terms: Terms, box: Box, score: float) -> tuple[Array, Array]:
    x = start(terms, score)
    return x, radius(terms, box, score, x)


def test_rounding_is_taken_off_a_bound() -> None:
    terms = Terms.of(space_of(20.0, 5))
    box = whole_box(terms)
    nodes = grid(terms, terms.windows, 0.05)
    x = np.array([8.0, 0.1, 0.05, 0.5, *np.zeros(terms.steps)])
    exact = backward(Lagrangian.of(terms, box, x), nodes).bound
    rounded = backward(replace(Lagrangian.of(terms, box, x), scale=1e12), nodes).bound
    assert exact - 6.0 < rounded < exact - 4.0


# what gaps and the first volume forbid --------------------------------------------------------------------


def at_the_cap(space: Space, random: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Ladders of random growths whose first gaps are the widest allowed, the others all alike."""
    growth = random_growths(space, random, count)
    steps, overlap = space.steps, space.cell.overlap_pct
    most = (space.objective.limits.max_gap_ratio or np.inf) * overlap / steps
    wide = random.integers(0, int(overlap / most) + 1, count)
    gap = np.where(np.arange(steps)[:, None] < wide, most, (overlap - wide * most) / (steps - wide))
    indent = np.vstack((np.zeros(count), np.cumsum(gap, axis=0)))
    indent[-1] = overlap
    return growth, indent, volumes(growth)


def either(space: Space, random: np.random.Generator, count: int) -> Iterator[tuple[Array, Array, Array]]:
    """Growths (K, 1), needs and averages of ladders of both sorts."""
    for ladders in (random_ladders(space, random, count), at_the_cap(space, random, count)):
        growth, indent, volume = ladders
        need, average = needs(space, indent, volume), Position.of(indent, volume, space.objective.sizing).average
        for ladder in range(count):
            yield growth[:, ladder : ladder + 1], need[1:, ladder], prices(indent)[1:, ladder] / average[:-1, ladder]


@each_kind
@pytest.mark.parametrize("wave", [True, False])
def test_prices_and_needs_keep_what_gaps_leave_at_their_u(kind: tuple[Any, ...], wave: bool) -> None:
    random = np.random.default_rng(22)
    closest = np.inf
    for overlap, orders in ((20.0, 10), (60.0, 12), (30.0, 4)):
        space = space_of(overlap, orders, (*kind[:3], wave))
        terms = Terms.of(space)
        for growth, need, price in either(space, random, 60):
            windows, kinds_of = terms.windows.copy(), kinds(terms, growth)
            if random.random() < 0.5:
                windows[:, :, 0] = np.maximum(windows[:, :, 0], growth * 0.98)
                windows[:, :, 1] = np.minimum(windows[:, :, 1], growth * 1.02)
            u = chain(growth)
            least_price = np.take_along_axis(
                least_prices(terms, windows, u), kinds_of[: len(terms.capped), :, None], axis=-1
            )[:, 0, 0]
            assert (price[: len(terms.capped)] >= least_price).all()
            closest = min(closest, float((price[: len(terms.capped)] - least_price)[2:].min(initial=np.inf)))
            assert (need <= most_needs_of(terms, windows, u, kinds_of)[:, 0]).all()
    assert closest < 1e-3


@each_kind
def test_windows_of_one_ladder_and_widest_gaps_leave_it_just_its_needs(kind: tuple[Any, ...]) -> None:
    space = space_of(20.0, 10, kind)
    terms = Terms.of(space)
    growth, indent, volume = at_the_cap(space, np.random.default_rng(23), 40)
    need = needs(space, indent, volume)
    wide = np.isclose(np.diff(indent, axis=0), 2.5 * 20.0 / 9).sum(axis=0)
    for ladder in np.flatnonzero(wide):
        one = growth[:, ladder : ladder + 1]
        windows = np.repeat(np.stack((one, one), axis=-1), 3, axis=1)
        most = most_needs(terms, windows, chain(one))[: wide[ladder], 0, 0]
        assert most[: len(terms.capped)] == pytest.approx(
            need[1 : wide[ladder] + 1, ladder][: len(terms.capped)], abs=1e-9
        )


@each_kind
@pytest.mark.parametrize("ratio", [0.02, 0.15])
def test_all_nodes_that_stand_for_a_ladder_allow_its_needs_and_growths(kind: tuple[Any, ...], ratio: float) -> None:
    random = np.random.default_rng(24)
    space = space_of(20.0, 10, kind)
    terms = Terms.of(space)
    tight = np.inf
    for growth, need, _ in either(space, random, 40):
        windows, kinds_of = terms.windows.copy(), kinds(terms, growth)
        if random.random() < 0.5:
            windows[..., 0] = np.maximum(windows[..., 0], growth * 0.999)
            windows[..., 1] = np.where(
                windows[..., 0] <= windows[..., 1], np.minimum(windows[..., 1], growth * 1.001), 1.0
            )
        nodes, exact = grid(terms, windows, ratio), chain(growth)
        most = nodes.asked.spread(nodes.asked.most)
        for below in (1.0, 0.7, 0.0):
            at, u = 0, 0.0
            for j in range(terms.steps):
                one = int(kinds_of[j, 0])
                assert nodes.closed[j, one, at] == 0.0
                assert growth[j, 0] <= nodes.most_growth[j, at]
                u = (1.0 + u) / growth[j, 0]
                ends = [nodes.u[j, nodes.reach.left[j, i, one, at] // windows.shape[1] + i] for i in (0, 1)]
                assert ends[0] * (1.0 - 1e-12) <= u <= ends[1] * (1.0 + 1e-12)
                cell = int(np.clip(np.searchsorted(nodes.u[j], u) - 1, 0, nodes.u.shape[1] - 2))
                at = cell if random.random() < below else cell + 1
                u = float(nodes.u[j, at])
                assert need[j] <= most[j, at, one]
                tight = min(tight, float(most[j, at, one] - need[j]))
                assert u >= exact[j, 0] * Nodes.of(terms, *ends_of(windows), ratio).near[j] * (1.0 - 1e-12)
    assert tight < 1e-3


def ends_of(windows: Array) -> tuple[Array, Array]:
    """Least and largest growth of each order, of any kind."""
    is_open = windows[..., 0] <= windows[..., 1]
    return np.where(is_open, windows[..., 0], np.inf).min(axis=1), np.where(is_open, windows[..., 1], 0.0).max(axis=1)


@pytest.mark.parametrize("narrow", [False, True])
def test_growths_keep_what_the_first_volume_leaves_at_their_u(narrow: bool) -> None:
    random = np.random.default_rng(25)
    space = space_of(20.0, 8)
    terms = Terms.of(space)
    for growth in random_growths(space, random, 400).T:
        least, most = ends_of(terms.windows)
        if narrow:
            least, most = np.maximum(least, growth * 0.9), np.minimum(most, growth * 1.1)
        u = np.concatenate(([0.0], chain(growth[:, None])[:, 0]))
        for j in range(terms.steps):
            room = float(most_growth(terms, least, most, j, u[j : j + 1])[0])
            assert growth[j] <= room


def test_after_least_and_then_largest_growths_the_first_volume_is_used_up() -> None:
    terms = Terms.of(space_of(20.0, 9))
    least, most = ends_of(terms.windows)
    met = 0
    for i, j in product(range(4), range(terms.steps)):
        growth = np.where((np.arange(terms.steps) >= i) & (np.arange(terms.steps) < j), most, least)
        u = np.concatenate(([0.0], chain(growth[:, None])[:, 0]))
        growth[j] = most_growth(terms, least, most, j, u[j : j + 1])[0]
        if least[j] < growth[j] < most[j]:
            met += 1
            assert volumes(growth[:, None]).sum() == pytest.approx(terms.total, rel=1e-9)
    assert met >= 3


# growths that are left of a box ----------------------------------------------------------------------------


def bounded(space: Space, random: np.random.Generator) -> Iterator[tuple[Lagrangian, Grid, Pass, Patterns]]:
    """Passes of some boxes at good multipliers, and the growths that are nearly the least there, and some around."""
    terms = Terms.of(space)
    growth, indent, volume = random_ladders(space, random, 3)
    need, score = needs(space, indent, volume), scores(indent, volume, space.objective)
    for ladder in range(3):
        box = box_around(terms, growth[:, ladder], need[:, ladder], indent[:, ladder], random)
        box = replace(box, windows=terms.windows if ladder else box.windows)
        nodes = grid(terms, box.windows, random.choice([0.02, 0.08]))
        at = begin(terms, box, float(score[ladder]))
        found = highest(terms, box, nodes, at, Patterns.none(terms), Effort(8, np.inf, 1e-9))
        lagrangian = Lagrangian.of(terms, box, found.x)
        yield lagrangian, nodes, found.done, judged(lagrangian, *around(terms, box, found.patterns, random))


def around(terms: Terms, box: Box, patterns: Patterns, random: np.random.Generator) -> tuple[Array, Any]:
    """Growths and kinds, one or two of each replaced by any in the windows, often at an end; within the limits."""
    chosen = random.integers(0, len(patterns), 600)
    growth, kind = patterns.growth[:, chosen].copy(), patterns.kind[:, chosen].copy()
    for column in range(len(chosen)):
        for step in random.integers(0, terms.steps, random.integers(0, 3)):
            is_open = np.flatnonzero(box.windows[step, :, 0] <= box.windows[step, :, 1])
            kind[step, column] = one = random.choice(is_open)
            low, high = box.windows[step, one]
            growth[step, column] = low + (high - low) * np.clip(random.uniform(-0.3, 1.3), 0.0, 1.0)
    volume = volumes(growth)
    held = volume.sum(axis=0)
    kept = (held <= terms.total) & (held >= terms.least_spread * volume[-1])
    return growth[:, kept], kind[:, kept]


@each_kind
@pytest.mark.parametrize("wave", [True, False])
def test_no_growth_is_cut_off_a_box_that_costs_less_than_the_level(kind: tuple[Any, ...], wave: bool) -> None:
    random = np.random.default_rng(26)
    cut, least_left, known = 0, np.inf, 0
    for overlap, orders in ((20.0, 6), (40.0, 9), (15.0, 3)):
        space = space_of(overlap, orders, (*kind[:2], kind[2] if orders > 3 else None, wave))
        for lagrangian, nodes, done, patterns in bounded(space, random):
            assert (patterns.value >= done.bound).all()
            for level in np.quantile(patterns.value, [0.02, 0.2, 0.5, 0.8]):
                windows = tightened(lagrangian, nodes, done, float(level))
                assert (windows[..., 0] >= nodes.windows[..., 0])[windows[..., 0] <= windows[..., 1]].all()
                below = patterns.value < level
                assert patterns.inside(windows)[below].all()
                cut, known = cut + int((~patterns.inside(windows)).sum()), known + int((~below).sum())
                lost = patterns.value[~patterns.inside(windows)]
                least_left = min(least_left, float(lost.min(initial=np.inf) / level) - 1.0)
    assert cut > 0.1 * known
    assert least_left < 0.05


def test_either_node_of_the_volumes_cost_may_be_met() -> None:
    terms = Terms.of(space_of(30.0, 5))
    nodes = grid(terms, terms.windows, 0.1)
    wave = np.array([[0.02, 0.0, -0.01], [0.0, 0.0, 0.0], [-0.01, 0.0, 0.02]])
    shape = nodes.u.shape[1], 3, nodes.g.shape[1]
    for node, kind, g in product(range(0, shape[0], 7), range(3), range(shape[2])):
        more = np.full(shape, FAR)
        more[node, kind, g] = 0.5
        before = _before(more, np.zeros((3, shape[0], shape[2])), wave, nodes, 1)
        met = int(nodes.chord.left[1 - 1][node, kind, g]) % shape[2] + np.arange(2)
        assert before[:, node, met] == pytest.approx(np.repeat(0.5 + wave[kind, :, None] - wave[kind].min(), 2, axis=1))
        assert (before < 1.0).sum() == 6


def played(lagrangian: Lagrangian, nodes: Grid, done: Pass, gap: float) -> Iterator[tuple[int, int, Array]]:
    """The programme as a game, move by move: by order and kind the growths whose excess in all is within the gap."""
    before = {(0, 0, 0): 0.0}  # least excess by node, kind and node of G
    for j, costs in enumerate(done.costs):
        drop = float(drops(lagrangian, nodes)[j])
        after: dict[tuple[int, int, int], float] = {}
        for (node, last, at), excess in before.items():
            held = 1.0 + nodes.u[j - 1, node] if j else 1.0
            places = int(nodes.chord.left[j - 1][node, last, at]) % len(nodes.g[j]) if j else 0
            for g in (places, places + 1) if j else (0,):
                moves = []
                for kind in np.flatnonzero(nodes.closed[j, :, node] == 0.0).tolist():
                    low, high = nodes.windows[j, kind]
                    growth = np.linspace(low, min(high, nodes.most_growth[j, node]), 300)
                    cell = np.clip(np.searchsorted(nodes.u[j], held / growth) - 1, 0, nodes.u.shape[1] - 2)
                    left, right = costs[cell, kind, g], costs[cell + 1, kind, g]
                    place = (held / growth - nodes.u[j, cell]) / (nodes.u[j, cell + 1] - nodes.u[j, cell])
                    value = left + place * (right - left) - 4.0 * drop * place * (1.0 - place)
                    moves.append((kind, growth, cell, value + (lagrangian.wave[last, kind] if j else 0.0)))
                least = min(float(value.min()) for *_, value in moves)
                for kind, growth, cell, value in moves:
                    more = excess + value - least
                    yield j, kind, growth[more <= gap]
                    for one, by in zip(cell, more, strict=True):
                        for end in (one, one + 1) if by <= gap else ():
                            key = int(end), kind, g
                            after[key] = min(after.get(key, np.inf), float(by))
        before = after


@pytest.mark.parametrize("kind", [("quote", "fill", 2.5, True), ("base", "path", None, True)], ids=str)
def test_windows_are_cut_to_what_the_game_against_chance_leaves(kind: tuple[Any, ...]) -> None:
    random = np.random.default_rng(27)
    space = space_of(30.0, 5, kind)
    terms = Terms.of(space)
    growth, indent, volume = random_ladders(space, random, 4)
    need, score = needs(space, indent, volume), scores(indent, volume, space.objective)
    free = cut = 0
    for ladder in range(4):
        box = box_around(terms, growth[:, ladder], need[:, ladder], indent[:, ladder], random)
        box = replace(box, windows=terms.windows)
        nodes = grid(terms, box.windows, 0.4)
        found = highest(
            terms, box, nodes, begin(terms, box, float(score[ladder])), Patterns.none(terms), Effort(6, np.inf, 1e-9)
        )
        lagrangian = Lagrangian.of(terms, box, found.x)
        for gap in (0.01, 0.03, 0.1):
            windows = tightened(lagrangian, nodes, found.done, found.bound + gap)
            hull = np.tile((np.inf, 0.0), (terms.steps, 3, 1))
            for j, one, kept in played(lagrangian, nodes, found.done, gap - 1e-3):
                hull[j, one, 0] = min(hull[j, one, 0], kept.min(initial=np.inf))
                hull[j, one, 1] = max(hull[j, one, 1], kept.max(initial=0.0))
            left = hull[..., 0] <= hull[..., 1]
            assert (windows[..., 0] <= hull[..., 0] * (1.0 + 1e-12))[left].all()
            assert (windows[..., 1] >= hull[..., 1] * (1.0 - 1e-12))[left].all()
            cell = np.exp(nodes.step)
            free += int(((hull[..., 0] > windows[..., 0] * cell) | (hull[..., 1] * cell < windows[..., 1]))[left].sum())
            cut += int((windows != box.windows).any(axis=2).sum())
    assert cut > 10
    assert free < 0.2 * cut


# windows and boxes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [(0.5, 40.0), (5.0, 40.0), (1.0, 22.0)], ids=str)
def test_narrowed_windows_hold_every_ladder_and_end_at_one(limits: tuple[float, float]) -> None:
    space = space_of(20.0, 7)
    objective = space.objective
    kept = objective.limits.model_copy(update={"first_volume_min_pct": limits[0], "tail_cap_pct": limits[1]})
    space = type(space).of(space.cell, replace(objective, limits=kept))
    terms = Terms.of(space)
    windows = narrowed(terms, terms.windows)
    assert windows is not None
    growth = random_ladders(space, np.random.default_rng(14), 3_000)[0]
    most = windows[..., 1].max(axis=1)
    inside = (growth >= windows[..., 0].min(axis=1)[:, None]) & (growth <= most[:, None])
    assert inside.all()
    lowest = np.tile(terms.windows[:, 0, :1], terms.steps)
    np.fill_diagonal(lowest, most)  # each growth at its most, all others at their least
    held, volume = np.cumsum(volumes(lowest), axis=0)[-1], volumes(lowest)[-1]
    assert (held <= terms.total * (1 + 1e-9)).all()
    assert (held >= terms.least_spread * volume * (1 - 1e-9)).all()
    free = most < 2.0 - 1e-6
    met = (held >= terms.total * (1 - 1e-9)) | (held <= terms.least_spread * volume * (1 + 1e-9))
    assert met[free].all()


def test_cut_boxes_hold_what_the_whole_held() -> None:
    space = space_of(30.0, 6)
    terms = Terms.of(space)
    random = np.random.default_rng(15)
    growth, indent, volume = random_ladders(space, random, 200)
    need = needs(space, indent, volume)
    kind = kinds(terms, growth)
    for ladder in range(200):
        one, top, mean = growth[:, ladder], need[:, ladder].max(), need[:, ladder].mean()
        box = box_around(terms, one, need[:, ladder], indent[:, ladder], random)
        mixed = Patterns.none(terms)
        chosen = random.integers(0, 200, 3)
        empty = np.zeros(0)
        mixed = replace(mixed, growth=growth[:, chosen], kind=kind[:, chosen], value=empty)
        weights = random.dirichlet(np.ones(3))
        parts = [_cut_largest(terms, box), _cut_mean(box)]
        step = int(random.integers(0, terms.steps))
        inside = replace(mixed, kind=np.tile(kind[:, ladder : ladder + 1], 3), growth=np.tile(one[:, None], 3))
        parts.append(_cut_growth(terms, box, step, weights, inside))
        for halves in parts:
            assert any(holds(half, one, top, mean) for half in halves)


def holds(box: Box, growth: Array, top: float, mean: float) -> bool:
    inside = (box.windows[..., 0] <= growth[:, None]) & (growth[:, None] <= box.windows[..., 1])
    return (
        bool(inside.any(axis=1).all())
        and box.largest[0] <= top <= box.largest[1]
        and box.mean[0] <= mean <= box.mean[1]
    )


@each_kind
@pytest.mark.parametrize("weights", [{}, {"beta": 0.0, "gamma": 0.0, "lambda_penalty": 1e-6}], ids=str)
def test_the_first_boxes_hold_every_ladder_that_is_no_worse_than_the_best(
    kind: tuple[Any, ...], weights: dict[str, float]
) -> None:
    space = space_of(80.0, 6, kind, **weights)
    growth, indent, volume = random_ladders(space, np.random.default_rng(16), 500)
    score, need = scores(indent, volume, space.objective), needs(space, indent, volume)
    for best in (float(np.quantile(score, 0.5)), float(score.max()) * 10.0):
        prover = Prover(space)
        prover._best = best
        roots = prover._roots()
        for ladder in np.flatnonzero(score <= best):
            place = growth[:, ladder], need[:, ladder].max(), need[:, ladder].mean()
            assert any(holds(root.box, *place) for root in roots)
        assert all(root.bound == pytest.approx(50.0 * root.box.largest[0]) for root in roots)
