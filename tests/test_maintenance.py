"""The flow ``maintain`` in a real Prefect: its report as an artifact, its end, and flow runs whose process is gone."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from mlab.events import recorder
from mlab.identity import State
from mlab.store import Store
from tests import runs

pytestmark = pytest.mark.integration

SECONDS = 120
DEAD = """
import sys
from prefect import flow
from prefect.runtime import flow_run
from mlab.identity import State
from mlab.store import Store
@flow(name="optimize")
def optimize():
    store = Store.open(State.here().database)
    store.set_flow_run(store.claim(sys.argv[1]).exp_id, str(flow_run.id))
    __import__("os")._exit(1)
optimize()
"""
MAINTAIN = """
import sys
from flows import maintenance
from mlab import upkeep
maintenance.TOLD_S = upkeep.COURIER_S = -1.0
print(maintenance.maintain(dry_run=sys.argv[1] == "dry", return_state=True).type.value)
"""


def asked(home: Path, query: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(f"file:{home / 'prefect.db'}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def test_the_flow_reports_what_it_did_and_fails_where_a_step_did(tmp_path: Path, home: Path, prefect_url: str) -> None:
    state = State(tmp_path / "state")
    with Store.open(state.database) as store:
        experiment, other = (runs.opened(state, store)[0] for _ in range(2))
        recorder.close()

        def python(code: str, argument: str, **variables: str) -> str:
            with runs.python(
                "-c", code, argument, state=state.root, log=subprocess.DEVNULL, PREFECT_API_URL=prefect_url, **variables
            ) as process:
                return process.communicate(timeout=SECONDS)[0].decode().strip()

        python(DEAD, other.run_id)
        store.reconcile()  # by a command that does not know Prefect
        python(DEAD, experiment.run_id)
        assert runs.stored(store, experiment.run_id).status == "RUNNING"
        assert python(MAINTAIN, "dry") == "COMPLETED"
        assert runs.stored(store, experiment.run_id).status == "RUNNING"
        refused = f"http://me:hunter22@127.0.0.1:{runs.free_port()}"
        assert python(MAINTAIN, "", MLFLOW_TRACKING_URI=refused) == "FAILED"
        assert runs.stored(store, experiment.run_id).status == "STOPPED"

    ended = asked(home, "SELECT state_type FROM flow_run JOIN flow ON flow.id = flow_id WHERE flow.name = 'optimize'")
    assert ended == [("CRASHED",), ("CRASHED",)]
    dry, done = asked(home, "SELECT data, description FROM artifact WHERE key = 'maintenance' ORDER BY created")
    assert dry[1].startswith("What would be done.")
    for data, _ in (dry, done):
        rows = {row["what"]: row for row in json.loads(json.loads(data))}
        assert rows["runs without a process"]["done"] == f"STOPPED: {experiment.run_id}"
    assert done[1] == "What was done. 1 of 7 steps failed."
    assert "still owed something of 2 runs" in rows["MLflow"]["failed"]
    said = str(asked(home, "SELECT message FROM flow_run_state")) + str(done)
    assert "MLflow: still owed something of 2 runs" in said
    assert "hunter22" not in said
