"""Branch and bound over boxes: the least bound of all is one for the cell.

Formulas are numbered as in ``docs/bound.md``.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mlab.core.errors import EvaluationError
from mlab.model.bound.branching import KEPT, Bounded, Node, halves
from mlab.model.bound.dual import Effort, highest
from mlab.model.bound.grid import Grid, grid
from mlab.model.bound.lagrangian import Box, Lagrangian, radius, start
from mlab.model.bound.patterns import Patterns
from mlab.model.bound.terms import Terms, narrowed
from mlab.model.bound.through import tightened
from mlab.model.ladder import Array
from mlab.model.limits import GUARD
from mlab.model.scoring import scores
from mlab.model.space import Space

ROOTS = 12  # boxes to begin with, of equal widths of the largest need
COARSE = 0.02  # distance of neighbouring nodes of u to begin with, as a share
PASSES, ROOT_PASSES = 12, 30  # backward passes for a box, at most
GRIDS = 16  # that are kept
LEVEL = 0.999  # of the share: ladders no better than that are not looked for


class Prover:
    """Proves, box by box, that no ladder of a space scores less than ``lower``.

    The same steps give the same bound to the last bit, however they are cut into calls. Where all ladders are proved
    that near to the best score, nothing more is done.
    """

    def __init__(self, space: Space, *, within_pct: float = 0.1) -> None:
        self.space = space
        self.share = within_pct / 100.0
        self.boxes = 0  # bounded so far
        self.ladder: Array | None = None  # growths (K,) of the best ladder met on the way
        self.ladder_score = np.inf
        self._terms = Terms.of(space)
        self._closed = np.inf  # least bound of the boxes that are not looked at any more
        self._open: list[tuple[float, int, Bounded]] = []  # heap of bounded boxes, that of the least bound first
        self._begun = False
        self._waiting: list[Node] = []  # boxes to be bounded next, the last first
        self._best = np.inf
        self._grids: dict[tuple[bytes, float], Grid] = {}

    @property
    def lower(self) -> float:
        """No ladder scores less."""
        if not self._begun:
            return 0.0
        bounds = [self._closed, self._best, *(node.bound for node in self._waiting)]
        if self._open:
            bounds.append(self._open[0][0])
        return max(min(bounds), 0.0)  # B18

    @property
    def complete(self) -> bool:
        """Whether the best score is proved as near to the least as was asked."""
        return self.lower >= self._enough

    @property
    def stuck(self) -> bool:
        """Whether there is nothing left to try, though the proof is not complete."""
        return self._begun and not self._waiting and not self._open and not self.complete

    @property
    def _enough(self) -> float:
        return self._best * (1.0 - self.share)

    def advance(self, best_score: float, boxes: int) -> None:
        """Bound some boxes more, fewer where the proof is complete; ``best_score`` is that of the best ladder known.

        Raises:
            EvaluationError: a best score that no ladder can have.
        """
        if not 0.0 <= best_score < np.inf:
            raise EvaluationError(f"best_score must be a finite number and not below 0, was {best_score}")
        self._best = min(self._best, best_score)
        if not self._begun:
            self._begun, self._waiting = True, self._roots()
        goal = self.boxes + boxes
        while self.boxes < goal and not self.complete:
            if self._waiting:
                self._bound(self._waiting.pop())
            elif self._open:
                self._divide(heapq.heappop(self._open)[2])
            else:
                break

    def _roots(self) -> list[Node]:
        """Boxes that cover all ladders whose largest need alone does not cost more than the best score. B18."""
        terms = self._terms
        windows = narrowed(terms, terms.windows)
        if windows is None:
            return []
        most = 1.0 / terms.floor - 1.0
        if terms.largest > 0.0:
            most = min(most, self._best / terms.largest)
        ends = np.linspace(0.0, most, ROOTS + 1)
        x, none = start(terms, self._best), Patterns.none(terms)
        roots = []
        for low, high in pairwise(ends.tolist()):
            box = Box((low, high), (0.0, high * terms.steps / terms.orders), windows)
            roots.append(Node(box, COARSE, terms.largest * low, x, none))
        return roots

    def _bound(self, node: Node) -> None:
        terms, box = self._terms, node.box
        root = not len(node.known)
        close = max(1e-9, 0.02 * self.share) * self._best
        effort = Effort(ROOT_PASSES if root else PASSES, self._enough, close)
        at = node.x, radius(terms, box, self._best, node.x)
        found = highest(terms, box, self._grid(box.windows, node.ratio), at, node.known, effort)
        self.boxes += 1
        done = Bounded(box, node.ratio, max(node.bound, found.bound), found)
        if done.bound < self._best:
            self._try(done.mixture(KEPT)[1])
        if root and self._waiting and found.bound < 2.0 * self._best:
            self._waiting[-1] = replace(self._waiting[-1], x=found.x)
        if done.bound < self._enough:
            self._keep(done)
        else:
            self._closed = min(self._closed, done.bound)

    def _keep(self, node: Bounded) -> None:
        """What is left of a box when growths are cut off it that no ladder has which scores little enough."""
        terms, box, found = self._terms, node.box, node.found
        level = self._best * (1.0 - LEVEL * self.share)
        lagrangian = Lagrangian.of(terms, box, found.x)
        windows = narrowed(terms, tightened(lagrangian, self._grid(box.windows, node.ratio), found.done, level))
        if windows is None or not np.array_equal(windows, box.windows):
            self._closed = min(self._closed, level)  # B23
        if windows is not None:
            light = replace(found.done, costs=found.done.costs[:0])
            node = replace(node, box=replace(box, windows=windows), found=replace(found, done=light))
            heapq.heappush(self._open, (node.bound, self.boxes, node))

    def _divide(self, node: Bounded) -> None:
        parts = halves(self._terms, node, self._best)
        if parts:
            self._waiting.extend(reversed(parts))
        else:
            self._closed = min(self._closed, node.bound)

    def _grid(self, windows: Array, ratio: float) -> Grid:
        key = windows.tobytes(), ratio
        if key not in self._grids:
            if len(self._grids) >= GRIDS:
                del self._grids[next(iter(self._grids))]
            self._grids[key] = grid(self._terms, windows, ratio)
        return self._grids[key]

    def _try(self, patterns: Patterns) -> None:
        """Price the ladders of some patterns, each as it is and with each step taking up slack by F25."""
        space = self.space
        windows, kind = self._terms.windows, patterns.kind[:, :KEPT]
        ends = windows[np.arange(space.steps)[:, None], kind]  # a growth on a threshold is to be of its kind
        growth = np.clip(patterns.growth[:, :KEPT], ends[..., 0] * (1.0 + GUARD), ends[..., 1] * (1.0 - GUARD))
        growth = np.repeat(growth, space.steps + 1, axis=1)
        variant = np.tile(np.arange(space.steps + 1), growth.shape[1] // (space.steps + 1))
        growth = np.clip(growth, space.growth_min, space.growth_max)
        space.absorb(growth, variant % space.steps, variant < space.steps)
        growth = space.feasible(growth)
        indent, volume, _ = space.priced(growth)
        score = scores(indent, volume, space.objective)
        best = int(score.argmin())
        if score[best] < self.ladder_score:
            self.ladder_score, self.ladder = float(score[best]), growth[:, best].copy()
            self._best = min(self._best, self.ladder_score)
