"""Runs whose process was killed without a word: in the database and in Prefect they end, and they can be resumed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mlab.core.records import Experiment
from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.runs import TINY, command_line
from tests.served import STOPPING_S, Prefect

pytestmark = pytest.mark.integration

LONG = (
    "name=long",
    "ladder.overlap_pct=10",
    "ladder.num_orders=6",
    "search.max_batches=999",
    "search.patience=999",
    "search.miss_chance=0",
)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    return State(tmp_path_factory.mktemp("orphans"))


@pytest.fixture
def prefect(prefect_url: str, state: State) -> Prefect:
    return Prefect(prefect_url, state)


def flow_run(prefect: Prefect, run: Experiment) -> tuple[str, str]:
    """Type and message of a flow run's state."""
    state = prefect.api("GET", f"flow_runs/{run.flow_run_id}")["state"]
    return state["type"], state["message"] or ""


@contextmanager
def shown(prefect: Prefect) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A long run that Prefect shows already, and its id."""
    variables = {"PREFECT_API_URL": prefect.url, "MLAB_MODE": "offline"}
    command = command_line(overrides=LONG)
    with Store.open(prefect.state.database) as store:
        before = len(store.experiments())
    with (
        Store.open(prefect.state.database) as store,
        runs.python(*command, state=prefect.state.root, pace="slow", **variables) as process,
    ):
        runs.wait_until(lambda: len(store.experiments()) > before)
        run_id = store.experiments()[0].run_id
        runs.wait_until(lambda: bool(runs.stored(store, run_id).flow_run_id))
        yield process, run_id


@pytest.mark.parametrize("asked", ["CANCELLING", pytest.param("CANCELLED", marks=pytest.mark.soak)])
def test_a_run_that_is_cancelled_in_prefect_stops_at_once(asked: str, prefect: Prefect) -> None:
    with shown(prefect) as (process, run_id), Store.open(prefect.state.database) as store:
        name = runs.stored(store, run_id).flow_run_id
        there = f"flow_runs/{name}"
        assert prefect.api("GET", there)["deployment_id"], "Prefect's pages have no button for what belongs to none"
        prefect.api("POST", f"{there}/set_state", {"state": {"type": asked}, "force": True})
        runs.wait_until(lambda: runs.stored(store, run_id).status == "STOPPED")
        with runs.within(STOPPING_S):
            assert process.wait(runs.SECONDS) == 143

        runs.wait_until(lambda: flow_run(prefect, runs.stored(store, run_id))[0] == "CANCELLED", every=0.5)
        runs.wait_until(lambda: prefect.api("GET", there)["tags"] == ["config:long", "STOPPED"], every=0.5)
        assert f"--resume {run_id}" in flow_run(prefect, runs.stored(store, run_id))[1]


def test_the_next_start_ends_what_was_killed(prefect: Prefect) -> None:
    with shown(prefect) as (process, run_id), Store.open(prefect.state.database) as store:
        everyone = runs.family(process.pid)
        for one in everyone:
            one.suspend()  # none of them sees another die
        for one in everyone:
            one.kill()
        process.wait()
        assert [one.run_id for one in store.orphans()] == [run_id]
        assert flow_run(prefect, runs.stored(store, run_id))[0] == "RUNNING"

        command = command_line("--json", overrides=TINY)
        variables = {"PREFECT_API_URL": prefect.url, "MLAB_MODE": "offline"}
        with runs.python(*command, state=prefect.state.root, **variables) as next_one:
            out, err = next_one.communicate(timeout=runs.SECONDS)

        assert next_one.returncode == 0, err
        assert json.loads(out)["status"] == "COMPLETED"
        orphan = runs.stored(store, run_id)
        assert orphan.status == "STOPPED"
        runs.wait_until(lambda: flow_run(prefect, orphan)[0] == "CRASHED", every=0.5)
        assert "is gone" in flow_run(prefect, orphan)[1]
