"""What a person sees who watches a run: the note of its cells and ladders, and its events among Prefect's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from flows import shown as prefect
from mlab.report.markdown import RELOAD, watch_note
from tests.ladders import RUN_ID, experiment, failed, nine_cells, result

LINKS = {"its results in MLflow": "http://127.0.0.1:5000/#/runs/abc"}


def cells(note: str) -> list[list[str]]:
    """The rows of the table below its head."""
    rows = [line for line in note.splitlines() if line.startswith("| ")]
    return [[column.strip() for column in row.strip("|").split("|")] for row in rows[2:]]


def test_a_run_that_goes_on_shows_every_cell_and_the_ladder_that_was_searched_last() -> None:
    done, early, searching = result(0, 10.0, 5), result(1, 20.0, 5), result(2, 30.0, 5)
    waiting = replace(failed(3, 40.0, 5), batches=0, evaluations=0, finished=False, stopped_early=False)
    run = [
        replace(done, batches=20, finished=True, stopped_early=False),
        replace(early, batches=6, finished=True, stopped_early=True),
        replace(searching, batches=3, finished=False),
        waiting,
    ]
    note = watch_note(replace(experiment("RUNNING"), elapsed_s=84.4, eval_count=1234), run, 20, LINKS, searching.cell)

    assert [row[:3] for row in cells(note)] == [
        ["10 % x 5", "done", "20/20"],
        ["20 % x 5", "early stop", "6/20"],
        ["30 % x 5", "searching", "3/20"],
        ["40 % x 5", "waiting", "0/20"],
    ]
    assert cells(note)[3][4:] == ["-", "-", "-"]
    assert "2 of 4 cells done, 29 of at most 80 batches, 1,234 ladders in 1:24 of search." in note
    assert f"[its results in MLflow]({LINKS['its results in MLflow']})" in note
    assert RELOAD in note
    assert [line for line in note.splitlines() if line.startswith("## ")] == ["## 30 % x 5"]
    assert note.count(". Order: ") == 5


def test_it_says_what_scores_and_needs_do_not_mean() -> None:
    for status in ("RUNNING", "COMPLETED"):
        note = watch_note(experiment(status), nine_cells(), 20, {})
        assert "A score ranks ladders within one cell only" in note
        assert "NeedPct is geometry, not probability" in note
        assert "No ladder creates an edge" in note


def test_a_run_that_has_ended_shows_the_ladder_of_every_cell_and_what_was_cut() -> None:
    run = nine_cells()
    cut = [replace(run[0], finished=False, batches=2), *run[1:-1], replace(run[-1], finished=False, batches=0)]
    note = watch_note(experiment("STOPPED"), cut, 20, {}, run[0].cell)

    assert f"Run `{RUN_ID}`, STOPPED" in note
    assert RELOAD not in note
    assert (cells(note)[0][1], cells(note)[-1][1]) == ("cut", "not begun")
    assert all(f"## {cell.cell.label}\n" in note and cell.best.candidate_id in note for cell in cut if cell.best)


def test_before_the_first_batch_there_is_a_note_too() -> None:
    note = watch_note(experiment("PENDING"), [], 20, LINKS)

    assert "0 of 0 cells done" in note
    assert cells(note) == []


# Events


def test_an_event_is_prefects_under_its_own_name_and_time_and_says_what_it_said() -> None:
    event = {
        "ts": "2026-01-31T23:59:59.125+00:00", "lvl": "INFO", "event": "ORCH.SAVE_OK", "msg": "8 rows saved",
        "overlap": 20.0, "orders": 10, "batch_idx": 3, "rows": 8,
    }  # fmt: skip
    shown = prefect.as_prefect_has_it(event, RUN_ID, "f-1")

    assert shown["event"] == "mlab.ORCH.SAVE_OK"
    assert shown["occurred"] == datetime(2026, 1, 31, 23, 59, 59, 125_000, UTC)
    assert shown["resource"] == {
        "prefect.resource.id": "prefect.flow-run.f-1",
        "prefect.resource.name": "20 % x 10: 8 rows saved",
    }
    assert shown["related"] == [
        {"prefect.resource.id": f"mlab.{RUN_ID}.overlap20_orders10", "prefect.resource.role": "cell"}
    ]
    assert shown["payload"]["rows"] == 8


def test_an_event_of_the_whole_run_belongs_to_the_run() -> None:
    event = {"ts": "2026-01-31T23:59:59.125+00:00", "lvl": "INFO", "event": "ORCH.DONE", "msg": "all cells searched"}
    shown = prefect.as_prefect_has_it(event, RUN_ID, "f-1")

    assert shown["related"] == [{"prefect.resource.id": f"mlab.{RUN_ID}", "prefect.resource.role": "run"}]
    assert shown["resource"]["prefect.resource.name"] == "all cells searched"
