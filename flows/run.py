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
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from flows.herald import Herald
from mlab import config as configs
from mlab import tracking
from mlab.config import Config
from mlab.core.errors import ConfigError, LabError
from mlab.core.event_log import EventLog
from mlab.core.process import Terminated, heed_termination
from mlab.core.state import LATEST, RUN_ID, State
from mlab.search import pools

if TYPE_CHECKING:
    from mlab.core.records import Experiment
    from mlab.store import Store

DEFAULT = Path("configs/default.yaml")


class CommandLine(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise ConfigError("command line", "", message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    heed_termination()
    try:
        return _run(_options(arguments))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told in one line
        return _failed(error)
    except KeyboardInterrupt:  # before the search began; later ones are its own affair
        return 128 + signal.SIGINT
    except Terminated:
        return 128 + signal.SIGTERM


def _failed(error: Exception) -> int:
    """Tell an error; one of the program itself that ended no run leaves a crash snapshot of its own."""
    if not isinstance(error, LabError | OSError) and not hasattr(error, "__notes__"):
        from mlab.core import crash

        with suppress(OSError):
            crash.write(State.here(), error, None, None, {}, {})
    print(f"error: {_words(error)}", file=sys.stderr)
    return error.exit_status if isinstance(error, LabError) else 1


def _words(error: Exception) -> str:
    if isinstance(error, LabError) and not hasattr(error, "__notes__"):
        return str(error)  # said at once, without loading anything
    from mlab.core import crash

    return crash.words(error)


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
    parser.add_argument("--resume", metavar="RUN_ID", help="go on with a stored run, or the latest, with its config")
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
    if not 1 <= number <= pools.MOST:
        raise ConfigError("command line", "--workers", f"must be a whole number from 1 to {pools.MOST}", text)
    return number


def _run(options: argparse.Namespace) -> int:
    pools.Setting.here()
    state = State.here()
    tracking.check(state)
    if options.resume is None:
        config = configs.load(options.config or DEFAULT, options.overrides)
        what = f"{config.name}, {len(config.cells())} cells"
    else:
        options.resume = _resumed(state, options.resume)
        config, what = None, f"resume {options.resume}"
    # Imported here, because what is wrong with the input is said at once.
    from mlab.report.live import following
    from mlab.store import Store

    with following(sys.stderr), Store.open(state.database) as store:
        orphans = [orphan.flow_run_id for orphan in store.reconcile() if orphan.flow_run_id]
        if options.resume is not None:
            _check_resumable(state, store, options.resume)
        _say(f"Martingale Lab: {what}.")
        return _search(state, store, config, options, orphans)


def _resumed(state: State, name: str) -> str:
    """The id of the run to resume; what is none is refused before anything is written."""
    if name != LATEST and not RUN_ID.fullmatch(name):
        raise ConfigError("command line", "--resume", "must look like 20260131-235959-0a1b2c, or be latest", name)
    if not state.database.exists():
        raise ConfigError("command line", "--resume", f"there are no stored runs in {state.root}", name)
    if name != LATEST:
        return name
    from mlab.cli.choice import chosen
    from mlab.store import Store

    with Store.open(state.database) as store:
        return chosen(store, LATEST).run_id


def _check_resumable(state: State, store: Store, run_id: str) -> None:
    """Refuse what cannot be resumed before anything is started for it."""
    if store.experiment(run_id) is None:
        raise ConfigError(str(state.database), "--resume", "must be the id of a stored run", run_id)
    store.check_free(run_id)


def _search(
    state: State, store: Store, config: Config | None, options: argparse.Namespace, orphans: Sequence[str]
) -> int:
    from mlab.core.events import emit
    from mlab.search import engine

    emit("APP.START", "martingale lab", config=str(options.config or DEFAULT), resume=options.resume)
    start = 0
    if config is None:
        start = EventLog.size(state.events(options.resume))
        experiment, config = engine.find_experiment(state, store, options.resume)
    else:
        experiment = engine.open_experiment(state, store, config)
    run_id = experiment.run_id
    status = _told(state, store, (experiment, config), options, Herald(state, run_id, options.workers, start, orphans))
    emit("APP.STOP", f"exit status {status}", run_id=run_id, exp_id=experiment.exp_id, status=status)
    return status


def _told(
    state: State, store: Store, found: tuple[Experiment, Config], options: argparse.Namespace, herald: Herald
) -> int:
    """Search while MLflow and Prefect are told by processes of their own, and answer; the exit status."""
    from mlab.tracking import Sidecar, undelivered

    experiment, status = found[0], 0
    sidecar = Sidecar(state, experiment.run_id)
    try:
        with sidecar, herald:
            status = _followed(state, store, found, options.workers, herald)
            if status:
                sidecar.skip_wait()
                herald.hurry()
            if not options.json:
                _answer(state, store, experiment, as_json=False)  # the rest is done while it is read
    except KeyboardInterrupt:  # it is over, and only the waiting is cut
        status = 128 + signal.SIGINT
    except Terminated:
        status = 128 + signal.SIGTERM
    if options.json:
        _answer(state, store, experiment, as_json=True)  # with the ids that the run has elsewhere
    if line := undelivered(store, experiment, sidecar.answer):
        _say(line)
    if herald.complaint:
        _say(herald.complaint)
    return status


def _followed(state: State, store: Store, found: tuple[Experiment, Config], workers: int, herald: Herald) -> int:
    """Search, and show how that goes; the exit status."""
    from flows.search import search
    from mlab.report.progress import Progress

    _, config = found
    with Progress() as progress:
        progress.start(config.cells(), config.search.max_batches, config.search.batch_size)
        return search(state, store, found, workers, progress, herald.begin)


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


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    exit_status = main()
    sys.stdout.flush()
    # To take all libraries down in order takes up to seconds, and nothing of the run is left in them.
    os._exit(exit_status)
