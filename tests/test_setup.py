"""What ``make`` does before anything else: an environment is made, kept, mended or refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.runs import ROOT

PYTHON = """#!/bin/sh
# Stands for a Python: notes what it is asked for, and makes environments of its kind.
echo "$0 $*" >> "$LOG"
case "$*" in
  *version_info*) test {version} -ge 11 ;;
  *"import ensurepip, venv"*) {venv} ;;
  "-m venv "*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && touch .venv/pip ;;
  "-m pip --version") test -e .venv/pip ;;
  "-m ensurepip") {venv} && touch .venv/pip ;;
  "-m pip "*"$FAILS"*) test -z "$FAILS" && env | grep '^PIP_' | sort > "$LOG.env" ;;
esac
"""

AWKWARD = ["plain", "Trading & Bots (new) it's", "$HOME;#`%"]


@dataclass
class Checkout:
    """A folder with our Makefile, on a machine that has the Pythons of ``programs`` and no others."""

    folder: Path
    log: Path
    programs: Path
    settings: dict[str, str] = field(default_factory=dict)

    def python(self, name: str, version: int, *, venv: bool = True) -> Path:
        path = self.programs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PYTHON.format(version=version, venv="true" if venv else "false"))
        path.chmod(0o755)
        return path

    def make(self, *arguments: str, fails: str = "") -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        command = ["make", *(arguments or ("run",))]
        known = {"PATH": f"{self.programs}:{self.programs.parent / 'system'}", "LOG": str(self.log), "FAILS": fails}
        return subprocess.run(  # noqa: S603
            command, cwd=self.folder, env=known | self.settings, capture_output=True, text=True, check=False
        )

    @property
    def asked(self) -> list[str]:
        """What the Python of the environment was asked for, without the question for its version."""
        lines = [line.partition(" ") for line in self.log.read_text().splitlines()]
        return [what for who, _, what in lines if who == ".venv/bin/python" and not what.startswith("-c ")]

    @property
    def made_by(self) -> list[str]:
        lines = self.log.read_text().splitlines()
        return [line.rpartition(" -m venv")[0].rpartition("/")[2] for line in lines if line.endswith("-m venv .venv")]


@pytest.fixture(params=AWKWARD[:1])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Checkout:
    folder = tmp_path / request.param
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    system = tmp_path / "system"
    system.mkdir()
    for tool in ("sh", "make", "cat", "cp", "env", "grep", "mkdir", "rm", "sort", "test", "touch", "sed", "expand"):
        found = shutil.which(tool)
        assert found is not None
        (system / tool).symlink_to(found)
    made = Checkout(folder, tmp_path / "log", tmp_path / "programs")
    made.python("python3", 12)
    return made


@pytest.mark.parametrize("checkout", AWKWARD, indirect=True)
def test_a_checkout_may_have_any_name_and_is_set_up_once(checkout: Checkout) -> None:
    first = checkout.make("run", "ARGS=--json")
    assert (first.returncode, first.stderr) == (0, "")
    assert checkout.made_by == ["python3"]
    assert [line.split()[:4] for line in checkout.asked if "install" in line][-1][-1] == "install"
    assert checkout.asked[-1] == "-m flows.run --json"
    assert checkout.make("ui").stdout == ""
    assert checkout.asked == ["-m flows.app ui"]


def test_a_checkout_that_was_moved_is_mended_and_its_packages_stay(checkout: Checkout) -> None:
    checkout.make()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("its new name"))
    done = checkout.make("ui")
    assert done.returncode == 0
    assert checkout.made_by == []
    assert any("--editable ." in line for line in checkout.asked)
    assert checkout.make("ui").stdout == ""


@pytest.mark.parametrize("fails", ["--upgrade pip", "requirements.lock", "--editable"])
def test_what_was_cut_is_made_anew(checkout: Checkout, fails: str) -> None:
    assert checkout.make(fails=fails).returncode == 2
    assert not any("flows" in line for line in checkout.asked)
    assert checkout.make().returncode == 0
    assert checkout.made_by == ["python3"]
    assert checkout.asked[-1] == "-m flows.run"


def test_an_environment_that_cannot_be_brought_up_to_date_stays_as_it_was(checkout: Checkout) -> None:
    checkout.make()
    os.utime(checkout.folder / ".venv/.ready", (0, 0))
    for _ in range(2):
        assert checkout.make(fails="--dry-run").returncode == 2
        assert checkout.made_by == []
    assert checkout.make().returncode == 0
    assert checkout.made_by == []


def test_nobody_takes_away_what_another_make_is_setting_up(checkout: Checkout) -> None:
    checkout.make(fails="requirements.lock")
    (checkout.folder / ".venv/.unready").write_text(f"{os.getpid()}\n")
    done = checkout.make()
    assert done.returncode == 2
    assert f"error: process {os.getpid()} is setting up .venv: wait for it" in done.stderr
    assert checkout.asked == []


def test_the_first_python_that_is_new_enough_is_taken(checkout: Checkout) -> None:
    checkout.python("python3", 9)
    checkout.python("python3.13", 13, venv=False)
    checkout.python("python3.12", 12)
    assert checkout.make().returncode == 0
    assert checkout.made_by == ["python3.12"]


def test_a_python_that_is_elsewhere_is_named(checkout: Checkout, tmp_path: Path) -> None:
    place = tmp_path / "own (3.14)" / "python"
    place.parent.mkdir()
    checkout.python("python3", 9).rename(place)
    old = checkout.make("run", f"PYTHON={place}")
    assert old.returncode == 2
    assert f"error: Python 3.11 or later with venv is needed; tried: {place}." in old.stderr
    place.write_text(place.read_text().replace("test 9", "test 14"))
    assert checkout.make("run", f"PYTHON={place}").returncode == 0
    assert checkout.made_by == ["python"]


@pytest.mark.parametrize(("version", "venv"), [(10, True), (12, False)])
def test_without_a_python_that_will_do_one_line_says_what_to_do(
    checkout: Checkout, version: int, *, venv: bool
) -> None:
    checkout.python("python3", version, venv=venv)
    done = checkout.make()
    error, made = done.stderr.splitlines()
    assert error == (
        "error: Python 3.11 or later with venv is needed; tried: python3 python3.13 python3.12 python3.11 python. "
        "On Debian and Ubuntu: apt install python3-venv. For one that is elsewhere: make run PYTHON=/path/to/python3"
    )
    assert "Error 1" in made


@pytest.mark.parametrize("pip", [True, False])
def test_an_environment_made_by_hand_is_taken(checkout: Checkout, *, pip: bool) -> None:
    (checkout.folder / ".venv/bin").mkdir(parents=True)
    checkout.python("by-hand", 13).rename(checkout.folder / ".venv/bin/python")
    if pip:
        (checkout.folder / ".venv/pip").touch()
    assert checkout.make().returncode == 0
    assert checkout.made_by == []
    assert checkout.asked[-1] == "-m flows.run"


@pytest.mark.parametrize("version", [9, None])
def test_an_environment_that_is_too_old_or_whose_python_is_gone_is_made_anew(
    checkout: Checkout, version: int | None
) -> None:
    (checkout.folder / ".venv/bin").mkdir(parents=True)
    if version:
        checkout.python("by-hand", version).rename(checkout.folder / ".venv/bin/python")
    else:
        (checkout.folder / ".venv/bin/python").symlink_to("gone")
    assert checkout.make().returncode == 0
    assert checkout.made_by == ["python3"]


def test_pip_does_every_step_with_the_settings_that_people_have_made(checkout: Checkout) -> None:
    checkout.settings = {"PIP_INDEX_URL": "https://packages.example.com", "PIP_CERT": "own.pem", "PIP_USER": "1"}
    assert checkout.make().returncode == 0
    steps = [line for line in checkout.asked if line != "-m pip --version"][:-1]
    assert [step.split()[1] for step in steps] == ["pip", "pip", "pip", "compileall"]
    heard = Path(f"{checkout.log}.env").read_text().splitlines()
    assert set(heard) >= {"PIP_INDEX_URL=https://packages.example.com", "PIP_CERT=own.pem", "PIP_USER=0"}


@pytest.mark.parametrize("command", [["-m", "mlab.cli", "ls"], ["-m", "flows.run"], ["-m", "flows.app", "serve"]])
def test_a_system_without_locks_of_files_is_told_in_one_line(command: list[str], tmp_path: Path) -> None:
    start = "import sys; sys.modules['fcntl'] = None; import runpy; sys.argv = sys.argv[1:]"
    code = f"{start}; runpy.run_module({command[1]!r}, run_name='__main__')"
    line = [sys.executable, "-c", code, command[1], *command[2:]]
    environment = os.environ | {"MLAB_STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stderr == "error: this system: has no locks of files (fcntl); on Windows use WSL\n"
    assert done.returncode == 2
    assert not (tmp_path / "state").exists()


@pytest.mark.soak
def test_a_clone_with_an_awkward_name_is_set_up_searches_and_is_moved(tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HOME": "/proc/nowhere"}

    def typed(*command: str) -> str:
        return subprocess.run(command, cwd=clone, env=own, capture_output=True, text=True, check=True).stdout  # noqa: S603

    clone = ROOT
    names = typed("git", "ls-files").splitlines()
    clone = tmp_path / AWKWARD[1]
    for name in names:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    search = "--offline --set ladder.overlap_pct=10 --set ladder.num_orders=4 --set search.max_batches=1"
    assert "What no ladder can do" in typed("make", "run", f"ARGS={search}")
    clone = clone.rename(clone.with_name("moved"))
    assert "Setting up" in typed("make", "run", f"ARGS={search}")
    assert typed(".venv/bin/mlab", "ls").count("COMPLETED") == 2
