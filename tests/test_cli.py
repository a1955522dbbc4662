"""``mlab``: its command line as a person meets it, and the crashes that it lists."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import click
import pytest

from mlab import cli
from mlab.cli import app
from mlab.cli.app import COMMANDS
from mlab.core import crash
from mlab.core.errors import EvaluationError
from mlab.core.state import State
from mlab.search import batch
from mlab.store import Store
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")

RUN = "20260102-030405-abcdef"


def crashed(state: State, *errors: Exception) -> None:
    for error in errors:
        crash.write(state, error, RUN, 7, {"elapsed_s": 1.5}, {"seed": 42})


def mlab(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status and what is on the screen."""
    capsys.readouterr()
    status = cli.main(arguments)
    shown = capsys.readouterr()
    # What has to be copied, a path or a line of JSON, is not broken.
    assert all(len(line) <= 100 for line in shown.out.splitlines() if "/" not in line and "--json" not in arguments)
    return status, shown.out, shown.err


# The command line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["bogus"], "command line: No such command 'bogus'."),
        (["doctor", "--bogus"], "command line: No such option '--bogus'."),
        (["crashes", "show"], "command line: Missing argument 'SNAPSHOT'."),
        (
            ["crashes", "show", "x"],
            "command line: SNAPSHOT: must name one snapshot, names 0; .venv/bin/mlab crashes ls",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line(
    state: State, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    status, out, err = mlab(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {line}")
    assert err.count("\n") == 1
    assert not state.root.exists(), "nothing is written"


def test_without_a_command_it_says_what_there_is(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = mlab(capsys)
    assert status == 0
    for command in ("crashes", "doctor", "sync"):
        assert f"\n  {command} " in out


def test_commands_are_listed_with_the_first_line_of_their_help() -> None:
    for name, (_, about) in COMMANDS.items():
        command = app.mlab.get_command(click.Context(app.mlab), name)
        assert command is not None
        assert (command.name, (command.help or "").partition("\n")[0]) == (name, about)


def test_a_command_loads_what_it_needs(state: State) -> None:
    with Store.open(state.database) as store:
        run_id = runs.searched(state, store)
    slow = {"matplotlib", "mlflow", "prefect", "optuna", "numpy"}
    steps = [([], {*slow, "sqlalchemy", "rich"}), (["ls"], slow), (["show", run_id], slow)]
    code = f"""import sys; from mlab import cli
for arguments, unwanted in {steps}:
    assert cli.main(arguments) == 0 and not unwanted & set(sys.modules), arguments
"""
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)  # noqa: S603


def test_it_is_a_module_too(state: State) -> None:
    command = [sys.executable, "-m", "mlab.cli", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=runs.SECONDS, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    assert "All is well." in done.stdout


# Crashes


def fail() -> None:
    raise EvaluationError("the score is nan")


def test_crashes_of_one_kind_are_one_line(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No crash snapshots" in mlab(capsys, "crashes", "ls")[1]
    crashed(state, ValueError("[red]a[/]"), ValueError("b"))
    time.sleep(0.002)
    crashed(state, KeyError("c"))

    status, out, _ = mlab(capsys, "crashes", "ls")
    assert status == 0
    kinds = [line.split()[2:5:2] for line in out.splitlines() if "crash_" in line]
    assert kinds == [["1", "KeyError:"], ["2", "ValueError:"]], "the latest first"
    _, out, _ = mlab(capsys, "crashes", "ls", "--all")
    assert out.count("crash_") == 3
    assert "ValueError: [red]a[/]" in out


def test_a_crash_is_shown_whole(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EvaluationError) as raised:
        fail()
    crashed(state, raised.value)
    (path,) = state.crashes.glob("*.json")

    status, out, _ = mlab(capsys, "crashes", "show", path.stem[-4:])
    assert status == 0
    assert out.splitlines()[0] == "EvaluationError: the score is nan"
    for part in (RUN, path.stem, str(path), "in fail", "Seen before   0 times", "elapsed_s 1.5"):
        assert part in out
    _, out, _ = mlab(capsys, "crashes", "show", path.stem, "--json")
    assert json.loads(out) == json.loads(path.read_text())


def test_the_crash_of_a_run_is_listed(
    state: State, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def boom(_self: batch.Refinement) -> None:
        raise ValueError("boom")

    monkeypatch.setattr(batch.Refinement, "generation", boom)
    with Store.open(state.database) as store, pytest.raises(EvaluationError):
        runs.searched(state, store)
    assert "EvaluationError: 10 % x 4, batch 0:" in mlab(capsys, "crashes", "ls")[1]
