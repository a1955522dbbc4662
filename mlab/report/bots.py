"""A bot for people: its orders, and the best ladder beside it, with what that wins and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from mlab.bots import Bot
from mlab.bots.bot import typed
from mlab.core.decimals import exact
from mlab.core.records import Candidate, Json, Need
from mlab.model.front import at_fills, on_path
from mlab.model.ranking import Ranked
from mlab.report import columns, numbers, terminal, words
from mlab.report.columns import PERCENT, TENTHS, Column, by_key, records

FALLS_PCT = (5, 10, 20)
"""Falls at which it is told how much is spent."""

EXACT, SHOWN = 1e-6, 0.005
"""Rounding of a depth, in percent, and what of a share is not shown."""


def money(value: float) -> str:
    """An amount: two decimals, or four digits of a small one."""
    return f"{value:.2f}" if value >= 1.0 else numbers.significant(value, 4)


def price(value: float) -> str:
    """A price, or a quantity, as an exchange has it."""
    return numbers.significant(value, numbers.PRICE_DIGITS)


ORDERS = (
    by_key("order", "order"),
    by_key("deviation_pct", "deviation", "%", PERCENT),
    by_key("price", "price", write=exact),
    by_key("size", "size", write=money),
    by_key("quantity", "quantity", write=price, below="price"),
    by_key("spent", "spent", write=money, below="size"),
    by_key("average", "average", write=price),
    by_key("martingale_pct", "martingale", "%", TENTHS, spare=True),
    by_key("need_before_fill", "need before fill", "%", PERCENT),
    by_key("needpct", "to break even", "%", PERCENT),
    by_key("to_take_profit_pct", "to take profit", "%", PERCENT, below="needpct"),
)
"""The orders of a bot, as calculators show them; rows are those of :func:`order_rows`."""


def order_rows(bot: Bot, ladder: Candidate) -> list[Json]:
    """One flat row an order: where, how much, and the rise that is needed from there, in %."""
    schedule, risk = ladder.contract["schedule"], ladder.risk
    prices = numbers.prices(schedule["order_prices"], schedule["indent_pct"])
    target = 1.0 if bot.take_profit_pct is None else 1.0 + float(bot.take_profit_pct) / 100.0
    rows, spent = [], 0.0
    for k, order in enumerate(bot.orders):
        size, rise = float(order.size), 1.0 + schedule["needpct"][k] / 100.0
        spent += size
        rows.append(
            {
                "order": k + 1,
                "deviation_pct": numbers.percent(schedule["indent_pct"][k]),
                "price": prices[k],
                "size": size,
                "quantity": size / prices[k],
                "spent": spent,
                "average": prices[k] * rise,
                "martingale_pct": numbers.percent(schedule["martingale_pct"][k]),
                "need_before_fill": numbers.percent(risk["need_before_fill"][k]),
                "needpct": numbers.percent(schedule["needpct"][k]),
                "to_take_profit_pct": numbers.percent((rise * target - 1.0) * 100.0),
            }
        )
    return rows


def show(out: Console, bot: Bot, ladder: Candidate, counted: Need) -> None:
    """Print a bot: who makes it and how it counts, what it covers and takes, its orders, and its risk in words.

    ``counted`` is the need that the score counts.
    """
    row = Ranked(1, ladder)
    name = terminal.writable(out, bot.name or bot.maker)
    out.print(Text.assemble((name, "bold"), f"  {bot.maker}: distances count {bot.distance}"), soft_wrap=True)
    need, path = columns.AT_FILLS.text(row), columns.ON_PATH.text(row)
    terminal.line(out, f"{ladder.cell.label}  score {ladder.score:.4f}  need {need} % at fills, {path} % on path")
    budget = money(float(bot.budget))
    takes = f", whose sizes are shares, {budget} in all" if bot.shares else f" and takes {budget}"
    covers = f"Covers {typed(bot.depth_pct, 2)} % with {len(bot.orders)} orders{takes}"
    target = "" if bot.take_profit_pct is None else f"; takes profit {typed(bot.take_profit_pct)} % above the average"
    terminal.prose(out, f"{covers}{target}. The score counts the {words.NEEDS[counted]}.")
    out.print()
    hidden = {"quantity"} if bot.price is None or bot.shares else set()
    hidden |= {"to_take_profit_pct"} if bot.take_profit_pct is None else set()
    terminal.table(out, [one for one in ORDERS if one.key not in hidden], order_rows(bot, ladder))
    out.print()
    if bot.price is None:
        terminal.prose(out, "Prices are those of a first order at 100.")
    for sentence in words.risk(ladder):
        terminal.prose(out, sentence)
    for sentence in left_out(bot):
        terminal.prose(out, terminal.writable(out, sentence))
    terminal.prose(out, "Fees, funding and liquidation are left out.")


def left_out(bot: Bot) -> list[str]:
    """What else the bot trades by, in one sentence; none where there is nothing."""
    if not bot.left_out:
        return []
    return [f"{bot.name or bot.maker} also trades by {', '.join(bot.left_out)}: left out here."]


@dataclass(frozen=True, slots=True)
class Side:
    """One of two ladders that stand beside each other."""

    name: str
    ladder: Candidate

    @property
    def indent(self) -> list[float]:
        """Depth of each order in %."""
        return list(self.ladder.contract["schedule"]["indent_pct"])

    @property
    def deployed(self) -> list[float]:
        """Share of the money that is spent after each order, in %."""
        return list(self.ladder.risk["capital_deployed_pct"])

    @property
    def half_at(self) -> float:
        """Depth at which half of the money is spent, in %."""
        return self.indent[words.half_bought(self.ladder)]

    def spent_at(self, fall_pct: float) -> float:
        """Share of the money that is spent so far down, in %."""
        return max(share for depth, share in zip(self.indent, self.deployed, strict=True) if depth <= fall_pct + EXACT)


def _spent(fall_pct: int) -> Column:
    return Column(f"spent_at_{fall_pct}_pct", f"spent at {fall_pct} %", lambda it: it.spent_at(fall_pct), "%", TENTHS)


COMPARED = (
    Column("ladder", "ladder", lambda it: it.name, kind="text"),
    columns.AT_FILLS,
    columns.ON_PATH,
    Column("first_order_pct", "order 1", lambda it: it.deployed[0], "%", PERCENT),
    columns.FIRST_GAP,
    Column("half_spent_at_pct", "half spent at", lambda it: it.half_at, "%", PERCENT),
    *map(_spent, FALLS_PCT),
)
"""What an honest comparison shows: the needs, and how much waiting they take. A row is a :class:`Side`."""


def beside(out: Console, yours: Side, other: Side) -> None:
    """Print two ladders beside each other, and in words what the other wins and what it costs."""
    out.print()
    terminal.table(out, COMPARED, (yours, other))
    out.print()
    for sentence in (*unlike(yours, other), won(yours, other), waiting(yours, other)):
        terminal.prose(out, sentence)


def unlike(yours: Side, other: Side) -> list[str]:
    """What is not equal between them and should be, so that their needs do not quite compare."""
    cell, own = other.ladder.cell, yours.ladder.cell
    told = []
    if cell.num_orders != own.num_orders or abs(cell.overlap_pct - own.overlap_pct) > EXACT:
        covers = f"it covers {cell.overlap_pct:.2f} % with {cell.num_orders} orders"
        told.append(f"{covers}, yours {own.overlap_pct:.2f} % with {own.num_orders}")
    if other.deployed[0] < yours.deployed[0] - SHOWN:
        told.append(f"its order 1 holds {other.deployed[0]:.2f} %, yours {yours.deployed[0]:.2f} %")
    return [f"The two are not alike: {'; '.join(told)}."] if told else []


def won(yours: Side, other: Side) -> str:
    """What the other ladder needs less."""
    path, fills = ((need(yours.ladder), need(other.ladder)) for need in (on_path, at_fills))
    start = "Won: on the path" if _tenths(path[1]) < _tenths(path[0]) else "Nothing is won: on the path"
    return f"{start} the largest rebound that the position needs {_change(*path)}, at fills it {_change(*fills)}."


def _change(before: float, after: float) -> str:
    if _tenths(before) == _tenths(after):
        return f"stays at {after:.1f} %"
    return f"{'falls' if after < before else 'rises'} from {before:.1f} to {after:.1f} %"


def _tenths(value: float) -> float:
    """As it is shown: what differs by less than that is told as equal."""
    return float(f"{value:.1f}")


def waiting(yours: Side, other: Side) -> str:
    """What that costs: it buys later, so that a small fall is averaged less."""
    falls = " / ".join(map(str, FALLS_PCT))
    spent, own = (" / ".join(f"{side.spent_at(fall):.0f}" for fall in FALLS_PCT) for side in (other, yours))
    second = f"its second order stands at -{other.indent[1]:.1f} %, yours at -{yours.indent[1]:.1f} %"
    money_spent = f"{falls} % down it has spent {spent} % of the money, yours {own} %"
    if _tenths(other.indent[1]) <= _tenths(yours.indent[1]):
        return f"It waits no longer: {second}; {money_spent}."
    return (
        f"The price is waiting: {second}; {money_spent}. A fall that turns before -{other.indent[1]:.1f} % "
        "it does not average at all, and takes its profit later than yours."
    )


def as_json(bot: Bot, yours: Side, other: Side | None, counted: Need) -> Json:
    """A bot and what stands beside it as one object; the numbers that were read are text, to the last digit.

    ``counted`` is the need that the scores count.
    """
    orders = [{"deviation_pct": typed(one.deviation_pct), "size": typed(one.size)} for one in bot.orders]
    return {
        "name": bot.name,
        "maker": bot.maker,
        "distances": str(bot.distance),
        "take_profit_pct": None if bot.take_profit_pct is None else typed(bot.take_profit_pct),
        "price": None if bot.price is None else typed(bot.price, 18),
        "sizes": "shares" if bot.shares else "money",
        "orders": orders,
        "left_out": list(bot.left_out),
        "score_need": counted,
        "contract": yours.ladder.contract,
        "risk": yours.ladder.risk,
        "compared": records(COMPARED, (yours, other)) if other else None,
        "found": {"contract": other.ladder.contract, "risk": other.ladder.risk} if other else None,
    }
