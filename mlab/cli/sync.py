"""``mlab sync``: what is not yet delivered to MLflow, delivered now."""

from __future__ import annotations

import click

from mlab.core.state import State
from mlab.store import Store


@click.command()
@click.pass_context
def sync(context: click.Context) -> None:
    """Deliver to MLflow what it has not got yet.

    Of runs that have ended; the exit status is 1 where something is pending afterwards.
    """
    state = State.here()
    if not state.database.exists():
        print(f"No runs are stored in {state.root}.")
        return
    with Store.open(state.database) as store:
        store.reconcile()
        pending = len(store.owing())
        if not pending:
            print("All is delivered to MLflow.")
            return
        runs = f"{pending} run{'s' * (pending != 1)}"
        print(f"Delivering {runs} to MLflow, which takes some seconds to start.", flush=True)
        context.exit(_publish(state, store))


def _publish(state: State, store: Store) -> int:
    from mlab.tracking.publisher import publish_pending  # noqa: PLC0415 - late, for it loads MLflow

    left = 0
    for outcome in publish_pending(state, store):
        print(outcome, flush=True)
        left += bool(outcome.left)
    return 1 if left else 0
