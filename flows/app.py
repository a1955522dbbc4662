"""The command ``mlab``: searches begun, served on a schedule and watched, and all that is done with what is stored."""

from __future__ import annotations

from collections.abc import Sequence

from mlab.cli import app

COMMANDS = {
    "run": ("flows.run:run", "Search for ladders, and keep the evidence."),
    "ui": ("flows.serve:ui", "Open the pages of Prefect and MLflow, until Ctrl-C."),
    "serve": (
        "flows.serve:serve",
        "Search on a schedule, in the background, with both pages.",
    ),
    "stop": ("flows.serve:stop", "End what mlab serve has started."),
    **app.COMMANDS,
}

mlab = app.Commands(COMMANDS, "Search for the ladders that need the smallest rebound, and look at what was found.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    return app.main(arguments, mlab)


def script() -> None:
    """Entry point of ``mlab``."""
    app.script(mlab)


if __name__ == "__main__":
    script()
