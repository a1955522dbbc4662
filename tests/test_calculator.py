"""The calculator of the HTML report, in a real browser, shows what ``mlab place`` does, to the last digit."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from docs.browser import CHROMIUM, browsing
from mlab import cli
from mlab.core.decimals import plain
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.market import Market
from mlab.placing import PlacementError, place
from mlab.report import calculator, html, placed, summary
from mlab.report.columns import PERCENT
from mlab.store import Store
from tests import runs
from tests.test_place import MARKET
from tests.test_placing import MARKETS

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

D = Decimal
CASES = 2000
TOLD = (
    *MARKET, "market.quote=USDT", "market.most_quantity=60", "market.origin=Binance spot",
    "market.as_of=2025-11-27T00:00:00+00:00",
)  # fmt: skip

EXTREME = {
    "most": (Market(symbol="A", tick=D("0.01"), step=D("0.1"), most_quantity=D("20.05")), D("10")),
    "narrow": (Market(quote="USDT", tick=D("0.01"), step=D("0.01"), least_money=D(5), lowest_share=D("0.81")), D("10")),
    "few orders": (Market(symbol="A & <B>", tick=D("0.01"), step=D("0.1"), most_orders=12), D("10")),
    "price of a tick": (Market(tick=D(1), step=D("0.5")), D("4")),
    "step of a thousand": (Market(tick=D("0.0005"), step=D(1000), least_money=D("0.7")), D("0.1375")),
    "eighths": (Market(tick=D("0.125"), step=D("0.25")), D("16")),
    "inverse without grid": (Market(contract_size=D(10), inverse=True), D("3.7e-7")),
}


def market_of(chance: random.Random) -> tuple[Market, Decimal]:
    """A market of the examples, or one by chance whose grid and least order are about as fine as those of exchanges."""
    if chance.random() < 0.6:
        return chance.choice([*MARKETS.values(), *EXTREME.values()])
    price = 10 ** chance.uniform(-7, 5)

    def number(power: float, digits: int = 2) -> Decimal:
        return D(repr(float(f"{10 ** (power + chance.uniform(-1.5, 1.5)):.{chance.randint(1, digits)}g}")))

    inverse, size = chance.random() < 0.3, chance.choice([D(1), number(0)])
    power = 0 if inverse else math.log10(price)
    market = Market(
        symbol="X-Y",
        quote="YEN",
        tick=number(math.log10(price) - 3.5),
        step=chance.choice([D(0), number(-power - 0.5)]),
        least_quantity=chance.choice([D(0), number(-power)]),
        least_money=chance.choice([D(0), number(0.7)]),
        contract_size=size,
        inverse=inverse,
    )
    return market, D(repr(price))


def case(chance: random.Random) -> tuple[Any, ...]:
    """A ladder, its sizing, a market, a budget, an entry price, take profit and fee."""
    market, price = market_of(chance)
    depths, volumes = [0.0], [1.0]
    for _ in range(chance.randint(1, 19)):
        depths.append(depths[-1] + chance.choice([chance.uniform(0.05, 4.0), 2.5]))
        volumes.append(volumes[-1] * chance.choice([chance.uniform(0.5, 2.0), 1.0, 1.5]))
    if chance.random() < 0.3:
        price = D(repr(float(f"{float(price) * chance.uniform(0.8, 1.2):.6g}")))
    budget = D(f"{10 ** chance.uniform(1, 6):.{chance.randint(0, 2)}f}")
    take_profit, fee = (D(chance.choice(texts)) for texts in (["1", "1.5", "0.37"], ["0", "0.1", "0.075", "10"]))
    wanted = depths, volumes, chance.choice(["quote", "base"]), market
    try:
        place(*wanted, budget, price)
    except PlacementError as error:
        enough = re.match(r"a budget of ([\d.]+) would do", error.remedy)
        if enough and chance.random() < 0.6:
            budget = D(enough[1]) * D(chance.choice(["1", "1.02", "1.2"]))
    return *wanted, budget, price, take_profit, fee


def by_python(*case: Any) -> dict[str, Any]:
    """What ``mlab place`` writes, or why it does not."""
    *wanted, take_profit, fee = case
    try:
        placement = place(*wanted)
    except PlacementError as error:
        return {"error": str(error)}
    rows = placed.rows(placement, take_profit, fee)
    first, _, lifted, *_ = placed.sentences(placement, take_profit, fee)
    words = first.split(";")[0] + "."
    if placement.changed["lifted"]:
        words += f" {lifted.split('.')[0]}."
    return {
        "csv": summary.as_csv(rows),
        "table": [[column.text(row) for column in placed.COLUMNS] for row in rows],
        "words": words,
    }


def asked(*case: Any) -> dict[str, Any]:
    """The same as the page has it."""
    *ladder, market, budget, price, take_profit, fee = case
    numbers = {"budget": budget, "price": price, "take_profit": take_profit, "fee": fee}
    numbers |= {name: getattr(market, name) for name in ("tick", "step", "least_quantity", "least_money")}
    fields = {name: plain(number) for name, number in numbers.items()} | {"quote": market.quote}
    return {"ladder": calculator.ladder(*ladder, market), "fields": fields}


BY_THE_PAGE = """asked => JSON.stringify(JSON.parse(asked).map(({ladder, fields}) => {
  try {
    const {table, words} = place(ladder, fields);
    return {csv: as_csv(table), table: table.map(shown), words};
  } catch (error) {
    return {error: error.message};
  }
}))"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, Path]:
    """A state folder with a run of two cells that was told of its market, and the report of it."""
    state = State(tmp_path_factory.mktemp("calculator"))
    with Store.open(state.database) as store:
        run = runs.stored(store, runs.searched(state, store, *TOLD))
        text = html.html(run, store.cells(run.exp_id), store.results(run.exp_id), [], Pages.of(state))
    report = state.root / "report.html"
    report.write_text(text)
    return state, report


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    """A browser that has no network and may use the clipboard."""
    with browsing() as page:
        page.context.set_offline(True)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        yield page


@pytest.fixture
def page(stored: tuple[State, Path], browser: Page) -> Iterator[Page]:
    """The report as it is at first; no script in it has failed when the test ends."""
    errors: list[str] = []
    browser.on("pageerror", lambda error: errors.append(str(error)))
    browser.emulate_media(media="screen")
    browser.goto(stored[1].as_uri())
    yield browser
    assert errors == []


Shell = Callable[..., tuple[str, str]]


@pytest.fixture
def mlab(stored: tuple[State, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """What a command writes to standard output and to standard error."""
    monkeypatch.setenv("MLAB_STATE_DIR", str(stored[0].root))

    def typed(*arguments: str, status: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        assert cli.main(arguments) == status
        shown = capsys.readouterr()
        return shown.out, shown.err

    return typed


def test_it_places_any_ladder_as_python_does(page: Page) -> None:
    chance = random.Random(1)  # noqa: S311
    cases = [case(chance) for _ in range(CASES)]
    found = json.loads(page.evaluate(BY_THE_PAGE, json.dumps([asked(*one) for one in cases])))
    wanted = [by_python(*one) for one in cases]
    for one, by_page, by_us in zip(cases, found, wanted, strict=True):
        assert by_page == by_us, one
    refused = {one["error"].split(":")[0] for one in wanted if "error" in one}
    assert refused == {"least_money", "least_quantity", "tick", "lowest_share", "most_orders", "most_quantity", "step"}
    assert sum("csv" in one for one in wanted) > CASES / 2
    assert any("Lifted" in one.get("words", "") for one in wanted)


def read(shown: Locator) -> list[list[str]]:
    """The table of a calculator, as it is seen."""
    return [row.locator("td").all_inner_texts() for row in shown.locator("tbody tr").all() if row.is_visible()]


def as_shown(text: str) -> list[list[str]]:
    """The same of what a command wrote as CSV."""
    rows = csv.DictReader(io.StringIO(text))
    return [[PERCENT(float(value)) if name.endswith("_pct") else value for name, value in row.items()] for row in rows]


def test_a_person_types_and_reads_and_copies(page: Page, mlab: Shell) -> None:
    page.get_by_text("10 % x 5: need").click()
    first, second = page.locator(".calculator").all()
    assert read(second) == as_shown(mlab("place", "--cell", "10x5", "--format", "csv")[0])

    typed = {"budget": "900", "entry price": "47.5", "take profit %": "1.5", "fee on each side %": "0.1"}
    for label, text in typed.items():
        second.get_by_label(label).fill(text)
    options = ("--budget", "900", "--price", "47.5", "--take-profit", "1.5", "--fee", "0.1", "--format", "csv")
    for shown, cell in ((first, "10x4"), (second, "10x5")):
        wanted = mlab("place", "--cell", cell, *options)[0]
        assert read(shown) == as_shown(wanted)
        shown.get_by_role("button").click()
        expect(shown.get_by_role("button")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == wanted


def test_it_says_how_old_the_rules_are_when_it_is_read(page: Page) -> None:
    days = (datetime.now(UTC) - datetime(2025, 11, 27, tzinfo=UTC)).days
    age = rf"Binance spot, as of 2025-11-27 00:00 UTC \(({days}|{days + 1}) days ago\)"
    expect(page.locator("header")).to_contain_text(re.compile(f"Market: {age}; 500 USDT from 100 down"))
    expect(page.locator(".calculator").first).to_contain_text(re.compile(f"Rules of the run: {age}\\."))


def test_a_rule_that_cannot_be_kept_is_told_in_the_same_words(page: Page, mlab: Shell) -> None:
    shown = page.locator(".calculator").first
    told, button = shown.get_by_role("status"), shown.get_by_role("button")
    expect(told).to_contain_text("of 500 USDT")
    shown.get_by_label("budget").fill("20")
    error = mlab("place", "--cell", "10x4", "--budget", "20", status=1)[1]
    expect(told).to_have_text(error.removeprefix("error: ").strip())
    expect(button).to_be_hidden()
    assert read(shown) == []

    shown.get_by_label("budget").fill("2e3")
    expect(told).to_contain_text("of 2000 USDT")
    expect(button).to_be_visible()


def test_what_is_typed_wrong_is_told_with_its_field(page: Page) -> None:
    shown = page.locator(".calculator").first
    for label, text, line in (
        ("budget", "0", "budget: must be a number above 0, at most 1e12, was '0'"),
        ("budget", "1e13", "budget: must be a number above 0, at most 1e12, was '1e13'"),
        ("budget", "", "budget: must be given to see the orders"),
        ("entry price", "-5", "price: must be a number above 0, at most 1e12, was '-5'"),
        ("price tick", "0,01", "tick: must be a number from 0 up, was '0,01'"),
        ("least quantity", "60.5", "least_quantity: must not be above most_quantity 60, was '60.5'"),
        ("quantity step", "1e31", "step: must be a number from 0 up, was '1e31'"),
        ("take profit %", "much", "take_profit: must be a number above 0, at most 1e12, was 'much'"),
        ("fee on each side %", "10.1", "fee: must be a number from 0 to 10, was '10.1'"),
    ):
        field = shown.get_by_label(label)
        before = field.input_value()
        field.fill(text)
        expect(shown.get_by_role("status")).to_have_text(line)
        assert field.evaluate("field => field.validationMessage") == (line if text else "")
        assert read(shown) == []
        field.fill(before)
        expect(shown.get_by_role("status")).to_contain_text("of 500 USDT")


def test_on_paper_are_the_orders_where_there_are_any(page: Page) -> None:
    shown = page.locator(".calculator").last
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(shown.locator("tbody tr")).to_have_count(5)
    expect(shown).to_be_visible()
    expect(shown.get_by_role("button")).to_be_hidden()
    page.locator("[name=budget]").last.fill("")
    expect(shown).to_be_hidden()


def test_orders_are_copied_in_a_frame_to_which_the_clipboard_is_closed(
    page: Page, mlab: Shell, stored: tuple[State, Path]
) -> None:
    """As MLflow shows a report."""
    frame = stored[1].with_name("frame.html")
    report = escape(stored[1].read_text())
    frame.write_text(f'<iframe sandbox="allow-scripts" width="1000" height="800" srcdoc="{report}"></iframe>')
    page.goto(frame.as_uri())
    button = page.frame_locator("iframe").locator(".calculator button").first
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == mlab("place", "--cell", "10x4", "--format", "csv")[0]
