"""``mlab sync``: what MLflow is owed, delivered now."""

from __future__ import annotations

import click


@click.command()
def sync() -> None:
    """Deliver to MLflow what it is owed of all runs that have ended."""
