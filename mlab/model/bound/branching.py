"""Where to cut a box in two, so that the bounds of the halves are better than its own.

Formulas are numbered as in ``docs/bound.md``. Which cut is chosen matters for speed alone: the halves cover the box.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlab.model.bound.dual import Found
from mlab.model.bound.lagrangian import Box, Tangent
from mlab.model.bound.patterns import Patterns
from mlab.model.bound.terms import CLOSED, Terms, narrowed
from mlab.model.ladder import Array

FINEST = 0.0005  # distance of neighbouring nodes of u, as a share, that is not halved any more
KEPT = 8  # patterns that a half inherits, and that are priced as ladders
LIGHT = 1e-3  # weight below which a pattern does not count
SEPARATES = 2.0  # times the share of all disagreement that is at one step: what a cut of its growth may gain of the gap
SURE = 0.01  # weight of the patterns that must disagree on a kind of growth for a cut between kinds


@dataclass(frozen=True, slots=True)
class Node:
    """A box that waits to be bounded."""

    box: Box
    ratio: float  # distance of neighbouring nodes of u on its grid, as a share
    bound: float  # that of the box it is cut from
    x: Array  # multipliers to begin with
    known: Patterns


@dataclass(frozen=True, slots=True)
class Bounded:
    """A box with its bound."""

    box: Box
    ratio: float
    bound: float
    found: Found

    def mixture(self, least: int = 1) -> tuple[Array, Patterns]:
        """The patterns that hold up the bound, heaviest first, and their weights, of sum 1."""
        weights = self.found.weights
        order = np.argsort(-weights, kind="stable")[: max(least, int((weights > LIGHT).sum()))]
        return weights[order] / weights[order].sum(), self.found.patterns.take(order)


def halves(terms: Terms, node: Bounded, best: float) -> list[Node]:
    """Two boxes that cover the node's, or one on a finer grid; none where nothing is left to cut."""
    weights, patterns = node.mixture()
    boxes, ratio = _cut(terms, node, best, weights, patterns)
    tangent = _tangent(terms, weights, patterns)
    _, known = node.mixture(KEPT)
    return [Node(replace(half, tangent=tangent), ratio, node.bound, node.found.x, known) for half in boxes]


def _cut(terms: Terms, node: Bounded, best: float, weights: Array, patterns: Patterns) -> tuple[list[Box], float]:
    """Cut what hides most of the gap between bound and best score: largest need, mean, growth, or the grid."""
    box, rest = node.box, best - node.bound
    by_largest, by_mean = _losses(terms, node, weights, patterns)
    left = max(rest - by_largest - by_mean, 0.0)
    by_grid = min(left, node.found.slack)
    step, part = _growth_to_cut(weights, patterns)
    by_growth = min(1.0, SEPARATES * part) * (left - by_grid) if step is not None else 0.0
    most = max(by_largest, by_mean, by_grid, by_growth)
    if by_grid == most or (step is None and max(by_largest, by_mean) < 0.1 * rest):
        return [box] if node.ratio > FINEST else [], node.ratio / 2.0
    if step is not None and by_growth == most:
        return _cut_growth(terms, box, step, weights, patterns), node.ratio
    return _cut_largest(terms, box) if by_largest == most else _cut_mean(box), node.ratio


def _losses(terms: Terms, node: Bounded, weights: Array, patterns: Patterns) -> tuple[float, float]:
    """How much of the score the widths of the box hide: of the largest need, and of the mean."""
    box, need, least = node.box, patterns.need, node.box.largest[0]
    shared = (node.found.x[-terms.steps :, None] * np.maximum(need - least, 0.0)).sum(axis=0)
    largest = terms.largest * np.maximum(need.max(axis=0) - least, 0.0) - shared
    mean = need.sum(axis=0) / terms.orders
    hidden = terms.spread * np.maximum(box.half**2 - (mean - box.middle) ** 2, 0.0)
    return float(weights @ largest), float(weights @ hidden)


def _cut_largest(terms: Terms, box: Box) -> list[Box]:
    (low, high), (least, most) = box.largest, box.mean
    middle = (low + high) / 2.0
    below = min(most, middle * terms.steps / terms.orders)  # B18
    boxes = [replace(box, largest=(low, middle), mean=(least, below)), replace(box, largest=(middle, high))]
    return [half for half in boxes if half.mean[1] > half.mean[0]]


def _cut_mean(box: Box) -> list[Box]:
    least, most = box.mean
    return [replace(box, mean=(least, box.middle)), replace(box, mean=(box.middle, most))]


def _growth_to_cut(weights: Array, patterns: Patterns) -> tuple[int | None, float]:
    """The step on which the patterns disagree most, as far as it moves volume; None where they agree. And its share."""
    log = np.log(patterns.growth)
    spread = (log - (log @ weights)[:, None]) ** 2 @ weights
    held = np.cumsum(np.concatenate((np.ones((1, len(patterns))), np.cumprod(patterns.growth, axis=0))), axis=0)
    moves = (1.0 - held[:-1] / held[-1]) @ weights
    disagree = 1.0 - np.max([(patterns.kind == kind) @ weights for kind in range(3)], axis=0)
    value = spread * moves + 1e-3 * disagree
    step = int(value.argmax())
    return (step if value[step] > 1e-8 else None), float(value[step] / max(value.sum(), 1e-300))


def _cut_growth(terms: Terms, box: Box, step: int, weights: Array, patterns: Patterns) -> list[Box]:
    """Between kinds of growth where the patterns have several, else within the kind. B17."""
    kinds = box.windows.shape[1]
    share = np.array([weights[patterns.kind[step] == kind].sum() for kind in range(kinds)])
    low, high = box.windows.copy(), box.windows.copy()
    if (share > SURE).sum() > 1:
        below = np.cumsum(share)[:-1]
        border = int(np.where((below > SURE) & (below < 1.0 - SURE), np.abs(below - 0.5), np.inf).argmin()) + 1
        low[step, border:], high[step, :border] = CLOSED, CLOSED
    else:
        kind = int(share.argmax())
        least, most = box.windows[step, kind]
        middle = float(np.exp(np.log(patterns.growth[step]) @ weights))
        middle = min(max(middle, 0.8 * least + 0.2 * most), 0.2 * least + 0.8 * most)
        low[step, kind], low[step, kind + 1 :] = (least, middle), CLOSED
        high[step, kind], high[step, :kind] = (middle, most), CLOSED
    cut = [narrowed(terms, windows) for windows in (low, high)]
    return [replace(box, windows=windows) for windows in cut if windows is not None]


def _tangent(terms: Terms, weights: Array, patterns: Patterns) -> Tangent:
    """Touching P_smooth where the patterns' gaps are, if these fall as the best ladders' do. B9."""
    if terms.orders == 2:
        return Tangent()
    before = patterns.factor[0]
    second = 100.0 * (1.0 - patterns.price[0])
    third = 100.0 - second - 100.0 * before * patterns.price[1]
    gaps = max(float(weights @ second), 1e-6), max(float(weights @ third), 1e-6)
    if terms.orders > 3 and not gaps[0] >= gaps[1] >= (terms.overlap - sum(gaps)) / (terms.orders - 3):
        mean = max(gaps[0], terms.overlap / (terms.orders - 1))
        gaps = mean, (terms.overlap - mean) / (terms.orders - 2)
    return Tangent(gaps, float(weights @ before), float(weights @ patterns.price[1]))
