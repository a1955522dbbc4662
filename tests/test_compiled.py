"""Loops for numba: used where it is installed and pays, kept where there is a place, never needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from mlab import replay
from mlab.model import bound, compiled

needs_numba = pytest.mark.skipif(not compiled.ready(), reason="needs numba: pip install 'martingale-lab[compiled]'")


def forget() -> None:
    """Have it asked anew whether there is a numba."""
    for asked in (compiled.ready, bound.compiled.loops, replay.compiled.asked):
        asked.cache_clear()


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """No test goes by what another was told of numba."""
    forget()
    yield
    forget()


@needs_numba
def test_numba_is_used_where_it_is_installed_unless_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hasattr(bound.compiled.loops().filled, "py_func")  # type: ignore[union-attr]
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    forget()
    assert bound.compiled.loops() is None


def test_without_numba_arrays_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)  # as if it were not installed
    assert bound.compiled.loops() is None
    assert replay.compiled.loops(replay.compiled.WORTH) is None


@pytest.mark.parametrize("fault", [ImportError, OSError, AttributeError, SystemError])
def test_a_numba_that_does_not_load_is_as_none(monkeypatch: pytest.MonkeyPatch, fault: type[Exception]) -> None:
    class Broken(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise fault(name)

    monkeypatch.setitem(sys.modules, "numba", Broken("numba"))
    assert bound.compiled.loops() is None
    assert replay.compiled.loops(replay.compiled.WORTH) is None


@needs_numba
def test_numba_is_loaded_for_large_replays_and_then_serves_small_ones() -> None:
    assert replay.compiled.loops(1) is None
    assert hasattr(replay.compiled.loops(replay.compiled.WORTH).walk, "py_func")  # type: ignore[union-attr]
    assert replay.compiled.loops(1) is replay.compiled.loops(replay.compiled.WORTH)


@needs_numba
def test_a_loop_is_compiled_where_nothing_can_be_kept() -> None:
    made: dict[str, Any] = {}
    exec("def twice(x): return 2.0 * x", made)  # noqa: S102 - of no file: numba finds no place beside it
    assert compiled.jit(made["twice"])(3.0) == 6.0
