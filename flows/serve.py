"""Both pages until Ctrl-C (``mlab ui``), or all that a schedule needs until ``mlab stop`` (``mlab serve``).

That is Prefect's server, MLflow's, a worker, the deployments of prefect.yaml, and the automation of
``flows.heartbeat``. What runs already is left alone; what has died is started again.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import httpx
import yaml

from flows import ports, services
from flows.connection import address_file
from flows.services import Program
from mlab import tracking
from mlab.core import pidfiles
from mlab.core.errors import ConfigError, LabError
from mlab.core.lock import alone
from mlab.core.process import Terminated
from mlab.core.state import State
from mlab.core.urls import Pages

PLANNED_S = 90.0
"""Longest time until Prefect's scheduler has planned what was deployed: it looks once a minute."""

ATTEMPTS = 10
"""How often a question is asked of a Prefect that is too busy to answer it."""


@click.command()
@ports.options
def ui(**wanted: int | None) -> None:
    """Open the pages of Prefect and MLflow on 127.0.0.1, until Ctrl-C."""
    tracking.check(State.here())
    with suppress(KeyboardInterrupt, Terminated):
        _show_pages(State.here(), wanted)


@click.command()
@ports.options
def serve(**wanted: int | None) -> None:
    """Search on a schedule: both pages, a worker and the deployments, in the background.

    What runs already is left alone; mlab stop ends all of it.
    """
    tracking.check(State.here())
    try:
        start(State.here(), wanted)
    except KeyboardInterrupt:
        print("What has been started goes on; make stop-serve ends it.", file=sys.stderr)
        raise


@click.command()
def stop() -> None:
    """End what mlab serve has started, and nothing else."""
    end(State.here())


def _show_pages(state: State, wanted: Mapping[str, int | None]) -> None:
    listen = ports.chosen(state, wanted)
    servers: list[subprocess.Popen[bytes]] = []
    print(f"Starting the servers over {state.root}; this takes about ten seconds.", flush=True)
    try:
        _tell(services.open_pages(state, listen, lambda _, process: servers.append(process), os.getpid()))
        if not servers:
            print("make serve has started both; make stop-serve ends them.")
            return
        print("Ctrl-C ends both.", flush=True)
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        raise LabError(f"a server ended by itself; see {state.services}")
    finally:
        if servers:
            address_file(state).unlink(missing_ok=True)
        for server in servers:
            services.end(server.pid)


def _tell(pages: Pages) -> None:
    """Print where people look."""
    print(f"Prefect  {pages.prefect}   runs as they happen")
    print(f"MLflow   {pages.home()}   results side by side")


def start(state: State, wanted: Mapping[str, int | None]) -> None:
    """Start what does not run, deploy, and say where everything is.

    Raises:
        LabError: something does not start; what has been started goes on.
    """
    with alone(state.services / "lock"):
        listen = ports.chosen(state, wanted)
        print(f"Serving {state.root}; this takes half a minute.", flush=True)
        pages = services.open_pages(state, listen, partial(_remember, state))
        worker = services.worker(state, pages)
        services.ensure(state, partial(_remember, state), worker)
        _deploy(state, worker)
    _tell(pages)
    try:
        planned = _planned(pages)
    except httpx.HTTPError as error:
        raise LabError(f"Prefect does not answer: {error}; make serve tries again") from error
    for when, name in planned:
        print(f"Next     {when.astimezone(UTC):%Y-%m-%d %H:%M} UTC   {name}")
    print("make stop-serve ends all of it.", flush=True)


def end(state: State) -> None:
    """End what was started here, and nothing else; searches under way are stopped and can be resumed."""
    with alone(state.services / "lock"):
        found = {name: one for name in pidfiles.NAMES if (one := pidfiles.running(state, name))}
        for name, one in found.items():
            if not pidfiles.is_seen(state, name, one.pid):
                raise LabError(f"{name} is process {one.pid} of {one.host}, not seen from here: make stop-serve there")
            services.end(one.pid)
            print(f"ended {name}", flush=True)
        for name in pidfiles.NAMES:
            pidfiles.forget(state, name)
        if "Prefect" in found:
            address_file(state).unlink(missing_ok=True)
    if not found:
        print(f"Nothing is served from {state.root}.")


def _remember(state: State, program: Program, process: subprocess.Popen[bytes]) -> None:
    pidfiles.remember(state, program.name, process.pid, program.port)


def _deploy(state: State, worker: Program) -> None:
    """Tell Prefect of the deployments, and to miss heartbeats."""
    _check_environments(services.HOME / "prefect.yaml")
    os.environ.pop("MLAB_HOME", None)  # or Prefect would write this checkout down, for the workers of all machines
    settings = {name: value for name, value in worker.settings.items() if name != "MLAB_HOME"}
    deploying = ("deployments", ("-m", "prefect", "--no-prompt", "deploy", "--all"))
    missing = ("heartbeat", ("-m", "flows.heartbeat"))
    steps = [Program(name, command, settings, "") for name, command in (deploying, missing)]
    logs = [state.services / f"{step.name}.log" for step in steps]
    for log in logs:
        log.unlink(missing_ok=True)  # what it says is of this time
    processes = [step.start(state) for step in steps]
    statuses = [process.wait() for process in processes]
    for step, log, status in zip(steps, logs, statuses, strict=True):
        if status != 0:
            said = _fault(log.read_text(encoding="utf-8", errors="replace"))
            raise LabError(f"python {' '.join(step.command)} failed: {said}; see {log}")


def _check_environments(path: Path) -> None:
    """Refuse values of ``env`` that are no text: Prefect names the field only the first time that it is told of it."""
    with suppress(OSError, yaml.YAMLError, AttributeError, KeyError, TypeError):  # which Prefect tells
        for one in yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]:
            for name, value in one.get("work_pool", {}).get("job_variables", {}).get("env", {}).items():
                if not isinstance(value, str | None):
                    raise ConfigError(path.name, f"{one['name']}: env.{name}", "must be text, in quotes", value)


def _fault(log: str) -> str:
    """The sentence of a log that says what is wrong: its last exception, or else what stands below the last frame."""
    raised = re.findall(r"^[\w.]+(?:Error|Exception): (.+)$", log, re.MULTILINE)
    told = raised[-1] if raised else re.split("[╭│╰╮╯]", log)[-1]
    if answered := re.search(r"""\{'detail': (["'])(.+)\1\}""", told):
        told = answered[2]
    return textwrap.shorten(told, 500)


def _planned(pages: Pages) -> list[tuple[datetime, str]]:
    """When every deployment with a schedule runs next, the soonest first.

    Raises:
        LabError: Prefect has planned no run of one of them.
    """
    deadline = time.monotonic() + PLANNED_S
    with httpx.Client(base_url=f"{pages.prefect}/api", timeout=30.0) as api:
        deployments = _asked(api, "/deployments/filter", {})
        scheduled = [one for one in deployments if any(schedule["active"] for schedule in one["schedules"])]
        found: list[tuple[datetime, str]] = []
        for one in scheduled:
            while not (coming := _coming(api, one["id"])):
                if time.monotonic() > deadline:
                    raise LabError(f"Prefect has planned no run of {one['name']}; see the log of its server")
                time.sleep(0.5)
            found.append((coming, one["name"]))
    return sorted(found)


def _coming(api: httpx.Client, deployment: str) -> datetime | None:
    """When a deployment runs next; None where no run is planned."""
    which = {"flow_runs": {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["SCHEDULED"]}}}}
    asked = which | {"sort": "EXPECTED_START_TIME_ASC", "limit": 1}
    runs = _asked(api, "/flow_runs/filter", asked)
    return datetime.fromisoformat(runs[0]["expected_start_time"]) if runs else None


def _asked(api: httpx.Client, path: str, question: dict[str, Any]) -> list[dict[str, Any]]:
    """What Prefect answers; while its database is locked it asks for patience."""
    for _ in range(ATTEMPTS):
        answer = api.post(path, json=question)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(0.5)
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found
