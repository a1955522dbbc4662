"""Standard streams that are closed, full, narrow or read by nobody: the work goes on, one line says what is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import pytest

from mlab.core.state import State
from mlab.store import Store
from tests import runs

pytestmark = pytest.mark.usefixtures("quick")

FULL = "error: standard output cannot be written: the disk is full; free some space\n"
Done: TypeAlias = subprocess.CompletedProcess[bytes]
UMLAUTS = "für 日本"
NARROW = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
"""The environment of a terminal that knows nothing but ASCII."""


def at_a_shell(state: State, streams: str, *command: str, stdout: int = subprocess.PIPE, **variables: str) -> Done:
    """Run a Python of our own with its streams led elsewhere, as a shell writes it."""
    return subprocess.run(  # noqa: S603 - our own modules
        ["/bin/sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, *command],
        cwd=runs.ROOT,
        env=os.environ
        | {"MLAB_STATE_DIR": str(state.root), "PYTHONPATH": f"{runs.ROOT / 'tests/start/short'}:{runs.ROOT}"}
        | variables,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=runs.SECONDS,
        check=False,
    )


def ended(state: State) -> list[str]:
    with Store.open(state.database) as store:
        return [run.status for run in store.experiments()]


@pytest.mark.parametrize(
    ("streams", "status", "line"),
    [
        (">&-", 0, None),
        ("2>&-", 0, None),
        ("<&- >&- 2>&-", 0, None),
        (">/dev/full", 1, FULL),
        ("2>/dev/full", 0, None),
        (">/dev/full 2>&1", 1, None),
    ],
)
def test_a_run_is_searched_and_stored_whatever_its_streams_are(
    state: State, streams: str, status: int, line: str | None
) -> None:
    done = at_a_shell(state, streams, *runs.command_line("--offline", overrides=runs.TINY))
    assert done.returncode == status
    assert ended(state) == ["COMPLETED"]
    assert b"Traceback" not in done.stderr
    assert line is None or done.stderr.decode().endswith(line)
    assert not list(state.crashes.glob("*")), "that is no fault of the program"
    if ">" not in streams.partition("2>")[0]:
        assert b"1. Order: indent 0.00 %" in done.stdout


@pytest.mark.parametrize("command", [["-m", "mlab.cli", "ls"], runs.command_line("--offline", overrides=runs.TINY)])
def test_a_reader_that_has_read_enough_ends_nothing(state: State, command: list[str]) -> None:
    with Store.open(state.database) as store:
        runs.opened(state, store, *runs.TINY)
    reading, writing = os.pipe()
    os.close(reading)
    done = at_a_shell(state, "2>&1", *command, stdout=writing)
    os.close(writing)
    assert done.returncode == 0
    assert ended(state) == ["COMPLETED", "STOPPED"][command[1] != "flows.run" :]


@pytest.mark.parametrize("command", ["ls", "doctor", "crashes ls", "sync", "--help"])
def test_an_answer_that_cannot_be_written_is_one_line(state: State, command: str) -> None:
    done = at_a_shell(state, ">/dev/full", "-m", "flows.app", *command.split(), PYTHONUNBUFFERED="")
    if command != "ls":
        assert (done.returncode, done.stderr.decode()) == (1, FULL)
    else:
        assert done.returncode == 2, "no runs are stored"


def test_what_programs_read_is_utf_8_whatever_the_terminal_speaks(state: State, tmp_path: Path) -> None:
    with Store.open(state.database) as store:
        run_id = runs.searched(state, store, f"notes={UMLAUTS}")
    page = at_a_shell(state, "", "-m", "mlab.cli", "report", "-o", "-", **NARROW)
    assert (page.returncode, page.stderr) == (0, b"")
    assert UMLAUTS in page.stdout.decode()
    code = f"""import sys; from pathlib import Path; from mlab.core.state import State; from mlab.store import Store
from mlab.tracking import artifacts
state = State.here()
with Store.open(state.database) as store:
    run = store.experiment({run_id!r}); cells = store.cells(run.exp_id)
    artifacts.write_run(Path({str(tmp_path)!r}), state, run, cells, store.results(run.exp_id), {{}})
    artifacts.write_winner(Path({str(tmp_path)!r}), cells[0].best, run)
"""
    assert at_a_shell(state, "", "-c", code, **NARROW).stderr == b""
    for name in ("config.yaml", "report.html"):
        assert UMLAUTS in (tmp_path / name).read_text(encoding="utf-8")


def test_what_is_typed_is_utf_8_whatever_the_terminal_speaks(state: State) -> None:
    done = at_a_shell(state, "", "-m", "flows.run", "--set", f"name={UMLAUTS}", **NARROW)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().endswith(f"was {UMLAUTS!a}\n")


def test_a_name_that_no_terminal_can_show_is_spelt_out(tmp_path: Path) -> None:
    state = State(tmp_path / os.fsdecode(b"\xffx"))
    with Store.open(state.database) as store:
        run_id = runs.searched(state, store, *runs.TINY)
    done = at_a_shell(state, "", "-m", "mlab.cli", "report")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().endswith(f"udcffx/reports/{run_id}.html\n")


def test_a_folder_that_is_gone_is_one_line(state: State) -> None:
    gone = state.root / "gone"
    gone.mkdir(parents=True)
    leave = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})"
    code = f"{leave}; from mlab import cli; cli.script(arguments=['ls'])"
    done = at_a_shell(state, "", "-c", code, MLAB_STATE_DIR="mlruns")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == "error: environment: MLAB_STATE_DIR: the working directory is gone: enter another\n"
