"""The experiments database as the rest of the program sees it: records in, records out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from sqlalchemy.orm import Session

from mlab.core import state
from mlab.core.events import emit
from mlab.core.records import Batch, Cell, Experiment, Json, Metric, Status, StoredProof, StoredReplay
from mlab.store import audit, commit, outbox, queries, rows, runs
from mlab.store.claims import Alive, Claims, Holder
from mlab.store.commit import Saved
from mlab.store.database import Database
from mlab.store.schema import ExperimentRow

P = ParamSpec("P")
R = TypeVar("R")


def _method(
    operation: Callable[Concatenate[Session, P], R], *, writes: bool = False
) -> Callable[Concatenate[Store, P], R]:
    """A method of the store: an operation on a session, in a transaction of its own."""

    @wraps(operation)
    def method(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with store.database.writing() if writes else store.database.reading() as session:
            return operation(session, *args, **kwargs)

    return method


def _seeing(
    operation: Callable[Concatenate[Session, Alive, P], R], *, writes: bool = False
) -> Callable[Concatenate[Store, P], R]:
    """The same of an operation that asks which runs are executed while it reads."""

    @wraps(operation)
    def method(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> R:
        alive = store.claims.alive()
        with store.database.writing() if writes else store.database.reading() as session:
            return operation(session, alive, *args, **kwargs)

    return method


class Store(AbstractContextManager["Store"]):
    """One path to the database. Every method is one transaction, and raises StoreError where it fails.

    What writes to a run that is being searched raises RunBusy where another process has taken that run over.
    """

    def __init__(self, database: Database, holder: Holder | None = None) -> None:
        self.database, self.claims = database, Claims(database.path)
        self.holder = holder or Holder()
        self._holders = (
            [self.holder] if holder else [self.holder, None]
        )  # for itself it writes to what nobody holds, too

    @classmethod
    def open(cls, path: Path, holder: Holder | None = None) -> Store:
        """Open the database, created or brought up to date where needed; closed at the end of a ``with`` block.

        ``holder`` is who holds the run on whose behalf a worker opens it.
        """
        database = Database(path)
        revision = database.migrate()
        emit("DB.INIT", f"database {path}", path=str(path), revision=revision)
        return cls(database, holder)

    def close(self) -> None:
        """Close all connections, and leave the runs that it holds to others."""
        self.database.close()
        self.claims.close()

    def __exit__(self, *_error: object) -> None:
        self.close()

    # What is stored

    experiment = _seeing(queries.experiment)
    experiments = _seeing(queries.experiments)
    run_of_flow = _method(queries.run_of_flow)
    kept = _method(queries.kept)
    cell = _method(queries.cell)
    cells = _method(queries.cells)
    trials = _method(queries.trials)
    results = _method(queries.results)
    replays = _method(queries.replays)
    check_file = _method(audit.check_file)
    check_run = _method(audit.check_run)

    # The life of a run

    check_free = _seeing(runs.check_free)
    orphans = _seeing(runs.orphans)
    set_flow_run = _method(runs.set_flow_run, writes=True)
    set_mlflow_run = _method(runs.set_mlflow_run, writes=True)

    def create_experiment(
        self, run_id: str, adapter: str, config: Json, notes: str, cells: Sequence[Cell]
    ) -> Experiment:
        """Add a run, PENDING, that this store is about to execute."""
        with self.database.writing() as session:
            self.claims.take(run_id)
            experiment = runs.create(session, self.holder, run_id, adapter, config, notes, cells)
        _emit_status(experiment, adapter=adapter, cells=len(cells))
        return experiment

    def claim(self, run_id: str) -> Experiment:
        """Make this store the one that executes a run; a COMPLETED run is returned as it is.

        Raises:
            RunBusy: another, or this one already, executes it.
        """
        with self.database.writing() as session:
            row = runs.by_run_id(session, run_id)
            if row.status != "COMPLETED":
                if (row.status, row.holder) == ("RUNNING", str(self.holder)) or not self.claims.take(run_id):
                    raise runs.busy(row)
                runs.claim(row, self.holder)
            experiment = rows.experiment(row)
        if experiment.status == "RUNNING":
            _emit_status(experiment)
        return experiment

    def note_machine(self, exp_id: int, kind: str) -> tuple[str, ...]:
        """Keep on what kind of machine a run is searched from now on; the other kinds on which it was, in order."""
        with self.database.reading() as session:
            known = rows.machines(runs.by_id(session, exp_id))
        if kind not in known:
            with self._writing(exp_id) as (_, row):
                known = rows.machines(row)
                row.machines_json = rows.encoded([*known, kind], "machines")
        return tuple(one for one in known if one != kind)

    def finish(self, exp_id: int, status: Status, elapsed_s: float) -> Experiment:
        """Say how a run ended, after how many seconds in all, and let go of it."""
        with self._writing(exp_id) as (_, row):
            rows.check(elapsed_s, "elapsed_s")
            row.elapsed_s = elapsed_s
            experiment = runs.end(row, status)
        self.claims.let_go(experiment.run_id)
        _emit_status(experiment)
        return experiment

    def reconcile(self) -> list[Experiment]:
        """Mark as STOPPED the runs whose process died without a word; those runs."""
        if not self.orphans():
            return []
        with self.database.writing() as session:
            ended = runs.reconcile(session, self.claims.alive())
            for experiment in ended:
                self.claims.tidy(experiment.run_id)
        for experiment in ended:
            _emit_status(experiment)
        return ended

    @contextmanager
    def _writing(self, exp_id: int) -> Iterator[tuple[Session, ExperimentRow]]:
        """A transaction on a run that may be written by this store, and its row."""
        with self.database.writing() as session:
            row = runs.writable(session, exp_id, self._holders)
            self.claims.keep(row.run_id)
            yield session, row

    # The search

    def commit_batch(self, exp_id: int, batch: Batch, top_k: int, elapsed_s: float) -> Saved:
        """Write a batch whole: trials, the best ``top_k`` results of the cell, counters, and what MLflow is owed.

        A batch that is committed a second time changes nothing. No two ladders kept are the same; ties go by candidate
        id. ``elapsed_s`` are the seconds that the run has taken in all, over every time it was resumed; of several
        processes that write, the latest counts.
        """
        begun = perf_counter()
        with self._writing(exp_id) as (session, row):
            saved = commit.save(session, row, batch, top_k, elapsed_s)
        _emit_batch("DB.UPSERT_RES", exp_id, batch, begun, **asdict(saved))
        return saved

    def verify(self, exp_id: int, batch: Batch) -> int:
        """Read a committed batch back and compare it with what was sent; the rows of it that the database holds."""
        begun = perf_counter()
        with self.database.reading() as session:
            count = commit.verify(session, runs.by_id(session, exp_id), batch)
        _emit_batch("DB.VERIFY", exp_id, batch, begun, rows=count)
        return count

    def finish_cell(self, exp_id: int, cell_index: int, *, stopped_early: bool) -> None:
        """Say that the search of a cell has ended."""
        with self._writing(exp_id) as (session, _):
            row = runs.cell(session, exp_id, cell_index)
            row.finished, row.stopped_early = True, stopped_early

    def save_replays(self, exp_id: int, replays: Sequence[StoredReplay]) -> None:
        """Write what the winners of a run did on prices, in the place of what was there, and read it back."""
        with self._writing(exp_id) as (session, _):
            commit.save_replays(session, exp_id, replays)
        with self.database.reading() as session:
            commit.verify_replays(session, exp_id, replays)
        emit("DB.UPSERT_RES", f"{len(replays)} replays", exp_id=exp_id, rows=len(replays))

    def save_proof(self, exp_id: int, cell: Cell, proof: StoredProof, metrics: Sequence[Metric]) -> None:
        """Write what was proved of a cell, unless more is known, with what MLflow is owed of it; read it back."""
        with self._writing(exp_id) as (session, _):
            kept = commit.save_proof(session, exp_id, cell.index, proof, metrics)
        with self.database.reading() as session:
            commit.verify_proof(session, exp_id, cell.index, kept)
        said = f"{cell.label}: no ladder scores below {kept.lower:.6g}"
        emit("DB.UPSERT_RES", said, exp_id=exp_id, overlap=cell.overlap_pct, orders=cell.num_orders, rows=1)

    # What MLflow is owed

    owing = _method(outbox.owing)
    owed = _method(outbox.owed)
    commits = _method(outbox.commits)
    delivered = _method(outbox.delivered, writes=True)
    delivered_ending = _method(outbox.delivered_ending, writes=True)

    # What leaves the database

    set_deleted = _seeing(runs.set_deleted, writes=True)
    purge = _method(runs.purge, writes=True)
    surplus = _method(commit.surplus)
    prune = _method(commit.prune, writes=True)


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
