"""Flow runs of a deployment whose worker or server is killed, and that are gone on with: the full story."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from benchmarks.workers import fingerprint
from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.served import LONGER, Served, serving, uncut

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.usefixtures("quick")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(State(tmp_path_factory.mktemp("deployed"))) as (served, _):
        yield served


@pytest.fixture(scope="module")
def store(served: Served) -> Iterator[Store]:
    with Store.open(served.state.database) as store:
        yield store


def test_a_flow_run_that_was_killed_with_its_worker_is_crashed_within_two_minutes_and_a_retry_goes_on_with_it(
    served: Served, store: Store
) -> None:
    prefect = served.prefect
    flow_run = prefect.start(config=LONGER)
    run_id = prefect.search_of(flow_run, store).run_id
    everyone = runs.family(served.processes()["worker"])
    for one in everyone:
        one.suspend()  # none of them sees another die
    for one in everyone:
        one.kill()
    with runs.within(120.0):
        assert prefect.state_of(flow_run)[0] == "Running"
        runs.wait_until(lambda: prefect.state_of(flow_run)[0] == "Crashed", every=0.5)
    assert "No heartbeat" in prefect.state_of(flow_run)[1]

    prefect.set_state(flow_run, "SCHEDULED", "AwaitingRetry")
    served.serve()
    runs.wait_until(lambda: prefect.state_of(flow_run)[0] == "Completed", every=0.5)

    assert store.run_of_flow(flow_run) == run_id
    assert runs.stored(store, run_id).status == "COMPLETED"
    assert fingerprint(served.state, run_id) == uncut(served.state, store)
    assert len(prefect.api("POST", "automations/filter", {})) == 1


@pytest.mark.parametrize("blow", [signal.SIGSTOP, signal.SIGKILL])
def test_a_flow_run_does_not_need_the_server_to_search_and_does_not_wait_for_it(
    blow: signal.Signals, served: Served, store: Store
) -> None:
    served.serve()
    flow_run = served.prefect.start(config=LONGER)
    run_id = served.prefect.search_of(flow_run, store).run_id
    engines = [one for one in runs.family(served.processes()["worker"]) if "prefect.engine" in one.cmdline()]
    server = runs.family(served.processes()["Prefect"])
    for one in server:
        one.send_signal(blow)
    runs.wait_until(lambda: runs.stored(store, run_id).status != "RUNNING")
    with runs.within(15.0):
        runs.wait_until(lambda: not any(one.is_running() for one in engines))
    for one in server:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    runs.wait_until(lambda: "Prefect" not in served.processes())

    assert len(engines) == 1
    assert runs.stored(store, run_id).status == "COMPLETED"
    assert fingerprint(served.state, run_id) == uncut(served.state, store)
    assert not served.state.crashes.exists()
