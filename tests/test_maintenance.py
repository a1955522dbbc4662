"""The flow ``maintain`` in a real Prefect: its report as an artifact, its end, and flow runs whose process is gone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.served import Prefect

pytestmark = pytest.mark.integration

MAINTAIN = """
from flows import heartbeat, maintenance
from mlab import maintenance as upkeep
heartbeat.TELLING_S = upkeep.PUBLISHER_S = -1.0
print(*(maintenance.maintain(dry_run=dry, return_state=True).type.value for dry in (True, False)))
"""
"""Says what would be done, and does it."""


def test_the_flow_reports_what_it_did_and_fails_where_a_step_did(tmp_path: Path, prefect_url: str) -> None:
    state = State(tmp_path)
    prefect = Prefect(prefect_url, state)

    with Store.open(state.database) as store:
        flow_runs = [prefect.orphan(store)]
        store.reconcile()  # by a command that does not know Prefect
        flow_runs.append(prefect.orphan(store))
        run_id = store.run_of_flow(flow_runs[-1]) or ""
        refused = f"http://me:hunter22@127.0.0.1:{runs.free_port()}"
        servers = {"PREFECT_API_URL": prefect_url, "MLFLOW_TRACKING_URI": refused}
        with runs.python("-c", MAINTAIN, state=state.root, log=subprocess.DEVNULL, **servers) as process:
            assert process.communicate(timeout=runs.SECONDS)[0].split() == [b"COMPLETED", b"FAILED"]
        assert runs.stored(store, run_id).status == "STOPPED"

    assert [prefect.state_of(flow_run)[0] for flow_run in flow_runs] == ["Crashed", "Crashed"]
    which = {"artifacts": {"key": {"any_": ["maintenance"]}}, "sort": "CREATED_DESC", "limit": 2}
    done, dry = prefect.api("POST", "artifacts/filter", which)
    assert dry["description"].startswith("What would be done.")
    for artifact in (dry, done):
        rows = {row["what"]: row for row in json.loads(artifact["data"])}
        assert rows["runs without a process"]["done"] == f"STOPPED: {run_id}"
    assert done["description"] == "What was done. 1 of 8 steps failed."
    assert "not yet delivered: 2 runs" in rows["MLflow"]["failed"]
    said = prefect.state_of(done["flow_run_id"])[1]
    assert "MLflow: not yet delivered: 2 runs" in said
    assert "hunter22" not in said + str(done)
