"""The order of the tests, and what they share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

from mlab.core.events import recorder
from mlab.core.loading import uncollected
from mlab.core.state import State
from mlab.model import annealing
from mlab.report import plots
from mlab.store import Store
from tests import runs
from tests.pace import SMALLER

settings.register_profile("default", deadline=None)  # how long an example takes says more of the machine than of us


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of a test run, which pytest removes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """The searches of this process are short ones, for a file of tests of everything around them."""
    with mock.patch.multiple(annealing, **SMALLER):
        yield


@pytest.fixture
def sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ladders, fronts and cells are drawn as empty sheets, where pictures are delivered and nobody looks at them."""
    for name in ("ladder_plot", "front_plot", "cells_plot"):
        monkeypatch.setattr(plots, name, lambda _: plots.empty_figure(9.6, 5.4))


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """What a test tells stands in the log of no other."""
    yield
    recorder.close()
    recorder.recent.clear()
    recorder._waiting.clear()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """A folder for the runs of one test, which commands in this process take for theirs."""
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "state"))
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "MLAB_MODE"):
        monkeypatch.delenv(name, raising=False)
    return State.here()


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which nothing is stored: a copy of it is there at once."""
    path = tmp_path_factory.mktemp("tables") / "experiments.db"
    Store.open(path).close()
    return path


@pytest.fixture
def store(state: State, tables: Path) -> Iterator[Store]:
    if not state.database.exists():
        state.root.mkdir(parents=True, exist_ok=True)
        shutil.copy(tables, state.database)
    with Store.open(state.database) as opened:
        yield opened


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Puts a text into a file."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "x.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(scope="session")
def prefect_url(common: Path) -> Iterator[str]:
    """A Prefect server for all tests that tell one of their runs, so that none has to wait for one of its own."""
    with runs.shared_prefect(State(common / "shown")) as url:
        yield url


@pytest.fixture(scope="session")
def prefect_database(common: Path) -> Path:
    """The database of that server."""
    return State(common / "shown").prefect_database


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded with the tests is not searched for garbage, as in the product."""
    with uncollected():
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with tests that start servers or kill come first: they take longest; none should be alone at the end."""
    slow = {item.path for item in items for name in ("integration", "slow") if item.get_closest_marker(name)}
    items.sort(key=lambda item: item.path not in slow)
