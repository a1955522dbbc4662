"""``mlab``: its commands, their exit statuses, and errors of one line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import click

from mlab.cli.crashes import crashes
from mlab.cli.doctor import doctor
from mlab.cli.experiments import compare, list_runs, show, trace
from mlab.cli.export import export, report
from mlab.cli.maintenance import upkeep
from mlab.cli.removal import delete, purge, restore
from mlab.cli.sync import sync
from mlab.core.errors import ConfigError, LabError


@click.group(
    epilog="State is read from mlruns/ in the working directory, or from MLAB_STATE_DIR.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def mlab() -> None:
    """What Martingale Lab has stored, what went wrong, and what to do about it.

    Searches are begun with `python -m flows.run`.
    """


COMMANDS = (
    *(list_runs, show, compare, trace, export, report),
    *(delete, restore, purge, upkeep),
    *(doctor, sync, crashes),
)
for command in COMMANDS:
    mlab.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 something needs attention, 2 wrong command line, 4 storage failed."""
    logging.getLogger("mlab").addHandler(logging.NullHandler())  # an error is told once, by the line below
    logging.getLogger("mlab").propagate = False
    try:
        return int(mlab.main(arguments, prog_name="mlab", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return 0
    except click.ClickException as error:
        return _refused(ConfigError("command line", "", error.format_message()))
    except LabError as error:
        return _refused(error)


def script() -> None:
    """Entry point of ``mlab``."""
    sys.exit(main())


def _refused(error: LabError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return error.exit_status
