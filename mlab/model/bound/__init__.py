"""A lower bound on the score, proved: no ladder of a cell scores below it. ``docs/bound.md``.

Example:
    The best ladder known of 3 orders over 10 % scores 2.1032; at most 1 % is to be had beyond that:

    >>> from mlab.core.records import Cell
    >>> from mlab.model.objective import Objective
    >>> from mlab.model.space import Space
    >>> prover = Prover(Space.of(Cell(index=0, overlap_pct=10.0, num_orders=3), Objective()), within_pct=1.0)
    >>> prover.advance(2.1032, boxes=100)
    >>> prover.complete, 2.08 < prover.lower < 2.1032
    (True, True)
"""

from mlab.model.bound.prover import Prover

__all__ = ["Prover"]
