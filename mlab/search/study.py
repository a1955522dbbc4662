"""One Optuna study a cell, which can be rebuilt at any batch from the trials that are stored.

Seeding a sampler again does not continue its sequence. So each batch gets a sampler of its own, seeded by
(seed, cell, batch), over a study that holds the trials before it: the same whether the run was cut or not.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from mlab.core.loading import without

with without("redis"):  # of a storage that nobody uses here; takes longer to load than all of Optuna
    import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from mlab.core.errors import StoreError
from mlab.core.records import Cell, Trial
from mlab.model.annealing import GENERATIONS, Shape, Start

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=ExperimentalWarning, module=__name__)  # of the QMC sampler

ANNEALING: dict[str, BaseDistribution] = {
    "temperature": FloatDistribution(3e-4, 5e-3, log=True),
    "stride": FloatDistribution(0.05, 0.5, log=True),
}
SHAPE: dict[str, BaseDistribution] = {
    "place": FloatDistribution(-0.25, 1.25),  # a third of them right at an end
    "width": FloatDistribution(0.03, 1.0, log=True),
}
"""What a trial chooses: the fields of :class:`mlab.model.annealing.Start` and its shape, and their ranges."""

MEMORY = 96
"""Trials that a study of Optuna remembers at most; at that many the older half is forgotten.

What TPE takes for a trial grows with those it remembers: 2 ms at 100, 40 ms at 1,000.
"""

STARTUP = 24  # random trials before TPE narrows the choice: with fewer it may settle on one kind of shape too soon

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=STARTUP),
    "random": lambda seed: RandomSampler(seed=seed),
    "cmaes": lambda seed: CmaEsSampler(seed=seed),
    "qmc": lambda seed: QMCSampler(scramble=True, seed=seed),  # without it no seed counts
}
FINISHED, WARMUP = 8, 4  # finished trials and generations after which the median pruner may give a trial up

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": NopPruner,  # it is not asked: see _medians
    "hyperband": lambda: HyperbandPruner(min_resource=GENERATIONS // 8, max_resource=GENERATIONS),
    "none": NopPruner,
}


class Study:
    """The starts of one cell: ask for a batch, report each generation, tell the outcomes.

    Every other trial begins with a shape, the others warm, with the best ladder of the cell. They are two studies of
    Optuna: beside trials that begin so far ahead a new shape would always look hopeless.
    """

    def __init__(self, cell: Cell, sampler: str, pruner: str, seed: int) -> None:
        self.cell, self.sampler_name, self._seed = cell, sampler, seed
        self._pruner = pruner
        self._studies = {kind: self._study(kind) for kind in ("shaped", "warm")}
        self.first_number = 0  # of the next trial in its cell that is told: the first of the batch that is asked for
        self._asked: list[tuple[str, optuna.Trial]] = []
        self._told: dict[str, list[Trial]] = {kind: [] for kind in self._studies}  # what Optuna remembers of each
        self._medians: dict[str, list[float]] = {}

    def _study(self, kind: str) -> optuna.Study:
        # Hyperband assigns trials to brackets by the study's name: it must not change, so warm ones stay "led" there.
        name, pruner = f"{self.cell.key}-{'led' if kind == 'warm' else kind}", PRUNERS[self._pruner]()
        return optuna.create_study(study_name=name, direction="minimize", pruner=pruner)

    def replay(self, trials: Sequence[Trial]) -> None:
        """Ask, report and tell again what is stored, so that samplers and pruners stand where they stood.

        Raises:
            StoreError: the study asks for other starts than are stored: the versions or the config changed.
        """
        for batch, group in groupby(trials, key=lambda trial: trial.batch):
            stored = list(group)
            self.ask(batch, len(stored), warm=not all(trial.shaped for trial in stored))
            if [trial.params for _, trial in self._asked] != [trial.params for trial in stored]:
                where = f"{self.cell.label}, batch {batch}"
                raise StoreError(f"{where}: the stored trials do not follow from config and version; start a new run")
            for generation in range(max(len(trial.reports) for trial in stored)):
                for index, trial in enumerate(stored):
                    if generation < len(trial.reports):
                        self.should_prune(index, generation, trial.reports[generation])
            self.tell(stored)

    def ask(self, batch: int, size: int, *, warm: bool) -> list[Start]:
        """The starts of one batch; ``warm``: half of them begin with the best ladder, else all with shapes."""
        seeds = np.random.SeedSequence([self._seed, self.cell.index, batch]).generate_state(2)
        for (kind, study), seed in zip(self._studies.items(), seeds, strict=True):
            study.sampler = SAMPLERS[self.sampler_name](int(seed))
            self._medians[kind] = _medians(self._told[kind] if self._pruner == "median" else [])
        self._asked = []
        for index in range(size):
            kind = "warm" if warm and (batch + index) % 2 else "shaped"
            space = ANNEALING if kind == "warm" else ANNEALING | SHAPE
            self._asked.append((kind, self._studies[kind].ask(fixed_distributions=space)))
        return [_start(trial.params) for _, trial in self._asked]

    def params(self) -> list[dict[str, float]]:
        """What was chosen for each trial of the batch, to be stored."""
        return [dict(trial.params) for _, trial in self._asked]

    def should_prune(self, index: int, generation: int, score: float) -> bool:
        """Report the best score of a trial of the batch after a generation, which only falls; whether to give it up."""
        kind, trial = self._asked[index]
        if self._pruner != "hyperband":
            return score > self._medians[kind][generation]
        trial.report(score, generation)
        return trial.should_prune()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell how each trial of the batch ended, in the order in which they were asked."""
        for (kind, asked), trial in zip(self._asked, trials, strict=True):
            if trial.outcome == "PRUNED" and self._pruner == "median":
                asked.report(trial.reports[-1], len(trial.reports) - 1)  # which Optuna takes for its score
            score = trial.score if trial.outcome == "COMPLETE" else None
            self._studies[kind].tell(asked, score, TrialState[trial.outcome])
            self._told[kind].append(trial)
        self.first_number += len(trials)
        self._asked = []
        for kind, told in self._told.items():
            if len(told) >= MEMORY:
                remembered = self._studies[kind].get_trials(deepcopy=False)[-MEMORY // 2 :]
                self._studies[kind], self._told[kind] = self._study(kind), told[-MEMORY // 2 :]
                self._studies[kind].add_trials(remembered)


def _medians(trials: Sequence[Trial]) -> list[float]:
    """Above which score the median pruner gives a trial up, for each generation, from the trials of its kind before it.

    The rule of :class:`optuna.pruners.MedianPruner`, once a batch: that one goes through all trials at every report,
    and has to be told of every generation that finished trials never began, that they would have stayed there.
    """
    reports = [trial.reports for trial in trials if trial.outcome == "COMPLETE"]
    if len(reports) < FINISHED:
        return [math.inf] * GENERATIONS
    stayed = [[*scores, *[scores[-1]] * (GENERATIONS - len(scores))] for scores in reports]
    return [*[math.inf] * WARMUP, *np.percentile(stayed, 50.0, axis=0)[WARMUP:].tolist()]


def _start(params: dict[str, float]) -> Start:
    shape = Shape(*(params[name] for name in SHAPE)) if "place" in params else None
    return Start(params["temperature"], params["stride"], shape)
