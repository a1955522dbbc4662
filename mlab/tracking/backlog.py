"""What MLflow is still owed of a run, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from mlab.core.records import Experiment
from mlab.store import Store


@dataclass(frozen=True, slots=True)
class Debt:
    """Numbers that have not been delivered, and whether MLflow lacks the ending: status, summary and artifacts."""

    numbers: int
    ending: bool

    @classmethod
    def of(cls, store: Store, run: Experiment) -> Self:
        """What is owed of a run now."""
        return cls(len(store.owed(run.exp_id)), run.exp_id in {one.exp_id for one in store.owing()})

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.numbers or self.ending)

    def __str__(self) -> str:
        """``44 numbers and the ending with its artifacts``."""
        numbers = f"{self.numbers} number{'s' * (self.numbers != 1)}" if self.numbers else ""
        return " and ".join(part for part in (numbers, "the ending with its artifacts" * self.ending) if part)


@dataclass(frozen=True, slots=True)
class Settlement:
    """One run that was owed: before, what is left, and why."""

    run_id: str
    before: Debt
    left: Debt
    why: str

    def __str__(self) -> str:
        """One line for people."""
        if not self.left:
            return f"run {self.run_id}: delivered {self.before}"
        return f"run {self.run_id}: MLflow is still owed {self.left}: {self.why}"
