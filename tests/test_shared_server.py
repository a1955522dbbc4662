"""Several commands at once on one new state folder: one Prefect server for all of them."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.runs import TINY, command_line

pytestmark = pytest.mark.integration

SECONDS = 180


@pytest.mark.soak
@pytest.mark.parametrize("count", [2, 4])
def test_commands_that_begin_at_once_share_one_server_and_are_all_told(count: int, tmp_path: Path) -> None:
    state = State(tmp_path)
    with ExitStack() as stack:
        command = command_line("--json", overrides=TINY)
        started = [runs.python(*command, state=state.root, log=subprocess.DEVNULL) for _ in range(count)]
        processes = [stack.enter_context(process) for process in started]
        runs.wait_until(lambda: bool(runs.servers(state)), SECONDS)
        assert [process.wait(SECONDS) for process in processes] == [0] * count
        assert len(runs.servers(state)) == 1
        runs.until_told(state)

    with Store.open(state.database) as store:
        names = {(run.flow_run_id or "").replace("-", "") for run in store.experiments() if run.status == "COMPLETED"}
    with closing(sqlite3.connect(state.prefect / "prefect.db")) as database:
        told = dict(database.execute("SELECT replace(id, '-', ''), state_type FROM flow_run"))
    assert len(names) == count
    assert told == dict.fromkeys(names, "COMPLETED")
