"""Proofs of what was found: kept where the run is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mlab.config.wording import judged
from mlab.core.records import CellResult, Experiment
from mlab.core.state import State
from mlab.report import progress
from mlab.search.proofs import Terms, prove
from mlab.store import Store


def proved(
    state: State | None, run: Experiment, cells: Sequence[CellResult], within_pct: float, max_time_s: float
) -> tuple[CellResult, ...]:
    """The cells with what is proved of them; arguments as of :meth:`mlab.Run.prove`."""
    terms = judged(Terms, "prove", {"within_pct": within_pct, "max_time_s": max_time_s})
    with progress.proofs(terms.max_time_s) as tell, _kept(state, run) as store:
        return tuple(one.result for one in prove(run, cells, terms, tell, store))


@contextmanager
def _kept(state: State | None, run: Experiment) -> Iterator[Store | None]:
    """The store that the run lies in and that may be written, None where it lies in none."""
    if state is None:
        yield None
        return
    with Store.open(state.database) as store:
        store.reconcile()
        store.check_free(run.run_id)
        yield store
