"""``mlab doctor``: whether everything is as it should be, and if not, what to do."""

from __future__ import annotations

import os
import sys
import tempfile
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata

import click
import psutil
from packaging.requirements import Requirement

from mlab import tracking
from mlab.core import crash, pidfiles
from mlab.core.decimals import counted
from mlab.core.errors import ConfigError, StoreError, reason
from mlab.core.probe import fetch
from mlab.core.redaction import redacted
from mlab.core.state import State
from mlab.model.compiled import BOUNDS, LADDERS, installed
from mlab.replay.compiled import REPLAYS
from mlab.report import terminal
from mlab.report.columns import texts
from mlab.store import Store

PACKAGE = "martingale-lab"
DISK_MB = 500
"""Less free space than this is worth a word: MLflow, Prefect and a long search each take some."""

SERVER = "start or mend that server, or unset it; runs go on without it"

RECURRING, WITHIN_DAYS = 3, 7
"""Crashes of one kind within so many days that are worth a word."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; ``remedy`` says what to do, and is empty where all is well."""

    name: str
    found: str
    remedy: str = ""


FINDINGS = texts("", "check", "found", "what to do", wrap=("found", "what to do"))


@click.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check that all is well, and say what to do.

    Versions, folder, disk, database, runs, what MLflow lacks, servers and crashes. The exit status is 1 where something
    is wrong.
    """
    findings = list(examine(State.here()))
    out = terminal.console(sys.stdout)
    terminal.table(out, FINDINGS, [("!" if it.remedy else "ok", it.name, it.found, it.remedy) for it in findings])
    wrong = sum(bool(one.remedy) for one in findings)
    out.print(f"{wrong} of {len(findings)} checks need attention." if wrong else "All is well.")
    context.exit(1 if wrong else 0)


def examine(state: State) -> Iterator[Finding]:
    """All checks, each independent of the others."""
    mlflow = list(_mlflow(state))
    yield _versions()
    yield from _numba()
    yield _folder(state)
    yield _disk(state)
    yield from _database(state, delivers=not any(one.remedy for one in mlflow))
    yield from _prefect()
    yield from mlflow
    yield from _background(state)
    yield _crashes(state)


def _versions() -> Finding:
    """Whether the packages are those that the program was made for."""
    required = map(Requirement, metadata.requires(PACKAGE) or [])
    wrong = [_wrong(one) for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]
    if any(wrong):
        return Finding("versions", "; ".join(filter(None, wrong)), "in the checkout: make clean, then make run")
    found = f"{PACKAGE} {metadata.version(PACKAGE)}, Python {sys.version.split()[0]}"
    return Finding("versions", f"{found}, all packages as required")


def _wrong(required: Requirement) -> str:
    """What is wrong with a package, if anything."""
    try:
        version = metadata.version(required.name)
    except metadata.PackageNotFoundError:
        return f"{required.name} is missing, must be {required.specifier or 'there'}"
    if required.specifier.contains(version, prereleases=True):
        return ""
    return f"{required.name} is {version}, must be {required.specifier}"


def _numba() -> Iterator[Finding]:
    """Whether numba is used, where it is installed; to ask compiles, which takes seconds the first time."""
    if installed():
        version, parts = metadata.version("numba"), {"searches": LADDERS, "proofs": BOUNDS, "replays": REPLAYS}
        without = [f"{name}: {loops.refused}" for name, loops in parts.items() if loops.ahead(sys.maxsize) is None]
        if without:
            remedy = (
                "nothing needs it; empty its cache (NUMBA_CACHE_DIR, __pycache__ in mlab) or install another version"
            )
            yield Finding("numba", f"{version} is not used, {'; '.join(without)}", remedy)
        else:
            yield Finding("numba", f"{version}, used by long searches, proofs and replays")


def _folder(state: State) -> Finding:
    if not state.root.exists():
        return Finding("state folder", f"{state.root} is not there yet; the first run makes it")
    try:
        with tempfile.TemporaryFile(dir=state.root) as file:
            file.write(b"x")
    except OSError as error:
        found = f"{state.root} cannot be written: {reason(error)}"
        return Finding("state folder", found, "make it writable, or set MLAB_STATE_DIR")
    return Finding("state folder", f"{state.root} can be written")


def _disk(state: State) -> Finding:
    place = next(folder for folder in (state.root, *state.root.parents) if folder.exists())
    free = psutil.disk_usage(str(place)).free // 2**20
    remedy = f"free some: below {DISK_MB} MB a run may end with status 4; nothing saved is lost"
    return Finding("disk", f"{free:,} MB free", remedy if free < DISK_MB else "")


def _database(state: State, *, delivers: bool) -> Iterator[Finding]:
    if not state.database.exists():
        yield Finding("database", "no runs are stored yet")
        return
    try:
        with Store.open(state.database) as store:
            store.check_file()
            yield _rows(store)
            yield _orphans(store)
            yield _pending(store, delivers=delivers)
    except StoreError as error:
        yield Finding("database", str(error), "see docs/faults.md; every command refuses it until then")


def _rows(store: Store) -> Finding:
    runs = store.experiments()
    damaged = []
    for run in runs:
        try:
            store.check_run(run.exp_id)
        except StoreError as error:
            damaged.append(str(error))
    if damaged:
        return Finding("database", "; ".join(damaged), "restore a copy of the file; those runs cannot be trusted")
    status = Counter(run.status for run in runs)
    found = ", ".join(f"{number} {name}" for name, number in sorted(status.items())) or "no runs"
    return Finding("database", f"intact, every row as it was written: {found}")


def _orphans(store: Store) -> Finding:
    orphans = [run.run_id for run in store.orphans()]
    if not orphans:
        return Finding("runs", "none is left by a process that died")
    remedy = f"the next run marks them STOPPED; go on with .venv/bin/mlab run --resume {orphans[-1]}"
    return Finding("runs", f"left by a process that died: {', '.join(orphans)}", remedy)


def _pending(store: Store, *, delivers: bool) -> Finding:
    pending = store.owing()
    if not pending:
        return Finding("MLflow", "all is delivered")
    numbers = sum(len(store.owed(run.exp_id)) for run in pending)
    found = f"not yet delivered: {counted(numbers, 'number')} and the ending of {counted(len(pending), 'run')}"
    remedy = f"{'' if delivers else 'mend what is said of MLflow below, then '}.venv/bin/mlab sync"
    return Finding("MLflow", found, remedy)


def _prefect() -> Iterator[Finding]:
    """The server that the environment names; a run that is named none needs none."""
    url = os.environ.get("PREFECT_API_URL", "")
    if tracking.is_server(url):
        reason = _prefect_refusal(url.rstrip("/"))
        found = f"{redacted(url)} {f'does not answer: {redacted(reason)}' if reason else 'answers'}"
        yield Finding("PREFECT_API_URL", found, SERVER if reason else "")


def _prefect_refusal(api: str) -> str:
    """Why Prefect does not answer a run; empty where it does. Of its page for such questions it asks no password."""
    headers = {"Content-Type": "application/json"}
    if password := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = f"Basic {b64encode(password.encode()).decode()}"
    elif key := os.environ.get("PREFECT_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    try:
        fetch(f"{api}/flows/filter", question=b'{"limit": 1}', headers=headers)
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
    return ""


def _mlflow(state: State) -> Iterator[Finding]:
    """What the environment says of where runs go, and whether they arrive there."""
    try:
        tracking.check(state)
        uri = tracking.tracking_uri(state)
    except ConfigError as error:
        yield Finding(
            "environment", str(error).removeprefix("environment: "), f"set {error.field} otherwise, or unset it"
        )
        return
    if not uri:
        yield from _own_mlflow(state)
    elif tracking.keeps_files(uri):
        remedy = "name a server or a database, as sqlite:///FILE, or unset it; then .venv/bin/mlab sync"
        yield Finding("MLFLOW_TRACKING_URI", f"{redacted(uri)} is a folder, to which MLflow writes no longer", remedy)
    else:
        from mlab.tracking.client import refusal  # noqa: PLC0415 - late, for it loads MLflow

        reason = refusal(uri)
        found = f"{redacted(uri)} {f'does not serve: {reason}' if reason else 'answers'}"
        yield Finding("MLFLOW_TRACKING_URI", found, SERVER if reason else "")


def _own_mlflow(state: State) -> Iterator[Finding]:
    """Whether MLflow's database in the state folder can be read, and has its artifacts there."""
    try:
        former = tracking.former_place(state)
    except StoreError as error:
        yield Finding("MLflow", str(error), "move that file away; the next run makes a new one")
        return
    if former:
        found = f"the folder was moved or copied: {state.mlflow_database.name} has its artifacts in {former}"
        yield Finding("MLflow", found, ".venv/bin/mlab sync, or the next run or make ui, puts that right")


def _background(state: State) -> Iterator[Finding]:
    """What ``make serve`` has started, where it has."""
    known = [name for name in pidfiles.NAMES if pidfiles.known(state, name)]
    dead = [name for name in known if not pidfiles.alive(state, name)]
    if dead:
        yield Finding("make serve", f"died: {', '.join(dead)}; searches on a schedule need all", "make serve")
    elif known:
        yield Finding("make serve", f"running: {', '.join(known)}")


def _crashes(state: State) -> Finding:
    since = (datetime.now(UTC) - timedelta(days=WITHIN_DAYS)).isoformat()
    kinds = Counter(one.fingerprint for one in crash.listed(state) if one.timestamp >= since)
    found = f"{kinds.total()} in the last {WITHIN_DAYS} days"
    recurring = sum(times >= RECURRING for times in kinds.values())
    if recurring:
        found += f", {counted(recurring, 'kind')} of them again and again"
    return Finding("crashes", found, ".venv/bin/mlab crashes ls" if recurring else "")
