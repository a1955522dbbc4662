from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlab.config import Config, dump, from_tree, load
from mlab.config.wording import fields
from mlab.core.errors import ConfigError
from mlab.core.records import Cell
from mlab.model.limits import ROOM, Limits, broken_limits, conflict, possible_shares_pct
from mlab.model.objective import Objective
from mlab.model.space import Space
from tests.test_market import SPOT, saved

CONFIGS = Path(__file__).parent.parent / "configs"


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


FORMS = ("ladder.overlap_pct.", "ladder.num_orders.", "market.", "replay.")
"""Fields of what the defaults have in another form, or not at all."""


def test_defaults_are_those_of_the_default_file() -> None:
    default = yaml.safe_load((CONFIGS / "default.yaml").read_text())
    assert load(CONFIGS / "default.yaml") == load(None) == Config()
    written = {path for path in fields() if not path.startswith(FORMS)}
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
            assert "default" in field or section["title"] in {"OverlapRange", "OrdersRange", "MarketRules"}, name


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
    assert possible_shares_pct(orders, growth_min) == pytest.approx((max(first), min(last)), rel=1e-12)


def test_known_impossible_limits() -> None:
    assert possible_shares_pct(30, 20.0)[0] < 0.1, "far under 1 %, as the specification says"
    assert possible_shares_pct(2, 1.0)[1] == pytest.approx(100 * 1.01 / 2.01)
    assert possible_shares_pct(200, 1000.0)[0] > 0.0


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
    first, last = possible_shares_pct(orders, growth_min)
    first, last = first * (1.0 - nudge), last * (1.0 + nudge)
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
@settings(max_examples=300)
def test_what_is_accepted_has_a_ladder_and_it_keeps_its_limits_as_stored(
    overlap: float, orders: int, growth: list[float], first: float, cap: float, gap: float, ratio: float | None
) -> None:
    cell = Cell(0, overlap, orders)
    limits = Limits(
        min_indent_step_pct=gap,
        max_gap_ratio=ratio,
        martingale_pct=(growth[0], growth[1]),
        first_volume_min_pct=first,
        tail_cap_pct=cap,
    )
    if conflict(cell, limits) is not None:
        return
    space = Space.of(cell, Objective(limits=limits))
    least = space.feasible(np.full((orders - 1, 1), space.growth_min))
    indent, volume, _ = space.priced(least)
    volume /= volume.sum(axis=0)
    schedule = {
        "indent_pct": indent[:, 0].tolist(),
        "volume_pct": (volume[:, 0] * 100.0).tolist(),
        "martingale_pct": [0.0, *((volume[1:, 0] / volume[:-1, 0] - 1.0) * 100.0).tolist()],
    }
    assert broken_limits(schedule, limits) == []


@given(orders=st.integers(2, 60), growth=st.floats(0, 30), overlap=st.floats(0.01, 95))
def test_what_a_refused_limit_must_be_is_enough(orders: int, growth: float, overlap: float) -> None:
    cell, widest = Cell(0, overlap, orders), {"martingale_pct": (growth, 1000.0), "max_gap_ratio": None}
    least = {"first_volume_min_pct": 1e-9, "tail_cap_pct": 100.0, "min_indent_step_pct": 0.0}
    for limit, wrong, moved in (
        ("first_volume_min_pct", 100.0, -1),
        ("tail_cap_pct", 1e-9, 1),
        ("min_indent_step_pct", 95.0, -1),
    ):
        reason = conflict(cell, Limits(**widest | least | {limit: wrong}))
        assert reason
        number = float(reason.split()[-2])
        if limit == "min_indent_step_pct":  # it names what the gaps need, more than the overlap is
            assert number >= (orders - 1) * wrong > overlap
            continue
        enough = min(100.0, number * (1.0 + moved * 2.0 * ROOM))
        assert conflict(cell, Limits(**widest | least | {limit: enough})) is None


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
def test_round_trips(tmp_path_factory: pytest.TempPathFactory, notes, name, weight, price, overlap) -> None:
    ladder = {"base_price": price, "overlap_pct": overlap, "num_orders": {"min": 4, "max": 8, "step": 2}}
    config = from_tree({"name": name, "notes": notes, "score": {"alpha": weight}, "ladder": ladder}, "test")
    path = tmp_path_factory.getbasetemp() / "round.yaml"
    path.write_bytes(dump(config).encode())
    assert load(path) == config
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert Config.model_validate_json(config.model_dump_json()) == config


RULES = (
    "market.tick=0.01",
    "market.step=0.00001",
    "market.least_money=5",
    "market.quote=USDT",
    "market.price=100",
    "ladder.num_orders=8",
)


def test_a_market_raises_the_limits_as_far_as_its_orders_ask() -> None:
    config = load(None, [*RULES, "market.budget=300", "market.price=65000"])
    assert config.base_price == 65000
    # just below 62,500 the least is 0.00009 coins, for 5.625 USDT; order 2 is 1 % larger than order 1
    assert config.limits == Limits(first_volume_min_pct=1.85644)
    shallow = load(None, [*RULES, "market.budget=300", "market.price=65000", "ladder.overlap_pct=3"])
    assert shallow.limits.first_volume_min_pct == 1.73334  # 0.00008 coins are the least that 5.05 USDT buys
    assert config.ladder.limits == Limits()
    assert load(None, [*RULES, "market.budget=30000", "market.price=65000"]).limits == Limits()
    assert load(None, [*RULES, "market.budget=300", "market.tick=0.2"]).limits.min_indent_step_pct == 0.2


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["market.budget=30", "market.price=100"],
            "market.budget 30 is too small, 41.8435 would do: order 1 of 8 gets at most 12.07 %, and must be 5.05 USDT",
        ),
        (
            ["market.budget=300", "market.tick=2"],
            "with one tick of market.tick 2 between orders no ladder with overlap",
        ),
        (["market.budget=300", "market.most_orders=7"], "num_orders 8 is more than market.most_orders 7"),
        (
            ["market.budget=300", "market.lowest_share=0.85"],
            "overlap_pct 30 is below market.lowest_share 0.85, at most 15",
        ),
        (["market.budget=300", "market.file=absent.json"], "market: file absent.json: no such file"),
        (
            ["market.budget=300", "market.price=null"],
            "market.price must be given: a ladder.base_price of 100 stands for none",
        ),
        (["market.budget=0"], "market.budget: must be above 0, was 0"),
        (["market.price=3"], "market: budget must be given"),
    ],
)
def test_a_grid_that_cannot_be_placed_is_refused_with_what_would_do(overrides: list[str], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(None, [*RULES, *overrides])
    assert line in str(error.value)


def test_the_budget_that_is_said_to_do_does() -> None:
    load(None, [*RULES, "market.budget=41.8435", "market.price=100"])


def test_a_run_that_was_stored_before_its_budget_was_refused_can_be_read() -> None:
    tree = load(None, [*RULES, "market.budget=300"]).model_dump(mode="json")
    tree["market"]["budget"] = 41.0
    assert from_tree(tree, "stored").limits.first_volume_min_pct > possible_shares_pct(8, 1.0)[0]


def test_a_stored_market_needs_no_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("{symbol: AAA, tick: 0.01, step: 0.5, least_quantity: 0.5, least_money: 5}")
    config = load(None, [f"market.file={file}", "market.budget=5000", "market.price=100", "market.step=0.25"])
    file.unlink()
    again = from_tree(config.model_dump(mode="json"), "stored")
    assert again == config
    market = again.market.market() if again.market else None
    assert market is not None
    assert (market.symbol, market.step, market.least_quantity) == ("AAA", Decimal("0.25"), Decimal("0.5"))


def test_a_stored_market_knows_whose_rules_it_has_and_how_old_they_are(tmp_path: Path) -> None:
    file = saved(tmp_path, SPOT)
    config = load(None, [f"market.file={file}", "market.symbol=aaa/usdt", "market.budget=5000", "market.price=100"])
    file.unlink()
    again = from_tree(config.model_dump(mode="json"), "stored")
    assert again == config
    market = again.market.market() if again.market else None
    assert market is not None
    assert (market.symbol, market.origin, str(market.as_of)) == ("AAAUSDT", "Binance spot", "2025-11-27 00:00:00+00:00")
    with pytest.raises(ConfigError, match="as_of must be a time such as 2026-01-31T23:59:00"):
        load(None, [*RULES, "market.budget=300", "market.as_of=yesterday"])


def test_a_market_stored_before_its_age_was_needs_no_file_either() -> None:
    tree = load(None, [*RULES, "market.budget=300"]).model_dump(mode="json")
    names = {"symbol": "A", "base": "A", "most_orders": 0, "inverse": False}
    numbers = dict.fromkeys(("least_quantity", "most_quantity", "lowest_share"), 0.0)
    tree["market"] |= names | numbers | {"contract_size": 1.0, "file": "gone.json"}
    assert from_tree(tree, "stored").market is not None
