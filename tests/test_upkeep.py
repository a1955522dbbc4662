"""Upkeep: what it removes by its policy is all that is missing afterwards, whatever else goes on or goes wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ValidationError

from mlab import cli, maintenance
from mlab.core import crash, event_log, temporary
from mlab.core.errors import StoreError
from mlab.core.event_log import EventLog, packed
from mlab.core.events import recorder
from mlab.core.state import State
from mlab.maintenance import Policy, Report
from mlab.store import Store
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")

MANY = (
    "ladder.overlap_pct=20",
    "ladder.num_orders=[12, 15]",
    "search.batch_size=12",
    "search.prune_factor=9",
    "search.miss_chance=0",
)
LATER = timedelta(days=200)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> State:
    """Two completed runs of which MLflow knows everything; the first has many ladders."""
    state = State(tmp_path_factory.mktemp("made"))
    with Store.open(state.database) as store:
        for overrides in (MANY, ()):
            delivered(store, runs.searched(state, store, *overrides))
    return state


@pytest.fixture
def state(made: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    state = State(tmp_path / "state")
    shutil.copytree(made.root, state.root)
    monkeypatch.setenv("MLAB_STATE_DIR", str(state.root))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return state


def delivered(store: Store, run_id: str) -> str:
    """MLflow knows everything of a run."""
    run = runs.stored(store, run_id)
    store.delivered([key for key, _, _ in store.owed(run.exp_id)])
    store.delivered_ending(run)
    return run_id


def first(store: Store) -> str:
    return store.experiments()[-1].run_id


def upkept(state: State, policy: Policy | None = None, *, dry: bool = False, after: timedelta = LATER) -> Report:
    return maintenance.upkeep(state, policy, dry=dry, now=datetime.now(UTC) + after)


def changed(report: Report) -> dict[str, int]:
    return {step.name: step.changed for step in report.steps if step.changed}


def content(state: State) -> dict[str, str]:
    """Every file of the folder, and what is in it."""
    files = [path for path in state.root.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_of_an_old_run_the_best_ladders_of_each_cell_are_kept_and_every_command_shows_them(
    state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = first(store)
    before = [store.results(1, cell) for cell in (0, 1)]
    cells, held, trials = store.cells(1), len(store.results(1)), store.trials(1, 0)
    log = list(EventLog(state.events(run_id)).news())
    assert min(len(group) for group in before) > 3

    report = upkept(state, Policy(candidates_kept=3))

    assert report.faults == []
    assert changed(report) == {"event logs": 2, "candidates": held - 2 * 3, "database": 1}
    assert [store.results(1, cell) for cell in (0, 1)] == [group[:3] for group in before]
    assert (store.cells(1), store.trials(1, 0)) == (cells, trials)
    assert not state.events(run_id).exists()
    assert list(EventLog(state.events(run_id)).news()) == log
    assert json.loads(gzip.decompress(packed(state.events(run_id)).read_bytes()).splitlines()[0]) == log[0]
    again = upkept(state, Policy(candidates_kept=3))
    assert (changed(again), again.faults, again.verdict) == ({}, [], "There was nothing to do.")

    best = before[0][0].candidate_id
    shown = {
        command: _mlab(capsys, *command)
        for command in [("show", run_id), ("trace", best), ("export", run_id), ("report", run_id, "-o", "-"), ("ls",)]
    }
    assert all(best in text or command == ("ls",) for command, text in shown.items())
    assert "ORCH.SAVE_OK" in shown["trace", best]
    assert len(shown["export", run_id].splitlines()) == 1 + 6
    assert "maintenance has removed it" in _mlab(capsys, "trace", before[0][3].candidate_id, status=2)
    assert changed(upkept(state)) == {}, "to read a run changes nothing of it"


def _mlab(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    capsys.readouterr()
    assert cli.main(arguments) == status
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    state: State, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    opened, _ = runs.opened(state, store)
    recorder.close()
    before = content(state)
    dry = upkept(state, Policy(candidates_kept=1), dry=True)
    assert content(state) == before
    done = upkept(state, Policy(candidates_kept=1))
    assert changed(dry) == {name: count for name, count in changed(done).items() if name != "database"}
    assert runs.stored(store, opened.run_id).status == "PENDING", "who may still begin is left alone"
    assert "There was nothing to do." in _mlab(capsys, "maintenance", "--dry-run")


def test_young_runs_are_left_as_they_are(state: State, store: Store) -> None:
    before = content(state)
    assert changed(upkept(state, Policy(candidates_kept=1), after=timedelta(days=29))) == {}
    assert content(state) == before


def test_runs_of_which_mlflow_lacks_something_are_left_alone_and_it_is_said_why(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = runs.searched(state, store, *MANY)
    exp_id, log = runs.stored(store, run_id).exp_id, state.events(run_id)
    held = store.results(exp_id)
    monkeypatch.setattr(maintenance, "settled", lambda _state: "MLflow at http://me:hunter22@host: refused")
    report = upkept(state, Policy(candidates_kept=1))
    (fault,) = report.faults
    assert fault.startswith("MLflow: not yet delivered: 1 run: MLflow at http://")
    assert "refused" in fault
    assert "hunter22" not in fault
    assert changed(report)["event logs"] == 2
    assert (store.results(exp_id), log.exists()) == (held, True)
    monkeypatch.setattr(maintenance, "PUBLISHER_S", -1.0)
    assert "1 of 8 steps failed" in _mlab(capsys, "maintenance", status=1)

    delivered(store, run_id)
    assert {"event logs": 1, "candidates": len(held) - 2}.items() <= changed(
        upkept(state, Policy(candidates_kept=1))
    ).items()


def test_a_run_that_has_just_ended_is_left_to_its_publisher(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.searched(state, store)
    monkeypatch.setattr(maintenance, "settled", lambda _state: pytest.fail("it is not asked"))
    for dry in (True, False):
        report = upkept(state, dry=dry, after=timedelta())
        until = datetime.fromisoformat(store.experiments()[0].finished_at or "") + timedelta(minutes=10)
        waits = f"1 run waiting until {until:%H:%M:%S} UTC, or for .venv/bin/mlab sync"
        assert {step.name: step.done for step in report.steps}["MLflow"] == waits
        assert (report.faults, report.verdict) == ([], "Nothing failed.")


def test_an_mlflow_that_hangs_does_not_hang_upkeep(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs.searched(state, store)
    hanging = tmp_path / "python"
    hanging.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(maintenance, "DELIVERY_S", 1.0)
    report = upkept(state, Policy(candidates_kept=1))
    assert report.faults == ["MLflow: not yet delivered: 1 run: MLflow was not done after 1 s"]
    assert not runs.alive(int((tmp_path / "pid").read_text()))
    assert set(changed(report)) == {"event logs", "candidates", "database"}, "the others are done all the same"


def test_a_stopped_run_keeps_all_and_goes_on_also_where_its_log_was_packed(state: State, store: Store) -> None:
    whole = [one.contract for one in store.results(1)]
    run_id = delivered(store, runs.stopped(state, store, *MANY))
    exp_id, log = runs.stored(store, run_id).exp_id, state.events(run_id)
    held = store.results(exp_id)
    said, end = list(EventLog(log).news()), EventLog.size(log)

    assert changed(upkept(state, Policy(candidates_kept=1)))["event logs"] == 2
    assert (log.exists(), store.results(exp_id)) == (True, held), "a run that may go on keeps all"
    event_log.pack(log)  # as earlier versions did
    assert EventLog.size(log) == end
    runs.resumed(state, store, run_id)

    assert runs.stored(store, run_id).status == "COMPLETED"
    assert list(EventLog(log).news())[: len(said)] == said
    since = [event["event"] for event in EventLog(log, end).news()]
    assert ("ORCH.START" in since, since[-1]) == (False, "ORCH.DONE")
    assert [one.contract for one in store.results(exp_id)] == whole


def test_damage_to_a_pruned_run_is_still_found(state: State, store: Store) -> None:
    run_id = first(store)
    upkept(state, Policy(candidates_kept=2))
    store.check_run(1)
    for lost in (
        "DELETE FROM results WHERE score = (SELECT min(score) FROM results WHERE experiment_id = 1)",
        "DELETE FROM trials WHERE cell_index = 1 AND number = 3",
        "UPDATE results SET score = score + 1",
    ):
        with closing(sqlite3.connect(state.database)) as database:
            whole = "\n".join(database.iterdump())
            database.execute(lost)
            database.commit()
        with pytest.raises(StoreError, match=rf"{run_id} is damaged|not as it was written"):
            store.check_run(1)
        store.close()
        state.database.unlink()
        with closing(sqlite3.connect(state.database)) as database:
            database.executescript(whole)
        store.check_run(1)


def test_a_damaged_run_is_left_to_people_and_the_others_are_done(state: State, store: Store) -> None:
    held = store.results(1)
    with closing(sqlite3.connect(state.database)) as database:
        database.execute("DELETE FROM trials WHERE experiment_id = 1 AND number = 3")
        database.commit()
    report = upkept(state, Policy(candidates_kept=1))
    assert len(report.faults) == 1
    assert "cell 0: trials are missing" in report.faults[0]
    assert store.results(1) == held
    assert len(store.results(2)) == 2


def test_what_a_run_still_needs_is_not_removed(state: State, store: Store) -> None:
    going, _ = runs.opened(state, store)
    with pytest.raises(StoreError, match="may go on"):
        store.prune(going.exp_id, 1)


def test_runs_without_a_process_are_stopped_and_prefect_can_be_told(state: State, store: Store) -> None:
    experiment = runs.abandoned(state, store)
    name = str(uuid4())
    store.set_flow_run(experiment.exp_id, name)
    assert changed(upkept(state, dry=True, after=timedelta())) == {"runs without a process": 1}
    assert len(store.orphans()) == 1
    report = upkept(state, after=timedelta())
    assert report.orphans == (name,)
    assert experiment.run_id in report.steps[0].done
    assert runs.stored(store, experiment.run_id).status == "STOPPED"


def test_reports_of_runs_that_are_gone_are_removed_once_they_are_old(state: State, store: Store) -> None:
    run_id = first(store)
    state.reports.mkdir()
    for name in (run_id, "20200101-000000-abcdef", "notes"):
        (state.reports / f"{name}.html").touch()
    assert changed(upkept(state, after=timedelta(days=1))) == {}
    assert changed(upkept(state))["reports"] == 1
    assert sorted(path.stem for path in state.reports.iterdir()) == sorted([run_id, "notes"])


def test_old_crash_snapshots_are_removed(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        crash.write(state, ValueError("x"), None, None, {}, {})
    monkeypatch.setattr(crash, "KEPT", 1)
    assert changed(upkept(state, dry=True))["crash snapshots"] == 3
    assert changed(upkept(state))["crash snapshots"] == 3
    assert len(crash.listed(state)) == 1


def test_temporary_files_that_nobody_writes_to_any_longer_are_removed(state: State) -> None:
    (state.temporary / "tmpabc").mkdir(parents=True)
    (state.temporary / "tmpabc" / "report.html").touch()
    (state.temporary / "left").touch()
    assert changed(upkept(state, after=timedelta(days=9))) == {}
    assert changed(upkept(state, dry=True))["temporary files"] == 2
    assert changed(upkept(state))["temporary files"] == 2
    assert list(state.temporary.iterdir()) == []


def test_what_another_process_removes_meanwhile_is_no_fault(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.reports.mkdir()
    (state.reports / "20200101-000000-abcdef.html").touch()
    (state.temporary / "folder").mkdir(parents=True)
    judged = temporary.written

    def gone(path: Path) -> float:
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
        return judged(path)

    monkeypatch.setattr(temporary, "written", gone)
    assert [fault for fault in upkept(state).faults if not fault.startswith("MLflow")] == []


def test_a_log_that_cannot_be_packed_keeps_no_other_from_it(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [state.events(run.run_id) for run in store.experiments()]
    packed(logs[0]).with_name(f"{packed(logs[0]).name}.new").mkdir()
    report = upkept(state)
    assert report.faults == [f"event logs: {logs[0].name}: Is a directory"]
    assert [log.exists() for log in logs] == [True, False]


def test_searches_and_other_upkeep_go_on_meanwhile(state: State, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "settled", lambda _state: "")
    longer = ("search.max_batches=4", "search.miss_chance=0")
    experiment, _ = runs.opened(state, store, *longer)
    store.claims.let_go(experiment.run_id)
    recorder.close()
    code = (
        "import sys; from mlab.core.state import State; from mlab.search.run import Job, run\n"
        "from mlab.config import Config\n"
        "from mlab.store import Store; state = State.here()\n"
        "with Store.open(state.database) as store:\n"
        "    run(state, store, Job(Config(), sys.argv[1]))\n"
    )
    other = (
        "from datetime import *; from mlab import maintenance as upkeep; from mlab.core.state import State\n"
        "upkeep.settled = lambda state: ''\n"
        "for kept in range(3, 0, -1):\n"
        "    for _ in range(3):\n"
        "        policy, now = upkeep.Policy(candidates_kept=kept), datetime.now(UTC) + timedelta(200)\n"
        "        faults = upkeep.upkeep(State.here(), policy, now=now).faults\n"
        "        assert not [fault for fault in faults if not fault.startswith('MLflow')], faults\n"
    )
    with (
        runs.python("-c", code, experiment.run_id, state=state.root) as search,
        runs.python("-c", other, state=state.root) as elsewhere,
    ):
        runs.wait_until(lambda: runs.stored(store, experiment.run_id).status == "RUNNING")

        def over() -> bool:
            faults = upkept(state, Policy(candidates_kept=1)).faults
            assert [fault for fault in faults if not fault.startswith("MLflow")] == []
            return search.poll() is not None

        runs.wait_until(over)
        assert elsewhere.wait(60.0) == 0
    assert search.returncode == 0
    run = runs.stored(store, experiment.run_id)
    assert run.status == "COMPLETED"
    store.check_file()
    for exp_id in (1, 2, run.exp_id):
        store.check_run(exp_id)
    saved = [event for event in EventLog(state.events(run.run_id)).news() if event["event"] == "ORCH.SAVE_OK"]
    assert len(saved) == 8
    alone = runs.stored(store, runs.searched(state, store, *longer))
    assert [one.contract for one in store.results(run.exp_id)] == [one.contract for one in store.results(alone.exp_id)]


def test_the_database_is_not_vacuumed_while_a_run_is_searched(
    state: State, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "settled", lambda _state: "")
    experiment, _ = runs.opened(state, store)
    store.claim(experiment.run_id)
    report = upkept(state, Policy(candidates_kept=1))
    assert "not while a run is searched" in report.steps[-1].done
    size, free = store.database.space()
    assert free > 0.2 * size
    store.finish(experiment.exp_id, "STOPPED", 1.0)
    assert changed(upkept(state, Policy(candidates_kept=1)))["database"] == 1
    assert store.database.space()[1] == 0
    assert state.database.stat().st_size < size


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"events_days": 0}, "greater than or equal to 1"),
        ({"candidates_kept": 2.5}, "valid integer"),
        ({"x": 1}, "not permitted"),
    ],
)
def test_a_wrong_policy_is_refused(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Policy.model_validate(wrong)


def test_the_command_takes_a_policy(state: State, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--candidates-kept" in _mlab(capsys, "maintenance", "--help")
    assert "--events-days" in _mlab(capsys, "maintenance", "--events-days", "0", status=2)
    assert "There was nothing to do." in _mlab(capsys, "maintenance", "--candidates-kept", "3")
