"""The experiments database as the rest of the program sees it: records in, records out."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from mlab.core import state
from mlab.core.errors import StoreError
from mlab.core.events import emit
from mlab.core.process import Holder
from mlab.core.records import Batch, Candidate, Cell, CellResult, Experiment, Json, Metric, Status, Trial
from mlab.store import audit, commit, outbox, queries, removal, rows, runs
from mlab.store.canonical_json import check
from mlab.store.commit import Saved
from mlab.store.database import Database
from mlab.store.schema import CellRow


class Store:
    """One path to the database. Every method is one transaction, and raises StoreError where it fails."""

    def __init__(self, database: Database, holder: Holder | None = None) -> None:
        self._database, self._holder = database, holder

    @classmethod
    def open(cls, path: Path, holder: Holder | None = None) -> Store:
        """Open the database, created or brought up to date where needed.

        Args:
            path: the file.
            holder: the process that holds the run on whose behalf a worker opens it; None otherwise.
        """
        database = Database(path)
        revision = database.migrate()
        emit("DB.INIT", f"database {path}", path=str(path), revision=revision)
        return cls(database, holder)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Store:
        """The store itself, closed at the end of the block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close all connections."""
        self.close()

    # The life of a run

    def create_experiment(
        self, run_id: str, adapter: str, config: Json, notes: str, cells: Sequence[Cell]
    ) -> Experiment:
        """Add a run, PENDING: nobody executes it yet."""
        with self._database.writing() as session:
            experiment = runs.create(session, run_id, adapter, config, notes, cells)
        _emit_status(experiment, adapter=adapter, cells=len(cells))
        return experiment

    def claim(self, run_id: str) -> Experiment:
        """Make this process the one that executes a run; a COMPLETED run is returned as it is.

        Raises:
            RunBusy: a living process, this one included, executes it.
        """
        with self._database.writing() as session:
            experiment = runs.claim(session, run_id)
        if experiment.status == "RUNNING":
            _emit_status(experiment)
        return experiment

    def check_free(self, run_id: str) -> None:
        """See that a stored run may be executed.

        Raises:
            RunBusy: a living process, which the message names, executes it.
        """
        with self._database.reading() as session:
            runs.free(session, run_id)

    def finish(self, exp_id: int, status: Status, elapsed_s: float) -> Experiment:
        """Say how a run ended, after how many seconds in all, and let go of it.

        Raises:
            RunBusy: another process has taken it over.
        """
        with self._database.writing() as session:
            check(elapsed_s, "elapsed_s")
            row = runs.writable(session, exp_id, self._holder)
            row.elapsed_s = elapsed_s
            experiment = runs.end(row, status)
        _emit_status(experiment)
        return experiment

    def reconcile(self) -> list[Experiment]:
        """Mark as STOPPED the runs whose process died without a word; those runs."""
        with self._database.writing() as session:
            ended = [runs.end(row, "STOPPED") for row in runs.orphans(session)]
        for experiment in ended:
            _emit_status(experiment)
        return ended

    def orphans(self) -> list[Experiment]:
        """The runs that :meth:`reconcile` would mark."""
        with self._database.reading() as session:
            return [rows.experiment(row) for row in runs.orphans(session)]

    def set_deleted(self, run_id: str, *, deleted: bool) -> None:
        """Take a run off the lists, or bring it back.

        Raises:
            RunBusy: a living process executes it.
        """
        with self._database.writing() as session:
            removal.set_deleted(session, run_id, deleted=deleted)

    def purge(self, run_id: str) -> None:
        """Remove a deleted run for good.

        Raises:
            StoreError: it is not deleted.
        """
        with self._database.writing() as session:
            removal.purge(session, run_id)

    def crowded(self, exp_id: int, most: int) -> bool:
        """Whether a cell of a run holds more candidates than that."""
        with self._database.reading() as session:
            return removal.crowded(session, exp_id, most)

    def prune(self, exp_id: int, kept: Set[str]) -> int:
        """Remove all candidates of a COMPLETED run but those that are named; how many those were.

        Raises:
            StoreError: it may still go on, or a cell would lose its best.
        """
        with self._database.writing() as session:
            return removal.prune(session, exp_id, kept)

    def space(self) -> tuple[int, int]:
        """Bytes of the database, and how many of them are free."""
        return self._database.space()

    def vacuum(self) -> None:
        """Give the space of removed rows back to the disk."""
        self._database.vacuum()

    def set_flow_run(self, exp_id: int, flow_run_id: str) -> None:
        """Remember the Prefect flow run of a run."""
        self._set(exp_id, flow_run_id=flow_run_id)

    def set_mlflow_run(self, exp_id: int, mlflow_run_id: str) -> None:
        """Remember the MLflow run of a run."""
        self._set(exp_id, mlflow_run_id=mlflow_run_id)

    # The search

    def commit_batch(self, exp_id: int, batch: Batch, top_k: int, elapsed_s: float) -> Saved:
        """Write a batch whole: trials, the best ``top_k`` results of the cell, counters, and what MLflow is owed.

        Args:
            exp_id: the run.
            batch: committed a second time, it changes nothing.
            top_k: results kept for the cell; ties go by candidate id.
            elapsed_s: seconds that the run has taken in all, over every time it was resumed; of several
                processes that write, the latest counts.

        Raises:
            RunBusy: another process has taken the run over.
        """
        begun = perf_counter()
        with self._database.writing() as session:
            check(elapsed_s, "elapsed_s")
            saved = commit.save(session, runs.writable(session, exp_id, self._holder), batch, top_k, elapsed_s)
        _emit_batch("DB.UPSERT_RES", exp_id, batch, begun, **asdict(saved))
        return saved

    def verify(self, exp_id: int, batch: Batch) -> int:
        """Read back a committed batch; the rows of it that the database holds.

        Raises:
            StoreError: the database does not hold what was sent.
        """
        begun = perf_counter()
        with self._database.reading() as session:
            count = commit.verify(session, runs.by_id(session, exp_id), batch)
        _emit_batch("DB.VERIFY", exp_id, batch, begun, rows=count)
        return count

    def finish_cell(self, exp_id: int, cell_index: int, *, stopped_early: bool) -> None:
        """Say that the search of a cell has ended.

        Raises:
            RunBusy: another process has taken the run over.
        """
        with self._database.writing() as session:
            runs.writable(session, exp_id, self._holder)
            row = session.get(CellRow, (exp_id, cell_index))
            if row is None:
                raise StoreError(f"run {exp_id} has no cell {cell_index}; resume it with the config it began with")
            row.finished, row.stopped_early = True, stopped_early

    # What is stored

    def check_file(self) -> None:
        """Check pages, indexes and references of the whole file.

        Raises:
            StoreError: the file is damaged.
        """
        with self._database.reading() as session:
            audit.file(session)

    def check_run(self, exp_id: int) -> None:
        """Check all rows of a run, each by itself and against each other.

        Raises:
            StoreError: some are missing, or not as they were written.
        """
        with self._database.reading() as session:
            audit.run(session, runs.by_id(session, exp_id))

    def experiment(self, run_id: str) -> Experiment | None:
        """A run by its id."""
        with self._database.reading() as session:
            return queries.experiment(session, run_id)

    def run_of_flow(self, flow_run_id: str) -> str | None:
        """The id of the run that a Prefect flow run executes or executed last; None where there is none."""
        with self._database.reading() as session:
            return queries.run_of_flow(session, flow_run_id)

    def experiments(self, limit: int | None = None, *, deleted: bool = False) -> list[Experiment]:
        """The runs that are not deleted, or those that are; newest first."""
        with self._database.reading() as session:
            return queries.experiments(session, limit, deleted=deleted)

    def cells(self, exp_id: int) -> list[CellResult]:
        """How far each cell of a run has come, in order."""
        with self._database.reading() as session:
            return queries.cells(session, exp_id)

    def trials(self, exp_id: int, cell_index: int) -> list[Trial]:
        """The trials of a cell in the order in which they were asked."""
        with self._database.reading() as session:
            return queries.trials(session, exp_id, cell_index)

    def results(self, exp_id: int, cell_index: int | None = None, limit: int | None = None) -> list[Candidate]:
        """The candidates kept, by cell and within it best first; of one cell only where it is given."""
        with self._database.reading() as session:
            return queries.candidates(session, exp_id, cell_index, limit)

    # What MLflow is owed

    def owing(self) -> list[Experiment]:
        """The runs that have ended and of which MLflow lacks numbers, or the ending itself; oldest first."""
        with self._database.reading() as session:
            return outbox.owing(session)

    def owed(self, exp_id: int) -> list[tuple[int, int, Metric]]:
        """Outbox id, cell and number of everything that has not been delivered, oldest first."""
        with self._database.reading() as session:
            return outbox.owed(session, exp_id)

    def commits(self, exp_id: int) -> list[tuple[int, int, float | None]]:
        """Cell, batch and best score of the cell at each commit that MLflow is told of, in the order of the commits."""
        with self._database.reading() as session:
            return outbox.commits(session, exp_id)

    def delivered(self, outbox_ids: Sequence[int]) -> None:
        """Strike what has been delivered off the outbox."""
        if outbox_ids:
            with self._database.writing() as session:
                outbox.deliver(session, outbox_ids)

    def delivered_ending(self, run: Experiment) -> None:
        """Remember that MLflow has been told how a run ended, unless it has gone on since."""
        with self._database.writing() as session:
            outbox.deliver_ending(session, run)

    def _set(self, exp_id: int, **values: str) -> None:
        with self._database.writing() as session:
            row = runs.by_id(session, exp_id)
            for name, value in values.items():
                setattr(row, name, value)


def _emit_status(experiment: Experiment, **fields: Any) -> None:
    emit(
        "DB.UPSERT_EXP",
        f"run {experiment.run_id} is {experiment.status}",
        run_id=experiment.run_id,
        exp_id=experiment.exp_id,
        status=experiment.status,
        **fields,
    )


def _emit_batch(
    name: Literal["DB.UPSERT_RES", "DB.VERIFY"], exp_id: int, batch: Batch, begun: float, **fields: Any
) -> None:
    emit(
        name,
        f"{batch.cell.label}, batch {batch.index}: {fields['rows']} rows",
        exp_id=exp_id,
        span_id=state.span_id(batch.index),
        batch_idx=batch.index,
        overlap=batch.cell.overlap_pct,
        orders=batch.cell.num_orders,
        duration_ms=round((perf_counter() - begun) * 1000.0, 1),
        **fields,
    )
