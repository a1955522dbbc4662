from __future__ import annotations

import copy
import itertools
import json
import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlab.config import Config, dump, from_tree, load
from mlab.config.feasibility import conflict, largest_first_pct, smallest_last_pct
from mlab.config.wording import fields
from mlab.errors import ConfigError
from mlab.records import Cell
from mlab.scoring import Objective
from mlab.space import Limits, Space, broken_limits

CONFIGS = Path(__file__).parent.parent / "configs"


@pytest.fixture
def written(tmp_path: Path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "x.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def line_of(error: ConfigError) -> str:
    line = str(error)
    assert error.exit_status == 2
    assert line.isprintable(), "one line that any terminal can show"
    return line


def verdict(judge: Callable[[], Config]) -> Config | str:
    """The config, or the line that refuses it; any other exception is a failure."""
    try:
        return judge()
    except ConfigError as error:
        refusal = error
    return line_of(refusal)


def refused(path: Path | None, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    return line_of(caught.value)


WRONG = [
    # whole sections
    ("ladder: 5", "ladder: must be a mapping of fields, was 5"),
    ("score: []", "score: must be a mapping of fields, was []"),
    ("search: null", "search: must be a mapping of fields, was null"),
    ("ladder: {limits: [1, 2]}", "ladder.limits: must be a mapping of fields, was [1, 2]"),
    # unknown fields
    ("sed: 1", "sed: unknown field, did you mean 'seed'?"),
    ("ladder: {overlap: 10}", "ladder.overlap: unknown field, did you mean 'overlap_pct'?"),
    ("ladder: {overlap_pct: x, base_prize: 1}", "ladder.base_prize: unknown field, did you mean 'base_price'?"),
    ("num_orders: 5", "num_orders: unknown field, did you mean 'ladder.num_orders'?"),
    ("ladder.num_orders: 5", "ladder.num_orders: fields must be nested, not written with dots"),
    ("ladder: {seed: 1}", "ladder.seed: unknown field, did you mean 'seed'?"),
    ("zzz: 1", "zzz: unknown field"),
    ("ladder: {limits: {<<: {}}}", "ladder.limits.<<: unknown field"),
    ('"a\\nb": 1', "a\\nb: unknown field"),
    # name, seed, notes
    ("name: 5", "name: must be text, was 5"),
    ("name: ''", "name: must match ^[a-z0-9][a-z0-9_-]{0,63}$, was ''"),
    ("name: Upper", "name: must match ^[a-z0-9][a-z0-9_-]{0,63}$, was 'Upper'"),
    ("name: ../x", "name: must match ^[a-z0-9][a-z0-9_-]{0,63}$, was '../x'"),
    ('name: "a\\n"', "name: must match ^[a-z0-9][a-z0-9_-]{0,63}$, was 'a\\n'"),
    ("name: " + "a" * 65, "name: must match ^[a-z0-9][a-z0-9_-]{0,63}$, was 'aaa"),
    ("seed: -1", "seed: must be at least 0, was -1"),
    ("seed: 4294967296", "seed: must be at most 4294967295, was 4294967296"),
    ("seed: 1.0", "seed: must be a whole number, was 1.0"),
    ("seed: 1e3", "seed: must be a whole number, was 1000.0"),
    ("seed: '1'", "seed: must be a whole number, was '1'"),
    ("seed: true", "seed: must be a whole number, was true"),
    ("seed: null", "seed: must be a whole number, was null"),
    ("seed: 1_000", "seed: must be a whole number, was '1_000'"),
    ("seed: " + "1" * 60, "seed: must be at most 4294967295, was a number of more than 30 digits"),
    ("notes: 3", "notes: must be text, was 3"),
    ("notes: " + "x" * 2001, "notes: must have at most 2000 characters, was 'xxx"),
    # ladder
    ("ladder: {base_price: 0}", "ladder.base_price: must be at least 1e-12, was 0"),
    ("ladder: {base_price: -3}", "ladder.base_price: must be at least 1e-12, was -3"),
    ("ladder: {base_price: .nan}", "ladder.base_price: must be a finite number, was nan"),
    ("ladder: {base_price: .inf}", "ladder.base_price: must be a finite number, was inf"),
    ("ladder: {base_price: -.INF}", "ladder.base_price: must be a finite number, was -inf"),
    ("ladder: {base_price: 1e999}", "ladder.base_price: must be a finite number, was inf"),
    ("ladder: {base_price: 1e13}", "ladder.base_price: must be at most 1000000000000, was 10000000000000.0"),
    ("ladder: {base_price: '100'}", "ladder.base_price: must be a number, was '100'"),
    ("ladder: {base_price: 1:30}", "ladder.base_price: must be a number, was '1:30'"),
    ("ladder: {base_price: yes}", "ladder.base_price: must be a number, was 'yes'"),
    ("ladder: {base_price: 2020-01-01}", "ladder.base_price: must be a number, was '2020-01-01'"),
    ("ladder: {sizing: coins}", "ladder.sizing: must be 'quote' or 'base', was 'coins'"),
    ("ladder: {sizing: [quote]}", "ladder.sizing: must be 'quote' or 'base', was a list"),
    # overlap_pct, num_orders
    ("ladder: {overlap_pct: x}", "overlap_pct: must be a number, a list of numbers or {min, max, step}, was 'x'"),
    ("ladder: {overlap_pct: null}", "overlap_pct: must be a number, a list of numbers or {min, max, step}, was null"),
    ("ladder: {overlap_pct: 0}", "ladder.overlap_pct: must be at least 0.01, was 0"),
    ("ladder: {overlap_pct: 95.5}", "ladder.overlap_pct: must be at most 95, was 95.5"),
    ("ladder: {overlap_pct: true}", "ladder.overlap_pct: must be a number, was true"),
    ("ladder: {overlap_pct: []}", "ladder.overlap_pct: must not be empty, was []"),
    ("ladder: {overlap_pct: [10, '20']}", "ladder.overlap_pct.1: must be a number, was '20'"),
    ("ladder: {overlap_pct: [10, 120]}", "ladder.overlap_pct.1: must be at most 95, was 120"),
    ("ladder: {overlap_pct: [[10]]}", "ladder.overlap_pct.0: must be a number, was [10]"),
    ("ladder: {overlap_pct: [10, 20, 10.0]}", "overlap_pct: must not name the same value twice, was [10, 20, 10.0]"),
    ("ladder: {overlap_pct: [10, 10.000001]}", "ladder.overlap_pct: must not name the same value twice"),
    ("ladder: {overlap_pct: {min: 1, max: 5}}", "ladder.overlap_pct: step must be given"),
    ("ladder: {overlap_pct: {min: 1, max: 5, stp: 1}}", "ladder.overlap_pct.stp: unknown field, did you mean 'step'?"),
    ("ladder: {overlap_pct: {min: 5, max: 1, step: 1}}", "ladder.overlap_pct: min must not exceed max"),
    ("ladder: {overlap_pct: {min: 1, max: 5, step: 0}}", "ladder.overlap_pct.step: must be at least 0.001, was 0"),
    ("ladder: {overlap_pct: {min: 1, max: 95, step: 0.001}}", "ladder: overlap_pct and num_orders make 282003 cells"),
    ("ladder: {num_orders: 1}", "ladder.num_orders: must be at least 2, was 1"),
    ("ladder: {num_orders: 201}", "ladder.num_orders: must be at most 200, was 201"),
    ("ladder: {num_orders: 5.0}", "ladder.num_orders: must be a whole number, was 5.0"),
    ("ladder: {num_orders: [5, 5]}", "ladder.num_orders: must not name the same value twice, was [5, 5]"),
    ("ladder: {num_orders: [5, 1.5]}", "ladder.num_orders.1: must be a whole number, was 1.5"),
    ("ladder: {num_orders: {min: 2, max: 9, step: 0}}", "ladder.num_orders.step: must be at least 1, was 0"),
    ("ladder: {num_orders: {min: 2, max: 9, step: 1, max_: 3}}", "ladder.num_orders.max_: unknown field, did you mean"),
    ("ladder: {num_orders: x}", "num_orders: must be a whole number, a list of them or {min, max, step}, was 'x'"),
    # limits
    ("ladder: {limits: {min_indent_step_pct: -1}}", "ladder.limits.min_indent_step_pct: must be at least 0, was -1"),
    ("ladder: {limits: {max_gap_ratio: 1}}", "ladder.limits.max_gap_ratio: must be at least 1.01, was 1"),
    ("ladder: {limits: {max_gap_ratio: off}}", "ladder.limits.max_gap_ratio: must be a number, was 'off'"),
    ("ladder: {limits: {martingale_pct: 5}}", "ladder.limits.martingale_pct: must be a list, was 5"),
    ("ladder: {limits: {martingale_pct: [5]}}", "ladder.limits.martingale_pct: must be [least, largest], was [5]"),
    ("ladder: {limits: {martingale_pct: [1, 2, 3]}}", "ladder.limits.martingale_pct: must have at most 2 entries"),
    ("ladder: {limits: {martingale_pct: [9, 3]}}", "pct: must be [least, largest], the least first, was [9, 3]"),
    ("ladder: {limits: {martingale_pct: [1, 1001]}}", "ladder.limits.martingale_pct.1: must be at most 1000, was 1001"),
    ("ladder: {limits: {martingale_pct: [-1, 10]}}", "ladder.limits.martingale_pct.0: must be at least 0, was -1"),
    ("ladder: {limits: {first_volume_min_pct: 0}}", "ladder.limits.first_volume_min_pct: must be above 0, was 0"),
    ("ladder: {limits: {tail_cap_pct: 101}}", "ladder.limits.tail_cap_pct: must be at most 100, was 101"),
    # score
    ("score: {need: fills}", "score.need: must be 'fill' or 'path', was 'fills'"),
    ("score: {alpha: -0.1}", "score.alpha: must be at least 0, was -0.1"),
    ("score: {beta: .NaN}", "score.beta: must be a finite number, was nan"),
    ("score: {gamma: 1e300}", "score.gamma: must be at most 1000000, was 1e+300"),
    ("score: {alpha: 0, beta: 0, gamma: 0, lambda_penalty: 0}", "score: one of alpha, beta, gamma and lambda_penalty"),
    ("score: {wave: {enabled: yes}}", "score.wave.enabled: must be true or false, was 'yes'"),
    ("score: {wave: {enabled: 1}}", "score.wave.enabled: must be true or false, was 1"),
    ("score: {wave: {weak_pct: 50}}", "score.wave: weak_pct must be below strong_pct 50, was 50"),
    # search
    ("search: {sampler: gp}", "search.sampler: must be 'tpe', 'random', 'cmaes' or 'qmc', was 'gp'"),
    ("search: {pruner: null}", "search.pruner: must be 'median', 'hyperband' or 'none', was null"),
    ("search: {batch_size: 0}", "search.batch_size: must be at least 1, was 0"),
    ("search: {batch_size: 257}", "search.batch_size: must be at most 256, was 257"),
    ("search: {max_batches: 0}", "search.max_batches: must be at least 1, was 0"),
    ("search: {max_batches: 10001}", "search.max_batches: must be at most 10000, was 10001"),
    ("search: {patience: 0}", "search.patience: must be at least 1, was 0"),
    ("search: {prune_factor: 0.9}", "search.prune_factor: must be at least 1, was 0.9"),
    ("search: {top_k: 0}", "search.top_k: must be at least 1, was 0"),
    ("search: {max_time_s: 0}", "search.max_time_s: must be above 0, was 0"),
    ("search: {max_time_s: {a: 1}}", "search.max_time_s: must be a number, was a mapping"),
    ("search: {on_error: ignore}", "search.on_error: must be 'fail' or 'skip', was 'ignore'"),
    # limits that no ladder keeps
    ("ladder: {num_orders: 30, limits: {martingale_pct: [20, 50]}}", "ladder: no ladder with num_orders 30 keeps"),
    ("ladder: {num_orders: 2}", "ladder: no ladder with num_orders 2 keeps limits.tail_cap_pct 40: at limits"),
    (
        "ladder: {overlap_pct: [20, 1], num_orders: 12, limits: {min_indent_step_pct: 0.1}}",
        "ladder: no ladder with overlap_pct 1 and num_orders 12 keeps limits.min_indent_step_pct 0.1",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), WRONG)
def test_a_wrong_field_is_told_in_one_line(written: Any, text: str, line: str) -> None:
    path = written(text)
    told = refused(path)
    assert told.startswith(f"{path}: ")
    assert line in told


BROKEN = [
    ("", "is empty"),
    ("# only a comment\n", "is empty"),
    ("---\n", "is empty"),
    ("- 1\n- 2\n", "must be a mapping of fields, was [1, 2]"),
    ("hello", "must be a mapping of fields, was 'hello'"),
    ("seed: 1\n---\nseed: 2\n", "line 2: not valid YAML: expected a single document"),
    ("seed: 1\nseed: 2\n", "seed: must appear once, is there again on line 2"),
    ("ladder:\n  num_orders: 5\n  'num_orders': 6\n", "ladder.num_orders: must appear once, is there again on line 3"),
    ("seed: &a 1\n", "line 1: anchors and aliases"),
    ("name: x\nnotes: *a\n", "line 2: anchors and aliases"),
    ("&a seed: 1\n", "line 1: anchors and aliases"),
    ("seed: !!int '1'\n", "line 1: tags (!) are not allowed"),
    ("notes: ! x\n", "line 1: tags (!) are not allowed"),
    ("x: !!python/object/apply:os.system [ls]\n", "line 1: tags (!) are not allowed"),
    ("!!map {seed: 1}\n", "line 1: tags (!) are not allowed"),
    ("1: 2\n", "keys must be text, another kind is on line 1"),
    ("ladder: {null: 2}\n", "ladder: keys must be text"),
    ("? [a]\n: 1\n", "keys must be text"),
    ("? {a: 1}\n: 1\n", "keys must be text"),
    ("a: " + "[" * 100_000, "line 1: must be nested at most 16 deep"),
    ("a: " + "{a: " * 50_000, "line 1: must be nested at most 16 deep"),
    ("\n".join(" " * depth + "a:" for depth in range(500)), "must be nested at most 16 deep"),
    ("seed: 1\n\tname: x\n", "line 2: not valid YAML"),
    ("seed: [1\n", "line 2: not valid YAML"),
    ("seed: 1\nname\n", "not valid YAML"),
    ("notes: 'open\n", "not valid YAML"),
    ("notes: a\n\x01\n", "line 2: holds a character that YAML does not allow"),
    ('notes: "\\UFFFFFFFF"\n', "not valid YAML"),
    ('notes: "\\uD800"\n', "notes: must be text that UTF-8 can hold"),
    ('"\\uD800": 1\n', "must be text that UTF-8 can hold"),
    ("%YAML 1." + "9" * 5000 + "\n---\nseed: 1\n", "line 1: not valid YAML"),
    ("seed: " + "9" * 5000, "seed: numbers must have at most 100 characters"),
    ("seed: 0x" + "f" * 5000, "seed: numbers must have at most 100 characters"),
    (b"seed: 1\nnotes: \xff\n", "line 2: must be text in UTF-8"),
    ("seed: 1\n".encode("utf-16"), "line 1: must be text in UTF-8"),
    ("seed: 1\n#" + "x" * 256 * 1024, "must be at most 256 KB"),
]


@pytest.mark.parametrize(("content", "line"), BROKEN, ids=range(len(BROKEN)))
def test_a_file_that_is_not_a_plain_yaml_mapping_is_refused(written: Any, content: str | bytes, line: str) -> None:
    path = written(content)
    told = refused(path)
    assert told.startswith(f"{path}: ")
    assert line in told


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml").endswith("none.yaml: no such file")
    assert refused(tmp_path).endswith("must be a file, is a folder")
    assert "cannot be read" in refused(Path("a\0b"))
    assert "cannot be read: File name too long" in refused(Path("x" * 5000))
    assert refused(tmp_path / "two\nlines").endswith("two\\nlines: no such file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(written: Any) -> None:
    path = written("seed: 1")
    path.chmod(0)
    assert "cannot be read: Permission denied" in refused(path)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("seed: 012", "seed", 12),
        ("seed: 0o14", "seed", 12),
        ("seed: 0xFF", "seed", 255),
        ("seed: +7", "seed", 7),
        ("ladder: {base_price: 1e9}", "ladder.base_price", 1e9),
        ("ladder: {base_price: .5}", "ladder.base_price", 0.5),
        ("ladder: {base_price: 5.}", "ladder.base_price", 5.0),
        ("ladder: {base_price: 1E-3}", "ladder.base_price", 0.001),
        ("notes: on", "notes", "on"),
        ("notes: yes", "notes", "yes"),
        ("notes: 1:30", "notes", "1:30"),
        ("notes: 2020-01-01", "notes", "2020-01-01"),
        ("notes: 0b1", "notes", "0b1"),
        ("notes: '12'", "notes", "12"),
        ('notes: "two\\nlines"', "notes", "two\nlines"),
        ("search: {max_time_s: }", "search.max_time_s", None),
        ("search: {max_time_s: ~}", "search.max_time_s", None),
        ("ladder: {limits: {max_gap_ratio: null}}", "ladder.limits.max_gap_ratio", None),
        ("score: {wave: {enabled: False}}", "score.wave.enabled", False),
        ("\ufeffseed: 3", "seed", 3),
        ("seed: 3\r\nnotes: ü\r\n", "notes", "ü"),
        ("{}", "seed", 42),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(written: Any, text: str, field: str, value: object) -> None:
    found: Any = load(written(text))
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


def test_defaults_are_those_of_the_default_file() -> None:
    default = yaml.safe_load((CONFIGS / "default.yaml").read_text())
    assert load(CONFIGS / "default.yaml") == load(None) == Config()
    written = {path for path in fields() if not path.startswith(("ladder.overlap_pct.", "ladder.num_orders."))}
    assert set(_dotted(default)) == written, "the default file shows every field"


def _dotted(tree: dict[str, Any], prefix: str = "") -> list[str]:
    places = []
    for key, value in tree.items():
        places.append(prefix + key)
        places += _dotted(value, f"{prefix}{key}.") if isinstance(value, dict) else []
    return places


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_loads_under_its_own_name(path: Path) -> None:
    config = load(path)
    assert config.name == path.stem
    assert len(config.cells()) > 1


def test_cells_are_all_pairs_overlap_by_overlap() -> None:
    cells = load(None, ["ladder.overlap_pct=[30, 10]", "ladder.num_orders=[8, 5]"]).cells()
    assert cells == (Cell(0, 30.0, 8), Cell(1, 30.0, 5), Cell(2, 10.0, 8), Cell(3, 10.0, 5))
    assert all(type(cell.overlap_pct) is float for cell in cells)


@pytest.mark.parametrize(
    ("setting", "overlaps"),
    [
        ("20", [20.0]),
        ("[7.5]", [7.5]),
        ("{min: 10, max: 30, step: 10}", [10.0, 20.0, 30.0]),
        ("{min: 10, max: 29.9, step: 10}", [10.0, 20.0]),
        ("{min: 10, max: 10, step: 1}", [10.0]),
        ("{min: 10, max: 11, step: 0.1}", [10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 10.7, 10.8, 10.9, 11.0]),
        ("{min: 1.1, max: 1.7, step: 0.2}", [1.1, 1.3, 1.5, 1.7]),
        ("{min: 90, max: 95, step: 95}", [90.0]),
    ],
)
def test_overlap_ranges_include_the_end_of_their_grid(setting: str, overlaps: list[float]) -> None:
    config = load(None, ["ladder.num_orders=5", f"ladder.overlap_pct={setting}"])
    assert [cell.overlap_pct for cell in config.cells()] == overlaps


@pytest.mark.parametrize(
    ("setting", "orders"),
    [("7", [7]), ("{min: 4, max: 10, step: 3}", [4, 7, 10]), ("{min: 4, max: 9, step: 3}", [4, 7])],
)
def test_ranges_of_orders_include_the_end_of_their_grid(setting: str, orders: list[int]) -> None:
    config = load(None, ["ladder.overlap_pct=20", f"ladder.num_orders={setting}"])
    assert [cell.num_orders for cell in config.cells()] == orders


@given(st.integers(1, 950), st.integers(0, 80), st.integers(1, 30))
def test_a_grid_of_tenths_has_no_gap_and_no_rounding(start: int, steps: int, step: int) -> None:
    last = min(start + steps * step, 950)
    wanted = [tenth / 10 for tenth in range(start, last + 1, step)]
    overlap = {"min": start / 10, "max": last / 10, "step": step / 10}
    limits = {"min_indent_step_pct": 0}
    config = from_tree({"ladder": {"overlap_pct": overlap, "num_orders": 5, "limits": limits}}, "test")
    assert [cell.overlap_pct for cell in config.cells()] == wanted


def test_cells_have_different_keys_on_the_finest_grid() -> None:
    overlap = "{min: 94.601, max: 95, step: 0.001}"
    cells = load(None, ["ladder.num_orders=5", f"ladder.overlap_pct={overlap}"]).cells()
    assert len({cell.key for cell in cells}) == len(cells) == 400


def test_at_most_400_cells() -> None:
    overlaps = "ladder.overlap_pct={min: 11, max: 50, step: 1}"
    assert len(load(None, [overlaps, "ladder.num_orders={min: 5, max: 14, step: 1}"]).cells()) == 400
    assert "make 440 cells" in refused(None, overlaps, "ladder.num_orders={min: 5, max: 15, step: 1}")


def test_overrides_replace_single_fields_and_the_last_wins(written: Any) -> None:
    path = written("seed: 1\nladder: {sizing: base, num_orders: 9}\n")
    config = load(
        path, ["seed=5", "ladder.num_orders=[5, 6]", "seed=6", "ladder.limits.max_gap_ratio=null", "notes=a=b"]
    )
    assert (config.seed, config.ladder.sizing, config.ladder.num_orders) == (6, "base", (5, 6))
    assert (config.ladder.limits.max_gap_ratio, config.notes) == (None, "a=b")


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["seed"], "--set: must be FIELD=VALUE such as ladder.num_orders=12, was 'seed'"),
        (["=1"], "--set: must be FIELD=VALUE"),
        (["ladder..x=1"], "--set: must be FIELD=VALUE"),
        ([""], "--set: must be FIELD=VALUE"),
        (["seed=x"], "--set: seed: must be a whole number, was 'x'"),
        (["seed=-1", "name=ok"], "--set: seed: must be at least 0, was -1"),
        (["seed="], "--set: seed: must be a whole number, was null"),
        (["seed=[1"], "--set seed: line 1: not valid YAML"),
        (["seed=&a 1"], "--set seed: line 1: anchors and aliases"),
        (["seed.x=1"], "--set: seed.x: seed must be a mapping of fields, was 7"),
        (["ladder.num_order=5"], "--set: ladder.num_order: unknown field, did you mean 'num_orders'?"),
        (["ladder.overlap_pct.min=5"], "x.yaml with --set: ladder.overlap_pct: max must be given"),
        (["ladder.num_orders=2"], "x.yaml with --set: ladder: no ladder with num_orders 2"),
        (["ladder={num_orders: 2}"], "--set: ladder: no ladder with num_orders 2"),
        (["a\nb=1"], "--set: a\\nb: unknown field"),
        (["x" * 500 + "=1"], "xxx...: unknown field"),
        ([".".join("a" * 50_000) + "=1"], "--set: a: unknown field"),
    ],
)
def test_a_wrong_override_is_told_in_one_line(written: Any, overrides: list[str], line: str) -> None:
    assert line in refused(written("seed: 7"), *overrides)


def test_a_fault_of_the_file_is_not_blamed_on_an_override(written: Any) -> None:
    path = written("search: {top_k: 0}")
    assert refused(path, "search.patience=3") == f"{path}: search.top_k: must be at least 1, was 0"


def test_limits_that_no_ladder_keeps_are_told_with_the_numbers_that_clash(written: Any) -> None:
    path = written("ladder: {num_orders: 30, limits: {martingale_pct: [20, 50]}}")
    assert refused(path) == (
        f"{path}: ladder: no ladder with num_orders 30 keeps limits.first_volume_min_pct 1: "
        "at limits.martingale_pct 20 order 1 must stay below 0.08461 %"
    )


def test_from_tree_names_its_source() -> None:
    with pytest.raises(ConfigError, match=r"^stored run: seed: must be at least 0, was -1$"):
        from_tree({"seed": -1}, "stored run")


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().seed = 3  # type: ignore[misc]


def test_every_field_is_described_for_the_form_in_the_ui() -> None:
    schema = Config.model_json_schema()
    for section in [schema, *schema["$defs"].values()]:
        assert section["description"]
        for name, field in section["properties"].items():
            assert field["description"].endswith("."), name
            assert "default" in field or section["title"] in {"OverlapRange", "OrdersRange"}, name


# --- limits that no ladder can keep -----------------------------------------------------------------------------------


@pytest.mark.parametrize("orders", [2, 3, 4])
@pytest.mark.parametrize("growth_min", [0.0, 1.0, 20.0, 60.0])
def test_shares_at_least_growth_are_the_best_of_a_brute_force_grid(orders: int, growth_min: float) -> None:
    steps = np.linspace(growth_min, growth_min + 100.0, 21)
    first, last = [], []
    for growths in itertools.product(steps, repeat=orders - 1):
        volume = np.cumprod([1.0, *(1.0 + np.array(growths) / 100.0)])
        first.append(100.0 * volume[0] / volume.sum())
        last.append(100.0 * volume[-1] / volume.sum())
    assert largest_first_pct(orders, growth_min) == pytest.approx(max(first), rel=1e-12)
    assert smallest_last_pct(orders, growth_min) == pytest.approx(min(last), rel=1e-12)


def test_known_impossible_limits() -> None:
    assert largest_first_pct(30, 20.0) < 0.1, "far under 1 %, as the specification says"
    assert smallest_last_pct(2, 1.0) == pytest.approx(100 * 1.01 / 2.01)
    assert largest_first_pct(200, 1000.0) > 0.0


def accepts(overlap: float, orders: int, **limits: Any) -> bool:
    ladder = {"overlap_pct": overlap, "num_orders": orders, "limits": limits}
    judged = verdict(lambda: from_tree({"ladder": ladder}, "test"))
    assert isinstance(judged, Config) or judged.startswith("test: ladder: no ladder with ")
    return isinstance(judged, Config)


@pytest.mark.parametrize("orders", [2, 5, 30, 200])
@pytest.mark.parametrize("growth_min", [0.0, 1.0, 5.0])
@pytest.mark.parametrize(("nudge", "possible"), [(1e-4, True), (0.0, False), (-1e-4, False)])
def test_the_boundary_of_what_is_possible(orders: int, growth_min: float, nudge: float, possible: bool) -> None:
    open_limits = {
        "martingale_pct": [growth_min, 100], "first_volume_min_pct": 1e-4, "tail_cap_pct": 100, "min_indent_step_pct": 0
    }  # fmt: skip
    first = largest_first_pct(orders, growth_min) * (1.0 - nudge)
    last = smallest_last_pct(orders, growth_min) * (1.0 + nudge)
    gap = 20.0 / (orders - 1) * (1.0 - nudge)
    assert accepts(20.0, orders, **open_limits | {"first_volume_min_pct": first}) is possible
    assert accepts(20.0, orders, **open_limits | {"tail_cap_pct": last}) is possible
    assert accepts(20.0, orders, **open_limits | {"min_indent_step_pct": gap}) is possible


@given(
    overlap=st.floats(0.5, 95),
    orders=st.integers(2, 40),
    growth=st.tuples(st.floats(0, 100), st.floats(0, 100)).map(sorted),
    first=st.floats(0.01, 60),
    cap=st.floats(1, 100),
    gap=st.floats(0, 5),
    ratio=st.none() | st.floats(1.01, 10),
)
@settings(max_examples=300, deadline=None)
def test_what_is_accepted_has_a_ladder_and_it_keeps_its_limits_as_stored(
    overlap: float, orders: int, growth: list[float], first: float, cap: float, gap: float, ratio: float | None
) -> None:
    cell = Cell(0, overlap, orders)
    if conflict(cell, gap, growth[0], first, cap) is not None:
        return
    limits = Limits(gap, ratio, (growth[0], growth[1]), first, cap)
    objective = Objective("quote", "fill", 0.5, 0.3, 0.2, 0.1, None, cap, gap)
    space = Space.of(cell, limits, objective)
    least = space.feasible(np.full((orders - 1, 1), space.growth_min))
    indent, volume, _ = space.priced(least)
    volume /= volume.sum(axis=0)
    schedule = {
        "indent_pct": indent[:, 0].tolist(),
        "volume_pct": (volume[:, 0] * 100.0).tolist(),
        "martingale_pct": [0.0, *((volume[1:, 0] / volume[:-1, 0] - 1.0) * 100.0).tolist()],
    }
    assert broken_limits(schedule, limits) == []


# --- junk -------------------------------------------------------------------------------------------------------------

NAMES = sorted({part for field in fields() for part in field.split(".")})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["tpe", "quote", "fill", "default", 0, 1, 5, 10, 0.5, 30.0])
)
KEYS = st.sampled_from(NAMES) | st.text(max_size=5)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)


@given(TREES)
@settings(max_examples=500, deadline=None)
def test_any_tree_is_a_config_or_one_line(tree: Any) -> None:
    judged = verdict(lambda: from_tree(tree, "junk"))
    assert isinstance(judged, Config) or judged.startswith("junk: ")


@given(st.sampled_from(fields()), TREES)
@settings(max_examples=800, deadline=None)
def test_any_value_at_any_field_is_a_config_or_one_line(field: str, value: Any) -> None:
    tree: dict[str, Any] = Config().model_dump(mode="json")
    inner = tree
    *sections, name = field.split(".")
    for section in sections:
        inner[section] = copy.copy(inner[section]) if isinstance(inner[section], dict) else {}
        inner = inner[section]
    inner[name] = value
    judged = verdict(lambda: from_tree(tree, "junk"))
    if isinstance(judged, Config):
        stored = json.dumps(judged.model_dump(mode="json"), allow_nan=False)
        assert from_tree(json.loads(stored), "again") == judged
    else:
        assert judged.startswith("junk: ")


SYNTAX = [
    *[": ", "\n", "\n  ", "- ", "[", "]", "{", "}", ", ", "1", "'", '"'],
    *["&a ", "*a", "!!int ", "? ", "> ", "| ", "---\n", "%YAML 1.1\n"],
]
YAML_JUNK = (
    st.text(max_size=60)
    | st.text(alphabet=string.ascii_letters[:4] + ":-?[]{}#&*!|>'\"%@`,. \n\t0x\\u~<=", max_size=60)
    | TREES.map(lambda tree: yaml.safe_dump(tree, allow_unicode=True))
    | st.lists(st.sampled_from([*NAMES, *SYNTAX]), max_size=30).map("".join)
)


@given(YAML_JUNK)
@settings(max_examples=1000, deadline=None)
def test_any_text_is_a_config_or_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    judged = verdict(lambda: load(path))
    assert isinstance(judged, Config) or judged.startswith(f"{path}: ")


@given(st.binary(max_size=80))
def test_any_bytes_are_a_config_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    line_of(caught.value)


@given(st.text(max_size=40))
@settings(max_examples=500)
def test_any_override_is_a_config_or_one_line(text: str) -> None:
    judged = verdict(lambda: load(None, [text]))
    assert isinstance(judged, Config) or "--set" in judged


# --- round trips ------------------------------------------------------------------------------------------------------

ODD_NOTES = [
    *["on", "012", "1e9", ".5", "5.", "0o7", "0x1", "~", "null", "1:30", "+.inf", "-.INF", ".NaN", "=", "<<"],
    *["a: b", "# x", " x ", "two\nlines\n", "\x85", "\ufeff", "\t", "é😀", "- a", "'", '"', "\x00", "\r\n"],
    "a" * 500 + " b" * 300,
]


@pytest.mark.parametrize("notes", ODD_NOTES)
def test_notes_survive_yaml(written: Any, notes: str) -> None:
    config = from_tree({"notes": notes}, "test")
    assert load(written(dump(config))) == config


@given(
    notes=st.text(st.characters(exclude_categories=["Cs"]), max_size=2000),
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    weight=st.floats(0, 1e6),
    price=st.floats(1e-12, 1e12),
    overlap=st.sampled_from([20, [10, 20.5], {"min": 10, "max": 20, "step": 0.1}]),
)
@settings(deadline=None)
def test_round_trips(tmp_path_factory: pytest.TempPathFactory, notes, name, weight, price, overlap) -> None:
    ladder = {"base_price": price, "overlap_pct": overlap, "num_orders": {"min": 4, "max": 8, "step": 2}}
    config = from_tree({"name": name, "notes": notes, "score": {"alpha": weight}, "ladder": ladder}, "test")
    path = tmp_path_factory.getbasetemp() / "round.yaml"
    path.write_bytes(dump(config).encode())
    assert load(path) == config
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert Config.model_validate_json(config.model_dump_json()) == config
