"""The documentation says what the code does: numbers, names, links, options and references."""

from __future__ import annotations

import ast
import asyncio
import importlib
import io
import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest
import yaml
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

from benchmarks.readme import PAGES as BENCHMARKED
from benchmarks.readme import fresh
from docs.reference import PAGE, config_page
from flows.app import mlab
from mlab import __version__
from mlab.cli.app import COMMANDS
from mlab.config import load
from mlab.core.events import NAMES
from mlab.core.state import State
from mlab.report import terminal
from mlab.report.progress import Progress
from mlab.search import engine, experiments
from mlab.search.watcher import Watcher
from mlab.store import Store

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted([*(ROOT / "mlab").rglob("*.py"), *(ROOT / "flows").rglob("*.py")])

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text(name: str | Path) -> str:
    """A page, without the changes that it proposes."""
    return re.sub(r"^```diff.*?^```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def section(name: str, head: str) -> str:
    """What stands on a page under a head of the second level."""
    return text(name).partition(f"\n## {head}\n")[2].partition("\n## ")[0]


# formulas ------------------------------------------------------------------------------------------------


def cited(source: str) -> Iterator[int]:
    """The formulas a text names, ranges such as F6 to F8 in full."""
    for first, last in re.findall(r"\bF(\d+)(?: to F(\d+))?\b", source):
        yield from range(int(first), int(last or first) + 1)


FORMULAS = ("docs/model.md", "docs/replay.md", "docs/search.md")


def defined(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"\*\*F(\d+)\*\*", text(page))]


def test_formulas_of_the_code_are_those_of_the_model() -> None:
    pages = [defined(page) for page in FORMULAS]
    numbers = sorted(itertools.chain(*pages))
    in_code = {number for source in SOURCES for number in cited(source.read_text(encoding="utf-8"))}
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(page == sorted(page) for page in pages)
    assert in_code == set(numbers)


def test_the_formula_of_a_penalty_that_is_added_has_the_next_free_number() -> None:
    change = (ROOT / "docs/howto/penalty.md").read_text(encoding="utf-8")
    added = {int(number) for number in re.findall(r"^\+.*?\bF(\d+)\b", change, re.MULTILINE)}
    before = {number for page in FORMULAS for number in defined(page)} - added  # of whoever has added it, too
    assert added == {max(before) + 1}


def test_every_formula_has_its_number_on_the_line_that_computes_it() -> None:
    arrays = [source for source in SOURCES if "loops" not in source.parts]  # loops stand in for what is numbered there
    lines = [line for source in arrays for line in source.read_text(encoding="utf-8").splitlines()]
    numbered = {number for line in lines for number in cited(line.partition("  # ")[2])}
    assert numbered == {number for page in FORMULAS for number in cited(text(page))}


@each_page
def test_formulas_that_a_page_names_exist(page: Path) -> None:
    assert set(cited(text(page))) <= {number for defining in FORMULAS for number in cited(text(defining))}


@each_page
def test_names_of_the_code_exist(page: Path) -> None:
    for name in re.findall(r"`((?:mlab|flows)(?:\.\w+)+)`", text(page)):
        assert resolves(name), name


def resolves(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def test_the_floors_of_the_architecture_are_those_that_imports_keep_to() -> None:
    contract = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    floors = re.findall(r"^\| `([\w.]+)` \|", section("docs/architecture.md", "The floors"), re.MULTILINE)
    assert floors == [name for layer in contract["layers"] for name in layer.split(" | ")]


@each_page
def test_files_of_the_code_exist(page: Path) -> None:
    for name in re.findall(r"`((?:flows|mlab|tests|docs|benchmarks|configs)/[\w./]*)`", text(page)):
        assert (ROOT / name).exists(), name


# references ----------------------------------------------------------------------------------------------


def test_the_reference_of_the_config_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == config_page(), "run: python -m docs.reference"


def test_every_event_is_documented() -> None:
    rows = re.findall(r"^\| ([A-Z]+\.[A-Z_]+) \|", text("docs/events.md"), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == NAMES


def test_reserved_events_are_those_that_nothing_emits() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES if path.name != "events.py")
    emitted = {
        name for name in NAMES if re.search(rf'(emit|_emit_batch)\(\s*"{name}"|^\s+"{name}",$', code, re.MULTILINE)
    }
    reserved = text("docs/events.md").partition("## Reserved")[2]
    assert {name for name in NAMES if f"| {name} |" in reserved} == NAMES - emitted


# what a reader follows or types --------------------------------------------------------------------------


@each_page
def test_relative_links_resolve(page: Path) -> None:
    for target, place in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", text(page)):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not place or place in places(there), f"{target}#{place}"


def places(page: Path) -> set[str]:
    """What the heads of a page are called in links."""
    heads = re.findall(r"^#+ (.*)", text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


@each_page
def test_targets_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^ *|; )make ([a-z-]+)", text(page), re.MULTILINE)) <= targets


def test_pages_show_what_the_default_run_shows_of_its_best_known(tmp_path: Path) -> None:
    """They show how its cell 20 % x 10 goes, and the ladder found there."""
    state, config, screen, progress = State(tmp_path), load(ROOT / "configs/default.yaml"), io.StringIO(), io.StringIO()
    with Store.open(state.database) as store:
        experiment = experiments.create(state, store, config)
        with engine.execution(state, store, experiment, config) as run:
            result = run.search(config.cells()[4], Watcher())
    assert result.best is not None
    told = Progress(progress)
    told.start(config.cells(), config.search.max_batches, config.search.batch_size)
    told.cell_done(result)
    terminal.ladder(terminal.console(screen), result.best)

    (line,) = re.findall(r"^\[5/9\] .*", text("docs/tutorial.md"), re.MULTILINE)
    assert progress.getvalue().partition("] ")[2].rstrip() == line.partition("] ")[2]
    (ladder,) = re.findall(r"```text\n(.*?)```", text("README.md"), re.DOTALL)
    lines = re.sub(r"\d{8}-\d{6}-\w{6}", experiment.run_id, ladder).splitlines()
    assert [one for one in lines if one != "  ..."] == [one for one in screen.getvalue().splitlines() if one in lines]


def test_commands_that_a_user_is_told_to_type_can_be_pasted_in_the_checkout() -> None:
    """They begin with ``.venv/bin/mlab``, as on the pages, or with make; docstrings and helps name commands."""
    other = re.compile(
        rf"(?<![\w/.])mlab (?:run|{'|'.join(COMMANDS)})\b|python -m (?:flows|mlab)|(?<!mlab run )--resume "
    )
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = [one.value for one in ast.walk(tree) if isinstance(one, ast.Expr) or getattr(one, "arg", "") == "help"]
        told = [one for one in ast.walk(tree) if isinstance(one, ast.Constant) and one not in named]
        assert not [one.value for one in told if isinstance(one.value, str) and other.search(one.value)], path


@pytest.fixture(scope="module")
def usage() -> str:
    command = [sys.executable, "-m", "flows.run", "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603


@each_page
def test_options_of_the_command_line_exist(page: Path, usage: str) -> None:
    content = text(page)
    options = set(re.findall(r"`(--[a-z-]+)", content))
    for command in re.findall(r"(?:mlab run|make run ARGS=)[^`\n]*", content):
        options |= set(re.findall(r"(?<!\S)[\"']?(--[a-z-]+)", command))
    context = click.Context(mlab)
    commands = [mlab.get_command(context, name) for name in mlab.list_commands(context)]
    of_mlab = {name for command in commands if command for option in command.params for name in option.opts}
    assert options <= set(re.findall(r"--[a-z-]+", usage)) | of_mlab


@each_page
def test_settings_that_are_shown_are_accepted(page: Path) -> None:
    shown = re.findall(r"--set ([\w.]+=[^\s\"`]+)", text(page))
    load(None, [setting for setting in shown if setting != "FIELD=VALUE"])


def test_deployments_that_the_readme_names_exist() -> None:
    names = {deployment["name"] for deployment in yaml.safe_load(text("prefect.yaml"))["deployments"]}
    assert {name for name in names if f"`{name}`" in text("README.md")} == names


@pytest.mark.parametrize(
    ("before", "hours", "offsets"),
    [("2026-03-28T12:00Z", [3, 2], [2, 2]), ("2026-10-24T12:00Z", [2, 2], [2, 1])],
    ids=["skipped", "twice"],
)
def test_a_schedule_keeps_to_the_clock_of_its_time_zone(before: str, hours: list[int], offsets: list[int]) -> None:
    (example,) = re.findall(r"^ +- ({cron.*})", text("docs/howto/schedule.md"), re.MULTILINE)
    schedule = CronSchedule(**{name: yaml.safe_load(example)[name] for name in ("cron", "timezone")})
    planned = asyncio.run(schedule.get_dates(2, start=datetime.fromisoformat(before)))
    assert [one.hour for one in planned] == hours
    assert [one.utcoffset() for one in planned] == [timedelta(hours=offset) for offset in offsets]


def test_an_interval_of_a_day_keeps_to_the_clock_of_its_time_zone() -> None:
    zone = ZoneInfo("Europe/Berlin")
    anchor = datetime(2026, 1, 1, 9, tzinfo=zone)
    schedule = IntervalSchedule(interval=timedelta(days=1), anchor_date=anchor, timezone="Europe/Berlin")
    planned = asyncio.run(schedule.get_dates(365, start=anchor))
    assert {one.astimezone(zone).hour for one in planned} == {9}


def test_environment_variables_are_documented() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES) + text("prefect.yaml")
    assert set(re.findall(r"\bMLAB_[A-Z_]+", code)) == set(re.findall(r"\bMLAB_[A-Z_]+", text("docs/architecture.md")))


def test_the_changelog_knows_this_version() -> None:
    assert f"## [{__version__}]" in text("CHANGELOG.md")


@each_page
def test_no_folder_of_a_machine_is_named(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/", text(page))


@pytest.mark.parametrize("page", BENCHMARKED, ids=lambda page: page.name)
def test_tables_of_benchmarks_are_those_that_were_measured(page: Path) -> None:
    content = text(page)
    assert content == fresh(content), "run: python -m benchmarks.readme"
