"""Loops for numba find the same bounds as arrays do, to the last bit: a proof does not depend on what is installed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mlab.model import compiled
from mlab.model.bound import Prover, factors, loops
from mlab.model.bound.grid import FAR, grid
from mlab.model.bound.lagrangian import Lagrangian
from mlab.model.bound.needs import least
from mlab.model.bound.programme import backward
from mlab.model.bound.terms import Terms
from mlab.model.ladder import Array
from tests.test_bound import KINDS, box_around, needs, random_ladders, random_multipliers, space_of

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind)))
needs_numba = pytest.mark.skipif(not compiled.ready(), reason="needs numba: pip install 'martingale-lab[compiled]'")


def both() -> Iterator[ModuleType | None]:
    """With arrays, then with loops: compiled where numba is installed, else as they stand."""
    for module in (None, loops):
        with compiled.BOUNDS.trying(module):
            yield module


def same(first: Array, second: Array) -> None:
    assert first.tobytes() == second.tobytes()


def lagrangians(kind: tuple[Any, ...], count: int) -> Iterator[tuple[Lagrangian, Array]]:
    """At multipliers of all sizes, in boxes around ladders of few orders and many, with the windows of each."""
    random = np.random.default_rng(31)
    for overlap, orders in ((20.0, 4), (5.0, 2), (80.0, 6)):
        space = space_of(overlap, orders, kind)
        terms = Terms.of(space)
        growth, indent, volume = random_ladders(space, random, count)
        need = needs(space, indent, volume)
        for one in range(count):
            box = box_around(terms, growth[:, one], need[:, one], indent[:, one], random)
            if random.random() < 0.5:  # least needs of all sizes, also between the two largest
                box = replace(box, largest=(0.2 * box.largest[0], 3.0 * box.largest[1]))
            yield Lagrangian.of(terms, box, random_multipliers(terms, random)), box.windows


@each_kind
def test_loops_find_the_bound_of_arrays_and_all_its_costs(kind: tuple[Any, ...]) -> None:
    for lagrangian, windows in lagrangians(kind, 3):
        nodes = grid(lagrangian.terms, windows, 0.15)
        first, second = (backward(lagrangian, nodes) for _ in both())
        assert first.bound == second.bound
        same(first.costs, second.costs)
        assert (np.abs(first.costs) < FAR / 2).any()


@each_kind
def test_loops_find_the_needs_of_arrays(kind: tuple[Any, ...]) -> None:
    random = np.random.default_rng(32)
    for lagrangian, _ in lagrangians(kind, 4):
        for columns in (0, 1, 7):
            u = 0.5 + 10.0 * random.random((lagrangian.terms.steps, columns)) ** 2
            most = np.where(random.random(u.shape) < 0.5, np.inf, lagrangian.box.largest[1] * random.random(u.shape))
            first, second = (least(lagrangian, u, most) for _ in both())
            same(first[0], second[0])
            same(first[1], second[1])


@needs_numba
@pytest.mark.parametrize("kind", [("quote", "fill", 2.5, True), ("base", "path", None, False)], ids=str)
def test_a_proof_is_the_same_with_numba_and_without(kind: tuple[Any, ...]) -> None:
    proofs = []
    for _ in both():
        prover = Prover(space_of(20.0, 8, kind))
        prover.advance(6.0, boxes=20)
        proofs.append((prover.lower, prover.boxes, prover.ladder_score, np.asarray(prover.ladder).tobytes()))
    assert proofs[0] == proofs[1]


def test_loops_that_were_compiled_with_other_formulas_are_not_taken_for_these() -> None:
    text = Path(factors.__file__).read_bytes()
    assert hashlib.sha256(text).hexdigest().startswith(loops.FORMULAS), "factors.py has changed: write its digest there"
