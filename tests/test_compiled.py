"""Loops for numba: used where it is installed and pays, kept where there is a place, never needed."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from mlab.model import compiled
from mlab.model import loops as ladder_loops
from mlab.model.compiled import Loops
from mlab.replay.compiled import REPLAYS

needs_numba = pytest.mark.skipif(not compiled.ready(), reason="needs numba: pip install 'martingale-lab[compiled]'")


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """No test goes by what another was told of numba."""
    compiled.ready.cache_clear()
    yield
    compiled.ready.cache_clear()


@needs_numba
def test_numba_is_used_where_it_is_installed_unless_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hasattr(Loops("mlab.model.bound.loops").after(1).filled, "py_func")  # type: ignore[union-attr]
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    compiled.ready.cache_clear()
    assert Loops("mlab.model.bound.loops").after(1) is None


@needs_numba
@pytest.mark.parametrize("loops", [compiled.BOUNDS, compiled.LADDERS, REPLAYS], ids=["bounds", "ladders", "replays"])
def test_each_of_the_loops_is_there(loops: Loops, monkeypatch: pytest.MonkeyPatch) -> None:
    for attribute, value in (("_found", None), ("_tried", False), ("_left", 0)):  # and afterwards as before
        monkeypatch.setattr(loops, attribute, value)
    assert loops.ahead(0) is not None


def test_without_numba_arrays_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)  # as if it were not installed
    assert Loops("mlab.model.loops").after(10**12) is None


@pytest.mark.parametrize("fault", [ImportError, OSError, AttributeError, SystemError])
def test_a_numba_that_does_not_load_is_as_none(monkeypatch: pytest.MonkeyPatch, fault: type[Exception]) -> None:
    class Broken(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise fault(name)

    monkeypatch.setitem(sys.modules, "numba", Broken("numba"))
    assert Loops("mlab.model.loops").after(10**12) is None


@needs_numba
def test_numba_is_loaded_once_the_work_pays_it_and_then_serves_small_work_too() -> None:
    loops = Loops("mlab.replay.loops", worth=1_000)
    assert (loops.after(999), loops.loaded) == (None, None)
    assert hasattr(loops.after(1).walk, "py_func")  # type: ignore[union-attr]
    assert loops.after(0) is loops.loaded is not None


def test_a_signal_ends_the_waiting_for_what_numba_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    stopped, long = threading.Event(), 600.0
    monkeypatch.setattr(compiled, "ready", lambda: True)
    monkeypatch.setattr(ladder_loops, "agree", lambda: stopped.wait(long))
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            Loops("mlab.model.loops").after(1)
        assert not stopped.is_set()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        stopped.set()


def test_loops_are_loaded_once_however_many_threads_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    monkeypatch.setattr(compiled, "ready", lambda: True)
    monkeypatch.setattr(ladder_loops, "agree", lambda: asked.append(None) is None)
    loops = Loops("mlab.model.loops")
    threads = [threading.Thread(target=loops.after, args=(1,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(asked), loops.loaded) == (1, ladder_loops)


@needs_numba
def test_a_loop_is_compiled_where_nothing_can_be_kept() -> None:
    made: dict[str, Any] = {}
    exec("def twice(x): return 2.0 * x", made)  # noqa: S102 - of no file: numba finds no place beside it
    assert compiled.jit(made["twice"])(3.0) == 6.0
