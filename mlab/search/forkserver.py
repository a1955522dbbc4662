"""Where workers come from: one process loads what a search needs, and each worker is forked from it, ready at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""How many threads numpy's libraries use: one, where there is a process for every core."""


def begin(*modules: str) -> ForkServerContext:
    """Have it load all that, and these modules, while this process goes on; it ends with this process.

    Returns:
        The context in which workers are started. Where it has begun before, nothing else is loaded.
    """
    one_thread_each()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlab.search.worker", *modules])
    # An interrupt from the keyboard is for this process alone; the others inherit that they do not see it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return context


def one_thread_each() -> None:
    """Have the processes that this one starts use one core each."""
    for name in BLAS:
        os.environ.setdefault(name, "1")
