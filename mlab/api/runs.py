"""What searches have found, as objects: a run, one cell of it, and the runs that are stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlab.api.arguments import check_text, one_of, path_of, whole_of, write
from mlab.api.evaluation import Evaluation
from mlab.api.shown import Table, frame
from mlab.core.errors import ConfigError, EvaluationError, reason
from mlab.core.event_log import EventLog
from mlab.core.records import Candidate, CellResult, Experiment, Json, Need, StoredReplay
from mlab.core.state import LATEST, State
from mlab.core.urls import Pages
from mlab.model import front as fronts
from mlab.model.ranking import Ranked, ranked_by_cell
from mlab.report import columns, stored, summary
from mlab.store import Store
from mlab.store.choice import chosen

if TYPE_CHECKING:
    import pandas as pd

    from mlab.api.pictures import Plot

FRONT = (columns.CELL, columns.AT_FILLS, columns.ON_PATH, columns.FIRST_GAP, columns.LOSS, columns.CANDIDATE)


@dataclass(frozen=True, slots=True, repr=False)
class Run:
    """What a search found: of all its cells, or of one, ``run[20, 10]``. A sequence of its cells.

    Attributes:
        experiment: the stored row of the run: its id, status, config, times.
        cells: how far each cell has come.
        ladders: the ladders that were kept, by cell and score.
        events: what happened, in order.
        pages: where the run is to be seen.
        stored_replays: what its winners did on prices, if they were replayed; ``replays`` tells it.
        state: the folder in which it is stored, if it is.
    """

    experiment: Experiment
    cells: tuple[CellResult, ...]
    ladders: tuple[Candidate, ...]
    events: tuple[Json, ...]
    pages: Pages
    stored_replays: tuple[StoredReplay, ...] = ()
    state: State | None = field(default=None, compare=False)

    @classmethod
    def load(cls, state: State, store: Store, experiment: Experiment) -> Run:
        """Read all that a state folder has of a run.

        Raises:
            StoreError: it is damaged.
        """
        store.check_run(experiment.exp_id)
        cells, ladders = store.cells(experiment.exp_id), store.results(experiment.exp_id)
        events = EventLog(state.events(experiment.run_id)).news()
        replays = tuple(store.replays(experiment.exp_id))
        return cls(experiment, tuple(cells), tuple(ladders), tuple(events), Pages.of(state), replays, state)

    @property
    def run_id(self) -> str:
        """Its name, as in the database, MLflow and every report."""
        return self.experiment.run_id

    @property
    def status(self) -> str:
        """``COMPLETED``, or how else it stands."""
        return self.experiment.status

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[Run]:
        return (self[one.cell.overlap_pct, one.cell.num_orders] for one in self.cells)

    def __getitem__(self, cell: tuple[float, int]) -> Run:
        """One cell, by overlap in % and number of orders.

        Raises:
            ConfigError: it was not searched.
        """
        cells = tuple(one for one in self.cells if (one.cell.overlap_pct, one.cell.num_orders) == cell)
        if not cells:
            raise ConfigError("run", "cell", "must be overlap and number of orders of one that was searched", cell)
        ladders = tuple(one for one in self.ladders if one.cell == cells[0].cell)
        replays = tuple(one for one in self.stored_replays if one.cell_index == cells[0].cell.index)
        return replace(self, cells=cells, ladders=ladders, stored_replays=replays)

    @property
    def best(self) -> Evaluation:
        """The ladder of the least score.

        Raises:
            ConfigError: there are several cells, whose scores do not compare.
            EvaluationError: no ladder was found.
        """
        if len(self.cells) > 1:
            must = f"scores rank within one cell only: take one of {len(self.cells)}, such as run[20, 10].best"
            raise ConfigError("best", "", must)
        if not self.ladders:
            raise EvaluationError(f"run {self.run_id} found no ladder in {self.cells[0].cell.label}")
        return Evaluation(self.ladders[0])

    def top(self, most: int = 10) -> Table[Evaluation]:
        """The best ladders of each cell, ranked by score; ``most`` of each.

        Raises:
            ConfigError: ``most`` is no whole number, or below 1.
        """
        most = whole_of("top", "most", most, 1)
        rows = [row for cell in ranked_by_cell(self.ladders) for row in cell[:most]]
        return _table(rows, (columns.CELL, *columns.RANKED) if len(self.cells) > 1 else columns.RANKED)

    def front(self, need: Need = "fill") -> Table[Evaluation]:
        """The cells that no other beats, by covering as much for less rebound, or more for as much; by overlap.

        Args:
            need: the rebound that counts, after each fill (``fill``) or anywhere on the way down (``path``).
        """
        measures = {"fill": fronts.at_fills, "path": fronts.on_path}
        one_of("front", "need", need, measures)
        return _table([Ranked(1, one) for one in fronts.front(self.cells, measures[need])], FRONT)

    def prove(self, *, within_pct: float = 0.1, max_time_s: float = 60.0) -> Run:
        """Prove how near the best ladder of each cell is to the best that its limits allow.

        What is proved is kept where the run is stored, and in ``proved`` of each of the ``cells`` of the run that is
        returned. A cell that is proved so near already is passed over.

        Args:
            within_pct: near enough, in % of the score.
            max_time_s: longest time of a cell, in seconds.

        Raises:
            ConfigError: an argument is wrong.
            RunBusy: another process executes the run.

        Example:
            >>> import mlab
            >>> found = mlab.search(overlap_pct=10, num_orders=3, max_batches=1).prove(within_pct=1)
            >>> found.cells[0].proved["proved_within_pct"] < 1
            True
        """
        from mlab.api.proofs import proved  # noqa: PLC0415 - late, for it is not needed to read a run

        return replace(self, cells=proved(self.state, self.experiment, self.cells, within_pct, max_time_s))

    @property
    def replays(self) -> list[Json]:
        """What the winners did on the prices of the config, beside the classical ladders, as ``mlab replay`` has it."""
        from mlab.report import replayed, replays  # noqa: PLC0415 - late, for most runs have none

        return replayed.records(replays.parts(self.stored_replays))

    def to_pandas(self) -> pd.DataFrame:
        """Every ladder that was kept, a row each, as ``mlab export`` has them."""
        return frame(summary.rows(self.ladders))

    def plot(self) -> Plot:
        """What covering more costs: overlap against rebound, with the front."""
        from mlab.api.pictures import front  # noqa: PLC0415 - late, for it loads matplotlib

        return front(self.cells)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write all of it as one HTML file that needs no network.

        Raises:
            ConfigError: it cannot be written there.
        """
        from mlab.report.html import html  # noqa: PLC0415 - late, for it loads matplotlib

        place, stored = path_of("report", "path", path), self.stored_replays
        text = html(self.experiment, self.cells, self.ladders, self.events, self.pages, replays=stored)
        return write("report", place, text.encode())

    @property
    def _table(self) -> Table[CellResult]:
        rows = columns.cell_rows(self.cells)
        return Table(self.cells, columns.shown(columns.CELLS, rows), rows)

    def __repr__(self) -> str:
        return f"Run {self.run_id}, {self.status}\n{self._table!r}"

    def _repr_html_(self) -> str:
        return self._table._repr_html_()


def _table(rows: list[Ranked], shown: tuple[columns.Column, ...]) -> Table[Evaluation]:
    return Table([Evaluation(row.ladder) for row in rows], shown, rows)


def runs(state: str | os.PathLike[str] | None = None) -> Table[Json]:
    """List the stored runs, the newest first.

    Args:
        state: the folder; ``MLAB_STATE_DIR`` or ``mlruns`` where left out.

    Raises:
        ConfigError: nothing is stored there.
    """
    with _stored("runs", state) as store:
        listed = [(run, store.cells(run.exp_id)) for run in store.experiments()]
    return Table(stored.run_records(listed), stored.RUNS, listed)


def open(name: str = LATEST, state: str | os.PathLike[str] | None = None) -> Run:  # noqa: A001 - as in os.open
    """Read a stored run.

    Args:
        name: its id, the end of one, or ``latest``.
        state: as for :func:`runs`.

    Raises:
        ConfigError: nothing is stored there, or no run or several fit.
    """
    check_text("open", "name", name)
    with _stored("open", state) as store:
        try:
            run = chosen(store, name)
        except ConfigError as error:
            raise ConfigError("open", "name", error.must, name) from None
        return Run.load(folder("open", state), store, run)


def folder(source: str, state: str | os.PathLike[str] | None) -> State:
    """The state folder that is meant; ``source`` is the function that was called."""
    return State.here() if state is None else State(path_of(source, "state", state).resolve())


def _stored(source: str, state: Any) -> Store:
    place = folder(source, state)
    try:
        there = place.database.exists()
    except OSError as error:
        raise ConfigError(source, "state", f"cannot be read: {reason(error)}", str(place.root)) from error
    if not there:
        raise ConfigError(source, "state", "no runs are stored there", str(place.root))
    return Store.open(place.database)
