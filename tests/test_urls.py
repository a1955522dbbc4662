from __future__ import annotations

from pathlib import Path

import pytest

from mlab.core.state import State
from mlab.core.urls import MLFLOW, PREFECT, Pages
from tests import runs


def test_links_lead_to_where_pages_were_last_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    state = State(tmp_path)
    assert Pages.of(state) == Pages(PREFECT, MLFLOW)

    Pages("http://127.0.0.1:1", "http://127.0.0.1:2").serve(state)

    pages = Pages.of(state)
    assert pages.flow_run("abc") == "http://127.0.0.1:1/runs/flow-run/abc"
    assert pages.mlflow_run("def") == "http://127.0.0.1:2/#/runs/def"
    assert pages.experiment("7").startswith("http://127.0.0.1:2/#/experiments/7/runs?")


def test_an_mlflow_that_does_not_answer_has_its_first_page() -> None:
    pages = Pages(mlflow=f"http://127.0.0.1:{runs.free_port()}")
    assert pages.home() == pages.mlflow


def test_an_mlflow_of_ones_own_has_its_pages_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://someone:secret@mlflow.example.com/")
    assert Pages.of(State(tmp_path)) == Pages(PREFECT, "https://mlflow.example.com")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"prefect": 1', "null"])
def test_a_damaged_memory_of_them_is_none(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    state = State(tmp_path)
    state.pages.write_text(content)
    assert Pages.of(state) == Pages()
