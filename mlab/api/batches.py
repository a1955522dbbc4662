"""Many ladders at once: scored by the thousand, and priced from their volumes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mlab import config as configs
from mlab.api.arguments import LIMITS, SCORE, check_volumes, ladders_of, numbers_of, objective_of
from mlab.core.errors import ConfigError, EvaluationError
from mlab.core.records import Sizing
from mlab.model import limits as limit
from mlab.model import objective, scoring
from mlab.model.compiled import LADDERS
from mlab.model.ladder import Array
from mlab.model.pricing import Pricing


def scores(
    indent_pct: ArrayLike,
    volume: ArrayLike,
    *,
    score: objective.Score = SCORE,
    limits: limit.Limits = LIMITS,
    sizing: Sizing = "quote",
) -> Array:
    """Score many ladders at once, a million or two a second.

    Args:
        indent_pct: depth of each order in %, shape (ladders, orders), as in :class:`mlab.Ladder`.
        volume: volumes in any unit, shape (ladders, orders).
        score: as in :func:`mlab.evaluate`.
        limits: as there.
        sizing: as there.

    Returns:
        Their scores, shape (ladders,).

    Raises:
        ConfigError, EvaluationError: as :func:`mlab.evaluate`.

    Example:
        >>> import mlab
        >>> mlab.scores([[0, 5, 10], [0, 5, 10]], [[1, 1.2, 1.44], [1, 1, 1]]).round(6).tolist()
        [3.541189, 4.210061]
    """
    indent, amount = ladders_of("scores", indent_pct, volume, 2)
    judged_by = objective_of("scores", score, limits, sizing)
    LADDERS.after(indent.size // 10)  # to score an order takes a tenth of what to price and score it does
    return scoring.scores(np.ascontiguousarray(indent.T), np.ascontiguousarray(amount.T), judged_by)


def price(
    volume: ArrayLike,
    *,
    overlap_pct: float,
    score: objective.Score = SCORE,
    limits: limit.Limits = LIMITS,
    sizing: Sizing = "quote",
) -> Array:
    """Place orders of given volumes where the score is least, by its closed form.

    Args:
        volume: volumes in any unit, shape (orders,) of one ladder or (ladders, orders).
        overlap_pct: depth of the last order in %.
        score: what makes the prices good.
        limits: the two on gaps are kept; those on volumes are for who chooses these.
        sizing: as in :func:`mlab.evaluate`.

    Returns:
        Depth of each order in %, of the shape of ``volume``.

    Raises:
        ConfigError: an argument is wrong, or so many gaps do not fit.
        EvaluationError: volumes are out of all proportion.

    Example:
        >>> import mlab
        >>> mlab.price([1, 1.5, 1.5], overlap_pct=20, limits=mlab.Limits(max_gap_ratio=None)).round(3).tolist()
        [0.0, 16.466, 20.0]
    """
    shape = np.shape(volume)
    amount = numbers_of("price", "volume", volume, 1 if len(shape) == 1 else 2)
    check_volumes("price", amount)
    judged_by = objective_of("price", score, limits, sizing)
    if np.ndim(overlap_pct):
        raise ConfigError("price", "overlap_pct", "must be one number", overlap_pct)
    least, equal = limits.min_indent_step_pct, (0.0, 0.0)  # growths that would keep any limit on volumes
    gaps = limit.Limits(min_indent_step_pct=least, martingale_pct=equal, first_volume_min_pct=0.1, tail_cap_pct=100.0)
    tree = {"overlap_pct": overlap_pct, "num_orders": amount.shape[-1], "limits": gaps}
    (cell,) = configs.from_tree({"ladder": tree}, "price").cells()
    pricing = Pricing.of(cell.overlap_pct, limit.Gaps.of(cell, limits), judged_by)
    with np.errstate(all="ignore"):  # what comes of wild volumes is judged below
        indent = np.asarray(pricing.indents(np.array(np.atleast_2d(amount).T, order="C"))[0].T)
    if not (np.diff(indent) > 0.0).all():
        raise EvaluationError("price: volumes are out of all proportion to each other")
    return indent.reshape(shape)
