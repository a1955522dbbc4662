"""The face for Python: what it costs to import, what it gives, what it refuses; its page and its notebook, executed."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import mlab
from mlab.core.errors import ConfigError, EvaluationError
from mlab.core.state import State
from mlab.market import Market
from mlab.model import annealing
from tests import bot_settings, runs
from tests.pace import SMALLER
from tests.runs import ROOT

PAGE = ROOT / "docs" / "python.md"
NOTEBOOK = PAGE.with_name("notebook.ipynb")
SMALL = {"overlap_pct": 10, "num_orders": 4, "batch_size": 2, "max_batches": 1}
LADDER = mlab.Ladder(indent_pct=[0, 5, 10], volume=[1, 1.2, 1.44], base_price=202.91)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the configs, and no settings."""
    for name in ("MLAB_STATE_DIR", "MLAB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALLER.items():
        monkeypatch.setattr(annealing, name, value)


def refused(call: Callable[[], object], line: str, kind: type[ValueError] = ConfigError) -> None:
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == line
    assert line.isprintable()


# the import ----------------------------------------------------------------------------------------------


def loaded(code: str) -> set[str]:
    """Which of the slow libraries some lines load."""
    slow = ("numpy", "pydantic", "optuna", "sqlalchemy", "prefect", "mlflow", "matplotlib", "pandas", "rich")
    command = [sys.executable, "-c", f"{code}\nimport sys; print(*(set({slow}) & set(sys.modules)))"]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())  # noqa: S603


def test_the_import_loads_nothing_and_a_name_what_it_needs() -> None:
    assert loaded("import mlab; dir(mlab); mlab.__version__") == set()
    judged = loaded("import mlab; mlab.evaluate(mlab.Ladder([0, 5], [1, 1]))")
    assert judged <= {"numpy", "pydantic", "rich"}


def test_all_names_of_the_face_are_there_and_no_others() -> None:
    assert all(getattr(mlab, name) is not None for name in mlab.__all__)
    assert set(mlab.__all__) <= set(dir(mlab))
    with pytest.raises(AttributeError, match="'mlab' has no attribute 'nothing'"):
        mlab.nothing  # noqa: B018


def test_search_is_the_function_whatever_is_imported_first() -> None:
    assert loaded("import mlab.search.stopping, mlab; from mlab.search import stopping; assert callable(mlab.search)")
    assert importlib.import_module("mlab.search").__path__


# ladders -------------------------------------------------------------------------------------------------


def test_an_evaluation_is_the_contract_in_plain_words() -> None:
    e = mlab.evaluate(LADDER)
    assert [round(need, 6) for need in e.needpct] == [0.0, 2.325581, 4.692704]
    assert e.score == e.to_dict()["score"] == mlab.scores([LADDER.indent_pct], [LADDER.volume])[0]
    assert e.ladder == mlab.Ladder(LADDER.indent_pct, e.to_dict()["schedule"]["volume_pct"], 202.91, 1)
    assert (len(e.orders), e.orders[2]["price"], e.candidate_id) == (3, 182.619, "")


def test_coins_are_another_sizing() -> None:
    needs = mlab.evaluate(LADDER, sizing="base").needpct
    assert [round(need, 6) for need in needs] == [0.0, 2.392344, 4.884005]


def test_rows_are_ladders() -> None:
    volume = np.array([[1.0, 1.2, 1.44], [1.0, 1.0, 1.0]])
    both = mlab.price(volume, overlap_pct=20)
    assert both.shape == (2, 3)
    assert np.array_equal(both[1], mlab.price(volume[1], overlap_pct=20))
    scores = mlab.scores(both, volume)
    assert scores.shape == (2,)
    assert (scores < mlab.scores([[0, 10, 20]] * 2, volume)).all()
    assert mlab.scores(np.empty((0, 3)), np.empty((0, 3))).shape == (0,)


def test_prices_keep_the_gaps_and_leave_the_volumes_alone() -> None:
    limits = mlab.Limits(max_gap_ratio=1.1, first_volume_min_pct=40.0)
    indent = mlab.price([1, 2, 3, 4], overlap_pct=30, limits=limits)
    assert np.diff(indent).max() <= 1.1 * 10


def test_a_notebook_shows_all_of_it() -> None:
    e = mlab.evaluate(LADDER)
    assert "<td>182.619</td>" in LADDER._repr_html_()
    assert "<b>10 % x 3: score 3.5412" in e._repr_html_()
    assert "Half is bought by order 2" in e._repr_html_()
    assert e.plot()._repr_svg_().startswith("<?xml")


def test_wrong_ladders_are_refused_in_one_line() -> None:
    for indent, volume, line in [
        ([0, 5], [1, 2, 3], "volume: must have the shape of indent_pct, (2,), was (3,)"),
        ([0], [1], "indent_pct: must have the shape (orders,), of 2 to 201 orders, was (1,)"),
        ([[0, 5]], [[1, 2]], "indent_pct: must have the shape (orders,), of 2 to 201 orders, was (1, 2)"),
        ([0, [5]], [1, 2], "indent_pct: must have the shape (orders,), was [0, [5]]"),
        (["0", "5"], [1, 2], "indent_pct: must be numbers of the shape (orders,), was ['0', '5']"),
        ([0, float("nan")], [1, 2], "indent_pct[1]: must be at least 0 and below 100 %, was nan"),
        ([-1, 5], [1, 2], "indent_pct[0]: must be at least 0 and below 100 %, was -1.0"),
        ([0, 100], [1, 2], "indent_pct[1]: must be at least 0 and below 100 %, was 100.0"),
        ([5, 0], [1, 2], "indent_pct[1]: must be above that of the order before, was 0.0"),
        ([0, 5], [1, 0], "volume[1]: must be a finite number above 0, was 0.0"),
        ([0, 5], [1, float("inf")], "volume[1]: must be a finite number above 0, was inf"),
    ]:
        refused(lambda i=indent, v=volume: mlab.Ladder(i, v), f"Ladder: {line}")
    refused(lambda: mlab.Ladder([0, 5], [1, 2], 0), "Ladder: ladder.base_price: must be at least 0.000000000001, was 0")
    refused(lambda: mlab.Ladder([0, 5], [1, 2], 1, 0), "Ladder: take_profit_pct: must be at least 0.01, was 0")


def test_wrong_arguments_are_refused_in_one_line() -> None:
    rows = "(ladders, orders), of 2 to 201 orders"
    refused(lambda: mlab.scores([0, 5], [1, 2]), f"scores: indent_pct: must have the shape {rows}, was (2,)")
    refused(lambda: mlab.scores([[0, 5]], [[1, -2]]), "scores: volume[0, 1]: must be a finite number above 0, was -2.0")
    refused(lambda: mlab.price([1, 2], overlap_pct=0), "price: ladder.overlap_pct: must be at least 0.01, was 0")
    refused(lambda: mlab.price(3, overlap_pct=20), f"price: volume: must have the shape {rows}, was ()")
    refused(lambda: mlab.price([1, 2], overlap_pct=[9]), "price: overlap_pct: must be one number, was [9]")
    refused(lambda: mlab.evaluate([0, 5]), "evaluate: ladder: must be a mlab.Ladder, was [0, 5]")
    refused(lambda: mlab.evaluate(LADDER, score=1), "evaluate: score: must be a mlab.Score, was 1")
    refused(lambda: mlab.evaluate(LADDER, sizing="x"), "evaluate: sizing: must be 'quote' or 'base', was 'x'")
    refused(lambda: mlab.Score(alpha=-1), "Score: score.alpha: must be at least 0, was -1")
    refused(lambda: mlab.Wave(weak_pct=60), "Wave: score.wave: weak_pct must be below strong_pct 50, was 60")
    refused(lambda: mlab.Score(nead=1), "Score: score.nead: unknown field, did you mean 'need'?")
    refused(
        lambda: mlab.Limits(max_gap_ratio=1),
        "Limits: ladder.limits.max_gap_ratio: must be at least 1.01 or null, was 1",
    )
    refused(lambda: mlab.search("none.yaml"), "none.yaml: no such file")
    refused(lambda: mlab.search(workers=0), "search: workers: must be a whole number from 1 to 256, was 0")
    refused(lambda: mlab.search(num_order=3), "search: num_order: unknown field, did you mean 'ladder.num_orders'?")


@pytest.mark.filterwarnings("error")
def test_volumes_out_of_all_proportion_are_refused_without_a_warning() -> None:
    told = "volume[0]: must lie between 1e-75 and 1e+75: take another unit, was"
    refused(lambda: mlab.Ladder([0, 5], [1e308, 1e308]), f"Ladder: {told} 1e+308")
    refused(lambda: mlab.price([1e-300, 1e300], overlap_pct=20), f"price: {told} 1e-300")
    wild = "price: volumes are out of all proportion to each other"
    refused(lambda: mlab.price([1, 1e16, 1e32], overlap_pct=20, sizing="base"), wild, EvaluationError)
    assert mlab.price([1, 1e16, 1e32], overlap_pct=20)[1] == pytest.approx(10.5572809)
    assert mlab.evaluate(mlab.Ladder([0, 5], [1e-75, 1e75])).needpct[1] == pytest.approx(0.0)


# searches and runs ---------------------------------------------------------------------------------------


def test_a_search_leaves_nothing_behind(
    here: Path,
    quickly: None,
    capfd: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")  # of this test alone: others search beside it
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    found = mlab.search(**SMALL, seed=3)
    assert not list(scratch.iterdir())
    assert [path.name for path in here.iterdir()] == ["configs"]
    assert capfd.readouterr() == ("", ""), "no bar but on a terminal"
    assert (found.status, found.experiment.config["seed"], found.experiment.mlflow_run_id) == ("COMPLETED", 3, None)
    assert found.report("report.html").read_text().count("ORCH.SAVE_OK") > 0
    refused(
        lambda: found.report("nowhere/x.html"),
        "report: path: cannot be written: No such file or directory, was 'nowhere/x.html'",
    )


def test_names_of_fields_tell_where_they_belong(here: Path, quickly: None) -> None:
    limits = mlab.Limits(tail_cap_pct=50.0)
    found = mlab.search(**SMALL, score=mlab.Score(need="path"), limits=limits, base_price=7)
    config = found.experiment.config
    assert (config["score"]["need"], config["ladder"]["limits"]["tail_cap_pct"]) == ("path", 50.0)
    assert found.best.ladder.base_price == config["ladder"]["base_price"] == 7.0


def test_a_run_of_several_cells_is_a_sequence_of_them(here: Path, quickly: None) -> None:
    found = mlab.search(**SMALL | {"num_orders": range(4, 6), "overlap_pct": np.array([10.0, 20.0])})
    assert [(cell.best.cell.overlap_pct, len(cell)) for cell in found] == [(10, 1), (10, 1), (20, 1), (20, 1)]
    assert found[20, 5].best.candidate_id == found.top(1)[3].candidate_id
    assert {row["cell"] for row in found.top(1).to_pandas().to_dict("records")} > {"10 % x 4"}
    assert len(found.to_pandas()) == len(found.ladders)
    assert {one.cell.overlap_pct for one in found.front()} == {10.0, 20.0}
    assert "20" in repr(found) and "<table>" in found._repr_html_() and found.plot()._repr_svg_()  # noqa: PT018
    refused(
        lambda: found[20, 6], "run: cell: must be overlap and number of orders of one that was searched, was (20, 6)"
    )
    refused(lambda: found.front("x"), "front: need: must be 'fill' or 'path', was 'x'")


def test_a_stored_run_is_opened_by_its_id_its_end_or_as_the_latest(
    here: Path, quickly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"^runs: state: no runs are stored there, was '/"):
        mlab.runs()
    monkeypatch.setenv("MLAB_MODE", "offline")
    with pytest.warns(UserWarning, match="MLflow has not been told of this run, which was offline"):
        one = mlab.search(**SMALL, state="mlruns")
    assert mlab.open() == mlab.open(one.run_id) == mlab.open(one.run_id[-6:], state=here / "mlruns") == one
    assert [record["run_id"] for record in mlab.runs()] == [one.run_id]
    assert one.run_id in repr(mlab.runs())
    with pytest.raises(ConfigError, match=r"open: name: must be the id of one run.* was 'x'"):
        mlab.open("x")


def test_an_interrupt_ends_the_call_and_keeps_what_was_found(
    here: Path, monkeypatch: pytest.MonkeyPatch, quickly: None
) -> None:
    monkeypatch.setenv("MLAB_MODE", "offline")
    monkeypatch.setattr("mlab.api.search.Watcher", lambda: runs.Watch(1, runs.interrupt))
    with pytest.raises(KeyboardInterrupt):
        mlab.search(**SMALL | {"max_batches": 3}, state="mlruns")
    assert mlab.open().status == "STOPPED"
    assert mlab.open().best.score > 0.0


def test_a_bot_is_a_ladder_of_its_money(here: Path) -> None:
    (here / "bot.json").write_text(json.dumps(bot_settings.HUMMINGBOT))
    ladder = mlab.read_bot(here / "bot.json")
    assert (ladder.indent_pct, ladder.volume, ladder.base_price) == ((0.0, 2.0, 10.0), (20.0, 40.0, 80.0), 50000.0)
    placed = ladder.place({"tick": 1, "step": "0.0001"}, budget=140).table
    assert [str(order["quantity"]) for order in placed] == ["0.0004", "0.0008", "0.0017"]
    (here / "bot.csv").write_text("deviation,size\n0,20\n10,40\n10,80\n")
    assert mlab.read_bot("bot.csv", distances="before").indent_pct == (0.0, 10.0, 19.0)
    with pytest.raises(ConfigError, match=r"read_bot: form: must be '3commas', .*, was 'kucoin'"):
        mlab.read_bot("bot.csv", form="kucoin")
    with pytest.raises(ConfigError, match="deviation: must say what its distances count from"):
        mlab.read_bot("bot.csv")


def test_the_ladder_of_a_bot_keeps_its_take_profit(here: Path) -> None:
    (here / "bot.json").write_text(json.dumps(bot_settings.HUMMINGBOT | {"take_profit": "0.018"}))
    ladder = mlab.read_bot("bot.json")
    assert ladder.take_profit_pct == mlab.evaluate(ladder).risk["take_profit_pct"] == 1.8
    assert ladder.replay("made", bootstrap=0).group.rule.take_profit_pct == 1.8
    assert ladder.place({"tick": 1, "step": "0.0001"}, budget=140).take_profit_pct == Decimal("1.8")
    assert mlab.evaluate(ladder).ladder.take_profit_pct == 1.8
    assert mlab.evaluate(ladder, score=mlab.Score(need="path")).risk["take_profit_pct"] == 1.8
    assert mlab.evaluate(ladder, score=mlab.Score(take_profit_pct=4)).risk["take_profit_pct"] == 4
    assert ladder.replay("made", 4, bootstrap=0).group.rule.take_profit_pct == 4
    assert LADDER.replay("made", bootstrap=0).group.rule.take_profit_pct == 1


def test_a_ladder_without_a_price_asks_for_one_where_it_is_placed(here: Path) -> None:
    (here / "bot.json").write_text(json.dumps(bot_settings.OKX))
    rules = {"tick": "0.01", "step": "0.00001"}
    for ladder in (mlab.read_bot("bot.json"), mlab.Ladder([0, 5], [1, 1])):
        refused(lambda it=ladder: it.place(rules, 500), "place: price: must be given, for the ladder has no base_price")
        assert str(ladder.place(rules, 500, 65000).table[0]["price"]) == "65000.00"
        assert mlab.evaluate(ladder).orders[0]["price"] == 100.0


def test_what_is_left_out_of_a_bot_is_a_warning(here: Path) -> None:
    (here / "bot.json").write_text(json.dumps(bot_settings.BYBIT | {"sl_percent": "0.2"}))
    with pytest.warns(UserWarning, match=r"^BTCUSDT also trades by sl_percent: left out here\.$"):
        mlab.read_bot("bot.json")


def test_a_symbol_names_a_market_that_has_none_and_must_be_that_of_one_that_has() -> None:
    ladder = mlab.Ladder([0, 10], [1, 2], base_price=100)
    nameless, own = Market(tick=Decimal("0.1")), Market(symbol="BTCUSDT", tick=Decimal("0.1"))
    symbols = [
        ladder.place(*given, 100, symbol=symbol).placement.market.symbol
        for *given, symbol in ((nameless, None), (nameless, "ETHUSDT"), (own, None), (own, "btc-usdt"))
    ]
    assert symbols == ["", "ETHUSDT", "BTCUSDT", "BTCUSDT"]
    with pytest.raises(ConfigError, match="place: symbol: must be BTCUSDT, that of the market, was 'ETHUSDT'"):
        ladder.place(own, 100, symbol="ETHUSDT")


# the page ------------------------------------------------------------------------------------------------


@pytest.mark.integration
def test_every_line_of_the_page_does_what_it_shows(here: Path) -> None:
    runs.furnish(State(here / "mlruns"))
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    text = "\n".join(blocks)
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 30
    assert doctest.DocTestRunner().run(test).failed == 0
    assert mlab.open().experiment.mlflow_run_id


def test_the_notebook_shows_what_its_cells_give() -> None:
    """All of it, pictures included; only the ids of runs are put in their place."""
    from docs import notebook  # noqa: PLC0415 - what notebooks are made with takes a second to load

    assert NOTEBOOK.read_text(encoding="utf-8") == notebook.executed(), "run: python -m docs.notebook"


def test_the_notebook_names_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/", text)
    assert len(text) < 150_000
