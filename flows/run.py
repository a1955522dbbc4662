"""``python -m flows.run``, or ``mlab run``: one search, from a config to an answer.

Exit status: 0 done, 1 failed, 2 the config is wrong, 3 that run is being executed, 4 storage failed,
130 and 143 stopped by a signal; what was found is kept, and ``--resume`` goes on from there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows import app, cluster, connection
from flows.cluster import Cluster
from mlab import config as configs
from mlab import tracking
from mlab.cli import app as cli
from mlab.config import Config
from mlab.config.models import MAX_WORKERS
from mlab.core.decimals import counted
from mlab.core.errors import ConfigError
from mlab.core.loading import uncollected
from mlab.core.probe import answers
from mlab.core.redaction import redacted
from mlab.core.state import LATEST, RUN_ID, State

if TYPE_CHECKING:
    from flows.terminal import Terminal
    from mlab.search.run import Ending, Job
    from mlab.store import Store

DEFAULT = Path("configs/default.yaml")

NOT_TOLD = "Prefect could not be told of all of this run"


def _workers(_context: click.Context, _option: click.Parameter, text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MAX_WORKERS:
        raise ConfigError("command line", "--workers", f"must be a whole number from 1 to {MAX_WORKERS}", text)
    return number


def _typed(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> list[str]:
    """What was typed in UTF-8, in a locale of ASCII, too: of what that lacks Python has kept the bytes."""
    return [text.encode(errors="surrogateescape").decode(errors="surrogateescape") for text in texts]


@click.command(
    epilog="State goes to mlruns/ in the working directory, or to MLAB_STATE_DIR. MLAB_DEBUG=1 shows every event.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--config", "path", metavar="FILE", help=f"YAML config (default: {DEFAULT}).")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="FIELD=VALUE",
    callback=_typed,
    help="Replace one field; may be repeated.",
)
@click.option("--resume", metavar="RUN_ID", help="Go on with a stored run, or the latest, with its config.")
@click.option(
    "--workers",
    metavar="N",
    default="1",
    callback=_workers,
    help="Cells searched at a time, each in a process of its own (default: 1); changes no result.",
)
@click.option("--offline", is_flag=True, help="Leave MLflow for mlab sync; the same as MLAB_MODE=offline.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else, on standard output.")
@click.pass_context
def run(
    context: click.Context,
    *,
    path: str | None,
    overrides: list[str],
    resume: str | None,
    workers: int,
    offline: bool,
    as_json: bool,
) -> None:
    """Search for the ladders that need the smallest rebound to break even, and keep the evidence."""
    state = State.here()
    if offline:
        os.environ["MLAB_MODE"] = "offline"
    tracking.check(state)
    if resume is None:
        config = configs.load(Path(path or DEFAULT), overrides)
    elif path or overrides:
        raise ConfigError("command line", "--resume", "keeps the config of its run: leave out --config and --set")
    else:
        resume, config = _resumed(state, resume), Config()
    api = _prefect_api(state)
    # Imported here, because what is wrong with the input is said at once.
    if workers > 1 and api is None:
        from mlab.search import forkserver

        forkserver.begin("flows.app", "flows.cluster", "flows.connection")  # a worker looks into this module, too
    with uncollected():
        from flows.terminal import Terminal, say
        from mlab.core.events import emit
        from mlab.report.live import following
        from mlab.search.run import Job
        from mlab.store import Store

    with following(sys.stderr), Store.open(state.database) as store:
        orphans = [orphan.flow_run_id for orphan in store.reconcile() if orphan.flow_run_id]
        if resume is not None:
            _check_resumable(state, store, resume)
        what = f"resume {resume}" if resume else f"{config.name}, {counted(len(config.cells()), 'cell')}"
        say(f"Martingale Lab: {what}.")
        emit("APP.START", "martingale lab", config=str(path or DEFAULT), resume=resume)
        with Terminal(state, store, as_json=as_json) as terminal:
            ending = _searched(state, store, Job(config, resume, workers), api, orphans, terminal)
        terminal.answer()
        emit("APP.STOP", f"exit status {ending.exit_status}", run_id=ending.run_id, status=ending.exit_status)
    context.exit(ending.exit_status)


def _prefect_api(state: State) -> str | None:
    """Where Prefect is, if it is up; a cluster is reached through it."""
    api = connection.prefect_api(state)
    if Cluster.here().kind and api is None:
        must = "is reached through Prefect, which is not up: make ui starts it, or set PREFECT_API_URL"
        raise ConfigError("environment", cluster.VARIABLE, must)
    return api


def _resumed(state: State, name: str) -> str:
    """The id of the run to resume; what is none is refused before anything is written."""
    if name != LATEST and not RUN_ID.fullmatch(name):
        raise ConfigError("command line", "--resume", "must look like 20260131-235959-0a1b2c, or be latest", name)
    if not state.database.exists():
        raise ConfigError("command line", "--resume", f"there are no stored runs in {state.root}", name)
    if name != LATEST:
        return name
    from mlab.store import Store
    from mlab.store.choice import chosen

    with Store.open(state.database) as store:
        return chosen(store, LATEST).run_id


def _check_resumable(state: State, store: Store, run_id: str) -> None:
    """Refuse what cannot be resumed before anything is started for it."""
    if store.experiment(run_id) is None:
        raise ConfigError(str(state.database), "--resume", "must be the id of a stored run", run_id)
    store.check_free(run_id)


def _searched(
    state: State, store: Store, job: Job, api: str | None, orphans: Sequence[str], terminal: Terminal
) -> Ending:
    """Search what is ordered: as a flow of Prefect's where that answers, otherwise, or when it fails, without."""
    from flows.terminal import say
    from mlab.search import run as road

    if api is None:
        say("To watch runs as they happen: make ui")
    elif answers(f"{api}/health"):
        connection.configure(state, api)
        from flows import optimize

        request = optimize.in_process(state, store, job, terminal, terminal.publishing, orphans)
        if request.untold:
            say(f"{NOT_TOLD}: {request.untold}")
        if request.ending is not None:
            return request.ending
        job = replace(job, resume=request.run_id or job.resume)
    else:
        say(f"{NOT_TOLD}: {redacted(api)} does not answer")
    return road.run(state, store, job, watcher=terminal, publishing=terminal.publishing)


def main(arguments: Sequence[str] | None = None) -> int:
    """``mlab run``: the exit status."""
    return app.main(["run", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    cli.script(app.mlab, ["run", *sys.argv[1:]])
