"""Every example in a docstring of the face and of the floors below is run, and what a person calls has one."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from mlab import api, bots, core, model, placing, prices, replay

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (api, bots, core, model, placing, prices, replay)
    for module in pkgutil.iter_modules(package.__path__)
]
SHOWN = {
    "mlab.api.ladders.Ladder",
    "mlab.api.ladders.Ladder.replay",
    "mlab.api.arguments.Score",
    "mlab.api.evaluation.evaluate",
    "mlab.api.batches.price",
    "mlab.api.batches.scores",
    "mlab.api.search.search",
    "mlab.model.annealing.Refinement",
    "mlab.model.contract.contract",
    "mlab.model.contract.risks",
    "mlab.model.ladder.average_entry",
    "mlab.model.ladder.prices",
    "mlab.model.limits",
    "mlab.model.objective",
    "mlab.model.penalties.penalties",
    "mlab.model.pricing.Pricing.indents",
    "mlab.model.reference.needs",
    "mlab.model.scoring.evaluate",
    "mlab.model.scoring.scores",
    "mlab.model.space.Space.of",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_happens(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_what_a_person_calls_has_an_example() -> None:
    examples = [test for name in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(name))]
    assert {test.name for test in examples if test.examples} >= SHOWN
