"""The front, and that nothing else compares cells."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlab.core.records import Candidate, Cell, CellResult
from mlab.model.front import MEANING, Measure, at_fills, front, on_path
from mlab.report import markdown, summary, terminal, words
from tests.ladders import experiment, failed, nine_cells


def cell(index: int, overlap: float, orders: int, fills: float, path: float) -> CellResult:
    """A cell whose best ladder has these needs; nothing else of it matters here."""
    place = Cell(index, overlap, orders)
    best = Candidate(f"c{index:03d}", place, 0, 0, fills / 2.0, {"max_need": fills}, {"max_need_path": path})
    return replace(failed(index, overlap, orders), best=best)


def names(ladders: list[Candidate]) -> list[str]:
    return [ladder.cell.label for ladder in ladders]


FOUR = [cell(0, 10.0, 5, 2.0, 5.0), cell(1, 10.0, 9, 1.5, 6.0), cell(2, 20.0, 5, 3.0, 5.5), cell(3, 20.0, 9, 3.1, 4.0)]


def test_a_cell_is_beaten_by_one_that_covers_as_much_and_needs_less() -> None:
    assert names(front(FOUR, at_fills)) == ["10 % x 9", "20 % x 5"]


def test_a_cell_is_beaten_by_one_that_covers_more_and_needs_no_more() -> None:
    assert names(front(FOUR, on_path)) == ["20 % x 9"]
    same = [cell(0, 10.0, 5, 2.0, 4.0), cell(1, 20.0, 5, 2.0, 4.0)]
    assert names(front(same, at_fills)) == ["20 % x 5"]


def test_cells_that_are_equal_in_both_are_all_on_the_front() -> None:
    equal = [cell(0, 10.0, 9, 2.0, 4.0), cell(1, 10.0, 5, 2.0, 4.0)]
    assert names(front(equal, at_fills)) == ["10 % x 5", "10 % x 9"]


def test_cells_without_a_ladder_do_not_count() -> None:
    assert names(front([failed(4, 90.0, 5), *FOUR], at_fills)) == names(front(FOUR, at_fills))
    assert front([failed(0, 10.0, 5)], at_fills) == []


def beats(one: Candidate, other: Candidate, need: Measure) -> bool:
    """By the words of the definition: at least as much covered, no more needed, one of them strictly better."""
    better = one.cell.overlap_pct > other.cell.overlap_pct or need(one) < need(other)
    return one.cell.overlap_pct >= other.cell.overlap_pct and need(one) <= need(other) and better


few = st.integers(1, 6).map(float)  # few values, so that ties are frequent


@given(st.lists(st.tuples(few, few, few), max_size=12), st.sampled_from([at_fills, on_path]))
def test_the_front_is_what_no_cell_beats_and_grows_in_both(
    points: list[tuple[float, float, float]], need: Measure
) -> None:
    cells = [cell(index, overlap, 5, fills, path) for index, (overlap, fills, path) in enumerate(points)]
    ladders = [result.best for result in cells if result.best is not None]
    unbeaten = front(cells, need)
    expected = {one.candidate_id for one in ladders if not any(beats(other, one, need) for other in ladders)}
    assert {ladder.candidate_id for ladder in unbeaten} == expected
    assert len(unbeaten) == len(expected)
    along = [(ladder.cell.overlap_pct, need(ladder)) for ladder in unbeaten]
    assert along == sorted(along)


# where it is shown ---------------------------------------------------------------------------------------


def screen(cells: list[CellResult], **changes: Any) -> str:
    stream = io.StringIO()
    terminal.final(terminal.console(stream), replace(experiment(), **changes), cells, Path("mlruns"))
    return stream.getvalue()


def test_rows_of_the_front_say_which_front_and_hold_no_score() -> None:
    rows = [tuple(row.values()) for row in summary.front_rows(FOUR)]
    assert rows == [
        (10.0, 9, 1.5, 6.0, True, False, "c001"),
        (20.0, 5, 3.0, 5.5, True, False, "c002"),
        (20.0, 9, 3.1, 4.0, False, True, "c003"),
    ]
    assert not any("score" in key or "rank" in key for key in summary.front_rows(FOUR)[0])


def test_the_end_screen_stars_the_front_and_says_what_a_star_is() -> None:
    text = screen(nine_cells())
    for result in nine_cells():
        assert result.best is not None
        needs = [(need(result.best), result.best in front(nine_cells(), need)) for need in (at_fills, on_path)]
        shown = " +".join(rf"{'[*]' if star else ' '}{value:.2f}" for value, star in needs)
        assert re.search(rf"^ +{result.cell.overlap_pct:g} +{result.cell.num_orders} .*{shown} ", text, re.MULTILINE)
    assert f"* on the front: {MEANING}." in text


def test_notes_hold_the_front_in_bold() -> None:
    for note in (markdown.run_note(experiment(), FOUR), markdown.front_note(FOUR, b"")):
        assert "| 10 | 9 | **1.50** | 6.00 | `c001` |\n| 20 | 5 | **3.00** | 5.50 | `c002` |" in note
        assert "| 20 | 9 | 3.10 | **4.00** | `c003` |" in note
        assert MEANING in note
        assert "geometry, not probability" in note


def test_the_picture_of_the_front_is_part_of_its_note() -> None:
    assert "](data:image/png;base64,iVBORw==)" in markdown.front_note(FOUR, b"\x89PNG")


def test_a_note_of_very_many_cells_loses_no_more_than_rows_of_its_last_table() -> None:
    cells = [cell(k, 1.0 + k // 8, 4 + k % 8, 1.0 + k // 8, 2.0 + k // 8) for k in range(96)]
    kept = markdown.run_note(experiment(), cells)[:8000]  # as MLflow cuts it
    assert kept.index(MEANING) < kept.index("No ladder creates an edge") < kept.index(words.RANK)


# nothing else compares cells -----------------------------------------------------------------------------


def test_tables_with_scores_go_by_cell_and_say_that_scores_rank_within_one() -> None:
    cells = nine_cells()
    order = [(f"{result.cell.overlap_pct:g}", str(result.cell.num_orders)) for result in cells]
    scores = [result.best.score for result in cells if result.best is not None]
    assert scores != sorted(scores)
    note = markdown.run_note(experiment(), cells).partition(words.RANK)[2]
    assert re.findall(r"^\| (\d+) \| (\d+) \| \d+\.\d{4} ", note, re.MULTILINE) == order
    text = screen(cells)
    assert re.findall(r"^ +(\d+) +(\d+) +\d+\.\d{4} ", text, re.MULTILINE) == order
    assert "within one cell only" in text
    rows = summary.rows(result.best for result in reversed(cells) if result.best is not None)
    assert [(f"{row['overlap_pct']:g}", str(row["num_orders"])) for row in rows] == order
    assert {row["rank_in_cell"] for row in rows} == {1}


def test_the_end_screen_shows_no_best_of_all_cells() -> None:
    assert "0.1234" not in screen(nine_cells(), best_score=0.1234)
    assert not re.search(r"\bbest\b", screen(nine_cells()), re.IGNORECASE)


@pytest.mark.parametrize("result", nine_cells()[::4])
def test_the_note_of_a_ladder_says_what_its_score_compares_with(result: CellResult) -> None:
    assert result.best is not None
    assert f"score {result.best.score:.4f}, which ranks it among ladders of {result.cell.label} only" in (
        markdown.ladder_note(result.best)
    )
