"""Replays: conventions by hand, one ladder against thousands, money counted twice, and games whose answer is known."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlab.prices import Candles, PricesError, made, msft
from mlab.replay import (
    Convention,
    ExitRule,
    Fees,
    Levels,
    Outcome,
    Path,
    Plan,
    bootstrap,
    curve,
    deals,
    interval,
    loops,
    replay,
    replay_all,
    resampled,
    split,
    windows,
)
from mlab.replay.batch import Walk
from mlab.replay.deal import noted, walked
from mlab.replay.equity import equity, longest
from mlab.replay.outcome import Tally
from mlab.replay.plain import as_json, from_json
from mlab.replay.run import one_by_one, together
from tests.money import Money

FREE = Fees(maker_pct=0, taker_pct=0)
HOUR_MS = 3_600_000
CONVENTIONS = [Convention(first, then) for first, then in product(("nearer", "high", "low"), ("at once", "next open"))]


def candles(*rows: tuple[float, float, float, float]) -> Candles:
    """Hourly candles of rows of open, high, low, close."""
    columns = dict(zip(("open", "high", "low", "close"), np.array(rows, dtype=float).T, strict=True))
    return Candles.of("by hand", np.arange(len(rows)) * HOUR_MS, **columns)


def ladder(*indent_pct: float, volume: tuple[float, ...] = (), **rule: Any) -> Levels:
    """One ladder, of equal money where no volume is said."""
    rule = {"take_profit_pct": 1.0, **rule}
    money = np.array([volume or (1.0,) * len(indent_pct)]).T
    return Levels.of(np.array([indent_pct]).T, money, ExitRule(**rule))


def told(path: Path, levels: Levels) -> list[tuple[int, int | None, float]]:
    """Depth, end and exit of each deal of one ladder."""
    return [(len(deal.fills), deal.end, round(deal.exit, 6)) for deal in deals(path, levels)]


def by_batch(path: Path, levels: Levels, fees: Fees = FREE, *, compounding: bool = False) -> Outcome:
    """A replay by the batch, however few ladders there are."""
    tally = Tally(path, levels, fees, compounding=compounding)
    return tally.outcome(together(tally))


def by_loops(path: Path, levels: Levels, fees: Fees = FREE, *, compounding: bool = False) -> Outcome:
    """A replay by the loops for numba: compiled where it is installed, else as they stand."""
    tally = Tally(path, levels, fees, compounding=compounding)
    return tally.outcome(tally.replay(loops))


def column(outcome: Outcome, ladder: int) -> dict[str, Any]:
    """All numbers of one ladder."""
    return {field.name: np.asarray(getattr(outcome, field.name))[..., ladder].tolist() for field in fields(outcome)}


# conventions, by hand ------------------------------------------------------------------------------------


def test_orders_fill_at_their_own_price_and_a_touch_is_enough() -> None:
    path = Path(candles((100, 100, 90, 91), (91, 95, 91, 95), (95, 95.7, 95, 95.7)))
    average = 2 / (1 / 100 + 1 / 90)
    assert told(path, ladder(0, 10)) == [(2, 2, round(average * 1.01, 6)), (1, None, 95.7)]


def test_nothing_fills_above_the_low() -> None:
    path = Path(candles((100, 100, 90.001, 95), (95, 95, 95, 95)))
    assert told(path, ladder(0, 10)) == [(1, None, 95.0)]


def test_a_gap_fills_all_orders_in_it_at_their_own_prices() -> None:
    path = Path(candles((100, 100, 100, 100), (85, 85, 85, 85)))
    (deal,) = deals(path, ladder(0, 5, 10))
    assert deal.fills == [0, 1, 1]
    assert deal.low == 85.0
    outcome = replay(path, ladder(0, 5, 10), FREE)
    coins = (1 / 100 + 1 / 95 + 1 / 90) / 3
    assert outcome.open_marked_pct[0] == pytest.approx((coins * 85 - 1) * 100)
    assert outcome.max_drawdown_pct[0] == pytest.approx((1 - coins * 85) * 100)


def test_the_extreme_nearer_to_the_open_comes_first() -> None:
    high_first = candles((100, 101, 95, 100), (100, 100, 100, 100))
    low_first = candles((100, 105, 99, 100), (100, 100, 100, 100))
    tie = candles((100, 101, 99, 100), (100, 100, 100, 100))
    levels = ladder(0, 1)
    assert told(Path(high_first), levels)[0] == (1, 0, 101.0)
    assert told(Path(low_first), levels)[0][0] == 2
    assert told(Path(tie), levels)[0][0] == 2


@pytest.mark.parametrize(("first", "depth"), [("high", 1), ("low", 2)])
def test_an_extreme_can_be_said_to_come_first_always(first: Any, depth: int) -> None:
    rows = candles((100, 101, 99, 100), (100, 100, 100, 100))
    assert told(Path(rows, Convention(first)), ladder(0, 1))[0][0] == depth


def test_one_rise_ends_several_deals_each_begun_where_the_last_ended() -> None:
    path = Path(candles((100, 103.1, 100, 103.1), (103.1, 103.1, 103.1, 103.1)))
    assert told(path, ladder(0, 10)) == [(1, 0, 101.0), (1, 0, 102.01), (1, 0, 103.0301), (1, None, 103.1)]


def test_the_next_deal_can_begin_at_the_next_open() -> None:
    rows = candles((100, 103.1, 100, 103), (102, 102, 102, 102), (104, 104, 104, 104))
    path = Path(rows, Convention("nearer", "next open"))
    first, second, *rest = deals(path, ladder(0, 10))
    assert (first.entry, first.end, first.exit) == (100.0, 0, 101.0)
    assert (second.entry, second.fills, second.end) == (102.0, [1], 2)
    assert rest == []
    outcome = replay(path, ladder(0, 10), FREE)
    assert (outcome.deals[0], outcome.open_depth[0], outcome.total_pct[0]) == (2, 0, pytest.approx(1.0))
    assert outcome.deployed_share[0] == pytest.approx(0.5 / 3)


def test_a_stop_ends_a_deal_with_all_orders_and_the_next_begins_there() -> None:
    path = Path(candles((100, 100, 100, 100), (100, 100, 80, 81), (81, 81, 81, 81)))
    levels = ladder(0, 10, stop_pct=10)
    first, second = deals(path, levels)
    assert (first.fills, first.end, first.exit, first.low, first.stopped) == ([0, 1], 1, 81.0, 81.0, True)
    assert (second.entry, second.fills, second.end, second.low) == (81.0, [1], None, 80.0)
    outcome = replay(path, levels, FREE)
    assert outcome.stops[0] == 1
    assert outcome.realised_pct[0] == pytest.approx(((81 / 100 + 81 / 90) / 2 - 1) * 100)


def test_an_open_deal_is_marked_and_not_counted() -> None:
    outcome = replay(Path(candles((100, 100, 100, 100), (100, 100, 96, 98))), ladder(0, 10), FREE)
    assert (outcome.deals[0], outcome.open_depth[0], outcome.realised_pct[0]) == (0, 1, 0.0)
    assert outcome.total_pct[0] == pytest.approx(-1.0)
    assert outcome.max_drawdown_pct[0] == pytest.approx(2.0)
    assert outcome.longest_deal_candles[0] == 2


# what a deal earns ---------------------------------------------------------------------------------------


def test_profits_are_known_from_the_depth() -> None:
    levels = ladder(0, 50, volume=(1.0, 3.0), stop_pct=20)
    fees = Fees(maker_pct=0.1, taker_pct=0.2)
    at_first, at_second, stopped = levels.profits(fees)[:, 0]
    assert at_first == pytest.approx(0.25 * 0.01 - 0.25 * 0.002 - 0.25 * 1.01 * 0.001)
    assert at_second == pytest.approx(0.01 - 0.25 * 0.002 - 0.75 * 0.001 - 1.01 * 0.001)
    coins = 0.25 + 0.75 / 0.5
    assert stopped == pytest.approx(coins * 0.4 * (1 - 0.002) - 1.0 - 0.25 * 0.002 - 0.75 * 0.001)


def test_coins_and_money_of_the_same_ladder_give_the_same_levels() -> None:
    indent = np.array([[0.0, 5.0, 20.0]]).T
    coins, money = np.array([[1.0, 2.0, 4.0]]).T, np.array([[1.0, 2.0 * 0.95, 4.0 * 0.8]]).T
    for of_coins, of_money in zip(
        (Levels.of(indent, coins, ExitRule(), "base").exit, Levels.of(indent, coins, ExitRule(), "base").money),
        (Levels.of(indent, money, ExitRule()).exit, Levels.of(indent, money, ExitRule()).money),
        strict=True,
    ):
        assert of_coins == pytest.approx(of_money)


@pytest.mark.parametrize("wrong", [{"take_profit_pct": 0}, {"stop_pct": 100}, {"stop_pct": 0}, {"take_profit": 1}])
def test_a_rule_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ExitRule(**wrong)


# random ladders on random candles ------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> Candles:
    """Few prices, whole and close together, so that touches, ties, gaps and leaps are common."""
    size = draw(st.integers(2, 60))
    near = st.integers(80, 125)
    rows, close = [], draw(near)
    for _ in range(size):
        open_ = close if draw(st.booleans()) else draw(near)
        close = draw(near) if draw(st.integers(0, 3)) == 0 else open_ + draw(st.integers(-3, 3))
        high, low = max(open_, close) + draw(st.integers(0, 3)), min(open_, close) - draw(st.integers(0, 3))
        rows.append((open_, high, low, close))
    return candles(*rows)


@st.composite
def many_ladders(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Indents of whole or half percents, volumes of few sizes, both (M, B)."""
    orders, count = draw(st.integers(2, 6)), draw(st.integers(1, 5))
    gaps = draw(st.lists(st.integers(1, 10), min_size=(orders - 1) * count, max_size=(orders - 1) * count))
    volume = draw(st.lists(st.integers(1, 9), min_size=orders * count, max_size=orders * count))
    steps = np.array(gaps, dtype=float).reshape(orders - 1, count) / 2
    return np.vstack((np.zeros(count), np.cumsum(steps, axis=0))), np.array(volume, dtype=float).reshape(orders, count)


rules = st.builds(
    ExitRule, take_profit_pct=st.sampled_from([0.25, 1.0, 3.0]), stop_pct=st.sampled_from([None, 1.0, 5.0])
)
fees_of_many_sizes = st.builds(
    Fees, maker_pct=st.sampled_from([0.0, 0.1, 1.5]), taker_pct=st.sampled_from([0.0, 0.1, 1.0])
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), many_ladders(), rules, fees_of_many_sizes, st.sampled_from(CONVENTIONS), st.booleans())
def test_thousands_do_what_one_does_to_the_last_bit(
    history: Candles, ladders: Any, rule: ExitRule, fees: Fees, convention: Convention, compounding: bool
) -> None:
    path, levels = Path(history, convention), Levels.of(*ladders, rule)
    batch, events = by_batch(path, levels, fees, compounding=compounding), list(Walk(path, levels).events())
    tally = Tally(path, levels, fees, compounding=compounding)
    alone, compiled = tally.outcome(one_by_one(tally)), by_loops(path, levels, fees, compounding=compounding)
    assert all(column(batch, one) == column(alone, one) for one in range(levels.order.shape[1]))
    assert all(column(batch, one) == column(compiled, one) for one in range(levels.order.shape[1]))
    (portion,) = events
    count = levels.order.shape[1]
    for one in range(count):
        mine = portion.end % count == one
        ends = zip(*(values[mine].tolist() for values in (portion.end, portion.end_candle, portion.low)), strict=True)
        expected = [
            ((len(deal.fills) - 1 + deal.stopped) * count + one, deal.end, deal.low / deal.entry)
            for deal in walked(path, levels, one)
            if deal.end is not None
        ]
        assert list(ends) == expected
        assert noted(loops, path, levels, one) == walked(path, levels, one)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), many_ladders(), rules, fees_of_many_sizes, st.booleans())
def test_money_counted_deal_by_deal_is_money_counted_by_depth(
    history: Candles, ladders: Any, rule: ExitRule, fees: Fees, compounding: bool
) -> None:
    """Prices are moved off the whole numbers, whose quotients a level may miss by its last bit only."""
    columns = {name: getattr(history, name) for name in ("open", "high", "low", "close")}
    shifted = Candles.of(
        "off", history.time, **{name: price + np.sin(price) / 1_000 for name, price in columns.items()}
    )
    path, levels = Path(shifted), Levels.of(*ladders, rule)
    outcome = replay(path, levels, fees, compounding=compounding)
    for one in range(levels.order.shape[1]):
        indent, volume = (rows[:, one] for rows in ladders)
        money = Money(
            indent.tolist(),
            (volume / volume.sum()).tolist(),
            rule.take_profit_pct,
            fees.maker_pct,
            fees.taker_pct,
            rule.stop_pct,
            compounding,
        ).run(path.points.tolist())
        assert outcome.depth_counts[:, one].tolist() == [money.depths.count(k) for k in range(1, len(volume) + 1)]
        assert outcome.stops[one] == money.stops
        assert outcome.realised_pct[one] == pytest.approx(money.realised * 100, abs=1e-9)
        assert outcome.total_pct[one] == pytest.approx(money.total * 100, abs=1e-9)
        assert outcome.max_drawdown_pct[one] == pytest.approx(money.drawdown * 100, abs=1e-9)
        assert outcome.worst_deal_pct[one] == pytest.approx(money.worst * 100, abs=1e-9)
        assert outcome.deployed_share[one] == pytest.approx(np.mean(money.deployed))
        assert outcome.all_filled_share[one] == money.full / len(path)
        assert outcome.longest_deal_candles[one] == max(money.spans_all)
        assert outcome.open_depth[one] == money.filled


def test_a_ladder_does_not_depend_on_those_beside_it() -> None:
    indent, volume = many(600)
    path = Path(made(2_000, seed=7))
    for rule in (ExitRule(), ExitRule(take_profit_pct=0.3, stop_pct=5)):
        together = replay(path, Levels.of(indent, volume, rule))
        for some in ([3], list(range(100, 130)), list(range(200, 400))):
            apart = replay(path, Levels.of(indent[:, some], volume[:, some], rule))
            assert [column(apart, i) for i in range(len(some))] == [column(together, one) for one in some]


@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_levels_of_other_numbers_are_those_of_the_same_in_float64(kind: type[np.generic]) -> None:
    indent, volume = np.array([[0, 4, 9], [0, 7, 21]]).T, np.array([[1, 2, 3], [5, 1, 4]]).T
    path, rule = Path(made(500, seed=3)), ExitRule(take_profit_pct=0.7, stop_pct=3)
    for sizing in ("quote", "base"):
        of_kind, of_float64 = (
            replay(path, Levels.of(indent.astype(one), volume.astype(one), rule, sizing)) for one in (kind, float)
        )
        assert [column(of_kind, one) for one in range(2)] == [column(of_float64, one) for one in range(2)]


def many(count: int, orders: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Ladders over 20 %."""
    random = np.random.default_rng(11)
    indent = np.vstack((np.zeros(count), np.cumsum(random.uniform(0.5, 1.5, (orders - 1, count)), axis=0)))
    return indent * (20.0 / indent[-1]), np.cumprod(random.uniform(1.0, 1.6, (orders, count)), axis=0)


def test_long_paths_and_many_events_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    indent, volume = many(80)
    history, levels = made(3_000, seed=3), Levels.of(indent, volume, ExitRule(stop_pct=3))
    expected = by_batch(Path(history), levels)
    monkeypatch.setattr("mlab.replay.path.LISTED", 10)
    monkeypatch.setattr("mlab.replay.batch.EVENTS", 2_000)
    assert all(column(by_batch(Path(history), levels), one) == column(expected, one) for one in range(80))
    assert column(replay(Path(history), ladder(0, 5, 9)), 0) == column(
        by_batch(Path(history), ladder(0, 5, 9), Fees()), 0
    )


@pytest.mark.parametrize("convention", CONVENTIONS[:2], ids=str)
def test_loops_make_room_for_as_many_deals_and_fills_as_there_are(convention: Convention) -> None:
    indent, volume = many(2)
    path = Path(made(6_000, seed=3), convention)
    levels = Levels.of(0.2 * indent, volume, ExitRule(take_profit_pct=0.1, stop_pct=1))
    found = walked(path, levels, 0)
    assert len(found) > loops.ROOM
    assert noted(loops, path, levels, 0) == found
    compiled, batch = by_loops(path, levels, Fees()), by_batch(path, levels, Fees())
    assert [column(compiled, one) for one in range(2)] == [column(batch, one) for one in range(2)]


def test_spans_are_told_to_a_sixteenth() -> None:
    outcome = replay(Path(made(5_000, seed=5)), ladder(0, 2, 5, 9, 14))
    spans = sorted(
        d.end - d.fills[0] for d in deals(Path(made(5_000, seed=5)), ladder(0, 2, 5, 9, 14)) if d.end is not None
    )
    for told_span, share in ((outcome.median_deal_candles[0], 0.5), (outcome.slow_deal_candles[0], 0.95)):
        exact = spans[int(np.ceil(len(spans) * share)) - 1]
        assert told_span <= exact <= told_span * 17 / 16
    assert outcome.within_candle_share[0] == pytest.approx(spans.count(0) / len(spans))


# games whose answer is known -----------------------------------------------------------------------------

FAIR = Levels.of(
    np.array([np.linspace(0, 20, 10), 20 * np.linspace(0, 1, 10) ** 1.5, np.linspace(0, 40, 10)]).T,
    np.array([np.ones(10), 1.4 ** np.arange(10), np.ones(10)]).T,
    ExitRule(),
)


@pytest.mark.parametrize("stop_pct", [None, 5.0])
def test_a_fair_game_is_won_by_nobody(stop_pct: float | None) -> None:
    """The totals of F32 are zero within two standard errors, though what is realised is not."""
    indent = (1.0 - FAIR.order) * 100.0
    levels = Levels.of(indent, np.diff(FAIR.money, axis=0, prepend=0.0), ExitRule(stop_pct=stop_pct))
    outcomes = [replay(Path(made(1_500, seed=seed)), levels, FREE) for seed in range(200, 280)]
    totals = np.stack([outcome.total_pct for outcome in outcomes])
    error = totals.std(axis=0) / np.sqrt(len(totals))
    assert (np.abs(totals.mean(axis=0)) < 2.0 * error).all()
    if stop_pct is None:
        assert (np.mean([outcome.realised_pct for outcome in outcomes], axis=0) > 2.0 * error).all()


def test_hours_tell_what_their_minutes_do() -> None:
    """Nearer first and next at once, the profit from hours is that from minutes; high first, it is not."""
    minutes, hours, high_first = (
        np.mean(
            [
                replay(Path(made(hours, seed=seed, step_s=step), convention), FAIR, FREE).realised_pct
                for seed in range(3)
            ]
        )
        for hours, step, convention in (
            (4_000 * 60, 60, Convention()),
            (4_000, 3_600, Convention()),
            (4_000, 3_600, Convention("high")),
        )
    )
    assert hours == pytest.approx(minutes, rel=0.02)
    assert abs(high_first / minutes - 1.0) > abs(hours / minutes - 1.0)


def test_microsoft_is_replayed_as_it_was_measured() -> None:
    """Where take-profits are wide all conventions agree, and equal sizes sat in one deal for thirteen years."""
    equal = Levels.of(np.linspace(0, 40, 15)[:, None], np.ones((15, 1)), ExitRule(take_profit_pct=10))
    outcomes = [replay(Path(msft(), convention), equal, FREE) for convention in CONVENTIONS[::2]]
    assert [round(float(outcome.total_pct[0]), 1) for outcome in outcomes] == [-12.7] * 3
    assert [int(outcome.longest_deal_candles[0]) for outcome in outcomes] == [3_253] * 3


# other histories -----------------------------------------------------------------------------------------


def test_a_date_parts_a_history_in_two() -> None:
    before, after = split(msft(), np.datetime64("2008-01-01"))
    assert len(before) + len(after) == len(msft())
    assert before.time[-1] < np.datetime64("2008-01-01") <= after.time[0]
    dates = "dates from 2000-03-03T00:00:00 to 2013-02-28T00:00:00 leave 2 or more on each side"
    for date, leaves in (("1999-01-01", 0), ("2000-03-02", 1), ("2013-03-01", 3269)):
        with pytest.raises(
            PricesError, match=rf"^msft: {date}T00:00:00 leaves {leaves:,} of 3,270 candles before it; {dates}$"
        ):
            split(msft(), np.datetime64(date))
    assert [[len(part) for part in split(msft(), np.datetime64(date))] for date in ("2000-03-03", "2013-02-28")] == [
        [2, 3268],
        [3268, 2],
    ]
    with pytest.raises(PricesError, match=r" leaves 1 of 3 candles before it; only 4 or more can be parted$"):
        split(msft()[:3], np.datetime64("2000-03-02"))


def test_windows_are_as_long_and_begin_evenly_apart() -> None:
    parts = windows(made(1_000), 5, share=0.2)
    assert [len(part) for part in parts] == [200] * 5
    assert [int((part.time[0] - parts[0].time[0]) / np.timedelta64(1, "h")) for part in parts] == [
        0,
        200,
        400,
        600,
        800,
    ]


def test_drawn_weeks_keep_changes_and_their_order_within_a_week() -> None:
    history = made(24 * 70, seed=4)
    drawn = resampled(history, 1)
    assert (drawn.time == history.time).all()
    assert drawn.hash == resampled(history, 1).hash != resampled(history, 2).hash
    change, known = drawn.close / drawn.open, (history.close / history.open).round(9).tolist()
    at = known.index(round(float(change[0]), 9))
    assert change[:168] == pytest.approx(history.close[at : at + 168] / history.open[at : at + 168])
    assert drawn.high[:168] / drawn.open[:168] == pytest.approx(
        history.high[at : at + 168] / history.open[at : at + 168]
    )


def test_an_interval_holds_nine_tenths_of_other_histories() -> None:
    outcomes = list(bootstrap(made(24 * 60, seed=4), FAIR, histories=20))
    low, high = interval(outcomes)
    inside = [(low.total_pct <= outcome.total_pct) & (outcome.total_pct <= high.total_pct) for outcome in outcomes]
    assert (np.sum(inside, axis=0) == 18).all()
    again = next(bootstrap(made(24 * 60, seed=4), FAIR, histories=1))
    assert [column(again, one) for one in range(3)] == [column(outcomes[0], one) for one in range(3)]


# the account on the way ----------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize(("seed", "stop"), [(1, None), (2, 5.0), (3, 1.0)])
def test_the_account_comes_to_what_the_replay_says(convention: Convention, seed: int, stop: float | None) -> None:
    random = np.random.default_rng(seed)
    indent = np.append(0.0, np.cumsum(random.uniform(0.1, 1.5, 7)))
    levels = ladder(*indent, volume=tuple(random.uniform(0.5, 3.0, 8)), take_profit_pct=0.4, stop_pct=stop)
    path = Path(made(900, seed=seed), convention)
    told = replay(path, levels, Fees())
    total, realised, drawdown = equity(path, levels, Fees())
    assert total[-1] == pytest.approx(told.total_pct[0])
    assert realised[-1] == pytest.approx(told.realised_pct[0])
    assert drawdown.max() == pytest.approx(told.max_drawdown_pct[0])
    shown = curve(path, levels, Fees())
    assert len(shown.time) == 300
    assert shown.total_pct[-1] == pytest.approx(total[-1], abs=1e-4)
    assert max(shown.drawdown_pct) == pytest.approx(drawdown.max(), abs=1e-4)
    deal = longest(path, levels)
    assert (len(path) if deal.end is None else deal.end) - deal.fills[0] == told.longest_deal_candles[0]


def test_what_is_stored_comes_back_to_the_last_bit() -> None:
    plans = [Plan("a", (0.0, 1.3), (1.0, 2.1)), Plan("b", (0.0, 5.0, 7.0), (1.0, 1.0, 0.1), "base")]
    for one in replay_all(made(400), [(plan, ExitRule(stop_pct=2)) for plan in plans], Fees(), histories=3):
        again = from_json(json.loads(json.dumps(as_json(one))))
        assert (again.plan, again.rule, again.curve) == (one.plan, one.rule, None)
        assert one.ends is not None
        assert again.ends is not None
        for mine, theirs in zip((one.outcome, *one.ends), (again.outcome, *again.ends), strict=True):
            for field in fields(Outcome):
                assert np.array_equal(getattr(mine, field.name), getattr(theirs, field.name))
