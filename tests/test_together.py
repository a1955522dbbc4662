"""Several at once: runs that share a database, and processes that want the same run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from flows import run as command
from mlab.core.errors import LabError, RunBusy
from mlab.core.state import State
from mlab.store import Holder, Store
from mlab.store.schema import ExperimentRow
from tests import crash, runs
from tests.crash import PROCESSES, Outcome
from tests.pace import shorten

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick")]

SEEDS = range(4)


def whole(root: Path, *overrides: str) -> Outcome:
    """What a run comes to that nobody cuts, and that has its folder to itself."""
    process = crash.life(root, "whole", *overrides)
    process.join()
    assert process.exitcode == 0
    return crash.outcome(State(root), crash.run_id(State(root), "whole"))


# Several runs


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What each seed finds."""
    return [whole(tmp_path_factory.mktemp("alone"), f"seed={seed}") for seed in SEEDS]


@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=pytest.mark.soak)])
def test_four_runs_that_make_and_share_a_database_find_what_each_finds_alone(
    rounds: int, alone: list[Outcome], tmp_path: Path
) -> None:
    for number in range(rounds):
        state = State(tmp_path / str(number))
        lives = [crash.life(state.root, f"seed-{seed}", f"seed={seed}") for seed in SEEDS]
        for process in lives:
            process.join()
        assert [process.exitcode for process in lives] == [0] * 4
        assert [crash.outcome(state, crash.run_id(state, f"seed-{seed}")) for seed in SEEDS] == alone
        assert crash.intact(state.database)


@pytest.mark.soak
@pytest.mark.integration
def test_four_commands_on_a_folder_in_use_find_what_each_finds_alone(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    check_commands(state, seeds=range(1))
    check_commands(state, SEEDS)


@pytest.mark.soak
@pytest.mark.integration
def test_four_commands_in_a_new_folder_find_what_each_finds_alone(tmp_path: Path) -> None:
    check_commands(State(tmp_path / "state"), SEEDS)


def check_commands(state: State, seeds: range) -> None:
    """Start a command for each seed, all at once, and look at what they find and deliver."""
    lines = [runs.command_line("--json", overrides=(*crash.SMALL, f"seed={seed}")) for seed in seeds]
    with ExitStack() as stack:
        started = [stack.enter_context(runs.python(*line, state=state.root)) for line in lines]
        ended = [process.communicate(timeout=runs.SECONDS) for process in started]
    assert [process.returncode for process in started] == [0] * len(seeds), [err.decode() for _, err in ended]
    for seed, (out, err) in zip(seeds, ended, strict=True):
        alone = crash.found(state.root.parent / "alone", *crash.SMALL, f"seed={seed}")
        assert crash.outcome(state, json.loads(out)["run_id"]) == alone, "found, and delivered to MLflow"
        assert "Not yet delivered" not in err.decode()


# One run


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return whole(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> State:
    """A folder with a run that was killed after its second batch."""
    steps = crash.steps(tmp_path_factory.mktemp("traced"))
    state = State(tmp_path_factory.mktemp("cut"))
    second = steps.index("INSERT INTO trials", steps.index("INSERT INTO trials") + 1)
    process = crash.life(state.root, "cut", step=steps.index("committed", second))
    process.join()
    assert process.exitcode == -signal.SIGKILL
    return state


@pytest.fixture
def state(cut: State, tmp_path: Path) -> State:
    """The same run, for one test."""
    return copied(cut, tmp_path / "state")


def copied(state: State, root: Path) -> State:
    shutil.copytree(state.root, root)
    return State(root)


def _contend(root: Path, delay_s: float, line: Connection) -> None:
    """Resume the run so long after it is said, and tell how that ended."""
    shorten()
    state = State(root)
    with Store.open(state.database) as store:
        line.send(os.getpid())
        line.recv()
        time.sleep(delay_s)
        try:
            crash.resume(state, store, crash.run_id(state, "cut"))
        except LabError as error:
            line.send((error.exit_status, str(error)))
        else:
            line.send((0, ""))


def contended(state: State, *delays_s: float) -> dict[int, tuple[int, str]]:
    """Have processes resume the run, all ready before the first begins; how it ended for each."""
    lines = []
    for delay_s in delays_s:
        line, far_end = PROCESSES.Pipe()
        PROCESSES.Process(target=_contend, args=(state.root, delay_s, far_end)).start()
        lines.append(line)
    pids = [line.recv() for line in lines]
    for line in lines:
        line.send("go")
    return {pid: line.recv() for pid, line in zip(pids, lines, strict=True)}


@pytest.mark.parametrize("times", [4, pytest.param(200, marks=pytest.mark.soak)])
def test_of_two_that_resume_a_run_at_once_one_wins_and_the_other_names_it(
    times: int, cut: State, expected: Outcome, tmp_path: Path
) -> None:
    offsets = random.Random(times)  # noqa: S311 - the same offsets each time
    for number in range(times):
        state = copied(cut, tmp_path / str(number))
        run_id = crash.run_id(state, "cut")
        ends = contended(state, 0.0, offsets.choice([0.0, offsets.uniform(0.0, 0.03)]))
        (winner,) = [pid for pid, end in ends.items() if end == (0, "")]
        (refused,) = [end for pid, end in ends.items() if pid != winner]
        assert refused == (3, f"run {run_id} is being executed by process {winner}; wait for it, or stop it")
        assert crash.outcome(state, run_id) == expected
        saved = crash.reported(state.events(run_id))
        assert len(saved) == len(set(saved)), "a batch was saved twice"


def _hold(root: Path, line: Connection) -> None:
    with Store.open(State(root).database) as store:
        store.claim(crash.run_id(State(root), "cut"))
        line.send("held")
        line.recv()


@contextmanager
def held(state: State) -> Iterator[int | None]:
    """The run in the hands of another process, until that is killed; its id."""
    line, far_end = PROCESSES.Pipe()
    holder = PROCESSES.Process(target=_hold, args=(state.root, far_end))
    holder.start()
    try:
        assert line.poll(runs.SECONDS)
        yield holder.pid
    finally:
        holder.kill()
        holder.join()


def test_the_command_that_resumes_a_run_in_other_hands_ends_with_3_and_names_the_process(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_STATE_DIR", str(state.root))
    before = signal.getsignal(signal.SIGTERM)
    try:
        with held(state) as pid:
            assert command.main(["--resume", crash.run_id(state, "cut")]) == 3
            assert f"by process {pid};" in capsys.readouterr().err.splitlines()[-1]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_whose_process_died_is_resumed_though_its_id_is_that_of_a_living_one(
    state: State, expected: Outcome
) -> None:
    run_id = crash.run_id(state, "cut")
    with Store.open(state.database) as store, store.database.writing() as session:
        (row,) = session.query(ExperimentRow)
        row.holder = str(Holder())  # the id of this process

    (end,) = contended(state, 0.0).values()

    assert end == (0, "")
    assert crash.outcome(state, run_id) == expected


def test_a_process_that_holds_a_run_is_known_after_the_clock_was_set(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(state) as pid, Store.open(state.database) as store:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert store.reconcile() == []
        with pytest.raises(RunBusy, match=f"by process {pid};"):
            store.claim(crash.run_id(state, "cut"))


@pytest.mark.soak
@pytest.mark.integration
def test_of_two_commands_that_resume_a_run_at_once_one_ends_with_3_and_disturbs_nothing(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with Store.open(state.database) as store:
        run_id = runs.stopped(state, store, *crash.LONG)
    line = runs.command_line("--json", "--resume", run_id)
    with (
        runs.python(*line, state=state.root, pace="slow") as one,
        runs.python(*line, state=state.root, pace="slow") as other,
    ):
        words = {process.pid: process.communicate(timeout=runs.SECONDS)[1].decode() for process in (one, other)}
    assert sorted([one.returncode, other.returncode]) == [0, 3], words
    winner, loser = (one, other) if one.returncode == 0 else (other, one)
    refusal = f"run {run_id} is being executed by process {winner.pid}; wait for it, or stop it"
    assert words[loser.pid].splitlines()[-1] == f"error: {refusal}"
    assert crash.outcome(state, run_id) == crash.found(tmp_path / "alone", *crash.LONG)
