"""Ids and places."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlab.core.state import RUN_ID, State, candidate_id, new_run_id, span_id
from tests import runs

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


# What libraries write beside their work


def test_processes_that_work_here_have_their_temporary_files_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    state = State(tmp_path / "state")
    asked = "import os, tempfile; print(tempfile.gettempdir(), os.environ['MPLCONFIGDIR'], os.environ['RAY_TMPDIR'])"
    told = subprocess.check_output([sys.executable, "-c", asked], env=os.environ | state.environment(), text=True)  # noqa: S603
    assert told.split() == [str(state.root / "temporary"), str(state.root / "cache/matplotlib"), "/nonexistent"]


def test_where_nothing_can_be_written_they_stay_where_the_system_has_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert State(tmp_path / "file").environment() == {"MLAB_STATE_DIR": str(tmp_path / "file")}


@pytest.mark.integration
def test_a_run_and_its_report_write_nowhere_else(tmp_path: Path) -> None:
    state, elsewhere = State(tmp_path / "state"), tmp_path / "elsewhere"
    watched = {
        "WATCH_FOLDER": str(state.root),
        "WATCH_LOG": str(elsewhere),
        "PYTHONPATH": f"{runs.ROOT / 'tests/start/watched'}:{runs.ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
    }
    for command in (runs.command_line(overrides=runs.TINY), ["-m", "flows.app", "report"]):
        with runs.python(*command, state=state.root, **watched) as process:
            _, told = process.communicate(timeout=runs.SECONDS)
            assert process.returncode == 0, told
    assert list(state.artifacts.rglob("report.html"))
    assert list(state.reports.glob("*.html"))
    assert elsewhere.read_text().splitlines() == []
