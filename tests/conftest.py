"""The order of the tests, and what they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import runs


@pytest.fixture(scope="session", autouse=True)
def shared_furniture(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder of new databases for all processes of a test run, which pytest removes."""
    base = tmp_path_factory.getbasetemp()
    runs.furniture = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "furniture"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of that server."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="module")
def prefect_url(home: Path) -> Iterator[str]:
    """A Prefect server for all tests of a file, so that none of them has to wait for one of its own."""
    with runs.prefect_server(home, 120.0) as url:
        yield url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with tests that start servers come first: they take longest, and none should be alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("integration")}
    items.sort(key=lambda item: item.path not in slow)
