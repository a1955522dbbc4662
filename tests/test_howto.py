"""Every command of the tutorial and of the how-to pages, typed by a new user in a clone of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlab.core.state import State
from tests import runs
from tests.runs import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.soak]

PAGES = [ROOT / "README.md", ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "howto").glob("*.md"))]
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
LEFT_OUT = ("git clone", "make test", "make ui")
"""What a test cannot type: it is in a clone, is a test, and does not wait for Ctrl-C."""


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> str:
    """All commands of a page, in order; what one block sets, the next knows."""
    lines = "".join(blocks(page, "sh")).splitlines()
    assert lines, f"{page} has no commands"
    return "\n".join(line for line in lines if not line.startswith(LEFT_OUT))


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A clone with this environment, small searches, and servers that listen elsewhere; nothing of it goes on."""
    folder = tmp_path / "martingale-lab"
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():  # noqa: S603
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for config in (folder / "configs").glob("*.yaml"):
        config.write_text(re.sub(r"max_batches: \d+", "max_batches: 2", config.read_text()))
    (folder / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        (folder / ".venv" / part.name).symlink_to(part)
    (folder / ".venv/.ready").unlink(missing_ok=True)
    (folder / ".venv/.ready").write_text(f"{folder.resolve() / '.venv'}\n")
    for name in ("pyproject.toml", "requirements.lock"):
        os.utime(folder / name, (0, 0))  # older than the environment
    runs.furnish(State(folder / "mlruns"))
    yield folder
    with runs.python("-m", "flows.app", "stop", state=folder / "mlruns") as process:
        process.wait(100)


@contextmanager
def postgres() -> Iterator[str]:
    """User, host and port of a PostgreSQL of our own, with two empty databases."""
    assert POSTGRES is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        as_user = {"user": "postgres"} if os.geteuid() == 0 else {}
        if as_user:
            shutil.chown(folder, "postgres")
        port = str(runs.free_port())

        def does(program: str, *arguments: str) -> None:
            command = [str(POSTGRES / program), *arguments]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, **as_user)  # noqa: S603

        does("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "lab")
        does("pg_ctl", "-D", f"{folder}/data", "-o", f"-p {port} -k {folder}", "-l", f"{folder}/log", "-w", "start")
        try:
            for name in ("prefect", "mlflow"):
                does("createdb", "-h", "127.0.0.1", "-p", port, "-U", "lab", name)
            yield f"lab@127.0.0.1:{port}"
        finally:
            does("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_succeeds(page: Path, clone: Path) -> None:
    for change in blocks(page, "diff"):
        subprocess.run(["git", "apply", "-"], cwd=clone, input=change, text=True, check=True)  # noqa: S607
    text = commands(page)
    for port in ("4200", "5000"):
        free = str(runs.free_port())
        text = text.replace(port, free)
        for name in ("flows/ports.py", "mlab/core/urls.py"):
            (clone / name).write_text((clone / name).read_text().replace(port, free))
    if "PASSWORD@HOST" not in text:
        succeeds(clone, text)
    elif POSTGRES is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    else:
        with postgres() as server:
            succeeds(clone, text.replace("lab:PASSWORD@HOST", server))


def succeeds(clone: Path, text: str) -> None:
    """Type the lines into a shell that stops at the first that fails."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    shell = ["bash", "-euxo", "pipefail", "-c", text]
    where = clone.parent if text.startswith("cd ") else clone
    done = subprocess.run(  # noqa: S603 - commands of our own pages
        shell, cwd=where, env=inherited | {"PYTHONPATH": str(clone)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{done.stdout[-3000:]}"
