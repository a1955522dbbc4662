"""The HTML report: whole, by itself, escaped, and alive in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mlab.core.event_log import EventLog
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.report import html
from mlab.report.words import LIMITS
from mlab.store import Store
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")

HOSTILE = "<script>alert(1)</script> & \"quoted\" 'single' {{ 7 * 7 }}"
PAGES = Pages("http://127.0.0.1:1", "http://127.0.0.1:2")
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
VOID = {"meta", "img", "input", "rect", "link", "br"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, str]:
    state = State(tmp_path_factory.mktemp("page"))
    with Store.open(state.database) as store:
        runs.searched(state, store, f"notes={json.dumps(HOSTILE)}", "ladder.overlap_pct=[10,20]")
        store.set_mlflow_run(1, "m1")
        store.set_flow_run(1, "f1")
        experiment = store.experiments()[0]
        events = list(EventLog(state.events(experiment.run_id)).news())
        text = html.html(experiment, store.cells(1), store.results(1), events, PAGES)
    return state, text


class Reader(HTMLParser):
    """Links, tags and text of a page; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.fields: list[str | None] = []
        self.ladders: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := values.get(name))]
        self.ids += [value] if (value := values.get("id")) else []
        self.ladders += [value] if (value := values.get("data-ladder")) else []
        self.fields += [values.get("value")] if tag == "input" and "name" in values else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.text += data


def test_it_is_well_formed_and_only_two_links_lead_outside(whole: tuple[State, str]) -> None:
    read = Reader(whole[1])
    outside = [link for link in read.links if not link.startswith(("#", "data:image/svg+xml;base64,"))]
    assert outside == [PAGES.mlflow_run("m1"), PAGES.flow_run("f1")]
    assert {link[1:] for link in read.links if link.startswith("#")} <= set(read.ids)
    assert len(re.findall("http", re.sub(r"data:[^\"]*|http://www.w3.org/\S*", "", whole[1]))) == len(outside)


def test_it_holds_what_a_person_wants_to_know(whole: tuple[State, str]) -> None:
    text = Reader(whole[1]).text
    with Store.open(whole[0].database) as store:
        cells, results = store.cells(1), store.results(1)
    for cell in cells:
        assert cell.best is not None
        for part in (f"{cell.best.score:.4f}", cell.best.candidate_id, f"{cell.best.contract['max_need']:.2f}"):
            assert part in text
    assert all(limit in text for limit in LIMITS)
    assert "1. Order: indent 0.00 %" in text
    assert "P_gini" in text
    assert "ORCH.SAVE_OK" in text
    assert "name: tiny" in text, "the config"
    assert len(re.findall(r"<tr data-cell=", whole[1])) == len(
        {(c.cell.index, json.dumps(c.contract["schedule"])) for c in results}
    )


def test_what_comes_from_outside_is_escaped(whole: tuple[State, str]) -> None:
    assert HOSTILE in Reader(whole[1]).text, "shown as it was written"
    assert "<script>alert" not in whole[1]
    assert Reader(whole[1]).tags.count("script") == 1


def test_the_calculators_begin_with_what_the_run_was_told_of_its_market(
    whole: tuple[State, str], tmp_path: Path
) -> None:
    """Fields, rules without a field, and a symbol that would be a script."""
    told = (f"symbol={json.dumps(HOSTILE[:60])}", "tick=0.01", "least_money=5", "lowest_share=0.2", "budget=500")
    with Store.open(State(tmp_path).database) as store:
        run_id = runs.searched(State(tmp_path), store, *(f"market.{rule}" for rule in (*told, "price=65000.5")))
        run = runs.stored(store, run_id)
        text = html.html(run, store.cells(run.exp_id), store.results(run.exp_id), [], PAGES)
    read, other = Reader(text), Reader(whole[1])
    assert read.tags.count("script") == 1
    assert [json.loads(ladder)["market"]["symbol"] for ladder in read.ladders] == [HOSTILE[:60]] * 2
    assert json.loads(read.ladders[0])["market"]["lowest_share"] == "0.2"
    assert "The run's market has these as well: lowest share 0.2." in read.text
    assert "The run's market" not in other.text
    budget_price_and_rules = ["500", "65000.5", "money", "0.01", "", "", "5", "1", "0"]
    assert read.fields == budget_price_and_rules * 2
    assert other.fields[:9] == ["", "100", "money", "", "", "", "", "1", "0"]


def test_a_run_without_any_ladder_has_a_page(tmp_path: Path) -> None:
    state = State(tmp_path)
    with Store.open(state.database) as store:
        experiment, _ = runs.opened(state, store)
        text = html.html(experiment, store.cells(1), [], [], PAGES)
    read = Reader(text)
    assert "No ladder was found." in read.text
    assert all(link.startswith("#") for link in read.links), "nothing leads to runs that it does not have"


def test_many_events_are_cut_to_the_last(whole: tuple[State, str]) -> None:
    with Store.open(whole[0].database) as store:
        experiment = store.experiments()[0]
        log = list(EventLog(whole[0].events(experiment.run_id)).news())
        many = log * (1 + html.EVENTS // len(log))
        text = html.html(experiment, store.cells(1)[:1], [], many, PAGES)
    assert text.count('data-event="') == html.EVENTS
    assert f"The last {html.EVENTS} events; {len(many) - html.EVENTS} before them" in text


def browser(place: Path, script: str, profile: Path) -> Any:
    """What a script finds in the page, in a real Chromium."""
    probe = place.with_name("probe.html")
    end = f"<script>document.title = JSON.stringify((() => {{ {script} }})());</script></body>"
    probe.write_text(place.read_text().replace("</body>", end))
    command = [str(CHROMIUM), *FLAGS, "--dump-dom", f"--user-data-dir={profile}", probe.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=runs.SECONDS, check=True).stdout  # noqa: S603
    title = re.search(r"<title>(.*?)</title>", shown, re.S)
    assert title is not None
    return json.loads(title[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


@pytest.mark.integration
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_a_browser_sorts_and_filters_it(whole: tuple[State, str], tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    place.write_text(whole[1])
    found = browser(
        place,
        """
        const table = document.querySelector("#cells table");
        const scores = () => [...table.tBodies[0].rows].map(row => parseFloat(row.cells[2].textContent));
        table.querySelectorAll("th button")[2].click();
        const up = scores();
        table.querySelectorAll("th button")[2].click();
        const down = scores();
        const filter = document.querySelector("#ladders select");
        filter.value = filter.options[1].value;
        filter.dispatchEvent(new Event("input"));
        const rows = [...document.querySelectorAll("#ladders tbody tr")];
        const left = rows.filter(row => !row.hidden).map(row => row.dataset.cell);
        const event = document.querySelector("#trace select");
        event.value = "ORCH.SAVE_OK";
        event.dispatchEvent(new Event("input"));
        const shown = [...document.querySelectorAll("#trace tbody tr")].filter(row => !row.hidden);
        const images = [...document.images].every(image => image.complete && image.naturalWidth > 0);
        return {up, down, left, all: rows.length, shown: shown.map(row => row.cells[1].textContent), images};
        """,
        tmp_path / "profile",
    )
    assert found["up"] == sorted(found["up"])
    assert found["down"] == sorted(found["up"], reverse=True)
    assert set(found["left"]) == {"10 % x 4"}
    assert 0 < len(found["left"]) < found["all"]
    assert set(found["shown"]) == {"ORCH.SAVE_OK"}
    assert len(found["shown"]) == 8
