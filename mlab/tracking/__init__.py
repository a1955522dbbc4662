"""MLflow's view of a run, caught up from the database by a process of its own. The only home of MLflow.

A search never waits for MLflow: it stores what MLflow is owed, and the courier's process delivers it.
"""

from mlab.tracking.courier import Courier

__all__ = ["Courier"]
