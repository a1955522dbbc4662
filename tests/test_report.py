from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from mlab.core.events import emit
from mlab.core.records import Candidate, CellResult
from mlab.model.contract import judged
from mlab.model.front import at_fills, front, on_path
from mlab.model.objective import Objective
from mlab.model.ranking import ladder_key, ranked
from mlab.report import columns, plots, summary, terminal, words
from mlab.report.live import following
from mlab.report.numbers import duration
from mlab.report.progress import Progress
from mlab.report.words import PLAIN, badges, bullets, risk, sparkline
from tests.ladders import RUN_ID, candidate, equal_need, experiment, failed, nine_cells, result

pytestmark = pytest.mark.usefixtures("quick")

BULLET = re.compile(
    r"\d+\. Order: indent \d+\.\d\d %  volume (\d+\.\d\d) %  \((?:first order|martingale \d+\.\d %)\)"
    r" - NeedPct \d+\.\d\d %  price (\d+(?:\.\d+)?)$",
    re.MULTILINE,
)
ESCAPE = "\x1b"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def screen(cells: list[CellResult], stream: io.StringIO | None = None, **changes: Any) -> str:
    stream = stream or io.StringIO()
    terminal.final(terminal.console(stream), replace(experiment(), **changes), cells, Path("/data/[lab]/mlruns"))
    return stream.getvalue()


def top(candidates: list[Candidate]) -> str:
    stream = io.StringIO()
    terminal.table(terminal.console(stream), columns.RANKED, ranked(candidates))
    return stream.getvalue()


# schedule ------------------------------------------------------------------------------------------------


def test_bullets_are_written_as_promised() -> None:
    schedule = {
        "indent_pct": [0.0, 1.35],
        "volume_pct": [4.1, 5.02],
        "martingale_pct": [0.0, 22.44],
        "needpct": [-1e-15, 1.02],
        "order_prices": [104235.75, 104235.75 * (1.0 - 0.0135)],
    }
    promised = [
        "1. Order: indent 0.00 %  volume 4.10 %  (first order) - NeedPct 0.00 %",
        "2. Order: indent 1.35 %  volume 5.02 %  (martingale 22.4 %) - NeedPct 1.02 %",
    ]
    assert bullets(schedule, prices=False) == promised
    assert bullets(schedule) == [f"{promised[0]}  price 104235.75", f"{promised[1]}  price 102828.567"]


def test_bullets_show_the_known_needs_of_the_spec() -> None:
    known = candidate([0.0, 1.0, 5.0, 21.0, 85.0], [100.0, 30.0, 60.0, 120.0, 240.0])
    needs = [line.rsplit("NeedPct ")[1] for line in bullets(known.contract["schedule"], prices=False)]
    assert needs == ["0.00 %", "0.78 %", "3.38 %", "13.62 %", "88.48 %"]


@pytest.mark.parametrize(
    ("need", "shape"), [([0.0, 1.0, 2.0], "▁▅█"), ([0.0, 0.0], "▁▁"), ([-1e-15, 3.0, 3.0], "▁██"), ([7.0], "█")]
)
def test_sparkline_runs_from_zero_to_the_largest_need(need: list[float], shape: str) -> None:
    assert sparkline(need) == shape


def test_sparkline_of_many_orders_is_as_short_as_asked_and_keeps_the_largest_need() -> None:
    needs = [float(k == 17) for k in range(100)]
    assert len(sparkline(needs)) == 40
    assert sparkline(needs, 10) == "▁█▁▁▁▁▁▁▁▁"
    assert sparkline([0.0, 1.0, 2.0], 10) == sparkline([0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ((False, False, False), "ok"),
        ((True, False, False), "need mismatch"),
        ((False, True, True), "indents collapse, tail over cap"),
    ],
)
def test_badges_name_what_fails(flags: tuple[bool, bool, bool], text: str) -> None:
    names = ("max_need_mismatch", "collapse_indents", "tail_overflow")
    assert badges(dict(zip(names, flags, strict=True))) == text


# risk ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orders", range(2, 41, 2))
def test_half_of_equal_orders_is_bought_by_the_one_in_the_middle(orders: int) -> None:
    equal = candidate([2.0 * k for k in range(orders)], [1.0] * orders)
    half, depth = orders // 2, 2.0 * (orders // 2 - 1)
    place = f"at -{depth:.1f} %" if depth else "at the entry"
    assert f"Half is bought by order {half} ({place})" in risk(equal)[1]


def test_risk_tells_the_way_down_the_deployment_the_further_fall_and_chances() -> None:
    assert risk(candidate([0.0, 5.0, 10.0], [1.0, 1.2, 1.44])) == [
        "Before order 2 fills the position needs a rebound of 5.3 %; the most, before order 3, is 8.0 %.",
        "Half is bought by order 2 (at -5.0 %), all at -10.0 %, where the position is down 4.5 %.",
        "A further fall of 10 / 20 / 30 % makes the loss 14.0 / 23.6 / 33.1 %, with no order left.",
        "On a price without drift 6.2 % of deals with a take-profit of 1 % fill all orders; a deal lasts about "
        "16 candles of 1 % volatility, or 3.9 of 2 %, with 69.0 % of the budget at work.",
    ]


def test_a_chance_that_is_next_to_none_is_not_written_out() -> None:
    known = candidate([0.0, 5.0], [1.0, 1.0])
    deep = replace(known, risk=known.risk | {"chance_all_filled_pct": 1.2e-9})
    assert "without drift less than 0.01 % of deals" in risk(deep)[-1]


def test_columns_tell_what_to_expect_of_a_deal() -> None:
    known = candidate([0.0, 5.0, 10.0], [1.0, 1.2, 1.44])
    (row,) = summary.rows([known])
    for key in ("chance_all_filled_pct", "expected_candles", "expected_deployed_pct"):
        assert row[key] == known.risk[key]
    (shown,) = ranked([known])
    assert [column.text(shown) for column in columns.EXPECTED] == ["6.15", "15.7", "69.0"]
    filled = [order["chance_filled_pct"] for order in columns.order_rows(known)]
    assert filled == pytest.approx(known.risk["chance_filled_pct"], abs=1e-6)


def test_risk_names_the_first_of_the_orders_that_need_the_same_on_the_way() -> None:
    volume, price, money, coins = [1.0, 1.1, 1.2, 1.3], [100.0, 98.0], 2.1, 1.0 / 100.0 + 1.1 / 98.0
    for v in volume[2:]:
        price.append(money / coins / 1.05)  # a rebound of 5 % before orders 3 and 4
        money, coins = money + v, coins + v / price[-1]
    way_down, *_ = risk(candidate([100.0 - p for p in price], volume))
    assert way_down == "Before order 2 fills the position needs a rebound of 2.0 %; the most, before order 3, is 5.0 %."


def test_risk_says_where_the_first_gap_or_the_last_order_dominates() -> None:
    way_down, deployment, *_ = risk(candidate([0.0, 20.0, 21.0], [1.0, 1.0, 8.0]))
    assert way_down == "Before order 2 fills the position needs a rebound of 25.0 %, the most on the whole way down."
    assert deployment.startswith("More than half is bought by the last order alone, at -21.0 %")


# ranking -------------------------------------------------------------------------------------------------


def test_ladders_rank_by_score_with_how_often_each_was_found() -> None:
    good = result(0, 20.0, 10).best
    assert good is not None
    twice = replace(good, found=2)
    worse = candidate([20.0 * k / 9 for k in range(10)], [1.2**k for k in range(10)], batch=1)
    table = ranked([worse, twice])
    assert [(row.rank, row.ladder.found, row.ladder.candidate_id) for row in table] == [
        (1, 2, good.candidate_id),
        (2, 1, worse.candidate_id),
    ]


def test_one_ladder_is_what_agrees_to_six_decimals_of_a_percent() -> None:
    schedule = {"indent_pct": [0.0, 5.0], "volume_pct": [40.0, 60.0]}
    assert ladder_key(schedule) == ladder_key({"indent_pct": [-0.0, 5.0 + 4e-7], "volume_pct": [40.0, 60.0 - 4e-7]})
    assert ladder_key(schedule) != ladder_key(schedule | {"indent_pct": [0.0, 5.0 + 6e-7]})
    assert ladder_key(schedule) != ladder_key(schedule | {"volume_pct": [40.0 + 6e-7, 60.0]})


def test_scores_of_several_cells_are_not_ranked_together() -> None:
    with pytest.raises(ValueError, match=r"within one cell.*\[0, 1\]"):
        ranked([candidate([0.0, 5.0], [1.0, 2.0]), candidate([0.0, 9.0], [1.0, 2.0], cell=1)])


def test_top_table_shows_shape_badges_and_count() -> None:
    once = candidate(equal_need(20.0, [1.1**k for k in range(15)]), [1.1**k for k in range(15)])
    good = replace(once, found=2)
    heavy = candidate([0.0, 10.0, 20.0], [1.0, 2.0, 8.0], batch=2)
    lines = top([heavy, good]).splitlines()
    first = next(line for line in lines if good.candidate_id in line)
    assert first.split() == [
        "1", f"{good.score:.4f}", f"{good.contract['max_need']:.2f}", f"{good.risk['max_need_path']:.2f}",
        "▁" + "█" * 14, "ok", "2", good.candidate_id,
    ]  # fmt: skip
    assert "tail over" in next(line for line in lines if heavy.candidate_id in line)
    assert max(map(len, lines)) <= terminal.WIDTH


def test_plain_top_table_is_ascii_where_the_stream_is() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    terminal.table(terminal.console(stream), columns.RANKED, ranked([candidate([0.0, 5.0], [1.0, 2.0])]))
    assert b"_# " in raw.getvalue()
    assert "".join(map(chr, PLAIN.values())).isascii()


# end screen ----------------------------------------------------------------------------------------------


def test_end_screen_shows_every_order_of_every_best_ladder() -> None:
    text = screen(nine_cells())
    for cell in nine_cells():
        assert cell.best is not None
        assert cell.best.candidate_id in text
        assert "\n".join(f"  {line}" for line in bullets(cell.best.contract["schedule"])) in text
    assert len(BULLET.findall(text)) == 3 * (5 + 10 + 15)


def test_printed_volumes_of_a_ladder_add_up_to_exactly_100() -> None:
    for cell in nine_cells():
        assert cell.best is not None
        printed = BULLET.findall("\n".join(bullets(cell.best.contract["schedule"])))
        assert sum(Decimal(volume) for volume, _ in printed) == Decimal("100.00")


def test_where_there_is_no_room_beside_the_orders_their_prices_stand_below() -> None:
    stream = io.StringIO()
    ladder = nine_cells()[4].best
    assert ladder is not None
    terminal.ladder(Console(file=stream, width=80), ladder)
    lines = stream.getvalue().splitlines()
    shown = " ".join(stripped.strip() for stripped in lines).partition("Prices: ")[2]
    assert shown.startswith(", ".join(words.price_texts(ladder.contract["schedule"])))


def test_end_screen_tells_limits_state_and_the_next_command() -> None:
    text = screen(nine_cells())
    assert all(f"- {line}" in text for line in words.LIMITS)
    assert "within one cell only" in text
    assert "/data/[lab]/mlruns" in text
    assert text.rstrip().endswith("make ui")


def test_table_holds_the_numbers_of_each_cell() -> None:
    cell = nine_cells()[4]
    assert cell.best is not None
    row = next(line for line in screen([cell]).splitlines() if line.split()[:2] == ["20", "10"])
    schedule = cell.best.contract["schedule"]
    measures = (cell.best.contract["max_need"], cell.best.risk["max_need_path"])
    shape = (schedule["indent_pct"][1], schedule["volume_pct"][-1])
    search = (f"{cell.evaluations:,}", str(cell.trials), str(cell.pruned), "9", "of", "60")
    stars = (f"*{value:.2f}" for value in measures)  # no other cell, no cell that beats it
    expected = [f"{cell.best.score:.4f}", *stars, *(f"{value:.2f}" for value in shape), *search]
    assert row.split()[2:] == expected


def test_no_line_is_wider_than_promised() -> None:
    assert max(map(len, screen(nine_cells()).splitlines())) <= terminal.WIDTH


def test_a_narrow_terminal_cuts_no_number_of_the_table_and_no_unit_from_its_number() -> None:
    stream = io.StringIO()
    out = Console(file=stream, width=80)
    terminal.final(out, experiment(), nine_cells(), Path("mlruns"))
    table = [line for line in stream.getvalue().splitlines() if re.match(r" +\d+ +\d+ +\d+\.\d{4} ", line)]
    assert len(table) == 9
    assert "…" not in stream.getvalue()
    assert not re.search(r"^ *%(?! +orders)", stream.getvalue(), re.MULTILINE)


def test_a_run_that_was_stopped_says_what_to_type_and_one_that_took_too_long_why() -> None:
    assert f"Go on with   .venv/bin/mlab run --resume {RUN_ID}\n" in screen(nine_cells(), status="STOPPED")
    longer = "longer than search.max_time_s, 2 s: a batch that has begun is finished, and every cell gets at least one."
    for limit, told in ((2.0, True), (1e6, False), (None, False)):
        config = experiment().config | {"search": {"max_time_s": limit}}
        assert (longer in " ".join(screen(nine_cells(), config=config, elapsed_s=9.0).split())) == told


def test_a_failed_cell_is_said_to_have_failed() -> None:
    text = screen([failed(0, 10.0, 5)], best_score=None)
    assert re.search(r"10 +5 +failed( +-){4} +0 +8 +0 +0 of 0", text)


def test_a_cell_whose_turn_had_not_come_has_not_failed() -> None:
    waiting = replace(failed(0, 10.0, 5), trials=0, batches=0, finished=False)
    assert re.search(r"10 +5( +-){5} +0 +0 +0 +0 of 0", screen([waiting], status="STOPPED"))


@pytest.mark.parametrize(("status", "says"), [("STOPPED", True), ("FAILED", True), ("COMPLETED", False)])
def test_a_run_that_can_go_on_says_how(status: str, says: bool) -> None:
    assert (f"--resume {RUN_ID}" in screen(nine_cells()[:1], status=status)) is says


def test_a_terminal_gets_styles() -> None:
    assert ESCAPE in screen(nine_cells()[:1], Terminal())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_none_gets_no_escape_codes(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert ESCAPE not in screen(nine_cells()[:1], Terminal())


def test_a_pipe_gets_no_escape_codes_whatever_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    assert ESCAPE not in screen(nine_cells())


def test_an_ascii_stream_gets_ascii_even_for_a_foreign_path() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    terminal.final(terminal.console(stream), experiment(), nine_cells(), Path("/büro/mlruns"))
    assert b"/b?ro/mlruns" in raw.getvalue()


def test_a_folder_whose_name_would_steer_the_terminal_is_spelt_out() -> None:
    stream = Terminal()
    terminal.final(terminal.console(stream), experiment(), nine_cells(), Path("/data/\x1b[2J\nx/[red]y[/]"))
    assert stream.getvalue().splitlines()[-2].endswith(r"/data/\x1b[2J\nx/[red]y[/]")


def test_an_event_is_one_line_whatever_its_message() -> None:
    stream = io.StringIO()
    with following(stream):
        emit("EVAL.ERROR", "[red]x[/]\x1b[31m\n\x07 y \u202e", level="error")
    assert stream.getvalue()[8:] == "  EVAL.ERROR [red]x[/]\\x1b[31m\\n\\x07 y \\u202e\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 00 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min")],
)
def test_durations_read_naturally(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# progress ------------------------------------------------------------------------------------------------


def searched(stream: io.StringIO, cells: list[CellResult]) -> str:
    with Progress(stream) as progress:
        progress.start([cell.cell for cell in cells], max_batches=20, batch_size=8)
        for cell in cells:
            for batch in range(cell.batches):
                progress.batch(cell.cell, batch, cell.best.score if cell.best else None, 1000)
            progress.cell_done(cell)
    return stream.getvalue()


def test_a_pipe_gets_one_plain_line_a_finished_cell() -> None:
    lines = searched(io.StringIO(), [*nine_cells(), failed(9, 40.0, 5)]).splitlines()
    assert len(lines) == 10
    assert lines[0] == (
        "[1/10] 10 % x 5   score 1.3628  need 2.11 %, path 6.38 %  88 trials, 1,760,000 ladders, early stop"
    )
    assert lines[9] == "[10/10] 40 % x 5   every trial failed; 8 trials, 0 ladders"
    assert ESCAPE not in "".join(lines)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_terminal_gets_a_live_bar_with_batch_score_and_pace(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    with Progress(stream) as progress:
        cell = nine_cells()[0]
        progress.start([cell.cell], max_batches=20, batch_size=8)
        progress.batch(cell.cell, 6, 1.3628, 50_000)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    assert re.search(r"10 % x 5 .*batch 7/20  best 1\.3628  56 trials  [\d,]+/s  \d+:\d\d left", plain)


def test_the_bar_counts_the_trials_that_a_cell_really_took() -> None:
    stream = Terminal()
    searched(stream, nine_cells()[:2])
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    last_bar = [line for line in plain.splitlines() if "cell done" in line][-1]
    assert "248 trials" in last_bar  # 88 of the cell that stopped early, 160 of the other


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_plain_terminal_gets_lines_instead_of_a_bar(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    text = searched(Terminal(), nine_cells()[:2])
    assert ESCAPE not in text
    assert len(text.splitlines()) == 2


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.start([nine_cells()[0].cell], max_batches=20, batch_size=8)
        progress.cell_done(nine_cells()[0])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("[1/1] 10 % x 5")


# summary -------------------------------------------------------------------------------------------------


def test_run_json_has_the_promised_keys_and_survives_a_round_trip() -> None:
    cells = [*nine_cells(), failed(9, 40.0, 5)]
    summed = json.loads(json.dumps(summary.run_json(experiment(), cells), allow_nan=False))
    assert list(summed) == [
        "run_id", "exp_id", "status", "best_score", "eval_count", "elapsed_s", "mlflow_run_id", "cells",
    ]  # fmt: skip
    for cell in summed["cells"]:
        assert list(cell) == [
            "overlap_pct", "num_orders", "score", "max_need", "max_need_path", "candidate_id",
            "evaluations", "trials", "pruned", "stopped_early",
        ]  # fmt: skip
    best = cells[0].best
    assert best is not None
    assert summed["cells"][0]["candidate_id"] == best.candidate_id
    assert summed["cells"][0]["max_need_path"] == best.risk["max_need_path"]
    assert summed["cells"][9]["score"] is None


def test_rows_are_flat_and_rank_within_each_cell() -> None:
    a, b = candidate([0.0, 5.0], [1.0, 2.0]), candidate([0.0, 5.0], [1.0, 1.5], index=1)
    other = candidate([0.0, 9.0], [1.0, 2.0], cell=1)
    table = summary.rows([other, b, replace(a, found=2)])
    assert [(row["overlap_pct"], row["rank_in_cell"], row["found"]) for row in table] == [
        (5.0, 1, 2), (5.0, 2, 1), (9.0, 1, 1),
    ]  # fmt: skip
    assert all(type(value) in (int, float, str) for row in table for value in row.values())
    assert table[0]["sanity"] == "tail over cap"


def test_order_rows_tell_price_volume_and_need_of_each_order() -> None:
    table = columns.order_rows(candidate([0.0, 5.0, 10.0], [1.0, 1.2, 1.44]))
    assert [row["order"] for row in table] == [1, 2, 3]
    assert [row["price"] for row in table] == [100.0, 95.0, 90.0]
    assert table[2]["needpct"] == pytest.approx(4.692704, abs=1e-6)
    assert table[2]["deployed_pct"] == pytest.approx(100.0)
    assert [row["money_pct"] for row in table] == [row["volume_pct"] for row in table]


def test_orders_in_coins_have_their_share_of_the_money_beside_them() -> None:
    indent, coins = np.array([[0.0], [50.0]]), np.array([[1.0], [2.0]])
    table = columns.order_rows(judged(indent, coins, 100.0, Objective(sizing="base")))
    assert [row["volume_pct"] for row in table] == [33.333333, 66.666667]
    assert [row["money_pct"] for row in table] == [50.0, 50.0]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x")'])
def test_no_text_in_csv_is_a_formula(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(summary.as_csv([{"note": text, "need": -1.5}]), newline=""))
    assert row == {"note": f"'{text}", "need": "-1.5"}


def test_csv_reads_back_as_the_rows() -> None:
    table = summary.rows([candidate([0.0, 1.0, 3.0], [1.0, 1.2, 1.5])])
    (line,) = csv.DictReader(io.StringIO(summary.as_csv(table)))
    assert {key: type(table[0][key])(text) for key, text in line.items()} == table[0]
    assert not any(re.search(r"\de", line[key]) for key in table[0] if isinstance(table[0][key], float))
    assert summary.as_csv([]) == ""


# plots ---------------------------------------------------------------------------------------------------


def test_saw_tooth_passes_through_the_needs_before_and_at_every_fill() -> None:
    ladder = result(0, 30.0, 10).best
    assert ladder is not None
    depth, rebound = plots.need_path(ladder)
    for k, indent in enumerate(ladder.contract["schedule"]["indent_pct"]):
        at = [need for place, need in zip(depth, rebound, strict=True) if place == pytest.approx(indent, abs=1e-9)]
        expected = {ladder.contract["schedule"]["needpct"][k]} | ({ladder.risk["need_before_fill"][k]} if k else set())
        assert sorted(at) == pytest.approx(sorted(expected), abs=1e-9)
    assert max(rebound) == pytest.approx(ladder.risk["max_need_path"])


def test_cells_plot_writes_both_needs_into_every_cell() -> None:
    cells = [*nine_cells()[:8], failed(8, 30.0, 15)]
    written = [text.get_text() for text in plots.cells_plot(cells).axes[0].texts]
    for cell in cells[:8]:
        assert cell.best is not None
        assert f"{cell.best.contract['max_need']:.2f}" in written
        assert f"path {cell.best.risk['max_need_path']:.2f}" in written
    assert "failed" in written


def test_front_plot_has_a_faint_line_for_each_number_of_orders_and_the_front_in_front() -> None:
    fills, path = plots.front_plot(nine_cells()).axes
    *faint, front = fills.lines
    assert [line.get_label() for line in faint] == ["5", "10", "15"]
    assert all(line.get_alpha() is not None and line.get_linewidth() < front.get_linewidth() for line in faint)
    assert np.asarray(faint[0].get_xdata()).tolist() == [10.0, 20.0, 30.0]
    needs = [cell.best.risk["max_need_path"] for cell in nine_cells()[::3] if cell.best is not None]
    assert np.asarray(path.lines[0].get_ydata()).tolist() == needs


def test_front_plot_names_the_numbers_of_orders_on_the_front_of_each_panel() -> None:
    for axes, need in zip(plots.front_plot(nine_cells()).axes, (at_fills, on_path), strict=True):
        unbeaten = front(nine_cells(), need)
        labels = [text.get_text() for text in axes.texts]
        assert labels[:-1] == [str(ladder.cell.num_orders) for ladder in unbeaten]
        assert np.asarray(axes.lines[-1].get_ydata()).tolist() == [need(ladder) for ladder in unbeaten]


def test_a_cell_far_off_the_front_does_not_press_the_picture_flat() -> None:
    cells = nine_cells()
    first = cells[0].best
    assert first is not None
    cells[0] = replace(cells[0], best=replace(first, risk=first.risk | {"max_need_path": 1000.0}))
    highest = max(on_path(ladder) for ladder in front(cells, on_path))
    assert highest < plots.front_plot(cells).axes[0].get_ylim()[1] <= 2.0 * highest


@pytest.mark.parametrize("cells", [nine_cells(), nine_cells()[:1], [failed(0, 10.0, 5)]])
@pytest.mark.parametrize("plot", [plots.cells_plot, plots.front_plot])
def test_plots_of_any_cells_are_pngs(plot: Callable[[list[CellResult]], Figure], cells: list[CellResult]) -> None:
    assert plots.png(plot(cells)).startswith(b"\x89PNG")


def test_the_same_ladder_gives_the_same_picture() -> None:
    ladder = nine_cells()[4].best
    assert ladder is not None
    assert plots.png(plots.ladder_plot(ladder)) == plots.png(plots.ladder_plot(ladder))


def test_reports_in_text_load_no_drawing() -> None:
    code = "import sys; from mlab.report import progress, summary, terminal; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def test_plots_leave_no_global_state() -> None:
    code = "import sys; from mlab.report import plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
