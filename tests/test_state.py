"""Ids and places."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlab.core.state import RUN_ID, State, candidate_id, new_run_id, span_id

RUN = "20260102-030405-abcdef"


def test_run_ids_have_their_shape_and_differ() -> None:
    ids = {new_run_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(RUN_ID.fullmatch(run_id) for run_id in ids)


@pytest.mark.parametrize(
    "text", ["", "../x", f"{RUN}/..", f"{RUN}\n", f" {RUN}", RUN.upper(), RUN[:-1], RUN + "0", RUN.replace("2", "٢")]
)
def test_what_is_no_run_id_is_refused(text: str) -> None:
    assert RUN_ID.fullmatch(text) is None


def test_span_and_candidate_ids() -> None:
    assert span_id(7) == "batch-0007"
    assert candidate_id(RUN, 3, 12, 5) == f"{RUN}-c003-b0012-i005"


def test_candidate_ids_differ_and_sort_as_they_were_made() -> None:
    places = [(cell, batch, index) for cell in range(12) for batch in range(12) for index in range(12)]
    ids = [candidate_id(RUN, *place) for place in places]
    assert ids == sorted(set(ids))


def test_candidate_ids_are_safe_in_file_names() -> None:
    name = candidate_id(RUN, 3, 12, 5)
    assert Path(name).name == name
    assert name.replace("-", "").isalnum()


def test_state_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "elsewhere"))
    assert State.here().root == (tmp_path / "elsewhere").resolve()


@pytest.mark.parametrize("value", [None, ""])
def test_state_lies_in_mlruns_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None) -> None:
    monkeypatch.chdir(tmp_path)
    if value is None:
        monkeypatch.delenv("MLAB_STATE_DIR", raising=False)
    else:
        monkeypatch.setenv("MLAB_STATE_DIR", value)
    assert State.here().root == (tmp_path / "mlruns").resolve()


def test_everything_lies_under_the_root_and_nothing_twice(tmp_path: Path) -> None:
    state = State(tmp_path)
    root, *places = [*vars(state).values(), state.events(RUN)]
    assert root == tmp_path
    assert len(set(places)) == len(places)
    assert all(tmp_path in place.parents for place in places)
    assert state.events(RUN).name == f"{RUN}.jsonl"
