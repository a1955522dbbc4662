"""One cell of a run that another process holds: what a worker is told, and what it does.

A worker needs the state folder and nothing else: the config comes from the stored experiment, what it finds goes
to the database under the name of the process that holds the run, and its events go to the log of the run.
"""

from __future__ import annotations

import math
import os
import socket
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from mlab.config import config_of
from mlab.core import events
from mlab.core.records import Cell
from mlab.core.redaction import redacted
from mlab.core.state import State
from mlab.search import experiments, machine
from mlab.search.engine import Execution
from mlab.search.watcher import Watcher
from mlab.store import Holder, Store


@dataclass(frozen=True, slots=True)
class Assignment:
    """One cell to be searched, in plain values that travel between processes.

    ``root`` is the state folder, ``began`` the time (seconds since 1970) at which the run would have begun had it
    never been cut, ``turns`` how many cells its worker will search one after another from this one on.
    """

    root: Path
    run_id: str
    holder: Holder
    cell: Cell
    began: float
    turns: int


def assignments(run: Execution, workers: int) -> list[Assignment]:
    """The unfinished cells of a run that this process holds, for so many workers; the longest first."""
    cells = [result.cell for result in run.store.cells(run.experiment.exp_id) if not result.finished]
    cells.sort(key=lambda cell: cell.num_orders, reverse=True)
    holder, began = run.store.holder, time.time() - run.elapsed_s
    return [
        Assignment(run.state.root, run.experiment.run_id, holder, cell, began, math.ceil((len(cells) - i) / workers))
        for i, cell in enumerate(cells)
    ]


def search_cell(task: Assignment) -> None:
    """Search one cell to its end, from where it was left.

    Raises:
        RunBusy: the process that gave the assignment no longer holds the run.
    """
    state, name = State(task.root), f"{socket.gethostname()}:{os.getpid()}"
    try:
        events.recorder.open(state.events(task.run_id))
        with events.bound(run_id=task.run_id, worker=name), Store.open(state.database, task.holder) as store:
            experiment = experiments.find(store, task.run_id)
            config = config_of(experiment)
            began = time.monotonic() - (time.time() - task.began - experiment.elapsed_s)
            run = Execution(state, store, experiment, config, began)
            with events.bound(exp_id=experiment.exp_id):
                machine.note(store, experiment.exp_id)
                run.search(task.cell, Watcher(), task.turns)  # whoever holds the run looks into the database
    except Exception as error:
        # A traceback does not travel; a note does.
        error.add_note(redacted(f"In worker {name}:\n{traceback.format_exc()}"))
        raise
    finally:
        events.recorder.close()
