"""``mlab sync``: what MLflow is owed, delivered now."""

from __future__ import annotations

import click

from mlab.core.state import State
from mlab.store import Store


@click.command()
@click.pass_context
def sync(context: click.Context) -> None:
    """Deliver to MLflow what it is owed.

    Of runs that have ended; the exit status is 1 where something is still owed afterwards.
    """
    state = State.here()
    if not state.database.exists():
        print(f"No runs are stored in {state.root}.")
        return
    with Store.open(state.database) as store:
        store.reconcile()
        owing = len(store.owing())
        if not owing:
            print("MLflow is owed nothing.")
            return
        print(f"MLflow is owed something of {owing} runs; it takes some seconds to start.", flush=True)
        context.exit(_settle(state, store))


def _settle(state: State, store: Store) -> int:
    from mlab.tracking.publisher import settle  # noqa: PLC0415 - late, for it loads MLflow

    left = 0
    for settlement in settle(state, store):
        print(settlement, flush=True)
        left += bool(settlement.left)
    return 1 if left else 0
