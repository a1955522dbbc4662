"""The engine: opens an experiment, searches its cells, and sees to it that every ending is recorded.

It knows no orchestrator. The experiments database is the truth about a run; all results are read from it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from mlab import events, memory, snapshot
from mlab.batch import Problem, search_batch
from mlab.config import Config, from_tree
from mlab.errors import ConfigError, LabError
from mlab.events import emit
from mlab.identity import State, new_run_id, span_id
from mlab.penalties import Wave
from mlab.records import Batch, Cell, CellResult, Experiment, Status, Trial
from mlab.scoring import Objective
from mlab.search import Study
from mlab.space import Limits, Space
from mlab.stopping import Patience
from mlab.store import Store

ADAPTER = "annealing"
"""How candidates are made and judged; stored with the experiment."""


class Watcher(Protocol):
    """Whoever wants to follow a search: the terminal, Prefect."""

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """A batch of ``cell`` is saved; ``evaluations`` counts the ladders of this batch."""

    def cell_done(self, result: CellResult) -> None:
        """A cell is finished."""


class Nobody:
    """Watches nothing."""

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """Ignore."""

    def cell_done(self, result: CellResult) -> None:
        """Ignore."""


def open_experiment(state: State, store: Store, config: Config) -> Experiment:
    """Give the config an identity and a row in the database. Its status is PENDING until it is executed."""
    run_id = new_run_id()
    snapshot_of_config = config.model_dump(mode="json")
    cells = config.cells()
    events.recorder.open(state.events(run_id))
    with events.bound(run_id=run_id):
        emit("ORCH.START", f"run {run_id}, config {config.name}, {len(cells)} cells", config=snapshot_of_config)
        experiment = store.create_experiment(run_id, ADAPTER, snapshot_of_config, config.notes, cells)
        emit("BUILD.CONFIG", f"experiment {experiment.exp_id} created", exp_id=experiment.exp_id, adapter=ADAPTER)
    return experiment


def find_experiment(state: State, store: Store, run_id: str) -> tuple[Experiment, Config]:
    """A stored experiment and its config, to be resumed.

    Raises:
        ConfigError: no run has that id, or its config is none that this version understands.
    """
    experiment = store.experiment(run_id)
    if experiment is None:
        raise ConfigError(str(state.database), "--resume", "must be the id of a stored run", run_id)
    events.recorder.open(state.events(run_id))
    return experiment, from_tree(experiment.config, f"run {run_id}")


@dataclass(frozen=True, slots=True)
class Execution:
    """A run in this process's hands: made by :func:`execution`, and over when that context ends.

    ``began`` is the moment of the monotonic clock since which ``elapsed_s`` goes on.
    """

    state: State
    store: Store
    experiment: Experiment
    config: Config
    began: float

    @property
    def elapsed_s(self) -> float:
        """Seconds of search so far, those before a cut included."""
        return self.experiment.elapsed_s + time.monotonic() - self.began

    def search(self, cell: Cell, watcher: Watcher, turns: int | None = None) -> CellResult:
        """Search one cell to its end, from where it was left; a finished cell is only read.

        Args:
            cell: which.
            watcher: told of every batch.
            turns: how many cells are searched one after another from now on, this one included; None where
                this process searches all cells in order.
        """
        exp_id = self.experiment.exp_id
        memory.keep()
        with events.bound(overlap=cell.overlap_pct, orders=cell.num_orders):
            if not self.store.cells(exp_id)[cell.index].finished:
                self.store.finish_cell(exp_id, cell.index, stopped_early=self._search(cell, watcher, turns))
            result = self.store.cells(exp_id)[cell.index]
            if result.stopped_early:
                emit("ORCH.EARLY_STOP", f"{cell.label} stopped after batch {result.batches}", score=_score(result))
        watcher.cell_done(result)
        return result

    def _search(self, cell: Cell, watcher: Watcher, turns: int | None) -> bool:
        """Ask, evaluate, commit, tell and emit until the cell is done; whether it stopped early."""
        search, exp_id = self.config.search, self.experiment.exp_id
        stored = self.store.trials(exp_id, cell.index)
        study = Study(cell, search.sampler, search.pruner, self.config.seed)
        study.replay(stored)
        patience = _patience(stored, search.patience)
        problem = _problem(self.config, self.experiment.run_id, cell)
        deadline = self._deadline(turns or len(self.config.cells()) - cell.index)
        for index in range(len({trial.batch for trial in stored}), search.max_batches):
            if patience.exhausted or (index and time.monotonic() >= deadline):
                return True
            with events.bound(span_id=span_id(index), batch_idx=index):
                emit("ORCH.BATCH", f"{cell.label}, batch {index}", score=patience.best)
                leader = next(iter(self.store.results(exp_id, cell.index, limit=1)), None)
                batch = search_batch(problem, study, index, search.batch_size, leader)
                self._save(batch)
            study.tell(batch.trials)
            patience = patience.after(_best_score(batch.trials))
            watcher.batch(cell, index, patience.best, sum(trial.evaluations for trial in batch.trials))
        return False

    def _save(self, batch: Batch) -> None:
        """One transaction, read back."""
        exp_id = self.experiment.exp_id
        saved = self.store.commit_batch(exp_id, batch, self.config.search.top_k, self.elapsed_s)
        rows = self.store.verify(exp_id, batch)
        emit(
            "ORCH.SAVE_OK",
            f"{rows} rows saved",
            rows=rows,
            held=saved.held,
            best_score=saved.best_score,
            candidates=[candidate.candidate_id for candidate in batch.candidates],
        )

    def _deadline(self, turns: int) -> float:
        """When this cell's time is over: the time left is shared evenly among the turns left."""
        limit = self.config.search.max_time_s
        if limit is None:
            return float("inf")
        return time.monotonic() + max(0.0, limit - self.elapsed_s) / turns


@contextmanager
def execution(state: State, store: Store, experiment: Experiment, config: Config) -> Iterator[Execution]:
    """Take a run into this process's hands; however the block ends, the run's row and log say so.

    Raises:
        RunBusy: another living process executes it.
    """
    with events.bound(run_id=experiment.run_id, exp_id=experiment.exp_id):
        run = Execution(state, store, store.claim(experiment.run_id), config, time.monotonic())
        if run.experiment.status == "COMPLETED":
            yield run  # all that is left to do is to read
            return
        try:
            yield run
        except Exception as error:
            _record_failure(run, error)
            raise
        except BaseException as stop:  # KeyboardInterrupt, SystemExit, Prefect's TerminationSignal
            _record_ending(run, "STOPPED")
            emit("ORCH.DONE", f"stopped by {type(stop).__name__}", level="warning", status="STOPPED")
            raise
        done = store.finish(experiment.exp_id, "COMPLETED", run.elapsed_s)
        emit(
            "ORCH.DONE",
            "all cells searched",
            status=done.status,
            score=done.best_score,
            eval_count=done.eval_count,
            duration_ms=round(done.elapsed_s * 1000.0, 3),
        )


def run(state: State, store: Store, experiment: Experiment, config: Config, watcher: Watcher) -> None:
    """Execute a whole run in this process, without any orchestrator."""
    with execution(state, store, experiment, config) as current:
        for cell in config.cells():
            current.search(cell, watcher)


def _record_failure(run: Execution, error: Exception) -> None:
    """Snapshot, event and status of a failed run; nothing in here may hide ``error``."""
    application = {"elapsed_s": run.elapsed_s, "config_name": run.config.name}
    path = None
    try:
        path = snapshot.write(
            run.state,
            error,
            run.experiment.run_id,
            run.experiment.exp_id,
            application,
            run.experiment.config,
        )
    except OSError as fault:
        emit("ORCH.ERROR", f"no snapshot could be written: {fault}", level="error")
    emit(
        "ORCH.ERROR",
        f"{type(error).__name__}: {error}",
        level="error",
        traceback=traceback.format_exc(),
        snapshot=str(path) if path else None,
    )
    _record_ending(run, "FAILED")


def _record_ending(run: Execution, status: Status) -> None:
    """Status of a run that was cut; where it cannot be stored, what cut the run is still what is raised."""
    try:
        run.store.finish(run.experiment.exp_id, status, run.elapsed_s)
    except LabError as fault:
        emit("ORCH.ERROR", f"the run's status could not be stored: {fault}", level="error")


def _problem(config: Config, run_id: str, cell: Cell) -> Problem:
    """The cell's task in the terms of the pure modules."""
    ladder, score = config.ladder, config.score
    limits = Limits(**ladder.limits.model_dump())
    wave = Wave(score.wave.strong_pct, score.wave.weak_pct) if score.wave.enabled else None
    objective = Objective(
        sizing=ladder.sizing,
        need=score.need,
        alpha=score.alpha,
        beta=score.beta,
        gamma=score.gamma,
        lambda_penalty=score.lambda_penalty,
        wave=wave,
        tail_cap_pct=limits.tail_cap_pct,
        min_indent_step_pct=limits.min_indent_step_pct,
    )
    return Problem(
        run_id=run_id,
        cell=cell,
        seed=config.seed,
        base_price=ladder.base_price,
        limits=limits,
        objective=objective,
        space=Space.of(cell, limits, objective),
        prune_factor=config.search.prune_factor,
        skip_failures=config.search.on_error == "skip",
    )


def _patience(stored: Sequence[Trial], limit: int) -> Patience:
    """The patience as it stood after the stored batches."""
    patience = Patience(limit)
    for index in sorted({trial.batch for trial in stored}):
        patience = patience.after(_best_score([trial for trial in stored if trial.batch == index]))
    return patience


def _best_score(trials: Sequence[Trial]) -> float | None:
    """Least score among the finished trials, None where none finished."""
    return min((t.score for t in trials if t.outcome == "COMPLETE" and t.score is not None), default=None)


def _score(result: CellResult) -> float | None:
    return result.best.score if result.best else None
