"""One Optuna study a cell, which can be rebuilt at any batch from the trials that are stored.

Seeding a sampler again does not continue its sequence. So each batch gets a sampler of its own, seeded by
(seed, cell, batch), over a study that holds the trials before it: the same whether the run was cut or not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from mlab.core.loading import without

with without("redis"):  # of a storage that nobody uses here; takes longer to load than all of Optuna
    import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
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
WARMUP = 4  # generations after which the median pruner may give a trial up

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": lambda: MedianPruner(n_startup_trials=8, n_warmup_steps=WARMUP),
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
        for study, seed in zip(self._studies.values(), seeds, strict=True):
            study.sampler = SAMPLERS[self.sampler_name](int(seed))
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
        """Report the best score of a trial of the batch after a generation; whether the pruner gives it up."""
        _, trial = self._asked[index]
        trial.report(score, generation)
        return trial.should_prune()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Tell how each trial of the batch ended, in the order in which they were asked."""
        for (kind, asked), trial in zip(self._asked, trials, strict=True):
            score = None  # where it was pruned: Optuna takes its last report
            if trial.outcome == "COMPLETE":
                score = trial.score
                # It would stay where it found nothing more: the median of the generations after that counts it, too.
                for generation in range(len(trial.reports), GENERATIONS):
                    asked.report(trial.reports[-1], generation)
            self._studies[kind].tell(asked, score, TrialState[trial.outcome])
        self.first_number += len(trials)
        self._asked = []
        for kind, study in self._studies.items():
            remembered = study.get_trials(deepcopy=False)
            if len(remembered) >= MEMORY:
                self._studies[kind] = self._study(kind)
                self._studies[kind].add_trials(remembered[-MEMORY // 2 :])


def _start(params: dict[str, float]) -> Start:
    shape = Shape(*(params[name] for name in SHAPE)) if "place" in params else None
    return Start(params["temperature"], params["stride"], shape)
