"""The flow in the process of the command line: whatever Prefect does, that takes its time at most."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from flows import optimize
from flows.optimize import Request
from mlab.core.state import State
from mlab.search.run import Job
from mlab.search.watcher import Publisher, Watcher
from mlab.store import Store
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path)


def flow(state: State, store: Store) -> Request:
    return optimize.in_process(state, store, Job(runs.tiny()), Watcher(), lambda _: Publisher(), [])


def test_a_prefect_that_hangs_at_the_start_is_given_up(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimize, "START_S", 0.2)
    monkeypatch.setattr(optimize, "_new_flow_run", lambda *_: time.sleep(60))
    before = signal.getsignal(signal.SIGALRM)

    with Store.open(state.database) as store:
        began = time.monotonic()
        request = flow(state, store)

        assert time.monotonic() - began < 50
        assert (request.ending, request.untold) == (None, "it does not answer")
        assert store.experiments() == [], "the command begins the run, without Prefect"
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_prefect_that_refuses_the_start_is_told_of_in_its_words(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise ConnectionError("http://me:hunter22@prefect refused")

    monkeypatch.setattr(optimize, "_new_flow_run", refuse)
    with Store.open(state.database) as store:
        assert flow(state, store).untold == "http://me:[hidden]@prefect refused"


def test_what_prefect_does_behind_a_search_costs_no_more_than_its_seconds(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search is over, and the last call hangs."""
    monkeypatch.setattr(optimize, "END_S", 0.2)
    monkeypatch.setattr(optimize, "_new_flow_run", lambda *_: None)

    def run_flow(*_arguments: object, **_options: object) -> None:
        request = optimize._of_command()
        assert request is not None
        with optimize._not_kept_waiting():
            request.ending = optimize.run(state, request.store, request.job)
        time.sleep(60)

    monkeypatch.setattr(optimize, "run_flow", run_flow)
    with Store.open(state.database) as store:
        request = flow(state, store)

        assert request.ending is not None
        assert request.untold == "it does not answer"
        assert runs.stored(store, request.ending.run_id).status == "COMPLETED"
