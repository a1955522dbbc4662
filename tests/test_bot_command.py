"""``mlab bot``: settings judged like any ladder, and the best ladder beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals, default_int_handler, raise_signal
from signal import signal as handle
from typing import Any

import pytest

from mlab import cli
from mlab.bots import FORMATS, parse, room
from mlab.core.state import State
from mlab.model.objective import Objective, Score
from mlab.report import bots as report
from mlab.report.bots import Side
from mlab.store import Store
from tests import bot_settings as shown
from tests import runs
from tests.bot_settings import EXAMPLES, rounded

Command = Callable[..., str]


@pytest.fixture
def mlab(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Types ``mlab bot`` for settings; what it prints, or its one line of complaint."""

    def typed(tree: Any, *arguments: str, status: int = 0) -> str:
        path = tmp_path / "bot.json"
        path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
        capsys.readouterr()
        assert cli.main(["bot", str(path), *arguments]) == status, capsys.readouterr().err
        out = capsys.readouterr()
        if status:
            assert out.err.startswith("error: ")
            assert out.err.count("\n") == 1
            assert out.out == ""
            return out.err
        assert out.err == ""
        return out.out

    return typed


@pytest.fixture(scope="module")
def searched(quick: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, str]:
    """A state folder with a run of the cells 10 % x 4, 10 % x 5 and 10 % x 12."""
    state = State(tmp_path_factory.mktemp("searched"))
    with Store.open(state.database) as store:
        run = runs.searched(state, store, "ladder.num_orders=[4,5,12]")
    return state, run


@pytest.fixture
def stored(searched: tuple[State, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLAB_STATE_DIR", str(searched[0].root))
    return searched[1]


# a bot by itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_public_examples_are_judged(name: str, mlab: Command) -> None:
    tree, needed, _ = EXAMPLES[name]
    said = mlab(tree)
    found = re.search(r"need ([\d.]+) % at fills, ([\d.]+) % on path", said)
    assert found
    assert tuple(rounded(float(value), like) for value, like in zip(found.groups(), needed, strict=True)) == needed
    assert "distances count from the first order" in said
    assert "Before order 2 fills the position needs a rebound of" in said
    assert "Fees, funding and liquidation are left out." in said


def test_orders_are_shown_as_calculators_do(mlab: Command) -> None:
    said = mlab(shown.OKX, "--price", "50000")
    assert "Covers 10.92 % with 4 orders and takes 337.50; takes profit 5 % above the average." in said
    row = next(line for line in said.splitlines() if line.split()[:1] == ["4"]).split()
    deviation, price, size, quantity, spent, average, growth, before, even, profit = map(float, row[1:])
    assert (deviation, price, size, spent, growth) == (10.92, 44540.0, 112.5, 337.5, 50.0)
    assert quantity == pytest.approx(112.5 / 44540)
    coins = 100 / 50000 + 50 / 48500 + 75 / 46700 + 112.5 / 44540
    assert average == pytest.approx(337.5 / coins)
    assert (even, before) == (5.79, 8.94)
    assert profit == pytest.approx((average * 1.05 / price - 1.0) * 100.0, abs=0.005)


def test_without_a_price_there_are_no_quantities(mlab: Command) -> None:
    assert "Prices are those of a first order at 100." in mlab(shown.OKX)
    assert "quantity" not in mlab(shown.OKX)
    assert "49000" in mlab(shown.HUMMINGBOT)
    assert "to take" not in mlab({key: value for key, value in shown.OKX.items() if key != "tpPct"})


def test_the_settings_and_what_they_need_as_one_object(mlab: Command) -> None:
    told = json.loads(mlab(shown.BYBIT, "--json"))
    assert (told["maker"], told["distances"], told["take_profit_pct"]) == ("Bybit", "from the average", "3")
    assert [order["deviation_pct"] for order in told["orders"]][:2] == ["0", "1.5"]
    assert told["contract"]["max_need"] > 0
    assert (told["compared"], told["found"], told["none"]) == (None, None, None)
    judged = parse(json.dumps(shown.BYBIT), "f").judged(Objective())
    assert told["contract"] == judged.contract
    assert told["risk"] == judged.risk


def test_distances_of_a_table_are_named_on_the_command_line(mlab: Command) -> None:
    table = "deviation,size\n0,1\n10,1\n10,1\n"
    assert "must say what its distances count from, or else distances must be first, before or average" in mlab(
        table, status=2
    )
    assert "distances count from the order before" in mlab(table, "--distances", "before")
    assert "Covers 19 % with 3 orders" in mlab(table, "--distances", "before")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--search", "--against", "latest"), "--search: must be left out with --against"),
        (("--cell", "10x4"), "--cell: must stand beside --against RUN, whose cell it is, was '10x4'"),
        (("-o", "picture.pdf"), "--output: must end in .svg or .png, was 'picture.pdf'"),
        (("-o", "no/such/folder.svg"), "--output: cannot be written: No such file or directory"),
        *(
            (("--price", price), f"'--price': must be a number from 1e-12 to 1e12, was '{price}'")
            for price in ("-1", "0", "1e-300", "9e-13", "1e300", "1e13", "nan", "much")
        ),
        (("--format", "okx"), "must be settings for okx; these are in the shape of bybit"),
        (("--distances", "first"), ": distances says from the first order, but Bybit counts from the average"),
    ],
)
def test_a_command_line_that_says_nothing_is_refused(arguments: tuple[str, ...], line: str, mlab: Command) -> None:
    assert line in mlab(shown.BYBIT, *arguments, status=2)


def test_what_is_left_out_of_a_bot_is_said(mlab: Command) -> None:
    tree = shown.three_commas(20, 40, 8, 0.5, 1.1, 1.55) | {"stop_loss_percentage": "12.5", "take_profit_type": "base"}
    said = " ".join(mlab(tree).split())
    assert "example also trades by stop_loss_percentage, take_profit_type: left out here." in said
    assert "takes profit" not in said
    assert json.loads(mlab(tree, "--json"))["left_out"] == ["stop_loss_percentage", "take_profit_type"]
    assert "also trades by" not in mlab(EXAMPLES["base-20"][0])
    assert json.loads(mlab(EXAMPLES["base-20"][0], "--json"))["left_out"] == []


def test_shares_are_not_told_as_money(mlab: Command) -> None:
    tree = {"settings": shown.VELES_SIMPLE["settings"]}
    said = " ".join(mlab(tree, "--price", "100").split())
    assert re.search(r"with 15 orders, whose sizes are shares, [\d.]+ in all\. ", said)
    assert "takes" not in said
    assert "quantity" not in said
    assert json.loads(mlab(tree, "--json"))["sizes"] == "shares"
    assert json.loads(mlab(shown.VELES_SIMPLE, "--json"))["sizes"] == "money"


def test_a_take_profit_beyond_all_sense_is_refused(mlab: Command) -> None:
    tree = shown.three_commas(20, 40, 8, 0.5, 1.1, 1.55) | {"take_profit": 1e-14}
    assert mlab(tree, "--json", status=2).endswith("bot.json: take_profit: must be at least 0.01, was '1E-14'\n")


def test_a_price_is_named_once(mlab: Command) -> None:
    assert "--price: must be left out: the file has 50000" in mlab(shown.HUMMINGBOT, "--price", "1", status=2)


def test_a_price_comes_back_as_it_was_typed(mlab: Command) -> None:
    for price in ("1234567890.25", "0.000000012345678912", "0.000000000001", "1000000000000"):
        assert price in mlab(shown.BYBIT, "--price", price).split()


def test_every_format_can_be_named(mlab: Command) -> None:
    assert "3commas-classic|okx|bybit|veles|pionex|hummingbot|gainium|csv" in mlab(
        shown.OKX, "--format", "x", status=2
    ).replace("', '", "|")
    assert set(FORMATS) >= {"3commas", "3commas-classic", "okx", "bybit", "veles", "pionex", "hummingbot", "gainium"}


# the best ladder beside it -------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_a_ladder_is_searched_beside_it_with_what_it_wins_and_costs(mlab: Command, tmp_path: Path) -> None:
    tree = shown.three_commas(10, 20, 3, 4.3956043956, 2, 1.2)
    picture = tmp_path / "beside.svg"
    said = mlab(tree, "--search", "-o", str(picture))
    plain = " ".join(said.split())
    assert "The score counts the need on path." in plain
    assert "The score counts the need at fills." in " ".join(mlab(tree).split())
    won = "Won: on the path the largest rebound that the position needs falls from 10.8 to 8"
    assert re.search(re.escape(won) + r"\.\d %, at fills it (falls|rises) from 4\.8 to [45]\.\d %\.", plain)
    assert re.search(
        r"The price is waiting: its second order stands at -\d\.\d %, yours at -4\.4 %; 5 / 10 / 20 %", plain
    )
    assert "takes its profit later than yours." in plain
    assert "yours, and the ladder found beside it" in picture.read_text()
    told = json.loads(mlab(tree, "--search", "--json"))
    assert (told["score_need"], json.loads(mlab(tree, "--json"))["score_need"]) == ("path", "fill")
    yours, found = told["compared"]
    assert list(yours) == [
        "ladder", "max_need", "max_need_path", "first_order_pct", "first_gap_pct", "half_spent_at_pct",
        "spent_at_5_pct", "spent_at_10_pct", "spent_at_20_pct",
    ]  # fmt: skip
    assert found["max_need_path"] < yours["max_need_path"]
    assert found["first_order_pct"] >= yours["first_order_pct"] - 1e-9
    schedule = told["found"]["contract"]["schedule"]
    assert (len(schedule["indent_pct"]), schedule["indent_pct"][-1]) == (4, pytest.approx(16.0))
    assert (yours["spent_at_5_pct"], yours["spent_at_10_pct"], yours["spent_at_20_pct"]) == pytest.approx(
        (20, 46.6666667, 100)
    )


@pytest.mark.usefixtures("quick")
def test_two_equal_orders_find_two_equal_orders(mlab: Command) -> None:
    _, found = json.loads(mlab("deviation_from_first_pct,size\n0,10\n5,10\n", "--search", "--json"))["compared"]
    assert (found["first_order_pct"], found["first_gap_pct"]) == (pytest.approx(50.0, abs=0.001), 5.0)


@pytest.mark.usefixtures("quick")
def test_exported_orders_are_the_same_ladder_whether_volumes_are_money_or_coins(
    mlab: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    for sizing in ("quote", "base"):
        with Store.open(State(tmp_path).database) as store:
            run = runs.searched(State(tmp_path), store, "ladder.num_orders=4", f"ladder.sizing={sizing}")
            (best,) = (cell.best for cell in store.cells(store.experiments()[0].exp_id))
        assert best is not None
        orders = tmp_path / "orders.csv"
        assert cli.main(["export", run, "--what", "orders", "-o", str(orders)]) == 0
        told = json.loads(mlab(orders.read_text(), "--json"))
        assert told["contract"]["max_need"] == pytest.approx(best.contract["max_need"], abs=1e-5)
        assert told["risk"]["max_need_path"] == pytest.approx(best.risk["max_need_path"], abs=1e-5)
        volumes = best.contract["schedule"]["volume_pct"]
        assert (told["contract"]["schedule"]["volume_pct"] == pytest.approx(volumes, abs=1e-5)) is (sizing == "quote")


def test_none_within_growth_0_is_said_in_words(mlab: Command) -> None:
    said = " ".join(mlab(shown.OKX, "--search").split())
    assert (
        "None within growth >= 0: where no order is smaller than the one before it, order 1 of 4 holds 25.0 %" in said
    )
    assert "and yours holds 29.6 %." in said
    assert json.loads(mlab(shown.OKX, "--search", "--json"))["none"].startswith("None within growth >= 0")


@pytest.fixture
def heeded() -> Iterator[None]:
    """Interrupts arrive, also where a shell has the tests in the background."""
    before = handle(SIGINT, default_int_handler)
    yield
    handle(SIGINT, before)


@pytest.mark.usefixtures("quick", "heeded")
@pytest.mark.parametrize(("signal", "status"), [(SIGINT, 130), (SIGTERM, 143)])
def test_a_search_that_is_stopped_ends_the_command(
    signal: Signals, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlab.api.search.Watcher", lambda: runs.Watch(1, lambda: raise_signal(signal)))
    path = tmp_path / "bot.json"
    path.write_text(json.dumps(EXAMPLES["overlap-16"][0]))
    assert cli.main(["bot", str(path), "--search"]) == status
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "")  # what a Ctrl-C has left of a line is ended


@pytest.mark.usefixtures("quick")
def test_a_search_that_finds_nothing_says_so(mlab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "results", lambda *_, **__: [])
    assert mlab(EXAMPLES["overlap-16"][0], "--search", status=1).endswith(" found no ladder in 16 % x 4\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, (_, _, found) in EXAMPLES.items() if found])
def test_public_examples_find_their_better(name: str, mlab: Command) -> None:
    tree, _, needed = EXAMPLES[name]
    assert needed is not None
    _, found = json.loads(mlab(tree, "--search", "--json"))["compared"]
    for key, like in zip(("max_need", "max_need_path"), needed, strict=True):
        assert rounded(found[key], like) <= like
    assert found["first_order_pct"] >= room.first_pct(parse(json.dumps(tree), "f")) - 1e-9


@pytest.mark.usefixtures("quick")
def test_both_are_judged_by_the_limits_that_the_market_of_the_run_has_raised(
    mlab: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path))
    market = ("market.tick=1", "market.step=0.001", "market.budget=500", "market.price=100", "ladder.num_orders=4")
    with Store.open(State(tmp_path).database) as store:
        runs.searched(State(tmp_path), store, *market)
    less_than_a_tick = "deviation_from_first_pct,size\n0,1\n3,3\n3.5,7\n10,11\n"
    assert not json.loads(mlab(less_than_a_tick, "--json"))["contract"]["sanity"]["collapse_indents"]
    assert json.loads(mlab(less_than_a_tick, "--against", "latest", "--json"))["contract"]["sanity"]["collapse_indents"]


def test_a_ladder_of_a_stored_run_stands_beside_it(stored: str, mlab: Command) -> None:
    alike = "deviation_from_first_pct,size\n0,1\n3,3\n6,7\n10,11\n"
    yours, found = json.loads(mlab(alike, "--against", stored, "--cell", "10x4", "--json"))["compared"]
    assert found["first_order_pct"] >= yours["first_order_pct"]
    assert "not alike" not in mlab(alike, "--against", "latest", "--cell", "10x4")
    said = " ".join(mlab(shown.OKX, "--against", stored, "--cell", "10x5").split())
    assert re.search(
        r"The two are not alike: it covers 10\.00 % with 5 orders, yours 10\.92 % with 4; its order 1 holds [\d.]+ %, "
        r"yours 29\.63 %\.", said
    )  # fmt: skip
    assert "--cell: must be given, of a run of several cells: " in mlab(alike, "--against", "latest", status=2)
    assert "--cell: must be a cell of the run" in mlab(alike, "--against", "latest", "--cell", "20x4", status=2)


def test_of_a_stored_cell_the_best_ladder_stands_there_whose_first_order_is_no_smaller(
    stored: str, searched: tuple[State, str], mlab: Command
) -> None:
    with Store.open(searched[0].database) as store:
        run = runs.searched(
            searched[0],
            store,
            "ladder.num_orders=12",
            "ladder.limits.first_volume_min_pct=0.1",
            "search.prune_factor=9",
        )
        ladders = store.results(store.experiments()[0].exp_id)
    firsts = [one.risk["capital_deployed_pct"][0] for one in ladders]
    larger = next(share for share in firsts if share > firsts[0] + 0.001)
    sizes = [larger, *((100.0 - larger) / 11.0 for _ in range(11))]
    rows = [f"{10.0 * k / 11.0:.6f},{size:.6f}" for k, size in enumerate(sizes)]
    table = "\n".join(["deviation_from_first_pct,size", *rows])
    told = json.loads(mlab(table, "--against", run, "--cell", "10x12", "--json"))
    assert told["compared"][1]["first_order_pct"] == pytest.approx(larger)


def sides(tree: Any, other: Any) -> tuple[Side, Side]:
    both = (parse(json.dumps(one), "f").judged(Objective(Score(need="path"))) for one in (tree, other))
    one, two = both
    return Side("yours", one), Side("found", two)


def test_words_say_what_is_not_won_and_does_not_wait() -> None:
    better, worse = sides(shown.three_commas(10, 20, 3, 5, 1, 1), shown.three_commas(10, 10, 3, 1, 1, 3.27492))
    assert report.won(worse, better).startswith(
        "Won: on the path the largest rebound that the position needs falls from"
    )
    assert report.waiting(worse, better).startswith(
        "The price is waiting: its second order stands at -5.0 %, yours at -1.0 %"
    )
    assert re.match(
        r"Nothing is won: on the path the largest .* rises from .*, at fills it rises", report.won(better, worse)
    )
    assert report.waiting(better, worse).startswith("It waits no longer: its second order stands at -1.0 %")
    assert report.won(better, better).endswith("stays at 10.4 %, at fills it stays at 7.2 %.")
    assert report.unlike(better, better) == []
    hardly, _ = sides(shown.three_commas(10, 20, 3, 5.003, 1, 1), shown.OKX)
    assert report.won(hardly, better).startswith("Nothing is won: on the path the largest rebound")
    assert report.waiting(better, hardly).startswith("It waits no longer: its second order stands at -5.0 %, yours at")


@pytest.mark.parametrize("price", [(), ("--price", "0.00001234567"), ("--price", "65432.1")], ids=str)
@pytest.mark.parametrize("name", EXAMPLES)
def test_no_terminal_cuts_a_bot(
    name: str, price: tuple[str, ...], mlab: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = EXAMPLES[name][0]
    shown_numbers = {}
    for width in (200, 100, 80):
        monkeypatch.setattr("mlab.report.terminal.WIDTH", width)
        said = mlab(tree, *price)
        assert max(map(len, said.splitlines())) <= width
        shown_numbers[width] = set(re.findall(r"[-\d.]*\d", said))
    assert shown_numbers[100] <= shown_numbers[200]
    assert shown_numbers[80] <= shown_numbers[200]
    judged = parse(json.dumps(tree), "f")
    rows = report.order_rows(judged, judged.judged(Objective(), Decimal(price[1]) if price else None))
    kept = [one for one in report.ORDERS if not one.spare and (price or one.key != "quantity")]
    assert {one.text(row) for one in kept for row in rows} <= shown_numbers[80]


@pytest.mark.parametrize("price", ["1e-12", "1e12"])
def test_the_least_and_the_largest_price_leave_a_table_that_can_be_read(price: str, mlab: Command) -> None:
    words = mlab(EXAMPLES["overlap-16"][0], "--price", price).split()
    judged = parse(json.dumps(EXAMPLES["overlap-16"][0]), "f")
    rows = report.order_rows(judged, judged.judged(Objective(), Decimal(price)))
    assert {one.text(row) for one in report.ORDERS if not one.spare for row in rows} <= set(words)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_no_terminal_cuts_a_comparison(width: int, stored: str, mlab: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlab.report.terminal.WIDTH", width)
    said = mlab(shown.three_commas(100, 50, 8, 1, 1.5, 1.5), "--against", stored, "--cell", "10x5")
    assert max(map(len, said.splitlines())) <= width
    rows = [line.split() for line in said.splitlines() if line.startswith(("yours ", "found "))]
    assert [len(row) for row in rows] == [9, 9]
    assert rows[0][1:6] == ["32.10", "57.36", "3.90", "1.00", "32.17"]
