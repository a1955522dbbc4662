"""How numbers are written that people read or copy, and that tables fit the terminal they are shown on."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from mlab import config
from mlab.cli.crashes import KINDS
from mlab.cli.doctor import FINDINGS
from mlab.cli.maintenance import list_steps
from mlab.core.decimals import exact
from mlab.core.records import CellResult, Crash, Experiment
from mlab.maintenance import Step
from mlab.model.ranking import ranked
from mlab.report import columns, numbers, stored, terminal
from tests.ladders import candidate, experiment, failed, nine_cells, result

positive = st.floats(1e-12, 1e12)
typed = st.builds(lambda digits, power: Decimal(digits).scaleb(power), st.integers(1, 10**15 - 1), st.integers(-14, 0))
few = st.builds(lambda digits, power: Decimal(digits).scaleb(power), st.integers(1, 10**8 - 1), st.integers(-12, 4))


def price(value: float) -> str:
    """The price of an order that is not at the market."""
    return exact(numbers.prices([value], [1.0])[0])


@given(positive)
def test_a_price_has_no_exponent_and_at_least_eight_digits(value: float) -> None:
    assert re.fullmatch(r"\d+(\.\d+)?", price(value))
    assert float(price(value)) == pytest.approx(value, rel=5e-9)


@given(typed)
def test_what_was_typed_comes_back_as_typed(value: Decimal) -> None:
    (first,) = numbers.prices([float(value)], [0.0])
    assert exact(first) == f"{value.normalize():f}"


@given(few, st.sampled_from([1.0 - 1e-10, 1.0 + 1e-10]))
def test_the_guard_that_keeps_a_ladder_off_its_limits_is_not_seen(value: Decimal, guard: float) -> None:
    assert price(float(value) * guard) == f"{value.normalize():f}"


@given(typed.filter(lambda value: 1e-12 <= float(value) <= 1e12))
def test_a_config_comes_back_as_typed_and_as_the_same(value: Decimal) -> None:
    judged = config.load(None, [f"ladder.base_price={value:f}"])
    dumped = config.dump(judged)
    assert f"  base_price: {value.normalize():f}\n" in dumped
    assert config.from_tree(yaml.safe_load(dumped), "again") == judged
    was = judged.model_dump(mode="json")
    told = stored._differences(was, was | {"ladder": was["ladder"] | {"base_price": 1e-12, "overlap_pct": [5.0, 2.5]}})
    texts = {name: (one, other) for name, one, other in told}
    assert texts["ladder.overlap_pct"] == ("[10, 20, 30]", "[5, 2.5]")
    assert texts.get("ladder.base_price", (exact(float(value)), ""))[0] == f"{value.normalize():f}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(104235.75, "104235.75"), (139285714.0, "139285714"), (1.1458571428818229e-05, "0.0000114585714"),
     (99.99999998999999, "100"), (1e12, "1000000000000")],
)  # fmt: skip
def test_prices_as_people_place_them(value: float, text: str) -> None:
    assert price(value) == text


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=200), st.sampled_from([2, 6]))
def test_shares_of_a_whole_add_up_to_exactly_100(volumes: list[float], decimals: int) -> None:
    exact = [100.0 * volume / sum(volumes) for volume in volumes]
    printed = [Decimal(f"{share:.{decimals}f}") for share in numbers.shares(exact, decimals)]
    assert sum(printed) == 100
    assert all(abs(float(a) - b) <= 10.0**-decimals * (1.0 + 1e-9) for a, b in zip(printed, exact, strict=True))


def test_a_share_at_its_limit_stays_there() -> None:
    assert numbers.shares([1.0 + 1e-10, 33.333, 39.999999996, 25.667 - 1e-10 + 4e-9]) == [1.0, 33.33, 40.0, 25.67]
    assert numbers.percent(1.0 + 1e-10) == 1.0
    assert str(numbers.percent(-1e-15)) == "0.0"


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(1.234e-6, 2, "0.0000012"), (123456.0, 4, "123500"), (0.0, 4, "0"), (-0.0, 4, "0")]
)
def test_significant_digits_are_written_out(value: float, digits: int, text: str) -> None:
    assert numbers.significant(value, digits) == text


# tables --------------------------------------------------------------------------------------------------


CELLS = [*nine_cells(), failed(9, 40.0, 5), replace(result(10, 12.25, 200), evaluations=123_456_789, trials=12_345)]
MANY = [result(0, 20.0, 26).best, candidate([0.0, 0.01, 20.0] + [20.0 + k for k in range(60)], [1.0] * 62 + [999.0])]
CRASH = Crash(Path("x"), "crash_20260314_092653_ab12", "2026-03-14T09:26:53", None, "f", "ValueError: " + "x" * 150, {})


LONG = {"runs": 64, "crashes": 150, "compare": 20 * 32, "doctor": 199, "maintenance": 198}
"""Letters x of what is too long for a line, which is folded."""


def listed(name: str) -> tuple[Experiment, list[CellResult]]:
    config = {"name": name, "seed": 1, "score": {"need": "path"}, "notes": name * 30}
    return replace(experiment(), config=config, elapsed_s=7500.0), CELLS


def shown(name: str, width: int) -> str:
    """A table of some command, on a terminal of this width."""
    stream = io.StringIO()
    out = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    one, other = listed("weekly-deep"), listed("x" * (64 if name == "runs" else 20))
    best = [ladder for ladder in MANY if ladder is not None]
    {
        "cells": lambda: terminal.table(out, columns.CELLS, columns.cell_rows(CELLS)),
        "top": lambda: terminal.table(out, columns.RANKED, ranked(best)),
        "runs": lambda: terminal.table(out, stored.RUNS, [one, other]),
        "compare": lambda: stored.compare(out, [one, other]),
        "doctor": lambda: terminal.table(
            out, FINDINGS, [("!", "database", "x" * 99, "x" * 99), ("ok", "disk", "x", "")]
        ),
        "maintenance": lambda: list_steps(out, [Step("event logs", 1, "x" * 99, "x" * 99)], "would be done"),
        "crashes": lambda: terminal.table(out, KINDS, [[CRASH]]),
    }[name]()
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "cells",
            ["failed", "123,456,789", "12,345", "12.25", *(f"{cell.best.score:.4f}" for cell in CELLS if cell.best)],
        ),
        ("top", [one.candidate_id for one in MANY if one]),
        ("runs", [experiment().run_id, "weekly-deep", "COMPLETED", "2 h 05 min", "22,400,036", "11/11", "path"]),
        ("compare", [f"{cell.best.contract['max_need']:.2f}" for cell in CELLS if cell.best]),
        ("doctor", ["what to do", "database"]),
        ("maintenance", ["would be done", "failed: "]),
        ("crashes", [CRASH.snapshot_id, "2026-03-14 09:26:53"]),
    ],
)
def test_nothing_is_cut_or_wider_than_the_terminal(name: str, parts: list[str], width: int) -> None:
    text = shown(name, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert [part for part in parts if part not in text] == []
    if name in LONG:
        assert text.count("x") == LONG[name], "folded, not cut"


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_sparkline_of_many_orders_is_one_line(width: int) -> None:
    assert len(re.findall("[▁▂▃▄▅▆▇█]{3,}", shown("top", width))) == 2
