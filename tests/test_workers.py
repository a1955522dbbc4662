"""Cells in several processes: the same results as in one, and an orderly end whatever happens to any of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.workers import fingerprint
from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.runs import command_line
from tests.served import STOPPING_S

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("quick")]

CONFIG = (
    "seed=7", "ladder.overlap_pct=[10, 20]", "ladder.num_orders=[4, 6]", "search.batch_size=4",
    "search.max_batches=5", "search.patience=5", "search.miss_chance=0",
    "search.prune_factor=1000", "search.pruner=none",
)  # fmt: skip


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    return State(tmp_path_factory.mktemp("workers"))


@pytest.fixture(scope="module")
def alone(state: State) -> tuple[str, Experiment]:
    """What one process finds, without Prefect: its fingerprint and its row."""
    with Store.open(state.database) as store:
        run_id = runs.searched(state, store, *CONFIG)
        return fingerprint(state, run_id), runs.stored(store, run_id)


class Run:
    """Commands on one run, in a state folder that all runs share, and what became of them."""

    def __init__(self, state: State, prefect_url: str) -> None:
        self.state, self.id, self.err = state, "", ""
        self._url = prefect_url

    @contextmanager
    def command(self, workers: int, *, plain: bool = False, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Begin the run, or go on with it; MLflow has no part in this."""
        variables |= {"MLAB_MODE": "offline"} | ({} if plain else {"PREFECT_API_URL": self._url})
        what = ("--resume", self.id) if self.id else ()
        before = set(self.state.root.glob("events/*"))
        command = command_line("--json", "--workers", str(workers), *what, overrides=() if self.id else CONFIG)
        with runs.python(*command, state=self.state.root, pace="slow", **variables) as process:
            if not self.id:
                runs.wait_until(lambda: bool(set(self.state.root.glob("events/*")) - before))
                self.id = (set(self.state.root.glob("events/*")) - before).pop().stem
            yield process

    def ended(self, process: subprocess.Popen[bytes]) -> tuple[int, dict[str, Any]]:
        """Exit status and answer of a command that is left to itself."""
        out, err = process.communicate(timeout=runs.SECONDS)
        self.err = err.decode()
        return process.returncode, json.loads(out or b"{}")

    def until_searching(self, process: subprocess.Popen[bytes]) -> set[int]:
        """Wait until two batches more are saved; the ids of the workers that have searched since."""
        before = len(self.events())

        def new() -> list[dict[str, Any]]:
            return [event for event in self.events()[before:] if event["event"] == "ORCH.SAVE_OK"]

        runs.wait_until(lambda: process.poll() is not None or len(new()) >= 2, every=0.2)
        return {int(event["worker"].rpartition(":")[2]) for event in new()}

    def events(self) -> list[dict[str, Any]]:
        return runs.events(self.state.events(self.id))

    def fingerprint(self) -> str:
        return fingerprint(self.state, self.id)


@pytest.fixture
def run(state: State, prefect_url: str) -> Run:
    return Run(state, prefect_url)


def gone(pids: set[int]) -> bool:
    return not any(runs.alive(pid) for pid in pids)


@pytest.mark.parametrize("plain", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_two_workers_find_what_one_does(run: Run, alone: tuple[str, Experiment], plain: bool) -> None:
    with run.command(workers=2, plain=plain) as process:
        status, answer = run.ended(process)

    assert status == 0, run.err
    assert run.fingerprint() == alone[0]
    assert (answer["status"], answer["best_score"]) == ("COMPLETED", alone[1].best_score)
    assert answer["eval_count"] == alone[1].eval_count == sum(cell["evaluations"] for cell in answer["cells"])
    assert [(cell["overlap_pct"], cell["num_orders"], cell["trials"]) for cell in answer["cells"]] == [
        (overlap, orders, 20) for overlap in (10.0, 20.0) for orders in (4, 6)
    ]
    assert run.err.count("ORCH.SAVE_OK") == 1, "the first batch is shown, as with one worker"
    assert sum(line.startswith("[") for line in run.err.splitlines()) == 4
    saved = [event for event in run.events() if event["event"] == "ORCH.SAVE_OK"]
    assert len(saved) == 20
    assert {(event["run_id"], event["exp_id"]) for event in saved} == {(answer["run_id"], answer["exp_id"])}
    assert len({event["worker"] for event in saved}) == 2


def test_however_a_run_is_cut_it_ends_at_once_and_goes_on_with_any_number_of_workers_and_on_a_cluster(
    run: Run, alone: tuple[str, Experiment]
) -> None:
    with run.command(workers=2) as process:
        workers = run.until_searching(process)
        process.terminate()
        with runs.within(5.0):
            runs.wait_until(lambda: any(event["event"] == "ORCH.DONE" for event in run.events()))
        with runs.within(STOPPING_S):
            status, answer = run.ended(process)
    assert (status, answer["status"]) == (143, "STOPPED"), run.err
    assert "Traceback" not in run.err
    assert gone(workers)

    with run.command(workers=3, plain=True) as process:
        workers = run.until_searching(process)
        os.kill(min(workers), signal.SIGKILL)
        status, answer = run.ended(process)
    assert (status, answer) == (1, {}), run.err
    assert run.err.splitlines()[-1].startswith("error: a worker died")
    assert gone(workers)
    (error,) = [event for event in run.events() if event["event"] == "ORCH.ERROR"]
    assert json.loads(Path(error["snapshot"]).read_text())["run_id"] == run.id

    with run.command(workers=2, plain=True) as process:
        workers = run.until_searching(process)
        process.kill()
        runs.wait_until(lambda: gone(workers))

    with run.command(workers=1, MLAB_CLUSTER="dask") as process:
        workers = run.until_searching(process)
        status, answer = run.ended(process)
    assert (status, answer["eval_count"]) == (0, alone[1].eval_count), run.err
    assert run.fingerprint() == alone[0]
    assert workers, "some of it was left for the cluster"
    assert gone(workers)


@pytest.mark.soak
def test_a_local_dask_cluster_finds_the_same(run: Run, alone: tuple[str, Experiment]) -> None:
    with run.command(workers=2, MLAB_CLUSTER="dask") as process:
        status, answer = run.ended(process)

    assert (status, answer["eval_count"]) == (0, alone[1].eval_count), run.err
    assert run.fingerprint() == alone[0]
    workers = {event["worker"] for event in run.events() if event["event"] == "ORCH.SAVE_OK"}
    assert len(workers) == 2
    assert gone({int(worker.rpartition(":")[2]) for worker in workers})
