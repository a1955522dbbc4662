"""The engine: executes an experiment, searches its cells, and sees to it that every ending is recorded.

It knows no orchestrator. The experiments database is the truth about a run; all results are read from it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlab.config import Config
from mlab.core import crash, events
from mlab.core.decimals import counted
from mlab.core.errors import EvaluationError, LabError, RunBusy, StoreError
from mlab.core.events import emit
from mlab.core.records import Batch, Candidate, Cell, CellResult, Experiment, Json, Status, Trial
from mlab.core.state import State, span_id
from mlab.model.compiled import LADDERS
from mlab.model.ranking import rank_key
from mlab.search import machine, malloc
from mlab.search.batch import Problem, failed_batch, search_batch
from mlab.search.proving import Proving
from mlab.search.stopping import Evidence, Patience, searched_enough
from mlab.search.study import Study
from mlab.search.watcher import Watcher
from mlab.store import Store


@dataclass(frozen=True, slots=True)
class Execution:
    """A run in this process's hands: made by :func:`execution`, and over when that context ends.

    ``began`` is the moment of the monotonic clock since which ``elapsed_s`` goes on, ``aside`` the seconds since then
    that were no search.
    """

    state: State
    store: Store
    experiment: Experiment
    config: Config
    began: float
    aside: list[float] = field(default_factory=list)

    @property
    def elapsed_s(self) -> float:
        """Seconds of search so far, those before a cut included."""
        return self.experiment.elapsed_s + time.monotonic() - self.began - sum(self.aside)

    def search(self, cell: Cell, watcher: Watcher, turns: int | None = None) -> CellResult:
        """Search one cell to its end, from where it was left; a finished cell is only read.

        Args:
            cell: which.
            watcher: told of every batch.
            turns: how many cells are searched one after another from now on, this one included; None where
                this process searches all cells in order.
        """
        exp_id = self.experiment.exp_id
        malloc.keep()
        with events.bound(overlap=cell.overlap_pct, orders=cell.num_orders):
            result = self.store.cell(exp_id, cell.index)
            if not result.finished:
                proving = Proving(self.config, cell)
                early = self._search(cell, watcher, turns, proving, result.best)
                proving.keep(self.store, exp_id)
                self.store.finish_cell(exp_id, cell.index, stopped_early=early)
                result = self.store.cell(exp_id, cell.index)
            if result.stopped_early:
                agreed = f"{result.ends} of {result.independent} independent trials found its best"
                emit(
                    "ORCH.EARLY_STOP",
                    f"{cell.label} stopped after batch {result.batches}: {agreed}",
                    score=result.best.score if result.best else None,
                    independent=result.independent,
                    ends=result.ends,
                    proved_within_pct=result.proved.get("proved_within_pct"),
                )
        watcher.cell_done(result)
        return result

    def _search(
        self, cell: Cell, watcher: Watcher, turns: int | None, proving: Proving, leader: Candidate | None
    ) -> bool:
        """Ask, evaluate, commit, tell and emit until the cell is done; whether it stopped early.

        ``leader`` is the best that was found before.
        """
        search, exp_id = self.config.search, self.experiment.exp_id
        trials = self.store.trials(exp_id, cell.index)
        study = self._study(cell, trials)
        patience = _patience(trials, search.patience)
        problem = Problem.of(self.config, self.experiment.run_id, cell)
        deadline = self._deadline(turns or len(self.config.cells()) - cell.index)
        for index in range(len({trial.batch for trial in trials}), search.max_batches):
            enough = searched_enough(patience, Evidence.of(trials), search.miss_chance)
            if enough or proving.follow(trials) or (index and time.monotonic() >= deadline):
                return True
            if loading := machine.use_numba(self.experiment.run_id):  # here, for no batch may have to wait for it
                self.aside.append(loading)
                deadline += loading
            with events.bound(span_id=span_id(index), batch_idx=index):
                emit("ORCH.BATCH", f"{cell.label}, batch {index}", score=patience.best)
                batch = self._batch(problem, study, index, leader)
                self._save(batch)
                leader = min([*batch.candidates, *([leader] if leader else [])], key=rank_key, default=None)
            if batch.failed:  # what was reported before the failure is not stored: the study forgets it, as after a cut
                study = self._study(cell, self.store.trials(exp_id, cell.index))
            else:
                study.tell(batch.trials)
            trials = [*trials, *batch.trials]
            patience = patience.after(_best_score(batch.trials))
            evaluations = sum(trial.evaluations for trial in batch.trials)
            watcher.batch(cell, index, patience.best, evaluations)
            LADDERS.count(evaluations * cell.num_orders)
        return False

    def _study(self, cell: Cell, stored: Sequence[Trial]) -> Study:
        """The study of a cell as it stands after the stored trials."""
        study = Study(cell, self.config.search.sampler, self.config.search.pruner, self.config.seed)
        study.replay(stored)
        return study

    def _batch(self, problem: Problem, study: Study, index: int, leader: Candidate | None) -> Batch:
        """The next batch; error records where it fails and failures are to be skipped, which a snapshot explains.

        Raises:
            EvaluationError: it failed, and the run is to end with that.
        """
        search = self.config.search
        try:
            return search_batch(problem, study, index, leader)
        except EvaluationError as error:
            if search.on_error == "fail":
                raise
            trials = self.store.trials(self.experiment.exp_id, problem.space.cell.index)
            failed = len({trial.batch for trial in trials if trial.outcome == "FAIL"}) + 1
            if failed > search.max_failed_share * search.max_batches:
                least = f"search.max_failed_share = {search.max_failed_share:g} of {search.max_batches} batches"
                raise EvaluationError(f"{error}; {failed} of the cell have failed, more than {least}") from error
            write_snapshot(self, error)
            return failed_batch(problem, study, index, error)

    def _save(self, batch: Batch) -> None:
        """One transaction, read back."""
        exp_id = self.experiment.exp_id
        saved = self.store.commit_batch(exp_id, batch, self.config.search.top_k, self.elapsed_s)
        rows = self.store.verify(exp_id, batch)
        emit(
            "ORCH.SAVE_OK",
            f"{counted(rows, 'row')} saved",
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
            _audit(run)
            yield run  # all that is left to do is to read
            return
        events.recorder.open(state.events(experiment.run_id))
        try:
            _audit(run)
            machine.note(store, experiment.exp_id)
            yield run
            store.check_run(experiment.exp_id)
        except RunBusy:
            raise  # another process has taken it over, and will say how it ends
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


def _audit(run: Execution) -> None:
    """Build upon nothing that is damaged."""
    if run.experiment.eval_count:
        run.store.check_file()
        run.store.check_run(run.experiment.exp_id)


def _record_failure(run: Execution, error: Exception) -> None:
    """Snapshot, event and status of a failed run; nothing in here may hide ``error``."""
    path = write_snapshot(run, error)
    emit(
        "ORCH.ERROR",
        f"{type(error).__name__}: {error}",
        level="error",
        traceback="".join(traceback.format_exception(error)),
        snapshot=str(path) if path else None,
    )
    _record_ending(run, "FAILED")


def _record_ending(run: Execution, status: Status) -> None:
    """Store how a run ended. Where that fails it stays RUNNING, until the next start finds its process gone."""
    try:
        run.store.finish(run.experiment.exp_id, status, run.elapsed_s)
    except LabError as fault:
        emit("ORCH.ERROR", f"the run's status could not be stored: {fault}", level="error")


def write_snapshot(run: Execution, error: Exception) -> Path | None:
    """The snapshot of a failure; None where none can be written."""
    experiment = run.experiment
    try:
        return crash.write(
            run.state, error, experiment.run_id, experiment.exp_id, _application_state(run), experiment.config
        )
    except Exception as fault:  # noqa: BLE001 - whatever it is, the failure itself is what counts
        emit("ORCH.ERROR", f"no snapshot could be written: {fault}", level="error")
        return None


def _application_state(run: Execution) -> Json:
    """How far the run was."""
    state: Json = {"config_name": run.config.name, "elapsed_s": run.elapsed_s}
    with suppress(StoreError):  # it may be what failed
        cells = run.store.cells(run.experiment.exp_id)
        state |= {"cells": len(cells), "cells_finished": sum(cell.finished for cell in cells)}
        state |= {"batches_saved": sum(cell.batches for cell in cells), "trials": sum(cell.trials for cell in cells)}
    return state


def _patience(stored: Sequence[Trial], limit: int) -> Patience:
    """The patience as it stood after the stored batches."""
    patience = Patience(limit)
    for index in sorted({trial.batch for trial in stored}):
        patience = patience.after(_best_score([trial for trial in stored if trial.batch == index]))
    return patience


def _best_score(trials: Sequence[Trial]) -> float | None:
    """Least score among the finished trials, None where none finished."""
    return min((t.score for t in trials if t.outcome == "COMPLETE" and t.score is not None), default=None)
