"""kill -9 at any moment, again and again: nothing that was saved is lost or doubled, and the end is the same."""

from __future__ import annotations

import logging
import random
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from time import perf_counter

import pytest

from mlab.core.state import State
from mlab.store import Store
from tests import crash, runs
from tests.crash import Outcome

pytestmark = pytest.mark.slow

PHASES = {
    "EVAL.RETURN": "commit", "ORCH.PRUNE": "commit", "DB.UPSERT_RES": "verify", "DB.VERIFY": "verify",
    "ORCH.BATCH": "search", "EVAL.CALL": "search", "ORCH.SAVE_OK": "search",
}  # fmt: skip
"""Where a run is after an event; before the first of these and after the last it begins or ends."""
PLACES = ("before", "begin or end", "search", "commit")
"""Where kills have to hit."""


@dataclass(frozen=True)
class Uncut:
    """A run that nobody cut: what it came to, how long a life is, and the steps of its transactions."""

    outcome: Outcome
    seconds: float
    steps: list[str]


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Uncut:
    state = State(tmp_path_factory.mktemp("uncut"))
    steps = crash.steps(state.root)
    began = perf_counter()
    crash.life(tmp_path_factory.mktemp("timed"), "timed").join()
    return Uncut(crash.outcome(state, crash.run_id(state, "traced")), perf_counter() - began, steps)


class Victim:
    """A run that is killed, and what the kills hit."""

    def __init__(self, state: State, name: str) -> None:
        self.state, self.name = state, name

    def killed(self, *, seconds: float | None = None, step: int | None = None) -> str:
        """Begin the run or go on with it, and kill it; where that hit it."""
        before = self._events()
        process = crash.life(self.state.root, self.name, step=step)
        process.join(seconds)
        process.kill()
        process.join()
        if process.exitcode == 0:
            return "over"
        assert process.exitcode == -9
        self._check_nothing_lost()
        new = self._events()[len(before) :]
        return PHASES.get(new[-1], "begin or end") if new else "before"

    def finished(self) -> str:
        """Go on with the run to its end; its id."""
        process = crash.life(self.state.root, self.name)
        process.join()
        assert process.exitcode == 0, self.name
        return crash.run_id(self.state, self.name)

    def _events(self) -> list[str]:
        logs = sorted(self.state.root.glob("events/*"), key=lambda log: log.stat().st_mtime_ns)
        return [event["event"] for log in logs for event in crash.logged(log)]

    def _check_nothing_lost(self) -> None:
        """In a copy, so that whoever goes on finds the files as the dead left them."""
        with tempfile.TemporaryDirectory() as folder:
            for part in self.state.root.glob("experiments.db*"):
                shutil.copy(part, folder)
            copy = Path(folder) / self.state.database.name
            assert not copy.exists() or crash.intact(copy), self.name
            for log in self.state.root.glob("events/*"):
                saved = crash.reported(log)
                assert not saved or set(saved) <= crash.held(copy, log.stem), self.name


@pytest.mark.parametrize("kills", [15, pytest.param(200, marks=pytest.mark.soak)])
def test_a_run_killed_at_any_moment_ends_as_one_that_was_not(kills: int, uncut: Uncut, tmp_path: Path) -> None:
    moments, hits, victims, seconds = random.Random(kills), Counter[str](), 0, uncut.seconds  # noqa: S311 - as before
    while hits.total() - hits["over"] < kills or min(hits[place] for place in PLACES) == 0:
        victims += 1
        folder = f"case-{victims}" if moments.random() < 0.7 else "shared"
        victim = Victim(State(tmp_path / folder), f"case-{victims}")
        for share in (1.0, 0.5, 0.3)[: moments.choice([1, 1, 2, 3])]:  # what has been saved is not searched again
            if moments.random() < 0.2:
                hit = victim.killed(step=moments.randrange(int(len(uncut.steps) * share)))
            else:
                hit = victim.killed(seconds=moments.uniform(0.0, seconds * share))
                seconds *= 0.8 if hit == "over" else 1.03  # the pace of a machine that has other things to do
            hits[hit] += 1
        run_id = victim.finished()
        assert crash.outcome(victim.state, run_id) == uncut.outcome, victim.name
        assert crash.intact(victim.state.database), victim.name
        saved = crash.reported(victim.state.events(run_id))
        assert len(saved) == len(set(saved)), f"{victim.name}: a batch was saved twice"
    logging.getLogger(__name__).info("what was hit in %d runs: %s", victims, dict(hits))


@pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_a_run_killed_at_a_step_of_a_commit_loses_at_most_that_batch(stride: int, uncut: Uncut, tmp_path: Path) -> None:
    first = uncut.steps.index("INSERT INTO trials")
    begin = max(i for i, name in enumerate(uncut.steps[:first]) if name == "BEGIN IMMEDIATE")
    committed = uncut.steps.index("committed", first)
    batches = []
    for step in (*range(begin, committed, stride), committed):
        victim = Victim(State(tmp_path / str(step)), f"step-{step}")
        assert victim.killed(step=step) == "commit"
        with Store.open(victim.state.database) as store:
            run = crash.named(store, victim.name)
            assert run is not None
            batches.append(store.cells(run.exp_id)[0].batches)
        assert crash.outcome(victim.state, victim.finished()) == uncut.outcome, uncut.steps[step]
    assert batches == [0] * (len(batches) - 1) + [1], "all of a batch is kept, from its COMMIT on, or nothing"


@pytest.mark.soak
@pytest.mark.integration
@pytest.mark.usefixtures("quick")
def test_a_command_killed_at_any_moment_is_resumed_to_the_same_end(tmp_path: Path, prefect_url: str) -> None:
    state = State(tmp_path / "state")
    expected = crash.found(tmp_path / "alone", *crash.LONG)
    began = perf_counter()
    with runs.python(*begin("whole"), state=state.root, pace="slow") as process:
        assert process.wait(runs.SECONDS) == 0
    seconds = perf_counter() - began
    moments, hits = random.Random(10), Counter[str]()  # noqa: S311 - the same moments each time
    for number in range(10):
        with runs.python(*begin(f"case-{number}"), state=state.root, pace="slow") as process:
            with suppress(TimeoutExpired):
                process.wait(seconds * (number + moments.random()) / 10)
            process.kill()
        with Store.open(state.database) as store:
            run = crash.named(store, f"case-{number}")
        hits[run.status if run and run.eval_count else "before"] += 1
        if run is not None:
            saved = set(crash.reported(state.events(run.run_id)))
            assert saved <= crash.held(state.database, run.run_id), number
            again = runs.command_line("--json", "--resume", run.run_id)
            with runs.python(*again, state=state.root, PREFECT_API_URL=prefect_url) as process:
                _, words = process.communicate(timeout=runs.SECONDS)
            assert process.returncode == 0, words.decode()
            assert crash.outcome(state, run.run_id) == expected, number
    assert crash.intact(state.database)
    logging.getLogger(__name__).info("of %d kills: %s", hits.total(), dict(hits))
    assert hits["STOPPED"] > 0 < hits["before"]


def begin(name: str) -> list[str]:
    """A command that begins the run of that name."""
    return runs.command_line("--json", overrides=(*crash.LONG, f"name={name}"))
