"""``mlab``: its commands, their exit statuses, and errors of one line."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import click

from mlab.core import lock, streams
from mlab.core.errors import ConfigError, LabError
from mlab.core.process import Terminated, heed_termination
from mlab.core.state import State

COMMANDS = {
    "ls": ("mlab.cli.browse:list_runs", "List runs, the newest first."),
    "show": ("mlab.cli.browse:show", "Show what a run found, cell by cell."),
    "compare": ("mlab.cli.browse:compare", "Compare two runs, cell by cell; the latest two where none are named."),
    "trace": ("mlab.cli.browse:trace", "Follow one candidate by its id."),
    "export": ("mlab.cli.export:export", "Export what a run found as CSV or JSON."),
    "place": ("mlab.cli.place:place_ladder", "Turn a found ladder into orders that an exchange takes."),
    "replay": ("mlab.cli.replay:replay_ladders", "Replay ladders and bots on the prices of the past."),
    "prove": ("mlab.cli.prove:prove_cells", "Prove how near the best ladder of each cell is to the best possible."),
    "report": ("mlab.cli.export:report", "Write the report of a run: one HTML file that needs no network."),
    "bot": ("mlab.cli.bot:bot", "Judge the settings of a bot as any ladder."),
    "delete": ("mlab.cli.removal:delete", "Take runs off the lists."),
    "restore": ("mlab.cli.removal:restore", "Bring back runs that were deleted."),
    "purge": ("mlab.cli.removal:purge", "Remove deleted runs for good."),
    "doctor": ("mlab.cli.doctor:doctor", "Check that all is well, and say what to do."),
    "sync": ("mlab.cli.maintenance:sync", "Deliver to MLflow what it has not got yet."),
    "crashes": ("mlab.cli.crashes:crashes", "Crash snapshots: list them, show one."),
    "maintenance": (
        "mlab.cli.maintenance:maintenance",
        "Bring in order what runs have left behind, and make it smaller.",
    ),
}
"""Where each command is, and the first line of its help: nothing of a command is loaded before it is called."""

FORMER = {"upkeep": "maintenance"}
"""Former names of commands, which still work."""


class Commands(click.Group):
    """A group of commands that are imported when they are called, listed in the order of ``commands``."""

    def __init__(self, commands: Mapping[str, tuple[str, str]], about: str) -> None:
        epilog = "State is read from mlruns/ in the working directory, or from MLAB_STATE_DIR."
        settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
        super().__init__("mlab", help=about, epilog=epilog, context_settings=settings)
        self._places = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        del ctx
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them, None where there is none of that name."""
        del ctx
        place, _ = self._places.get(FORMER.get(cmd_name, cmd_name), ("", ""))
        module, _, name = place.partition(":")
        return getattr(import_module(module), name) if place else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self._places.items()])


mlab = Commands(
    COMMANDS,
    "What Martingale Lab has stored, what went wrong, and what to do about it.\n\n"
    "Searches are begun with `.venv/bin/mlab run`.",
)


def main(arguments: Sequence[str] | None = None, commands: click.Group = mlab) -> int:
    """Run one command; its exit status.

    0 done, 1 failed or something needs attention, 2 the command line or the config is wrong, 3 that run is being
    executed, 4 storage failed, 130 and 143 stopped by a signal. Whatever goes wrong is told in one line.
    """
    logging.getLogger("mlab").addHandler(logging.NullHandler())  # an error is told once, by the line below
    logging.getLogger("mlab").propagate = False
    before = heed_termination()
    try:
        lock.require()
        return _done(commands, arguments)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return 0
    except click.ClickException as error:
        return _failed(ConfigError("command line", "", error.format_message()))
    except (KeyboardInterrupt, click.Abort):  # an Abort is what click makes of it
        return 128 + signal.SIGINT
    except (Terminated, SystemExit):  # the latter is what mlab.search makes of it
        return 128 + signal.SIGTERM
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told in one line
        return _failed(error)
    finally:
        signal.signal(signal.SIGTERM, before)


def script(commands: click.Group = mlab, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of this process, and end it."""
    streams.mend()
    with suppress(LabError, OSError):  # a working directory that is gone
        state = State.here()
        if state.root.is_dir():  # a command that only looks makes none
            os.environ.update(state.environment())
    exit_status = main(arguments, commands)
    with suppress(LabError):  # what could not be written has been told
        sys.stdout.flush()
    # To take all libraries down in order takes up to seconds, and nothing is left in them.
    os._exit(exit_status)


def _done(commands: click.Group, arguments: Sequence[str] | None) -> int:
    """Run one command, whose answer is out when it has ended; its exit status."""
    status = commands.main(arguments, prog_name="mlab", standalone_mode=False)
    sys.stdout.flush()
    return int(status or 0)


def _failed(error: Exception) -> int:
    """Tell an error; one of the program itself that ended no run leaves a crash snapshot of its own."""
    from mlab.core import crash  # noqa: PLC0415 - late, for it is seldom needed

    if not isinstance(error, LabError | OSError) and not hasattr(error, "__notes__"):  # a note names the snapshot
        with suppress(Exception):  # a failure of the snapshot hides no other
            crash.write(State.here(), error, None, None, {}, {})
    print(f"error: {crash.words(error)}", file=sys.stderr)
    return error.exit_status if isinstance(error, LabError) else 1
