"""MLflow's own pages, as a person opens them to compare runs: with the real server, in a real browser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from playwright.sync_api import Page, expect

from docs.browser import CHROMIUM, browsing
from mlab.identity import State
from mlab.pages import Pages
from mlab.store import Store
from mlab.tracking.destination import Destination
from mlab.tracking.rounds import follow
from tests import runs

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@dataclass(frozen=True)
class Shown:
    """Two runs that differ in what they minimise, MLflow's pages over them, and a browser."""

    page: Page
    pages: Pages
    experiment: str
    parents: list[Run]
    cells: list[Run]

    def open(self, address: str) -> None:
        """Show a page as if for the first time."""
        self.page.goto("about:blank")
        self.page.goto(address)

    def compare(self, chosen: list[Run]) -> None:
        """Show the comparison of some runs, which MLflow opens for those that are ticked."""
        ids = ",".join(f'"{run.info.run_id}"' for run in chosen)
        self.open(f'{self.pages.mlflow}/#/compare-runs?runs=[{ids}]&experiments=["{self.experiment}"]')

    def columns(self) -> list[str]:
        """The head of the table of runs, from the left to the right."""
        heads = self.page.locator(".ag-header-viewport .ag-header-cell")
        expect(heads.filter(has_text="max_need").first).to_be_visible()
        left = {head.inner_text().strip(): (head.bounding_box() or {"x": 0.0})["x"] for head in heads.all()}
        return sorted(left, key=left.__getitem__)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    state = runs.furnish(State(tmp_path_factory.mktemp("comparing")))
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        port = runs.free_port()
        pages = Pages(mlflow=f"http://127.0.0.1:{port}")
        pages.serve(state)
        with Store.open(state.database) as store:
            for need in ("fill", "path"):
                run_id = runs.searched(state, store, f"score.need={need}")
                store.set_flow_run(runs.stored(store, run_id).exp_id, f"flow-of-{need}")
                assert follow(state, run_id) == ""
        client = MlflowClient(f"sqlite:///{state.mlflow_database}")
        experiment = Destination.open(state).experiment
        found = client.search_runs([experiment])
        cells = sorted((run for run in found if "cell" in run.data.tags), key=lambda run: run.data.tags["cell"])
        parents = [run for run in found if "cell" not in run.data.tags]
        with server(state, port), browsing(1900, 1200) as page:
            yield Shown(page, pages, experiment, parents, cells)


@contextmanager
def server(state: State, port: int) -> Iterator[None]:
    """MLflow's server over a state folder."""
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    places = [f"--backend-store-uri=sqlite:///{state.mlflow_database}", f"--artifacts-destination={state.artifacts}"]
    own = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with runs.python(*command, *places, state=state.root, log=subprocess.DEVNULL, **own):
        runs.wait_until(lambda: runs.answers(f"http://127.0.0.1:{port}/health"), 120.0)
        yield


def test_the_experiment_opens_with_the_columns_that_matter(shown: Shown) -> None:
    assert shown.pages.home() == shown.pages.experiment(shown.experiment)
    shown.open(shown.pages.home())

    expect(shown.page.get_by_role("button", name="Runs", exact=True)).to_be_visible()
    assert shown.columns()[:4] == ["status", "best_score", "eval_count", "elapsed_s"]
    for run in shown.parents:
        expect(shown.page.get_by_text(run.info.run_name)).to_be_visible()


def test_cells_are_a_view_of_their_own_sorted_so_that_the_same_cells_of_two_runs_meet(shown: Shown) -> None:
    shown.open(shown.pages.experiment(shown.experiment, "cells"))

    assert shown.columns()[:5] == ["overlap_pct", "num_orders", "max_need", "max_need_path", "score"]
    names = shown.page.locator(".ag-row").get_by_role("link").all_inner_texts()
    assert [name.partition(",")[0] for name in names] == ["10 % x 4"] * 2 + ["10 % x 5"] * 2
    assert set(names) == {run.info.run_name for run in shown.cells}


def test_the_best_ladders_of_two_runs_stand_beside_each_other(shown: Shown) -> None:
    shown.open(f"{shown.pages.experiment(shown.experiment)}&compareRunsMode=ARTIFACT")

    expect(shown.page.get_by_text("10 % x 4, rank 1", exact=True)).to_be_visible()
    for run in shown.cells[:2]:
        expect(shown.page.get_by_text(f"score {run.data.metrics['score']:.4f}").first).to_be_visible()


def test_a_run_says_what_it_found_and_leads_to_its_report_and_to_prefect(shown: Shown) -> None:
    run = shown.parents[0]
    shown.open(shown.pages.mlflow_run(run.info.run_id))

    expect(shown.page.get_by_text("What covering more costs")).to_be_visible()
    flow = shown.page.get_by_role("link", name="Prefect flow run")
    assert flow.get_attribute("href") == shown.pages.flow_run(run.data.tags["prefect.flow_run_id"])
    address = shown.page.get_by_role("link", name="report of the run").get_attribute("href")
    assert address is not None
    shown.open(address)
    report = shown.page.frame_locator("iframe")
    expect(report.get_by_text(f"run {run.data.tags['run_id']}", exact=True)).to_be_visible()
    report.get_by_role("link", name="Config").click()
    expect(report.get_by_role("heading", name="Config")).to_be_in_viewport()


def test_two_cells_compare_by_name_by_what_differs_and_as_parallel_coordinates(shown: Shown) -> None:
    pair = shown.cells[:2]
    shown.compare(pair)

    for run in pair:
        expect(shown.page.get_by_text(run.info.run_name, exact=True)).to_be_visible()
    plot = shown.page.locator(".parcoords")
    for axis in ("score.need", "best_score"):
        expect(plot.get_by_text(axis, exact=True)).to_be_visible()
    row = shown.page.get_by_role("row").filter(has_text="score.need")
    assert {"fill", "path"} <= set(row.inner_text().split())
