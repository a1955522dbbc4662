"""``python -m docs.screenshots``: makes the pictures of the pages anew, from searches of its own and real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page

from docs.browser import browsing, visit
from docs.figures import IMAGES
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.store import Store

GRID = ("ladder.overlap_pct=[10,20]", "ladder.num_orders=[8,12]")
KINDS = {"at-fills": "score.need=fill", "on-path": "score.need=path"}
WIDTH, HEIGHT = 1700, 900
PORTS = ("4311", "5311")

DRAWING_MS, LOOKS = 3000.0, 10
"""Time between two looks at a page, on which something is drawn after its data are there, and how many at most."""

SEEN = "if (location.host) localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
"""The pages as they are from the second visit on: on the first MLflow opens its assistant over a quarter of them."""


def main() -> None:
    """Serve, search twice, look, and end what was started."""
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder) / "mlruns")
        os.environ["MLAB_STATE_DIR"] = str(state.root)
        _python("flows.app", "serve", "--prefect-port", PORTS[0], "--mlflow-port", PORTS[1])
        try:
            for name, kind in KINDS.items():
                settings = (f"name={name}", kind, *GRID)
                _python("flows.run", *(part for setting in settings for part in ("--set", setting)))
            _python("mlab.cli", "report")
            with Store.open(state.database) as store:
                runs = store.experiments()
            with browsing(WIDTH, HEIGHT) as page:
                page.add_init_script(SEEN)
                _look(page, Pages.of(state), state, runs)
        finally:
            _python("flows.app", "stop")


def _look(page: Page, pages: Pages, state: State, runs: list[Experiment]) -> None:
    """Take the pictures."""
    newest = runs[0]
    _shot(page, pages.flow_run(newest.flow_run_id or ""), "Artifacts", "prefect", 480)
    _shot(page, f"{pages.prefect}/runs", newest.run_id[-6:], "prefect-runs")
    ours = {"flow_runs": {"id": {"any_": [newest.flow_run_id]}}}
    (cell,) = _asked(f"{pages.prefect}/api/task_runs/filter", ours | {"task_runs": {"name": {"any_": ["20 % x 12"]}}})
    _shot(page, f"{pages.prefect}/runs/task-run/{cell['id']}", "Task Inputs", "prefect-task", 480)
    (ladders,) = _asked(f"{pages.prefect}/api/artifacts/filter", ours | {"artifacts": {"key": {"any_": ["ladders"]}}})
    _shot(page, f"{pages.prefect}/artifacts/artifact/{ladders['id']}", "need on path", "prefect-ladders")
    home = pages.home()
    experiment = home.partition("experiments/")[2].partition("/")[0]
    _shot(page, home, "best_score", "mlflow")
    _shot(page, pages.experiment(experiment, "cells"), "max_need_path", "mlflow-cells")
    same = {"experiment_ids": [experiment], "filter": "params.overlap_pct = '20' and params.num_orders = '12'"}
    of_cell = _asked(f"{pages.mlflow}/api/2.0/mlflow/runs/search", same)["runs"]
    pair = json.dumps([run["info"]["run_id"] for run in of_cell])
    _shot(page, f'{pages.mlflow}/#/compare-runs?runs={pair}&experiments=["{experiment}"]', "Parallel", "mlflow-compare")
    _shot(page, (state.reports / f"{newest.run_id}.html").as_uri(), "Winners", "report")


def _asked(address: str, question: dict[str, Any]) -> Any:
    return httpx.post(address, json=question).raise_for_status().json()


def _shot(page: Page, address: str, awaited: str, name: str, height: int = HEIGHT) -> None:
    """A picture of the upper part of a page, once it shows a text and moves no longer."""
    visit(page, address)
    page.get_by_text(awaited).first.wait_for()
    before, picture = b"", b""
    for _ in range(LOOKS):
        page.wait_for_timeout(DRAWING_MS)
        before, picture = picture, page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        if picture == before:
            break
    (IMAGES / f"{name}.png").write_bytes(picture)


def _python(*command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], check=True)  # noqa: S603 - our own modules


if __name__ == "__main__":
    main()
