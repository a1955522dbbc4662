"""``mlab place``: from a found ladder to orders, in every format, and by what a run was told of its market."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mlab import bots, cli
from mlab.bots import geometric
from mlab.config import load
from mlab.core.decimals import plain
from mlab.core.errors import ConfigError
from mlab.core.state import State
from mlab.model.reference import needs
from mlab.report import placed, terminal
from mlab.store import Store
from mlab.tracking import artifacts
from tests import runs
from tests.test_market import SPOT, binance, saved
from tests.test_placing import LADDER
from tests.test_placing import placed as ladder_placed

pytestmark = pytest.mark.usefixtures("quick")

MARKET = (
    "score.take_profit_pct=2",
    "market.tick=0.01",
    "market.step=0.001",
    "market.least_money=5",
    "market.budget=500",
    "market.price=100",
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, str, str]:
    """A state folder with a run of two cells, and one of one cell that was told of its market."""
    state = State(tmp_path_factory.mktemp("placed"))
    with Store.open(state.database) as store:
        plain = runs.searched(state, store)
        told = runs.searched(state, store, *MARKET, "ladder.num_orders=5", "market.quote=USDT")
    return state, plain, told


STEP = Decimal("0.01")
COARSE = str(Path(__file__).parent / "data" / "coarse_market.yaml")

Shell = Callable[..., tuple[str, str]]


@pytest.fixture
def mlab(stored: tuple[State, str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """What a command writes to standard output and to standard error."""
    monkeypatch.setenv("MLAB_STATE_DIR", str(stored[0].root))

    def typed(*arguments: str, status: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        assert cli.main(("place", *arguments)) == status, capsys.readouterr().err
        shown = capsys.readouterr()
        return shown.out, shown.err

    return typed


@pytest.fixture
def answer(tmp_path: Path) -> str:
    return str(saved(tmp_path, SPOT))


def test_a_ladder_becomes_orders_of_a_market(mlab: Shell, stored: tuple[State, str, str], answer: str) -> None:
    out, err = mlab(stored[1], "--cell", "10 % x 4", "--market", answer, "--budget", "500", "--price", "20")
    assert err == ""
    assert "AAAUSDT, Binance spot, as of 2025-11-27 00:00 UTC, " in out
    assert "days ago" in out
    assert "least money 7, lowest share 0.2, most orders 40, falling prices" in out
    assert out.index("of 500 USDT; covers 10.00 %") < out.index("quantity") < out.index("Need at fills")


def test_csv_json_and_table_say_the_same(mlab: Shell) -> None:
    rows = list(csv.DictReader(io.StringIO(mlab("--format", "csv")[0])))
    told = json.loads(mlab("--format", "json")[0])
    assert set(told) == {"market", "budget", "spent", "orders", "changed", "rules"}
    assert told["orders"] == [{name: row[name] for name in ("order", "price", "quantity", "money")} for row in rows]
    assert all(rule["kept"] for rule in told["rules"])
    prices, coins = ([float(row[name]) for row in rows] for name in ("price", "quantity"))
    assert [float(row["break_even_pct"]) for row in rows] == pytest.approx(needs(prices, coins, "base"), abs=2e-6)
    table = mlab()[0]
    for row in rows:
        assert f"{row['price']:>8}   {row['quantity']}" in table or row["price"] in table
    assert rows[-1]["spent"] == told["spent"]


@pytest.mark.parametrize("mark", [".", ","])
def test_orders_that_were_written_are_read_as_a_bot(mlab: Shell, mark: str) -> None:
    orders = json.loads(mlab("--format", "json")[0])["orders"]
    bot = bots.parse(mlab("--format", "csv", "--decimal", mark)[0], "orders.csv")
    assert [plain(order.size) for order in bot.orders] == [order["money"] for order in orders]
    assert [plain(100 - order.deviation_pct) for order in bot.orders] == [order["price"] for order in orders]


def test_csv_of_a_country_with_decimal_commas(mlab: Shell) -> None:
    plain_rows, comma = (mlab("--format", "csv", "--decimal", mark)[0] for mark in (".", ","))
    assert comma == plain_rows.replace(",", ";").replace(".", ",")
    assert "may be a comma only with --format csv" in mlab("--decimal", ",", status=2)[1]


def test_what_the_run_was_told_need_not_be_told_again(mlab: Shell, stored: tuple[State, str, str], answer: str) -> None:
    told = json.loads(mlab("--format", "json")[0])
    assert (told["market"]["tick"], told["budget"], told["orders"][0]["price"]) == ("0.01", "500", "100")
    again = json.loads(mlab("--budget", "900", "--price", "50", "--market", answer, "--format", "json")[0])
    assert (again["market"]["origin"], again["budget"], again["orders"][0]["price"]) == ("Binance spot", "900", "50")
    assert mlab(stored[1], "--cell", "10x4", status=2)[1] == (
        "error: command line: --market: must be given, for the run was not told of a market\n"
    )


def test_a_symbol_is_one_of_those_whose_rules_there_are(
    mlab: Shell, stored: tuple[State, str, str], tmp_path: Path
) -> None:
    own = str(saved(tmp_path, "{symbol: BTCUSDT, tick: 0.01, step: 0.001}", "own.yaml"))
    run = (stored[1], "--cell", "10x4", "--budget", "500", "--price", "100")
    assert "BTCUSDT, numbers" in mlab(*run, "--market", own, "--symbol", "btc-usdt")[0]
    error = mlab(*run, "--market", own, "--symbol", "ETHUSDT", status=2)[1]
    assert error == f"error: {own}: symbol: must be BTCUSDT, the only one of the file, was 'ETHUSDT'\n"
    assert "--market: must be given" in mlab(*run, "--symbol", "ETHUSDT", status=2)[1]
    nameless = str(saved(tmp_path, "{tick: 0.01, step: 0.001}", "nameless.yaml"))
    assert "ETHUSDT, numbers" in mlab(*run, "--market", nameless, "--symbol", "ETHUSDT")[0]
    assert "ETHUSDT, numbers" in mlab("--symbol", "ETHUSDT")[0], "the run was told numbers without a symbol"


def test_a_symbol_alone_is_looked_for_in_the_file_of_the_run(
    mlab: Shell, state: State, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(state.root))
    both = {"symbols": [binance(name)["symbols"][0] for name in ("AAAUSDT", "BBBUSDT")]}
    file = str(saved(tmp_path, both))
    told = (f"market.file={file}", "market.symbol=AAAUSDT", "market.budget=500", "market.price=20")
    with Store.open(state.database) as store:
        run = runs.searched(state, store, *told)
    assert "BBBUSDT, Binance spot" in mlab(run, "--cell", "10x4", "--symbol", "BBBUSDT", "--price", "30")[0]
    assert (
        "--price: must be given, for the price that the run was told is that of AAAUSDT"
        in mlab(run, "--cell", "10x4", "--symbol", "BBBUSDT", status=2)[1]
    )
    assert "has no such symbol" in mlab(run, "--cell", "10x4", "--symbol", "CCCUSDT", "--price", "3", status=2)[1]
    Path(file).unlink()
    assert "AAAUSDT, Binance spot" in mlab(run, "--cell", "10x4", "--symbol", "aaa/usdt")[0]
    assert "no such file" in mlab(run, "--cell", "10x4", "--symbol", "BBBUSDT", "--price", "30", status=2)[1]


def test_the_search_that_is_advised_can_be_made_and_needs_no_lifting() -> None:
    orders = [f"ladder.num_orders={len(LADDER[0])}", f"ladder.overlap_pct={LADDER[0][-1]}", "market.price=65000"]
    advice = "A search with ladder.limits.first_volume_min_pct="
    said = set()
    for budget in ("21.3", "22", "24", "30", "60", "300"):
        placement = ladder_placed("BTC", budget, (LADDER[0], [1.0, 4.0, 16.0, 64.0]))
        lifted = placed.sentences(placement, Decimal(1), Decimal(0))[2]
        assert lifted.startswith("Lifted to the least order of the exchange: 1")
        rules = [f"market.{name}={number}" for name, number in placement.market.rules().items()]
        said.add(advice in lifted)
        if advice in lifted:
            share = lifted.partition(advice)[2].split(",")[0]
            load(None, [*orders[:2], f"ladder.limits.first_volume_min_pct={share}"])
            assert load(None, [*orders, *rules, f"market.budget={budget}"]).limits.first_volume_min_pct == float(share)
        else:
            other = re.search(
                r"No search finds one .* budget [\d.]+ is too small, ([\d.]+) would do: order 1 of", lifted
            )
            assert other, lifted
            with pytest.raises(ConfigError, match="is too small"):
                load(None, [*orders, *rules, f"market.budget={budget}"])
            load(None, [*orders, *rules, f"market.budget={other[1]}"])
    assert said == {True, False}


def test_fees_and_take_profit_move_what_is_needed(mlab: Shell) -> None:
    free, taxed = (
        [float(row["break_even_pct"]) for row in csv.DictReader(io.StringIO(mlab("--format", "csv", *more)[0]))]
        for more in ((), ("--fee", "0.1"))
    )
    assert [after - before for before, after in zip(free, taxed, strict=True)] == pytest.approx([0.2] * 5, abs=0.02)
    profit = list(csv.DictReader(io.StringIO(mlab("--format", "csv", "--take-profit", "1.5")[0])))
    assert float(profit[0]["take_profit_pct"]) == 1.5
    assert "take profit is 1.5 % above the average" in mlab("--take-profit", "1.5")[0]
    assert "take profit is 2 % above the average" in mlab()[0]


@pytest.mark.parametrize("form", [form for form in bots.FORMATS if form != "csv"])
def test_every_bot_reads_what_is_written_for_it(mlab: Shell, form: str) -> None:
    text, told = mlab("--format", form)
    bot = bots.parse(text, "placed", form)
    orders = json.loads(mlab("--format", "json")[0])["orders"]
    if form in geometric.FAMILIES:
        assert "holds ladders of a few numbers only, and rounds quantities down: spends " in told
        assert bot.depth_pct >= Decimal("9.99")
    elif form == "pionex":
        assert sum(order.size for order in bot.orders) == 1000
    else:
        total = sum(float(order["money"]) for order in orders)
        shares = [float(order.size / bot.budget) for order in bot.orders]
        assert shares == pytest.approx([float(order["money"]) / total for order in orders], abs=1e-6)
    if form not in geometric.FAMILIES:
        depths = [100 - float(order["price"]) for order in orders]  # of an entry at 100
        assert [float(order.deviation_pct) for order in bot.orders] == pytest.approx(depths, abs=1e-6)
    assert bot.take_profit_pct in {2, None}


@pytest.mark.parametrize("form", geometric.FAMILIES)
@pytest.mark.parametrize("budget", ["80", "100", "500.5"])
def test_what_a_bot_of_few_numbers_orders_is_taken_by_the_exchange(mlab: Shell, form: str, budget: str) -> None:
    """The bot divides the typed money by the price and rounds down: no order may be below the least of 5."""
    text, _ = mlab("--market", COARSE, "--budget", budget, "--price", "100", "--format", form)
    bot = bots.parse(text, "typed", form)
    prices = [100 * (1 - order.deviation_pct / 100) for order in bot.orders]
    quantities = [(order.size / price) // STEP * STEP for order, price in zip(bot.orders, prices, strict=True)]
    assert all(quantity * price >= 5 for quantity, price in zip(quantities, prices, strict=True))
    assert bot.budget <= Decimal(budget)
    if form != "bybit":  # whose only size is the investment
        assert all(round(size, 2) == size for size in (bot.orders[0].size, bot.orders[1].size))


@pytest.mark.parametrize("form", geometric.FAMILIES)
def test_no_order_of_a_bot_of_few_numbers_is_above_the_most(mlab: Shell, form: str, tmp_path: Path) -> None:
    rules = tmp_path / "market.yaml"
    rules.write_text(Path(COARSE).read_text().replace("}", ", most_quantity: 1.2}"))
    market = ("--market", str(rules), "--price", "100", "--cell", "10x5")
    budget = mlab(*market, "--budget", "1000", status=1)[1].split()[-3]  # the largest that places the ladder itself

    bot = bots.parse(mlab(*market, "--budget", budget, "--format", form)[0], "typed", form)

    assert max(order.size / (100 - order.deviation_pct) // STEP * STEP for order in bot.orders) <= Decimal("1.2")


@pytest.mark.parametrize(("form", "budget"), [("bybit", "1000"), ("okx", "240")])
def test_a_step_of_much_money_keeps_no_bot_of_few_numbers_away_that_is_taken(
    mlab: Shell, form: str, budget: str, tmp_path: Path, state: State
) -> None:
    rules = tmp_path / "market.yaml"
    rules.write_text("{symbol: SOL, tick: 0.5, step: 0.1, least_quantity: 0.1, least_money: 10}")
    with Store.open(state.database) as store:
        run = runs.searched(state, store, "ladder.num_orders=10", "ladder.overlap_pct=20")
    text, told = mlab(run, "--market", str(rules), "--price", "140", "--budget", budget, "--format", form)
    bot = bots.parse(text, "typed", form)
    prices = [round(140 * (1 - order.deviation_pct / 100) * 2) / Decimal(2) for order in bot.orders]
    money = [
        order.size / price // Decimal("0.1") * Decimal("0.1") * price
        for order, price in zip(bot.orders, prices, strict=True)
    ]
    assert min(money) >= 10
    assert f"spends {plain(sum(money))} of {budget} money" in told


def test_a_bot_of_few_numbers_that_no_budget_is_enough_for_is_refused(mlab: Shell) -> None:
    error = mlab("--market", COARSE, "--budget", "28.2", "--price", "100", "--format", "okx", status=1)[1]
    assert "keeps the limits and the rules of the market; another budget, fewer orders or less overlap may do" in error


def test_what_a_maker_does_not_take_is_not_told_as_done(mlab: Shell, state: State) -> None:
    with Store.open(state.database) as store:
        run = runs.searched(state, store, *MARKET, "ladder.num_orders=3", "ladder.overlap_pct=90")
    error = mlab(run, "--budget", "5000", "--format", "okx", status=2)[1]
    assert error.count("\n") == 1
    assert "settings for okx: pxSteps: must be at most 0.5, was" in error


def test_a_bot_that_no_budget_helps_is_refused_without_one(mlab: Shell, state: State) -> None:
    with Store.open(state.database) as store:
        run = runs.searched(state, store, *MARKET, "ladder.num_orders=5", "ladder.limits.max_gap_ratio=1.05")
    error = mlab(run, "--budget", "1000000", "--format", "bybit", status=1)[1]
    assert "keeps the limits of the run, whatever the budget; fewer orders may do" in error
    assert "larger budget" not in error


@pytest.mark.parametrize(
    ("price", "line"),
    [
        ("1e-12", "tick: order 2 would be at 0, for a tick is 0.01; a price of "),
        ("0.02", "tick: order 2 would be at 0.02 like the one before it, for a tick is 0.01; a price of "),
    ],
)
def test_a_price_of_too_few_ticks_is_told_with_one_that_would_do(mlab: Shell, price: str, line: str) -> None:
    error = mlab("--price", price, status=1)[1]
    assert line in error
    assert "of 500 USDT; covers" in mlab("--price", error.split()[-3])[0]


def test_prices_of_a_program_are_the_placed_ones(mlab: Shell) -> None:
    orders = json.loads(mlab("--price", "97.31", "--format", "json")[0])["orders"]
    assert json.loads(mlab("--price", "97.31", "--format", "hummingbot")[0])["prices"] == [
        one["price"] for one in orders
    ]


def test_a_run_says_whose_rules_it_kept_and_how_old_they_are(state: State, answer: str) -> None:
    with Store.open(state.database) as store:
        run = runs.stored(
            store, runs.searched(state, store, f"market.file={answer}", "market.budget=200", "market.price=100")
        )
        best = store.cells(run.exp_id)[0].best
    assert best is not None
    Path(answer).unlink()
    assert re.fullmatch(
        r"Market: AAAUSDT, Binance spot, as of 2025-11-27 00:00 UTC, \d+ days ago; 200 USDT from 100 down; limits "
        r"moved for it: first_volume_min_pct 1 -> 3\.55\.",
        placed.told(run),
    )
    assert re.match(r"Orders, in USDT = AAA at a price: 17\.5 = 0\.175 at 100; ", placed.orders_in_words(run, best))


def test_mlflow_has_the_placed_orders_of_a_winner(mlab: Shell, stored: tuple[State, str, str], tmp_path: Path) -> None:
    with Store.open(stored[0].database) as store:
        for run_id in stored[1:]:
            run = runs.stored(store, run_id)
            (tmp_path / run_id).mkdir()
            best = store.cells(run.exp_id)[0].best
            assert best is not None
            artifacts.write_winner(tmp_path / run_id, best, run)
    files = {path.name: path.read_text() for path in (tmp_path / stored[2]).glob("placed.*")}
    assert files["placed.csv"] == mlab("--format", "csv")[0]
    assert json.loads(files["placed.json"]) == json.loads(mlab("--format", "json")[0])
    assert not list((tmp_path / stored[1]).glob("placed.*"))


def test_one_candidate_is_placed_by_its_id(mlab: Shell, stored: tuple[State, str, str], answer: str) -> None:
    with Store.open(stored[0].database) as store:
        run = store.experiment(stored[1])
        assert run is not None
        last = store.results(run.exp_id)[-1]  # of the second cell
    assert last.candidate_id in mlab(last.candidate_id, "--market", answer, "--budget", "500", "--price", "9")[0]
    error = mlab(f"{stored[2]}-c000-b0099-i000", status=2)[1]
    assert "must be a candidate that is kept" in error
    error = mlab(last.candidate_id, "--cell", "10x4", status=2)[1]
    assert "--cell: must be left out: the candidate names its cell, was '10x4'" in error


def test_a_rule_that_cannot_be_kept_ends_with_1_and_writes_nothing(mlab: Shell, tmp_path: Path) -> None:
    out, err = mlab("--budget", "20", "-o", str(tmp_path / "orders.csv"), "--format", "csv", status=1)
    assert out == ""
    assert err.startswith("error: least_money: order 1 must be at least 5.1 USDT; a budget of ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--budget", "0"], "must be a number above 0, at most 1e12, was '0'"),
        (["--budget", "1e40"], "must be a number above 0, at most 1e12, was '1e40'"),
        (["--price", "many"], "must be a number from 1e-12 to 1e12, was 'many'"),
        (["--fee", "nan"], "must be a number from 0 to 10, was 'nan'"),
        (["--fee", "11"], "must be a number from 0 to 10, was '11'"),
        (["--market", "absent.json"], "absent.json: no such file"),
        (["--cell", "9x9"], "--cell: must be a cell of the run, which has 10 % x 5, was '9x9'"),
        (["--format", "kucoin"], "is not one of 'table', 'csv', 'json', '3commas'"),
    ],
)
def test_what_is_typed_wrong_is_one_line(mlab: Shell, arguments: list[str], line: str) -> None:
    error = mlab(*arguments, status=2)[1]
    assert line in error
    assert error.count("\n") == 1


def test_limits_that_a_market_raises_are_told_as_they_are_typed(stored: tuple[State, str, str]) -> None:
    raised = ("ladder.limits.min_indent_step_pct=0.000001", "market.tick=0.01", "market.price=104235.75")
    config = load(None, (*raised, "market.budget=1234567.5"))
    with Store.open(stored[0].database) as store:
        run = store.experiment(stored[2])
    assert run is not None
    assert placed.told(replace(run, config=config.model_dump(mode="json"))) == (
        "Market: numbers of your own; 1234567.5 money from 104235.75 down; limits moved for it: "
        "min_indent_step_pct 0.000001 -> 0.00000959364."
    )


def test_orders_are_written_to_a_file(mlab: Shell, tmp_path: Path) -> None:
    for form in ("table", "csv", "json"):
        assert mlab("--format", form, "-o", str(tmp_path / form))[0] == ""
        assert (tmp_path / form).read_text() == mlab("--format", form)[0]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_table_is_cut_nowhere(width: int) -> None:
    text = io.StringIO()
    placement = ladder_placed("sub-cent", "100000")
    rows = placed.rows(placement)
    out = terminal.console(text)
    out.width = width
    terminal.table(out, placed.COLUMNS, rows)
    for row in rows:
        for name in ("price", "quantity", "money", "spent", "average"):
            assert plain(row[name]) in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= width
