"""Ladders taken through prices."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, get_args

from mlab.api.arguments import one_of, path_of, whole_of
from mlab.api.shown import Table
from mlab.config.replay import MOST_HISTORIES
from mlab.config.wording import judged
from mlab.core.records import Json, Sizing
from mlab.prices import Candles, Prices, chosen, read
from mlab.replay import Beside, ExitRule, Fees, Levels, Outcome, Plan, beside, levels_of
from mlab.report import replayed
from mlab.report.replayed import Row

if TYPE_CHECKING:
    from mlab.api.pictures import Plot


@dataclass(frozen=True, slots=True)
class Replay:
    """What a ladder would have done, and what the classical ladders would have. ``str`` tells it in words.

    Attributes:
        candles: the prices.
        group: the ladder and the classical ones, each with its outcome and the ends of its interval.
        fees: what the exchange took.
        histories: other histories that the intervals come of.
    """

    candles: Candles
    group: Beside
    fees: Fees
    histories: int

    @property
    def outcome(self) -> Outcome:
        """Every number of the ladder by itself, such as ``total_pct``, ``deals`` or ``depth_counts``."""
        return self.group.ladders[0].outcome

    @property
    def interval(self) -> tuple[Outcome, Outcome] | None:
        """Between which each number lies in nine of ten other histories; None without such."""
        return self.group.ladders[0].ends

    @property
    def money(self) -> Table[Row]:
        """What became of money and time: a row a ladder, the classical ones last, each with its interval."""
        rows = replayed.rows(self.group)
        return Table(rows, replayed.MONEY, rows)

    @property
    def deals(self) -> Table[Row]:
        """What the deals were: rows as in ``money``."""
        rows = replayed.rows(self.group)
        return Table(rows, replayed.deal_columns(self.group.rule), rows)

    def plot(self) -> Plot:
        """What an account with the ladder would have shown: profit, drawdown, and at which depth its deals ended."""
        from mlab.api.pictures import replay  # noqa: PLC0415 - late, for it loads matplotlib

        return replay(self.candles, self._levels, self.group.ladders[0], self.fees, self._title)

    def plot_longest_deal(self) -> Plot:
        """The deal that took longest, on its prices."""
        from mlab.api.pictures import longest_deal  # noqa: PLC0415 - late, for it loads matplotlib

        return longest_deal(self.candles, self._levels, f"{self._title}: the longest deal")

    @property
    def _levels(self) -> Levels:
        return levels_of([self.group.ladders[0].plan], self.group.rule)

    @property
    def _title(self) -> str:
        return f"{replayed.title(self.group)}, on {self.candles.name}"

    @property
    def warnings(self) -> list[str]:
        """What is odd about the prices, and where candles or fees make the numbers doubtful."""
        return [*self.candles.warnings, *self.group.doubts]

    def to_dict(self) -> Json:
        """Prices and replays in plain JSON values, as ``mlab replay --format json`` has them."""
        prices = self.candles.to_dict()
        return {"prices": prices, "replays": replayed.records([("", prices, [self.group])])}

    def __repr__(self) -> str:
        told, rule = self.outcome, self.group.rule
        what = f"total {told.total_pct:.1f} %, drawdown {told.max_drawdown_pct:.1f} %, {told.deals} deals, one open"
        return f"<{self.group.cell} on {self.candles.name}, take profit {rule.take_profit_pct:g} %: {what}>"

    def __str__(self) -> str:
        tables = [repr(self.money), "", repr(self.deals)]
        return "\n".join([*self._head, "", *tables, "", *self.warnings, *replayed.LEGEND])

    def _repr_html_(self) -> str:
        head, told = (
            "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
            for sentences in (self._head, (*self.warnings, *replayed.LEGEND))
        )
        return f"{head}{self.money._repr_html_()}{self.deals._repr_html_()}{told}"

    @property
    def _head(self) -> tuple[str, str]:
        terms = replayed.terms(self.fees, self.histories, [self.group])
        return replayed.prices_in_words(self.candles.to_dict()), terms


def replayed_ladder(
    plan: Plan, prices: Prices, rule: Mapping[str, float | None], fees: Mapping[str, float], histories: int
) -> Replay:
    """What one ladder would have done; arguments as of :meth:`mlab.Ladder.replay`."""
    histories = whole_of("replay", "bootstrap", histories, 0, MOST_HISTORIES)
    one_of("replay", "sizing", plan.sizing, get_args(Sizing))
    exits = judged(ExitRule, "replay", rule)
    taken = judged(Fees, "replay", fees, {"maker_pct": "fee_maker_pct", "taker_pct": "fee_taker_pct"})
    candles = chosen(prices)
    (group,) = beside(candles, [(plan, exits)], taken, histories)
    return Replay(candles, group, taken, histories)


def read_prices(path: str | os.PathLike[str]) -> Candles:
    """Read candles from a file: CSV with or without a header, JSON arrays, feather or parquet, zipped or not.

    Raises:
        ConfigError: that is no path.
        PricesError: the file cannot be read, or holds what is no candle: file, row and reason.
    """
    return read(str(path_of("read_prices", "path", path)))
