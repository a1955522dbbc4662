"""Experiments: how one comes to be, and how one that is stored is found again."""

from __future__ import annotations

from mlab.config import Config
from mlab.core import events
from mlab.core.decimals import counted
from mlab.core.errors import ConfigError
from mlab.core.events import emit
from mlab.core.records import Experiment
from mlab.core.state import State, new_run_id
from mlab.store import Store

ADAPTER = "annealing"
"""How candidates are made and judged; stored with the experiment."""


def create(state: State, store: Store, config: Config) -> Experiment:
    """Give the config an identity and a row in the database. Its status is PENDING until it is executed."""
    run_id = new_run_id()
    snapshot_of_config = config.model_dump(mode="json")
    cells = config.cells()
    events.recorder.open(state.events(run_id))
    with events.bound(run_id=run_id):
        emit(
            "ORCH.START",
            f"run {run_id}, config {config.name}, {counted(len(cells), 'cell')}",
            config=snapshot_of_config,
        )
        experiment = store.create_experiment(run_id, ADAPTER, snapshot_of_config, config.notes, cells)
        emit("BUILD.CONFIG", f"experiment {experiment.exp_id} created", exp_id=experiment.exp_id, adapter=ADAPTER)
    return experiment


def find(store: Store, run_id: str) -> Experiment:
    """A stored run.

    Raises:
        ConfigError: no run has that id.
    """
    experiment = store.experiment(run_id)
    if experiment is None:
        raise ConfigError("stored runs", "resume", "must be the id of one", run_id)
    return experiment
