"""``mlab delete``, ``restore`` and ``purge``: runs that nobody wants to see any longer."""

from __future__ import annotations

import click

from mlab.cli.choice import opened
from mlab.core import crash
from mlab.store.choice import chosen


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
def delete(runs: tuple[str, ...]) -> None:
    """Take runs off the lists.

    mlab restore brings them back, until mlab purge.
    RUN is the id of a run, the end of one, or latest.
    """
    with opened() as (_, store):
        for experiment in [chosen(store, run) for run in runs]:
            store.set_deleted(experiment.run_id, deleted=True)
            print(f"deleted {experiment.run_id}; .venv/bin/mlab restore {experiment.run_id} brings it back")


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
def restore(runs: tuple[str, ...]) -> None:
    """Bring back runs that were deleted.

    RUN is the id of a run, the end of one, or latest.
    """
    with opened() as (_, store):
        for experiment in [chosen(store, run, deleted=True) for run in runs]:
            store.set_deleted(experiment.run_id, deleted=False)
            print(f"restored {experiment.run_id}")


@click.command()
@click.option("--yes", is_flag=True, help="Do it; without it the command says what it would do.")
def purge(*, yes: bool) -> None:
    """Remove deleted runs for good.

    Rows, event logs, crash snapshots and reports go; a last look at what would go needs no --yes.
    What MLflow has of them stays there.
    """
    with opened() as (state, store):
        runs = store.experiments(deleted=True)
        for run in runs:
            if yes:
                store.purge(run.run_id)
                for file in (*state.files(run.run_id), *crash.of_run(state, run.run_id)):
                    file.unlink(missing_ok=True)
            print(f"{'purged' if yes else 'would purge'} {run.run_id}  {run.config['name']}")
        if runs and yes:
            store.database.vacuum()
    if not runs:
        print("No run is deleted.")
    elif not yes:
        print("Nothing was done; .venv/bin/mlab purge --yes does it, for good.")
