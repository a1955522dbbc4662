"""``python -m flows.run``: one search, from a config to an answer.

Exit status: 0 done, 1 failed, 2 the config is wrong, 3 that run is being executed, 4 storage failed,
130 and 143 stopped by a signal; what was found is kept, and ``--resume`` goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from flows import cluster
from flows.server import PrefectServer
from mlab import config as configs
from mlab.config import Config
from mlab.errors import ConfigError, LabError, RunBusy
from mlab.identity import RUN_ID, State

if TYPE_CHECKING:
    from mlab.records import Experiment
    from mlab.store import Store

DEFAULT = Path("configs/default.yaml")
SETTLE_S = 5.0
"""Longest wait for Prefect's last log lines and events to be sent."""


class Terminated(BaseException):
    """SIGTERM arrived."""


class CommandLine(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise ConfigError("command line", "", message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return _run(_options(arguments))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:  # before the search began; later ones are its own affair
        return 128 + signal.SIGINT
    except Terminated:
        return 128 + signal.SIGTERM


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = CommandLine(
        prog="python -m flows.run",
        description="Search for the ladder with the fastest exit, and keep the evidence.",
        epilog="State goes to mlruns/ in the working directory, or to MLAB_STATE_DIR. MLAB_DEBUG=1 shows every event.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"YAML config (default: {DEFAULT})")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="replace one field of the config, as in ladder.num_orders=12; may be repeated",
    )
    parser.add_argument("--resume", metavar="RUN_ID", help="go on with a stored run, with the config it began with")
    parser.add_argument(
        "--workers",
        default="1",
        metavar="N",
        help="cells searched at a time, each in a process of its own (default: 1); changes no result",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, and nothing else, on standard output"
    )
    options = parser.parse_args(arguments)
    options.workers = _workers(options.workers)
    if options.resume is not None and (options.config or options.overrides):
        raise ConfigError("command line", "--resume", "keeps the config of its run: leave out --config and --set")
    return options


def _workers(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= cluster.MOST:
        raise ConfigError("command line", "--workers", f"must be a whole number from 1 to {cluster.MOST}", text)
    return number


def _run(options: argparse.Namespace) -> int:
    cluster.Setting.here()
    state = State.here()
    if options.resume is None:
        config = configs.load(options.config or DEFAULT, options.overrides)
        what = f"{config.name}, {len(config.cells())} cells"
    else:
        _check_run_id(state, options.resume)
        config, what = None, f"resume {options.resume}"
    # Imported here, because what is wrong with the input is said at once.
    from mlab.report.trace import following
    from mlab.store import Store

    with following(sys.stderr), Store.open(state.database) as store:
        store.reconcile()
        if options.resume is not None:
            _check_resumable(state, store, options.resume)
        _say(f"Martingale Lab: {what}. Prefect starts meanwhile; the first time takes up to half a minute.")
        with PrefectServer(state) as server:
            return _search(state, store, config, options, server)


def _check_run_id(state: State, run_id: str) -> None:
    """Refuse what is no id of a run before anything is written."""
    if not RUN_ID.fullmatch(run_id):
        raise ConfigError("command line", "--resume", "must look like 20260131-235959-0a1b2c", run_id)
    if not state.database.exists():
        raise ConfigError("command line", "--resume", f"there are no stored runs in {state.root}", run_id)


def _check_resumable(state: State, store: Store, run_id: str) -> None:
    """Refuse what cannot be resumed before Prefect is started."""
    experiment = store.experiment(run_id)
    if experiment is None:
        raise ConfigError(str(state.database), "--resume", "must be the id of a stored run", run_id)
    if experiment.status == "RUNNING":
        raise RunBusy(f"run {run_id} is being executed by another process; wait for it, or stop it")


def _search(
    state: State, store: Store, config: Config | None, options: argparse.Namespace, server: PrefectServer
) -> int:
    # Imported here, while the server starts: together they take seconds.
    from mlab import engine
    from mlab.events import emit
    from mlab.tracking import Courier

    emit("APP.START", "martingale lab", config=str(options.config or DEFAULT), resume=options.resume)
    if config is None:
        experiment, config = engine.find_experiment(state, store, options.resume)
        status = _flow(config, experiment.run_id, options.workers, server, delivered=False)
        _answer(state, store, experiment, as_json=options.json)
    else:
        experiment = engine.open_experiment(state, store, config)
        # Here rather than in the flow: MLflow loads while Prefect starts, and ends while the answer is read.
        with Courier(state, experiment.run_id) as courier:
            status = _flow(config, experiment.run_id, options.workers, server, delivered=True)
            _answer(state, store, experiment, as_json=options.json)
            if status:
                courier.hurry()
    if owed := len(store.owed(experiment.exp_id)):
        again = f"--resume {experiment.run_id}"
        _say(f"MLflow is still owed {owed} numbers; they are delivered in the background, or by {again}")
    emit("APP.STOP", f"exit status {status}", run_id=experiment.run_id, exp_id=experiment.exp_id, status=status)
    return status


def _flow(config: Config, run_id: str, workers: int, server: PrefectServer, *, delivered: bool) -> int:
    """Execute the run as a Prefect flow; the exit status.

    Args:
        config: what is searched.
        run_id: the stored run.
        workers: cells searched at a time.
        server: on its way up.
        delivered: whether a courier is at work already.
    """
    from mlab.report.progress import Progress

    workers = min(workers, len(config.cells()))
    with Progress() as progress, cluster.processes(cluster.Setting.here(), workers) as pool:
        progress.start(config.cells(), config.search.max_batches, config.search.batch_size)
        server.wait()
        from prefect.events.worker import EventsWorker
        from prefect.exceptions import TerminationSignal
        from prefect.logging.handlers import APILogWorker

        from flows import watching
        from flows.optimize import optimize

        watching.audience.set((progress,))
        watching.delivered.set(delivered)
        cluster.started.set(pool)
        try:
            optimize(config, resume=run_id, workers=workers)
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        except (Terminated, TerminationSignal):
            return 128 + signal.SIGTERM
        finally:
            # What Prefect still has to send has to leave while its server is up.
            APILogWorker.drain_all(timeout=SETTLE_S)
            EventsWorker.drain_all(timeout=SETTLE_S)
    return 0


def _answer(state: State, store: Store, experiment: Experiment, *, as_json: bool) -> None:
    """Print what was found: the end screen, or one JSON object."""
    from mlab.report import summary, terminal

    stored = store.experiment(experiment.run_id) or experiment
    cells = store.cells(experiment.exp_id)
    if as_json:
        print(json.dumps(summary.run_json(stored, cells)), flush=True)
    else:
        terminal.final(terminal.console(sys.stdout), stored, cells, state.root)
        sys.stdout.flush()


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    exit_status = main()
    sys.stdout.flush()
    # Prefect's threads would hold the process for a minute where its API is gone; nothing of the run is left in them.
    os._exit(exit_status)
