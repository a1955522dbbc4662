"""The needs that prices follow from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlab.model.ladder import Array


@dataclass(frozen=True, slots=True)
class Needs:
    """Needs of orders 2..M (K, B), and the line that they follow where no gap is bound.

    That is ``min(top, base + pull * slope)``, the three of shape (B,).
    """

    need: Array
    top: Array
    base: Array
    pull: Array

    def of(self, ladders: NDArray[np.int64]) -> Needs:
        """Those of some ladders, in that order."""
        return Needs(self.need[:, ladders], self.top[ladders], self.base[ladders], self.pull[ladders])

    def put(self, ladders: NDArray[np.int64], other: Needs) -> None:
        """Replace those of some ladders."""
        self.need[:, ladders] = other.need
        self.top[ladders], self.base[ladders], self.pull[ladders] = other.top, other.base, other.pull
