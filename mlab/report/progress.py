"""How far a run has come, on standard error: a live bar on a terminal, otherwise a line a finished cell."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from mlab.config import Config
from mlab.core.records import Cell, CellResult, Experiment
from mlab.core.streams import styled
from mlab.report.numbers import clock, downwards

if TYPE_CHECKING:
    from rich import progress as bars


class Progress:
    """One bar for the whole run, on standard error, so that results alone go to standard output.

    Cells may take turns, and may have batches from before a resume.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar = _bar(self._stream) if styled(self._stream) else None
        self._task: bars.TaskID | None = None
        self._cells: Sequence[Cell] = ()
        self._max_batches = self._batch_size = self._evaluations = self._worked = self._finished = 0
        self._began = 0.0
        self._replayed: tuple[str, bars.TaskID, float] | None = None  # which replay goes on, and since when
        self._done: dict[int, int] = {}  # batches by cell; a cell that stopped early counts as full
        self._trials: dict[int, int] = {}

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take the bar away; lines of finished cells stay."""
        if self._bar is not None:
            self._bar.stop()

    def start(self, cells: Sequence[Cell], max_batches: int, batch_size: int) -> None:
        """Name what is to be searched: the cells, and for each the most batches, of so many trials."""
        self._cells, self._max_batches, self._batch_size = cells, max_batches, batch_size
        self._began = time.monotonic()
        if self._bar is not None:
            self._task = self._bar.add_task("search", total=len(cells) * max_batches, status="starting")

    def begun(self, run: Experiment, config: Config) -> None:
        """A run is open, and about to be searched."""
        del run
        self.start(config.cells(), config.search.max_batches, config.search.batch_size)

    def batch(self, cell: Cell, index: int, best_score: float | None, evaluations: int) -> None:
        """A batch is stored: its index in the cell, the best score of that so far, and its ladders evaluated."""
        self._done[cell.index] = index + 1
        self._trials[cell.index] = (index + 1) * self._batch_size
        self._worked += 1
        self._evaluations += evaluations
        best = "-" if best_score is None else f"{best_score:.4f}"
        self._show(cell, f"batch {index + 1}/{self._max_batches}  best {best}  {self._pace()}")

    def cell_done(self, result: CellResult) -> None:
        """A cell is finished, by its last batch or early."""
        self._done[result.cell.index] = self._max_batches
        self._trials[result.cell.index] = result.trials
        self._finished += 1
        width = max((len(cell.label) for cell in self._cells), default=0)
        line = f"[{self._finished}/{len(self._cells)}] {result.cell.label:{width}}  {_outcome(result)}"
        if self._bar is None:
            print(line, file=self._stream, flush=True)
        else:
            self._bar.console.print(line, soft_wrap=True)
        self._show(result.cell, f"cell done  {self._pace()}")

    def replaying(self, name: str, done: int, steps: int) -> None:
        """Some steps of a replay of the winners are done."""
        if self._bar is None:
            return
        if self._replayed is None or name != self._replayed[0]:
            task = self._bar.add_task(name, total=steps, status="")
            self._replayed = name, task, time.monotonic()
        _, task, began = self._replayed
        self._bar.update(task, completed=done, status=_left(began, done, steps))

    def _show(self, cell: Cell, status: str) -> None:
        if self._bar is not None and self._task is not None:
            done = sum(self._done.values())
            self._bar.update(self._task, description=cell.label, completed=done, status=status)

    def _pace(self) -> str:
        """Trials so far, ladders a second, and the time that the batches left would take at this pace."""
        elapsed = max(time.monotonic() - self._began, 1e-9)
        left = len(self._cells) * self._max_batches - sum(self._done.values())
        seconds = elapsed / self._worked * left if self._worked else 0.0
        pace = f"{self._evaluations / elapsed:,.0f}/s"
        return f"{sum(self._trials.values()):,} trials  {pace}  {clock(seconds)} left"


def _outcome(result: CellResult) -> str:
    early = ", early stop" if result.stopped_early else ""
    search = f"{result.trials:,} trials, {result.evaluations:,} ladders{early}"
    if result.best is None:
        return f"every trial failed; {search}"
    from mlab.report import columns  # noqa: PLC0415 - late, as all that a first batch does not need

    row = columns.CellRow(result)
    need, path = columns.AT_FILLS.text(row), columns.ON_PATH.text(row)
    return f"score {columns.SCORE.text(row)}  need {need} %, path {path} %  {search}"


@contextmanager
def steps(name: str, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar for work of many steps, on standard error; the block tells it how many of how many are done."""
    with _bar(stream or sys.stderr) as bar:
        began, task = time.monotonic(), bar.add_task(name, status="")

        def tell(done: int, steps: int) -> None:
            bar.update(task, completed=done, total=steps, status=_left(began, done, steps))

        yield tell


@contextmanager
def proofs(max_time_s: float, stream: TextIO | None = None) -> Iterator[Callable[[Cell, float, float], None]]:
    """A bar for the proof of each cell, on standard error; the block tells it the cell, seconds and bound so far."""
    with _bar(stream or sys.stderr) as bar:
        tasks: dict[int, bars.TaskID] = {}

        def tell(cell: Cell, seconds: float, lower: float) -> None:
            if cell.index not in tasks:
                tasks[cell.index] = bar.add_task(f"prove {cell.label}", total=max_time_s, status="")
            left = clock(max(0.0, max_time_s - seconds))
            status = f"{seconds:.1f} s  no score below {downwards(lower, 4)}  at most {left} left"
            bar.update(tasks[cell.index], completed=seconds, status=status)

        yield tell


def _left(began: float, done: int, steps: int) -> str:
    """How many steps are done, and the time that the others would take at this pace."""
    seconds = (time.monotonic() - began) / done * (steps - done)
    return f"{done:,} of {steps:,}  {clock(seconds)} left"


def _bar(stream: TextIO) -> bars.Progress:
    from rich import progress as bars  # noqa: PLC0415 - slow to load, and only for a terminal

    from mlab.report.terminal import WIDTH, console  # noqa: PLC0415

    out = console(stream)
    return bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=20 if out.width >= WIDTH else 8),
        bars.TextColumn("{task.fields[status]}"),
        console=out,
        disable=not out.is_terminal,
        transient=True,
    )
