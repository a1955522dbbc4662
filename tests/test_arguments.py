"""A wrong argument of the face is a ConfigError of one line that names it: of every function, and of every argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mlab
from mlab.api.pictures import Plot
from mlab.core.errors import ConfigError
from mlab.model import annealing
from tests.pace import SMALLER

LADDER = mlab.Ladder([0, 5, 10], [1, 1.2, 1.44], base_price=100)
RULES = {"tick": "0.01", "step": "0.001"}

GIVEN: dict[str, dict[str, Any]] = {
    "Ladder": {"indent_pct": [0, 5], "volume": [1, 1]},
    "Ladder.place": {"market": RULES, "budget": 500},
    "Ladder.replay": {"prices": "made", "bootstrap": 0},
    "Limits": {},
    "Orders.settings": {"form": "3commas"},
    "Plot.save": {"path": "x.png"},
    "Run.front": {},
    "Run.prove": {},
    "Run.report": {"path": "x.html"},
    "Run.top": {},
    "Score": {},
    "Wave": {},
    "evaluate": {"ladder": LADDER},
    "open": {},
    "price": {"volume": [1, 1], "overlap_pct": 10},
    "read_bot": {"path": "x"},
    "read_prices": {"path": "x"},
    "runs": {},
    "scores": {"indent_pct": [[0, 5]], "volume": [[1, 1]]},
    "search": {"max_batches": 1},
}
"""Every function of the face that takes arguments, with those that it needs."""

WRONG = (object(), b"x", {"a": 1}, [True, True], float("nan"), -1)
"""Values that no argument takes."""


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    """What methods are called on."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALLER.items():
            patch.setattr(annealing, name, value)
        found = mlab.search(overlap_pct=10, num_orders=4, batch_size=2, max_batches=1)
    orders = LADDER.place(RULES, 500)
    return {"Ladder": LADDER, "Orders": orders, "Run": found, "Plot": found.plot()}


def functions(objects: dict[str, Any]) -> Iterator[tuple[str, Callable[..., object]]]:
    """Functions, classes and methods of what the face publishes by name, and of its pictures."""
    records = {
        "Candles",
        "Evaluation",
        "Market",
        "Orders",
        "Replay",
        "Run",
    }  # made by others, or judged where they are read
    for name in set(mlab.__all__) - {"__version__"} - records:
        one = getattr(mlab, name)
        if not (isinstance(one, type) and issubclass(one, Exception)):
            yield name, one
    for name, one in objects.items():
        for method in set(dir(type(one))) - {"load"}:  # a row of the database
            if not method.startswith("_") and inspect.isfunction(getattr(type(one), method)):
                yield f"{name}.{method}", getattr(one, method)


def test_every_function_of_the_face_is_asked(objects: dict[str, Any]) -> None:
    taking = {name for name, one in functions(objects) if inspect.signature(one).parameters}
    assert taking == set(GIVEN)
    assert isinstance(objects["Plot"], Plot)


@pytest.mark.parametrize("name", GIVEN)
def test_a_wrong_argument_is_told_by_its_name(
    name: str, objects: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function = dict(functions(objects))[name]
    for argument, parameter in inspect.signature(function).parameters.items():
        for value in WRONG if parameter.kind is not parameter.VAR_KEYWORD else ():
            with pytest.raises((ConfigError, mlab.PricesError)) as error:
                function(**GIVEN[name] | {argument: value})
            assert str(error.value).isprintable()
            assert argument.rpartition("fee_")[2] in str(error.value) or value == {"a": 1}
    assert not list(tmp_path.iterdir())


def test_what_python_takes_for_numbers_is_refused(objects: dict[str, Any]) -> None:
    run = objects["Run"]
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: mlab.search(workers=True), "search: workers: must be a whole number from 1 to 256, was True"),
        (lambda: run.top(0), "top: most: must be a whole number of at least 1, was 0"),
        (
            lambda: mlab.Ladder([0, True], [1, 1]),
            "Ladder: indent_pct: must be numbers of the shape (orders,), was [0, True]",
        ),
    ]
    for call, line in wrong:
        with pytest.raises(ConfigError) as error:
            call()
        assert str(error.value) == line


@pytest.mark.parametrize("name", ["Plot.save", "Run.report"])
def test_a_file_that_cannot_be_written_is_told(name: str, objects: dict[str, Any]) -> None:
    path = f"nowhere/{GIVEN[name]['path']}"
    with pytest.raises(ConfigError, match=r"path: cannot be written: No such file or directory, was 'nowhere/x\."):
        dict(functions(objects))[name](path)
