"""MLflow's view of a run, caught up from the database by a process of its own. The only home of MLflow.

A search never waits for MLflow: it stores what MLflow is to get, and the publisher delivers that.
"""

import os

from mlab.core.probe import bypass_proxies
from mlab.tracking.apart import absolute_addresses
from mlab.tracking.backlog import Backlog, undelivered
from mlab.tracking.database import address, follow_folder, former_place
from mlab.tracking.mode import check, check_writable, is_server, keeps_files, mode, tracking_uri
from mlab.tracking.sidecar import Sidecar

__all__ = [
    "Backlog", "Sidecar", "absolute_addresses", "address", "check", "check_writable", "follow_folder", "former_place",
    "is_server", "keeps_files", "mode", "tracking_uri", "undelivered",
]  # fmt: skip

bypass_proxies()

# MLflow reads some of this while it is imported, so that it has to be said before.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")  # what it raises is said here, once and in one line
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # a request repeated blindly may make a second run
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # one that is half a minute slow is served all the same
