from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest

from flows import run, terminal
from mlab import config as configs
from mlab.core.errors import EvaluationError, RunBusy
from mlab.core.process import Terminated
from mlab.core.state import State
from mlab.search import engine
from mlab.store import Store
from tests import runs
from tests.runs import TINY, command_line

pytestmark = pytest.mark.usefixtures("quick")

UNKNOWN = "20260131-235959-0a1b2c"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """The command line is the master of its process; the tests' process goes on."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(terminal, "Sidecar", Idle)
    return State.here()


def search_ends_with(monkeypatch: pytest.MonkeyPatch, ending: BaseException) -> None:
    """Let every search end at its first batch."""

    def batch(*_arguments: object) -> NoReturn:
        raise ending

    monkeypatch.setattr(engine, "search_batch", batch)


class Idle(AbstractContextManager["Idle"]):
    """A sidecar that delivers nothing."""

    answer = ""

    def __init__(self, state: State, run_id: str) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        pass

    def skip_wait(self) -> None:
        pass

    def finish(self) -> None:
        pass


def sets(*overrides: str) -> list[str]:
    return command_line(overrides=overrides)[2:]


# What is wrong with the input is said in one line, and nothing is written


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which the command line refuses its arguments."""
    assert run.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--resume", "yesterday"], ["--resume", "20260131-235959-0a1b2c", "'yesterday'"]),
        (["--resume", "../../etc/passwd"], ["--resume", "'../../etc/passwd'"]),
        (["--resume", ""], ["--resume", "''"]),
        (["--resume", UNKNOWN], ["--resume", "no stored runs", UNKNOWN]),
        (["--resume", "latest"], ["--resume", "no stored runs", "'latest'"]),
        (["--resume", UNKNOWN, "--config", "configs/default.yaml"], ["--resume", "--config"]),
        (["--resume", UNKNOWN, "--set", "seed=1"], ["--resume", "--set"]),
        (["--workers", "0"], ["command line", "--workers", "1 to 256", "'0'"]),
        (["--workers", "257"], ["--workers", "1 to 256", "'257'"]),
        (["--workers", "-1"], ["--workers"]),
        *((["--workers", text], ["--workers", "whole number", f"'{text}'"]) for text in ("1.5", "many", "")),
        (["--bogus"], ["command line", "--bogus"]),
        (["--set"], ["command line", "--set", "requires an argument"]),
        (["stray"], ["command line", "stray"]),
    ],
)
def test_a_wrong_command_line_is_one_line(
    arguments: list[str], named: list[str], state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, *arguments)

    assert [piece for piece in named if piece not in line] == [], line
    assert not state.root.exists()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("spark", ["must be dask, ray, dask:ADDRESS or ray:ADDRESS", "'spark'"]),
        ("dask", ["dask is missing", "pip install --editable '.[dask]'"]),
        ("ray:auto", ["ray is missing", "pip install --editable '.[ray]'"]),
    ],
)
def test_a_cluster_that_is_unknown_or_not_installed_is_one_line(
    value: str, named: list[str], state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_CLUSTER", value)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    line = refused(capsys)

    assert [piece for piece in ("environment", "MLAB_CLUSTER", *named) if piece not in line] == [], line
    assert not state.root.exists()


def test_a_cluster_without_a_prefect_is_one_line(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLAB_CLUSTER", "dask")

    line = refused(capsys)

    assert [piece for piece in ("MLAB_CLUSTER", "make ui", "PREFECT_API_URL") if piece not in line] == [], line
    assert not state.root.exists()


def test_the_program_itself_keeps_to_that(tmp_path: Path) -> None:
    with runs.python(*command_line("--json", overrides=["search.patience=0"]), state=tmp_path / "state") as process:
        out, err = process.communicate(timeout=runs.SECONDS)

    assert (process.returncode, out) == (2, b"")
    assert err.decode().splitlines() == ["error: --set: search.patience: must be at least 1, was 0"]
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    options = ("--config FILE", "--set FIELD=VALUE", "--resume RUN_ID", "--workers N", "--offline", "--json")
    assert [name for name in (*options, "MLAB_STATE_DIR", "MLAB_DEBUG") if name not in out] == []


def loaded(arguments: list[str], state: Path, names: set[str]) -> set[str]:
    """Which of these modules a process has loaded in the end that takes the arguments of a command line."""
    told = f"print(*({names} & set(sys.modules)), file=sys.stderr)"
    code = f"import sys; from flows import run; run.main({arguments}); {told}"
    with runs.python("-c", code, state=state, pace="whole") as process:
        return set(process.communicate(timeout=runs.SECONDS)[1].decode().splitlines()[-1].split())


SLOW = {"prefect", "mlflow", "matplotlib", "rich", "alembic", "redis", "multiprocessing", "pandas", "scipy"}


def test_bad_input_is_refused_before_anything_slow_is_loaded(tmp_path: Path) -> None:
    assert loaded(["--set", "seed=x"], tmp_path / "state", {*SLOW, "optuna", "sqlalchemy", "numpy"}) == set()


def test_a_search_without_workers_and_terminal_loads_what_its_batches_need(state: State) -> None:
    sets = [part for override in [*TINY, "search.max_batches=1"] for part in ("--set", override)]
    assert loaded(["--offline", "--json", *sets], state.root, SLOW) == set()


# Runs that are stored


def test_an_unknown_run_is_not_resumed(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(state.database):
        pass
    line = refused(capsys, "--resume", UNKNOWN)

    assert str(state.database) in line
    assert UNKNOWN in line


def test_a_run_that_is_being_executed_elsewhere_is_left_alone(state: State) -> None:
    with Store.open(state.database) as store:
        experiment, _ = runs.opened(state, store)
        store.claim(experiment.run_id)  # by this process, which lives
        with runs.python(*command_line("--json", "--resume", experiment.run_id), state=state.root) as process:
            out, err = process.communicate(timeout=runs.SECONDS)

        assert (process.returncode, out) == (3, b"")
        busy = f"error: run {experiment.run_id} is being executed by process {os.getpid()};"
        assert err.decode().startswith(busy)
        assert err.count(b"\n") == 1
        assert runs.stored(store, experiment.run_id).status == "RUNNING"
        assert not state.prefect.exists()


def test_a_run_that_another_process_took_first_is_left_to_it(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search_ends_with(monkeypatch, RunBusy("run x is being executed by process 1; wait for it, or stop it"))

    assert run.main(sets(*TINY)) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "error: run x is being executed by process 1; wait for it, or stop it"


@pytest.mark.parametrize("arguments", [sets(*TINY), ["--resume", UNKNOWN]])
def test_a_database_that_is_none_ends_with_4_and_stays_as_it_is(
    arguments: list[str], state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state.root.mkdir()
    state.database.write_text("my shopping list, which is longer than a header of SQLite" * 9)
    before = state.database.read_bytes()

    assert run.main(arguments) == 4
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith(f"error: {state.database}: ")
    assert "move it away" in last
    assert "Traceback" not in err
    assert state.database.read_bytes() == before


def test_a_state_folder_that_cannot_be_made_ends_with_4(
    tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "file" / "state"))

    assert run.main(sets(*TINY)) == 4
    assert "MLAB_STATE_DIR" in capsys.readouterr().err.splitlines()[-1]


# Endings


def test_with_json_nothing_else_goes_to_standard_output_and_a_finished_run_can_be_shown_again(
    state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["--json", *sets(*TINY)]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert out == json.dumps(answer) + "\n"
    assert (answer["status"], len(answer["cells"])) == ("COMPLETED", 2)
    assert f"ORCH.START run {answer['run_id']}" in err
    assert "ORCH.SAVE_OK" in err

    assert run.main(["--json", "--resume", answer["run_id"]]) == 0
    assert json.loads(capsys.readouterr().out) == answer


def test_without_json_the_ladders_are_shown_as_bullets(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    assert run.main(sets(*TINY)) == 0
    out = capsys.readouterr().out
    assert "1. Order: indent 0.00 %  volume" in out
    assert "(first order) - NeedPct 0.00 %" in out
    assert "5. Order: indent 10.00 %" in out
    assert str(state.root) in out


def test_what_is_left_of_a_dead_process_can_be_resumed(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(state.database) as store:
        experiment = runs.abandoned(state, store)
        assert [left.run_id for left in store.orphans()] == [experiment.run_id]

    assert run.main(["--json", "--resume", "latest"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "COMPLETED"


@pytest.mark.parametrize(("ending", "status"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
@pytest.mark.parametrize(("during", "end"), [("search", "STOPPED"), ("delivery", "COMPLETED")])
def test_a_signal_is_an_orderly_end_and_cuts_only_what_is_under_way(
    during: str,
    end: str,
    ending: BaseException,
    status: int,
    state: State,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_arguments: object) -> NoReturn:
        raise ending

    if during == "search":
        search_ends_with(monkeypatch, ending)
    else:
        monkeypatch.setattr(Idle, "finish", interrupted)

    assert run.main(["--json", *sets(*TINY)]) == status
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert json.loads(out)["status"] == end


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (EvaluationError("10 % x 4, batch 0: ValueError: broken"), "10 % x 4, batch 0: ValueError: broken"),
        (TypeError("two\nlines, password=hunter2"), "TypeError: two\\nlines, password=[hidden]"),
    ],
)
def test_a_failed_run_ends_with_1_and_names_its_snapshot(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, told: str
) -> None:
    search_ends_with(monkeypatch, error)

    assert run.main(sets(*TINY)) == 1
    (path,) = state.crashes.iterdir()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"error: {told}; .venv/bin/mlab crashes show {path.stem} tells more"


def test_an_error_of_the_program_itself_is_one_line_and_a_snapshot(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_arguments: object) -> NoReturn:
        raise TypeError("broken")

    monkeypatch.setattr(configs, "load", broken)

    assert run.main([]) == 1
    (path,) = state.crashes.iterdir()
    assert capsys.readouterr().err == f"error: TypeError: broken; .venv/bin/mlab crashes show {path.stem} tells more\n"
    content = json.loads(path.read_text())
    assert (content["run_id"], content["error_context"]["type"]) == (None, "TypeError")


def test_events_and_batches_come_at_once_and_in_order(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    run.main(["--json", *sets(*TINY)])
    log = state.events(json.loads(capsys.readouterr().out)["run_id"])

    events = [json.loads(line) for line in log.read_text().splitlines()]
    shown = [event["event"] for event in events if not event["event"].startswith("DB.")]
    batch = ["ORCH.BATCH", "EVAL.CALL", "EVAL.RETURN", "ORCH.PRUNE", "ORCH.SAVE_OK"]
    assert shown == ["APP.START", "ORCH.START", "BUILD.CONFIG", *batch * 4, "ORCH.DONE", "APP.STOP"]
    at = {event["event"]: datetime.fromisoformat(event["ts"]) for event in reversed(events)}
    assert (at["BUILD.CONFIG"] - at["APP.START"]).total_seconds() < 2 * runs.slowness()
