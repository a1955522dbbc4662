"""``make ui``: both servers together, and MLflow's pages in a real browser, as people open them to compare runs."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from playwright.sync_api import Page, expect

from docs.browser import CHROMIUM, browsing, visit
from flows import app
from flows.connection import address_file
from mlab.core.probe import answers
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.store import Store
from mlab.tracking.client import Client
from mlab.tracking.publisher import follow
from tests import runs
from tests.runs import TINY, command_line
from tests.served import PROXIES, Prefect

pytestmark = pytest.mark.usefixtures("quick")


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


# What can be said without starting anything


@pytest.mark.parametrize("option", ["--prefect-port", "--mlflow-port"])
def test_an_occupied_port_is_one_line_that_names_the_remedy(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "state"))
    chosen = dict(zip(("--prefect-port", "--mlflow-port"), (runs.free_port(), runs.free_port()), strict=True))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        chosen[option] = other.getsockname()[1]
        status = app.main(["ui", *[word for pair in chosen.items() for word in map(str, pair)]])

    out, err = capsys.readouterr()
    assert (status, out) == (1, "")
    assert err == f"error: port {chosen[option]} is not free: end what uses it, or choose another with {option}\n"
    assert not (tmp_path / "state").exists()


# Both servers over two finished runs


@dataclass(frozen=True)
class Shown:
    """Two runs that differ in what they minimise, and the pages over them."""

    state: State
    pages: Pages
    process: subprocess.Popen[bytes]
    experiment: str
    parents: list[Run]
    cells: list[Run]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    state = runs.furnish(State(tmp_path_factory.mktemp("ui")))
    ports = runs.free_port(), runs.free_port()
    pages = Pages.local(*ports)
    pages.serve(state)
    with pytest.MonkeyPatch.context() as environment, Store.open(state.database) as store:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        for need in ("fill", "path"):
            run_id = runs.searched(state, store, f"score.need={need}")
            store.set_flow_run(runs.stored(store, run_id).exp_id, f"flow-of-{need}")
            assert follow(state, run_id) == ""
        experiment = Client.open(state).experiment
    found = MlflowClient(f"sqlite:///{state.mlflow_database}").search_runs([experiment])
    cells = sorted((run for run in found if "cell" in run.data.tags), key=lambda run: run.data.tags["cell"])
    parents = [run for run in found if "cell" not in run.data.tags]
    command = ("-m", "flows.app", "ui", "--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1]))
    with runs.python(*command, state=state.root) as process:
        try:
            runs.wait_until(lambda: process.poll() is not None or address_file(state).exists())
            yield Shown(state, pages, process, experiment, parents, cells)
        finally:
            process.terminate()
            process.wait(runs.SECONDS)


# MLflow's pages


@dataclass(frozen=True)
class Browser:
    """A page of Chromium, for MLflow's."""

    page: Page
    shown: Shown

    def open(self, address: str) -> None:
        """Show a page as to one who comes from elsewhere: all of MLflow's program is loaded anew."""
        visit(self.page, address)

    def follow(self, address: str) -> None:
        """Show a page as to one who is on another of MLflow's."""
        self.page.goto(address)

    def compare(self, chosen: list[Run]) -> None:
        """Show the comparison of some runs, which MLflow opens for those that are ticked."""
        ids = ",".join(f'"{run.info.run_id}"' for run in chosen)
        self.follow(f'{self.shown.pages.mlflow}/#/compare-runs?runs=[{ids}]&experiments=["{self.shown.experiment}"]')

    def columns(self) -> list[str]:
        """The head of the table of runs, from the left to the right."""
        heads = self.page.locator(".ag-header-viewport .ag-header-cell")
        expect(heads.filter(has_text="max_need").first).to_be_visible()
        left = {head.inner_text().strip(): (head.bounding_box() or {"x": 0.0})["x"] for head in heads.all()}
        return sorted(left, key=left.__getitem__)


@pytest.fixture(scope="module")
def browser(shown: Shown) -> Iterator[Browser]:
    with browsing(1900, 1200) as page:
        yield Browser(page, shown)


@needs_chromium
@pytest.mark.integration
def test_the_experiment_opens_with_the_columns_that_matter(shown: Shown, browser: Browser) -> None:
    assert shown.pages.home() == shown.pages.experiment(shown.experiment)
    browser.open(shown.pages.home())

    expect(browser.page.get_by_role("button", name="Runs", exact=True)).to_be_visible()
    assert browser.columns()[:4] == ["status", "best_score", "eval_count", "elapsed_s"]
    for run in shown.parents:
        expect(browser.page.get_by_text(run.info.run_name)).to_be_visible()


@needs_chromium
@pytest.mark.integration
def test_cells_are_a_view_of_their_own_sorted_so_that_the_same_cells_of_two_runs_meet(
    shown: Shown, browser: Browser
) -> None:
    browser.open(shown.pages.experiment(shown.experiment, "cells"))

    assert browser.columns()[:5] == ["overlap_pct", "num_orders", "max_need", "max_need_path", "score"]
    names = browser.page.locator(".ag-row").get_by_role("link").all_inner_texts()
    assert [name.partition(",")[0] for name in names] == ["10 % x 4"] * 2 + ["10 % x 5"] * 2
    assert set(names) == {run.info.run_name for run in shown.cells}


@needs_chromium
@pytest.mark.integration
def test_the_best_ladders_of_two_runs_stand_beside_each_other(shown: Shown, browser: Browser) -> None:
    browser.follow(f"{shown.pages.experiment(shown.experiment)}&compareRunsMode=ARTIFACT")

    expect(browser.page.get_by_text("10 % x 4, rank 1", exact=True)).to_be_visible()
    for run in shown.cells[:2]:
        expect(browser.page.get_by_text(f"score {run.data.metrics['score']:.4f}").first).to_be_visible()


@needs_chromium
@pytest.mark.integration
def test_a_run_says_what_it_found_and_leads_to_its_report_and_to_prefect(shown: Shown, browser: Browser) -> None:
    run = shown.parents[0]
    browser.follow(shown.pages.mlflow_run(run.info.run_id))

    expect(browser.page.get_by_text("What covering more costs")).to_be_visible()
    flow = browser.page.get_by_role("link", name="Prefect flow run")
    assert flow.get_attribute("href") == shown.pages.flow_run(run.data.tags["prefect.flow_run_id"])
    address = browser.page.get_by_role("link", name="report of the run").get_attribute("href")
    assert address is not None
    report = browser.page.frame_locator("iframe")
    # From here; from Prefect, which knows no experiment.
    for show, place in ((browser.follow, address), (browser.open, shown.pages.report(run.info.run_id))):
        show(place)
        expect(report.get_by_text(f"run {run.data.tags['run_id']}", exact=True)).to_be_visible()
    report.get_by_role("link", name="Config").click()
    expect(report.get_by_role("heading", name="Config")).to_be_in_viewport()


@needs_chromium
@pytest.mark.integration
def test_two_cells_compare_by_name_by_what_differs_and_as_parallel_coordinates(shown: Shown, browser: Browser) -> None:
    pair = shown.cells[:2]
    browser.compare(pair)

    for run in pair:
        expect(browser.page.get_by_text(run.info.run_name, exact=True)).to_be_visible()
    plot = browser.page.locator(".parcoords")
    for axis in ("score.need", "best_score"):
        expect(plot.get_by_text(axis, exact=True)).to_be_visible()
    row = browser.page.get_by_role("row").filter(has_text="score.need")
    assert {"fill", "path"} <= set(row.inner_text().split())


# Until the end


@pytest.mark.integration
def test_both_pages_show_the_runs_and_end_together(shown: Shown) -> None:
    assert shown.process.poll() is None, list(shown.state.services.glob("*.log"))
    assert answers(shown.pages.prefect)
    assert answers(shown.pages.mlflow)
    before = {run.data.tags["run_id"] for run in shown.parents}
    mlflow_knows(shown, before)

    assert address_file(shown.state).read_text() == f"{shown.pages.prefect}/api"
    answer = joined(shown)
    prefect = Prefect(f"{shown.pages.prefect}/api", shown.state)
    assert [run["name"] for run in prefect.api("POST", "flow_runs/filter", {})] == [
        f"tiny, 2 cells, {answer['run_id'][-6:]}"
    ]
    mlflow_knows(shown, before | {answer["run_id"]})

    ended(shown)


def mlflow_knows(shown: Shown, run_ids: set[str]) -> None:
    """MLflow lists these runs as finished, each with its best score."""
    client = MlflowClient(shown.pages.mlflow)
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    found = client.search_runs([experiment.experiment_id])
    parents = [run for run in found if run.data.tags.get("status") == "COMPLETED"]

    assert {run.data.tags["run_id"] for run in parents} == run_ids
    assert all(run.info.status == "FINISHED" for run in found)
    assert all("best_score" in run.data.metrics for run in parents)


def joined(shown: Shown) -> Any:
    """A run that is started meanwhile reaches both, though a proxy is of no use, and starts no server of its own."""
    line = command_line("--json", overrides=TINY)
    with runs.python(*line, state=shown.state.root, log=subprocess.PIPE, **PROXIES) as process:
        out, err = process.communicate(timeout=runs.SECONDS)

    assert process.returncode == 0, err.decode()
    assert b"could not be told" not in err
    assert not (shown.state.prefect / "server.log").exists()
    return json.loads(out)


def ended(shown: Shown) -> None:
    """SIGTERM ends both servers with all that they started, and the address is gone."""
    family = psutil.Process(shown.process.pid).children(recursive=True)
    assert len(family) >= 2

    with runs.within(15.0):
        shown.process.terminate()
        assert shown.process.wait(runs.SECONDS) == 0

    assert not address_file(shown.state).exists()
    runs.wait_until(lambda: not any(runs.alive(one.pid) for one in family))
    assert not answers(f"{shown.pages.prefect}/api/health")
    assert not answers(f"{shown.pages.mlflow}/health")
