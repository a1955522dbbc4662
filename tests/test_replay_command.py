"""``mlab replay`` and ``ladder.replay``: what is replayed, on which prices, beside what, and how it is told."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlab as face
from mlab import cli
from mlab.bots.classical import classical
from mlab.core.state import State
from mlab.prices import Candles, made
from mlab.replay import Beside, ExitRule, Fees, Levels, Plan, beside, deals, replay
from mlab.replay import Path as PricePath
from mlab.replay.beside import cell_label
from mlab.report import replayed, terminal
from mlab.report.progress import steps
from mlab.store import Store
from tests import runs
from tests.bot_settings import HUMMINGBOT, OKX

pytestmark = pytest.mark.usefixtures("quick")

HOUR_MS = 3_600_000
FIELDS = (
    *("candidate_id", "cell", "take_profit_pct", "stop_pct", "deals", "total_pct", "realised_pct", "max_drawdown_pct"),
    *("longest_deal_candles", "all_filled_share", "deployed_share", "same_exposure_pct", "depth_counts", "stops"),
    *("worst_deal_pct", "open_deal", "median_deal_candles", "slow_deal_candles", "within_candle_share"),
)
Shell = Callable[..., str]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, str]:
    """A state folder with a run of the cells 10 % x 5 and 10 % x 12, of which the second has several ladders."""
    state = State(tmp_path_factory.mktemp("replayed"))
    with Store.open(state.database) as store:
        return state, runs.searched(state, store, "ladder.num_orders=[5,12]")


@pytest.fixture
def run(stored: tuple[State, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLAB_STATE_DIR", str(stored[0].root))
    return stored[1]


@pytest.fixture
def mlab(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """What the command prints, or its one line of complaint; without other histories unless some are asked for."""
    monkeypatch.chdir(tmp_path)
    prices_of(made(400)).rename("hours.csv")

    def typed(*arguments: str, status: int = 0, err: bool = False) -> str:
        before = sorted(tmp_path.iterdir())
        capsys.readouterr()
        few = () if "--bootstrap" in arguments else ("--bootstrap", "0")
        assert cli.main(["replay", *arguments, *few]) == status, capsys.readouterr().err
        out = capsys.readouterr()
        if not status:
            return out.err if err else out.out
        assert (out.out, out.err.count("\n"), out.err[:7]) == ("", 1, "error: ")
        assert sorted(tmp_path.iterdir()) == before
        return out.err

    return typed


def prices_of(candles: Candles) -> Path:
    """The candles as a file."""
    path = Path("prices.csv")
    columns = (candles.time.astype(np.int64), candles.open, candles.high, candles.low, candles.close)
    rows = (",".join(map(repr, row)) for row in zip(*(column.tolist() for column in columns), strict=True))
    path.write_text("\n".join(["time,open,high,low,close", *rows]))
    return path


def settings(tree: Any, name: str = "bot.json") -> str:
    Path(name).write_text(json.dumps(tree))
    return name


def replays(text: str) -> list[dict[str, Any]]:
    told = json.loads(text)
    assert set(told) == {"prices", "replays"}
    return list(told["replays"])


# what is replayed ----------------------------------------------------------------------------------------


def test_the_winner_of_each_cell_is_replayed(mlab: Shell, run: str) -> None:
    found = replays(mlab(run, "--prices", "hours.csv", "--format", "json"))
    assert [one["cell"] for one in found] == ["10 % x 5", "10 % x 12"]
    assert all(one["candidate_id"].startswith(run) and set(one) >= set(FIELDS) for one in found)
    assert found == replays(mlab("--prices", "hours.csv", "--format", "json")), "latest is what is meant"


def test_the_numbers_are_those_of_the_replay(mlab: Shell, run: str, stored: tuple[State, str]) -> None:
    arguments = ("--cell", "10x5", "--take-profit", "2,3", "--stop", "5", "--fee-maker", "0", "--fee-taker", "0.2")
    found = replays(mlab(run, "--prices", "hours.csv", *arguments, "--format", "json"))
    with Store.open(stored[0].database) as store:
        best = store.cells(store.experiments()[0].exp_id)[0].best
    assert best is not None
    schedule = best.contract["schedule"]
    indent, volume = (np.array([schedule[name]]).T for name in ("indent_pct", "volume_pct"))
    for one, profit in zip(found, (2.0, 3.0), strict=True):
        levels = Levels.of(indent, volume, ExitRule(take_profit_pct=profit, stop_pct=5))
        outcome = replay(PricePath(face.read_prices("hours.csv")), levels, Fees(maker_pct=0, taker_pct=0.2))
        assert (one["candidate_id"], one["take_profit_pct"]) == (best.candidate_id, profit)
        assert one["total_pct"] == pytest.approx(outcome.total_pct.item(), abs=1e-6)
        assert one["max_drawdown_pct"] == pytest.approx(outcome.max_drawdown_pct.item(), abs=1e-6)
        assert (one["deals"], sum(one["depth_counts"]) + one["stops"]) == (outcome.deals.item(),) * 2
        assert one["total_pct"] == pytest.approx(one["realised_pct"] + one["open_deal"]["marked_pct"], abs=2e-6)


def test_several_ladders_of_a_cell_and_one_by_its_id(mlab: Shell, run: str) -> None:
    found = replays(mlab(run, "--top", "2", "--cell", "10 % x 12", "--prices", "hours.csv", "--format", "json"))
    assert len({one["candidate_id"] for one in found}) == 2
    name = found[1]["candidate_id"]
    (alone,) = replays(mlab(name, "--prices", "hours.csv", "--format", "json"))
    assert alone == found[1]
    assert "must be a candidate that is kept" in mlab(f"{run}-c000-b0099-i000", status=2)


def test_a_bot_is_replayed_under_its_own_take_profit_and_beside_a_run(mlab: Shell, run: str) -> None:
    bot = settings(HUMMINGBOT)
    own, *others = replays(mlab(bot, run, "--prices", "made", "--format", "json"))
    assert (own["candidate_id"], own["cell"], own["take_profit_pct"]) == ("BTC-USDT", "10 % x 3", 2.0)
    assert [one["take_profit_pct"] for one in others] == [1.0, 1.0]
    (other,) = replays(mlab(bot, "--prices", "made", "--take-profit", "1.5", "--format", "json"))
    assert other["take_profit_pct"] == 1.5
    Path("mine.csv").write_text("deviation,size\n0,1\n10,1\n10,1\n")
    (table,) = replays(mlab("mine.csv", "--distances", "before", "--prices", "made", "--format", "json"))
    assert (table["candidate_id"], table["cell"]) == ("mine", "19 % x 3")


def test_what_is_left_out_of_a_bot_is_said(mlab: Shell) -> None:
    bot, said = settings(HUMMINGBOT | {"stop_loss": "0.03"}), "BTC-USDT also trades by stop_loss: left out here."
    assert said in mlab(bot, "--prices", "made")
    assert said in mlab(bot, "--prices", "made", "--format", "csv", err=True)
    assert json.loads(mlab(bot, "--prices", "made", "--format", "json"))["left_out"] == [said]
    assert "also trades by" not in mlab(settings(HUMMINGBOT), "--prices", "made")


def test_a_bot_needs_no_stored_runs(mlab: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "none"))
    assert len(replays(mlab(settings(OKX), "--prices", "made", "--format", "json"))) == 1


# prices --------------------------------------------------------------------------------------------------


def test_without_prices_the_embedded_ones_are_taken_and_named(mlab: Shell) -> None:
    bot = settings(OKX)
    text = " ".join(mlab(bot).split())
    assert text.startswith(
        "No --prices FILE was named: these are Microsoft's from 2000 to 2013, daily prices of a stock."
    )
    assert "msft: 3,270 candles of 1 day, 2000-03-01 to 2013-03-01, c34af161f7fd" in text
    told = json.loads(mlab(bot, "--format", "json"))["prices"]
    assert (told["name"], told["hash"], told["candles"], told["made"]) == ("msft", "c34af161f7fd", 3270, False)
    assert "daily prices of a stock" in told["warnings"][0]
    assert "daily prices of a stock" in mlab(bot, "--format", "csv", err=True)
    assert "No --prices" not in mlab(bot, "--prices", "msft")
    assert "made, nobody ever paid them" in " ".join(mlab(bot, "--prices", "made").split())


def test_a_date_makes_two_replays_each_from_a_cold_start(mlab: Shell) -> None:
    bot, date = settings(OKX), "2008-01-01"
    before, after = replays(mlab(bot, "--split", date, "--format", "json"))
    assert (before["part"], after["part"]) == (f"before {date}", f"from {date}")
    candles = face.Ladder([0, 1], [1, 1]).replay("msft", bootstrap=0).candles
    Path("later.csv").write_text(
        prices_of(candles[int(np.searchsorted(candles.time, np.datetime64(date))) :]).read_text()
    )
    (alone,) = replays(mlab(bot, "--prices", "later.csv", "--format", "json"))
    assert {name: after[name] for name in FIELDS} == {name: alone[name] for name in FIELDS}
    table = mlab(bot, "--split", date)
    assert f"before {date}  msft" in table
    assert f"from {date}  msft" in table


# what stands beside --------------------------------------------------------------------------------------


def test_classical_ladders_of_the_same_cell_stand_beside(mlab: Shell, run: str) -> None:
    (found,) = replays(mlab(run, "--cell", "10x5", "--prices", "hours.csv", "--format", "json"))
    assert [one["candidate_id"] for one in found["classical"]] == ["equal", "1.2 / 1.2", "1.5 / 1.2"]
    assert all(one["cell"] == "10 % x 5" and set(one) >= set(FIELDS) for one in found["classical"])
    equal = face.Ladder(np.linspace(0, 10, 5), [1] * 5).replay("hours.csv", bootstrap=0)
    for name in ("total_pct", "deals", "same_exposure_pct"):
        assert found["classical"][0][name] == pytest.approx(np.asarray(getattr(equal.outcome, name)).item(), abs=1e-6)


@pytest.mark.parametrize(("depth", "orders"), [(20.0, 10), (33.3, 2), (0.07, 3), (80.0, 60)])
def test_classical_ladders_cover_the_depth(depth: float, orders: int) -> None:
    for settings in classical(depth, orders).values():
        placed = settings.orders()
        assert (len(placed), float(placed[-1].deviation_pct)) == (orders, pytest.approx(depth, rel=1e-12))
        assert placed[0].size == placed[1].size


def test_intervals_come_of_other_histories_and_can_be_left_out(mlab: Shell) -> None:
    arguments = (settings(OKX), "--prices", "hours.csv", "--format", "json")
    (without,) = replays(mlab(*arguments))
    assert "intervals" not in without
    (found,) = replays(mlab(*arguments, "--bootstrap", "20"))
    assert {name: found[name] for name in FIELDS} == {name: without[name] for name in FIELDS}
    for one in (found, *found["classical"]):
        assert {"total_pct", "max_drawdown_pct", "deployed_share", "same_exposure_pct"} <= set(one["intervals"])
        assert all(low <= high for low, high in one["intervals"].values())
        assert one["intervals"]["total_pct"][0] < one["intervals"]["total_pct"][1]
    assert [found] == replays(mlab(*arguments, "--bootstrap", "20")), "the same again"


def test_ladders_do_not_depend_on_those_beside_them(mlab: Shell, run: str) -> None:
    arguments = ("--prices", "hours.csv", "--format", "json", "--bootstrap", "10")
    together = replays(mlab(run, settings(OKX), "--take-profit", "1,5", *arguments))
    alone = replays(mlab("bot.json", "--take-profit", "5", *arguments))
    assert [one for one in together if (one["candidate_id"], one["take_profit_pct"]) == ("bot", 5.0)] == alone


# how it is told ------------------------------------------------------------------------------------------


def test_csv_and_json_say_the_same(mlab: Shell, run: str, tmp_path: Path) -> None:
    arguments = (run, "--prices", "hours.csv", "--take-profit", "1,2", "--bootstrap", "5")
    told = replays(mlab(*arguments, "--format", "json"))
    rows = list(csv.DictReader(io.StringIO(mlab(*arguments, "--format", "csv"))))
    assert len(rows) == 4 * (1 + 3)
    assert list(told[0])[: len(FIELDS)] == [*FIELDS]
    assert list(rows[0])[2 : len(FIELDS) + 1] == [name for name in FIELDS if name != "open_deal"]
    for one, row in zip(told, (row for row in rows if row["kind"] == "ladder"), strict=True):
        assert (row["candidate_id"], row["cell"], int(row["deals"])) == (one["candidate_id"], one["cell"], one["deals"])
        assert (float(row["total_pct"]), float(row["open_marked_pct"])) == (
            one["total_pct"],
            one["open_deal"]["marked_pct"],
        )
        assert list(map(int, row["depth_counts"].split())) == one["depth_counts"]
        assert [float(row[f"total_pct_{end}"]) for end in ("from", "to")] == one["intervals"]["total_pct"]
    for form in ("table", "csv", "json"):
        assert mlab(*arguments, "--format", form, "-o", form) == ""
        assert (tmp_path / form).read_text() == mlab(*arguments, "--format", form)


@pytest.mark.parametrize(("candles", "told"), [(100, False), (168, False), (169, False), (335, False), (336, True)])
def test_prices_of_less_than_two_weeks_have_no_intervals(candles: int, told: bool) -> None:
    prices, text = made(candles), io.StringIO()
    (group,) = beside(prices, [(Plan("a", (0.0, 5.0), (1.0, 1.0)), ExitRule())], Fees(), 3)
    replayed.show(terminal.console(text), [], [("", prices.to_dict(), [group])], Fees(), 3)
    shown = " ".join(text.getvalue().split())
    assert ("intervals" in replayed.record(group.ladders[0])) == told
    assert ("nine tenths of 3 histories" in shown) == told
    assert ("There are no intervals: of prices of less than two weeks" in shown) != told


@pytest.fixture(scope="module")
def groups() -> list[Beside]:
    """Replays of many orders under a stop, and of few."""
    long = Plan("x" * 100, tuple(np.linspace(0, 20, 40)), tuple(1.1 ** np.arange(40)))
    asked = [(long, ExitRule(take_profit_pct=0.1, stop_pct=5)), (Plan("b", (0.0, 5.0), (1.0, 1.0)), ExitRule())]
    return beside(made(500), asked, Fees(), 3)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_tables_are_cut_nowhere(groups: list[Beside], width: int) -> None:
    text = io.StringIO()
    out = terminal.console(text)
    out.width = width
    replayed.show(out, [], [("", made(500).to_dict(), groups)], Fees(), 3)
    lines = text.getvalue().splitlines()
    assert max(len(line) for line in lines if "x" * 100 not in line) <= width
    assert "…" not in text.getvalue()
    words = text.getvalue().split()
    for group in groups:
        for row in replayed.rows(group):
            for column in (*replayed.MONEY[1:], *replayed.deal_columns(group.rule)[1:]):
                assert set(column.text(row).split()) <= set(words), column.key


def test_names_that_a_terminal_cannot_write_are_told_all_the_same() -> None:
    raw = io.BytesIO()
    out = terminal.console(io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    hours = made(50)
    candles = Candles.of("mürz", hours.time, open=hours.open, high=hours.high, low=hours.low, close=hours.close)
    asked = [(Plan("größer\x1b", (0.0, 0.1), (1.0, 1.0)), ExitRule(take_profit_pct=0.1))]
    replayed.show(out, [], [("", candles.to_dict(), beside(candles, asked, Fees(), 0))], Fees(), 0)
    assert "1  gr??er\\x1b\n" in raw.getvalue().decode("ascii")
    assert "m?rz: 50 candles" in raw.getvalue().decode("ascii")
    assert "% of gr??er" in raw.getvalue().decode("ascii")


def test_columns_stand_in_one_order_and_rows_as_they_were_named(groups: list[Beside]) -> None:
    keys = [column.key for column in (*replayed.MONEY[1:], *replayed.DEALS[1:])]
    first = ["total_pct", "max_drawdown_pct", "longest_deal_candles", "all_filled_share", "deployed_share"]
    assert keys[:8] == [*first, "same_exposure_pct", "deals", "realised_pct"]
    names = [row.name for row in replayed.rows(groups[1]) if not row.is_end]
    assert names == ["1", "equal", "1.2 / 1.2", "1.5 / 1.2"]
    assert not any(column.marked(row) for column in replayed.MONEY for row in replayed.rows(groups[0]))


def test_what_is_doubtful_is_said_in_words(mlab: Shell) -> None:
    bot = settings(OKX)
    told = " ".join(mlab(bot, "--take-profit", "0.5").split())
    assert "the prices are daily, and the take-profit of 0.5 % is below 5 %" in told
    assert "the take-profit of 0.5 % is less than three times the fees of 0.2 %" in told
    assert "begin and end in one candle" in told
    assert "fees of 0.2 % eat the whole take-profit of 0.2 %" in " ".join(mlab(bot, "--take-profit", "0.2").split())
    calm = mlab(bot, "--prices", "hours.csv", "--take-profit", "5")
    assert "Doubt" not in calm
    assert "fees of 0.2 % eat" in mlab(
        bot, "--prices", "hours.csv", "--take-profit", "0.1", "--format", "csv", err=True
    )
    (found,) = replays(mlab(bot, "--take-profit", "0.5", "--format", "json"))
    assert len(found["warnings"]) == 3


def test_progress_is_a_matter_of_terminals(mlab: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mlab(settings(OKX), "--prices", "hours.csv", "--bootstrap", "3", err=True) == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with steps("replay", stream) as tell:
        for done in range(1, 4):
            tell(done, 3)
    assert "3 of 3  0:00 left" in stream.getvalue()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("bot.json", "--take-profit", "1,x"), "--take-profit: must be numbers with commas, such as 1,2, was '1,x'"),
        (("bot.json", "--take-profit", "0"), "--take-profit: must be at least 0.01, was 0.0"),
        (("bot.json", "--take-profit", "nan"), "--take-profit: must be a finite number"),
        (("bot.json", "--stop", "100"), "--stop: must be below 100, was 100.0"),
        (("bot.json", "--fee-maker", "-1"), "--fee-maker: must be at least 0, was -1.0"),
        (("bot.json", "--fee-taker", "nan"), "--fee-taker: must be a finite number"),
        (("bot.json", "--bootstrap", "-1"), "'--bootstrap': -1 is not in the range"),
        (("bot.json", "--split", "soon"), "--split: must be a date, such as 2010-01-01, was 'soon'"),
        (("bot.json", "--split", ""), "--split: must be a date, such as 2010-01-01, was ''"),
        (
            ("bot.json", "--split", "1999-01-01"),
            "--split: must leave at least 2 candles on each side: msft: 1999-01-01T",
        ),
        (("bot.json", "--take-profit", "1,2,1.0"), "--take-profit: must not name the same value twice, was '1,2,1.0'"),
        (("bot.json", "latest", "./bot.json"), "RUN|BOT FILE: must not name the same ladder twice, was 'bot'"),
        (("latest", "latest"), "RUN|BOT FILE: must not name the same ladder twice, was '"),
        (("latest", "--distances", "before"), "--distances: must stand beside the table of a bot"),
        (("bot.json", "--top", "2"), "--top: must stand beside a run, whose best ladders are, was 2"),
        (("bot.json", "--cell", "10x4"), "--cell: must stand beside a run, whose cell it is, was '10x4'"),
        (("bot.json", "--prices", "none.csv"), "none.csv: No such file or directory"),
        (("bot.json", "--prices", ""), "prices must be the path of a file, was ''"),
        (("bot.json", "--prices", "bad.csv"), "bad.csv: row 3: high 1.0 is below open 2.0 or close 3.0"),
        (("bot.json", "-o", "no/such/file"), "--output: cannot be written: No such file or directory"),
        (("none.json",), "none.json: no such file"),
        (("ffffff",), "RUN"),
        (("latest", "--cell", "9x9"), "--cell: must be a cell of the run"),
    ],
)
def test_what_is_typed_wrong_is_one_line_and_nothing_is_written(
    mlab: Shell, run: str, arguments: tuple[str, ...], line: str
) -> None:
    settings(OKX)
    Path("bad.csv").write_text("time,open,high,low,close\n0,1,2,1,2\n3600,2,1,1,3\n7200,2,4,1,3\n")
    assert line in mlab(*arguments, status=2)


# from Python ---------------------------------------------------------------------------------------------


def test_a_ladder_is_replayed_from_python() -> None:
    ladder = face.Ladder([0, 5, 10], [1, 1.2, 1.44])
    told = ladder.replay("made", take_profit_pct=2, bootstrap=5)
    assert told.outcome.deals.item() == sum(told.outcome.depth_counts.tolist()) > 0
    assert told.interval is not None
    assert told.interval[0].total_pct < told.interval[1].total_pct
    assert told.to_dict()["replays"][0]["total_pct"] == pytest.approx(told.outcome.total_pct.item(), abs=1e-6)
    assert told.money.to_pandas()["name"].tolist()[:4] == ["1", "- 5 %", "- 95 %", "equal"]
    assert "made, seed 1: 8,760 candles of 1 hour" in str(told)
    assert "<table>" in told._repr_html_()


def test_orders_keep_their_distance_to_an_order_1_below_the_base_price() -> None:
    candles = Candles.of("fall", np.arange(2) * HOUR_MS, open=[100, 95], high=[100, 95], low=[95, 89], close=[95, 89])
    lower = Plan("lower", (50.0, 55.0), (1.0, 1.0))
    indent, money = lower.columns()
    levels = Levels.of(indent[:, None], money[:, None], ExitRule())
    assert deals(PricePath(candles), levels)[0].fills == [0, 1]
    assert cell_label(lower) == "10 % x 2"
    coins = Plan("coins", (0.0, 50.0), (1.0, 1.0), "base")
    assert coins.columns()[1].tolist() == [1.0, 0.5]


def test_prices_are_what_they_are_given_as(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path, ladder = prices_of(made(300)), face.Ladder([0, 5], [1, 1])
    by_path, by_text, as_they_are = (
        ladder.replay(prices, bootstrap=0).outcome.total_pct for prices in (path, str(path), face.read_prices(path))
    )
    assert by_path == by_text == as_they_are
    assert ladder.replay(made(300)[100:200], bootstrap=0).candles.open[0] == made(300).open[100]
    with pytest.raises(face.PricesError, match="must be Candles, the path of a file, msft or made, was 5"):
        ladder.replay(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"take_profit_pct": 0}, "replay: take_profit_pct: must be at least 0.01, was 0"),
        ({"stop_pct": 100}, "replay: stop_pct: must be below 100, was 100"),
        ({"fee_maker_pct": "much"}, "replay: fee_maker_pct: must be a number, was 'much'"),
        ({"bootstrap": 1.5}, "replay: bootstrap: must be a whole number from 0 to 10000, was 1.5"),
        ({"sizing": "both"}, "replay: sizing: must be 'quote' or 'base', was 'both'"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        face.Ladder([0, 5], [1, 1]).replay("msft", **arguments)
