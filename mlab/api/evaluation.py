"""A ladder judged: every number of the contract, and the risk beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from mlab.api.arguments import LIMITS, SCORE, objective_of
from mlab.api.ladders import Ladder
from mlab.api.shown import Table
from mlab.core.decimals import UNPRICED
from mlab.core.errors import ConfigError
from mlab.core.records import Candidate, Cell, Json, Sizing
from mlab.model import contract, objective
from mlab.model import limits as limit
from mlab.model.ranking import Ranked
from mlab.report import columns, words

if TYPE_CHECKING:
    from mlab.api.pictures import Plot


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One ladder and every number about it. ``str`` tells it in words, a notebook shows its orders.

    Attributes:
        record: what is stored of a ladder, its contract and its risk block among it.
    """

    record: Candidate

    @property
    def candidate_id(self) -> str:
        """Its name in the database, MLflow and every report; empty for a ladder of one's own."""
        return self.record.candidate_id

    @property
    def cell(self) -> Cell:
        """Its overlap in % and number of orders."""
        return self.record.cell

    @property
    def ladder(self) -> Ladder:
        """The ladder, its volumes in % of the position, its take-profit that of the score; without a price of 100."""
        schedule = self.record.contract["schedule"]
        price = schedule["order_prices"][0] / (1.0 - schedule["indent_pct"][0] / 100.0)
        known = None if price == UNPRICED else price
        return Ladder(schedule["indent_pct"], schedule["volume_pct"], known, self.record.risk.get("take_profit_pct"))

    @property
    def score(self) -> float:
        """J, lower is better; it ranks ladders of one overlap and number of orders only."""
        return self.record.score

    @property
    def needpct(self) -> list[float]:
        """Rebound to break even after each fill, in % of its price, one an order."""
        return list(self.record.contract["schedule"]["needpct"])

    @property
    def risk(self) -> Json:
        """What NeedPct does not show: need before each fill, money deployed, losses, and what to expect of deals.

        All are in %, and time in candles of 1 % volatility. What a former version stored has less.
        """
        return dict(self.record.risk)

    @property
    def orders(self) -> Table[Json]:
        """The ladder as it is entered at an exchange: a row an order."""
        rows = columns.order_rows(self.record)
        return Table(rows, columns.ORDER, rows)

    def to_dict(self) -> Json:
        """The contract of the evaluation, in plain JSON values."""
        return dict(self.record.contract)

    def plot(self) -> Plot:
        """How much is bought where, and the rebound needed at every price on the way down."""
        from mlab.api.pictures import ladder  # noqa: PLC0415 - late, for it loads matplotlib

        return ladder(self.record)

    @property
    def _title(self) -> str:
        row = Ranked(1, self.record)
        need, path = columns.AT_FILLS.text(row), columns.ON_PATH.text(row)
        return f"{self.cell.label}: score {self.score:.4f}, need {need} % at fills, {path} % on path"

    def __repr__(self) -> str:
        return f"<{self._title}>"

    def __str__(self) -> str:
        return "\n".join([self._title, *words.bullets(self.record.contract["schedule"]), *words.risk(self.record)])

    def _repr_html_(self) -> str:
        risk = "".join(f"<p>{escape(sentence)}</p>" for sentence in words.risk(self.record))
        return f"<p><b>{escape(self._title)}</b></p>{self.orders._repr_html_()}{risk}"


def evaluate(
    ladder: Ladder, *, score: objective.Score = SCORE, limits: limit.Limits = LIMITS, sizing: Sizing = "quote"
) -> Evaluation:
    """Judge one ladder.

    Args:
        ladder: the ladder.
        score: what makes it good. Chances are told for the ladder's own take-profit, if the score names none.
        limits: two of which are flags of the contract, and one a penalty; the ladder need not keep them.
        sizing: what its volumes are, money (``quote``) or coins (``base``).

    Raises:
        ConfigError: an argument is wrong.
        EvaluationError: volumes or indents are out of all proportion.

    Example:
        >>> import mlab
        >>> ladder = mlab.Ladder(indent_pct=[0, 5, 10], volume=[1, 1.2, 1.44], base_price=202.91)
        >>> [round(need, 6) for need in mlab.evaluate(ladder).needpct]
        [0.0, 2.325581, 4.692704]
    """
    if not isinstance(ladder, Ladder):
        raise ConfigError("evaluate", "ladder", "must be a mlab.Ladder", ladder)
    judged_by = objective_of("evaluate", score, limits, sizing)
    if ladder.take_profit_pct is not None and "take_profit_pct" not in score.model_fields_set:
        own = score.model_copy(update={"take_profit_pct": ladder.take_profit_pct})
        judged_by = replace(judged_by, score=own)
    indent, volume = (np.array([values]).T for values in (ladder.indent_pct, ladder.volume))
    price = UNPRICED if ladder.base_price is None else ladder.base_price
    return Evaluation(contract.judged(indent, volume, price, judged_by))
