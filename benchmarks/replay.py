"""Speed of the replay, and whether others find the same deals: ``python -m benchmarks.replay [--peers PYTHON]``.

Measured against a kernel in C that is compiled here and counts the same things, and against vectorbt and backtesting.py
in an environment of their own, which is made for the occasion unless the interpreter of one is named. So can one of
Python 3.12 that has nautilus_trader and freqtrade, with ``--more-peers``. Ratios are of processor times in one run,
least of several rounds in turns; what numba compiles, here and there, is compiled before. It needs the extra compiled.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path as File
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.record import save, show
from mlab.model.compiled import ready
from mlab.prices import Candles, made, msft
from mlab.replay import ExitRule, Fees, Levels, Outcome, Path, loops
from mlab.replay.deal import noted, walked
from mlab.replay.events import Open
from mlab.replay.outcome import Tally
from mlab.replay.path import BLOCK
from mlab.replay.run import one_by_one, together

LADDERS, ORDERS, ROUNDS, YEAR = 4_096, 10, 20, 8_760  # candles of a year of hours
PEERS = ("vectorbt==1.2.0", "backtesting==0.6.6")
FREE = Fees(maker_pct=0, taker_pct=0)
KERNEL = File(__file__).with_name("replay_kernel.c")
COMPILE = ("gcc", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC")


def prices(candles: int, step_s: int = 3_600) -> Candles:
    """Made prices, with about as many deals a year as a coin's."""
    return made(candles, seed=3, step_s=step_s, volatility_pct=0.4)


def ladders(count: int = LADDERS, *, take_profit_pct: float = 1.0) -> Levels:
    """Random ladders of 10 orders over 20 %."""
    random = np.random.default_rng(5)
    indent = np.vstack((np.zeros(count), np.cumsum(random.uniform(0.5, 1.5, (ORDERS - 1, count)), axis=0)))
    volume = np.cumprod(np.vstack((np.ones(count), random.uniform(1.0, 1.6, (ORDERS - 1, count)))), axis=0)
    return Levels.of(indent * (20.0 / indent[-1]), volume, ExitRule(take_profit_pct=take_profit_pct))


def kernel(folder: File) -> Callable[[Path, Levels], Outcome]:
    """The replay in C, which fills the tables of a tally."""
    library = folder / "kernel.so"
    subprocess.run([*COMPILE, f"-DBLOCK={BLOCK}", "-o", library, KERNEL], check=True)  # noqa: S603
    compiled = ctypes.CDLL(str(library)).replay

    def run(path: Path, levels: Levels) -> Outcome:
        tally, (orders, count) = Tally(path, levels, FREE), levels.order.shape
        blocks = np.array(path.blocks)
        whole, real = np.zeros((2, count), dtype=np.int64), np.zeros((2, count))
        arguments = [
            len(path), path.points, path.candles.low, path.candles.high, blocks[:, 1].copy(), blocks[:, 2].copy(),
            orders, count, levels.below, levels.exit, tally.ended, tally.end_candles, tally.fill_candles, tally.lowest,
            path.spans.bins, len(path.spans.edges), tally.spans, tally.longest, *whole, *real,
        ]  # fmt: skip
        compiled(*(ctypes.c_int64(a) if isinstance(a, int) else ctypes.c_void_p(a.ctypes.data) for a in arguments))
        return tally.outcome(Open(*whole, *real))

    return run


def replay(path: Path, levels: Levels, way: Callable[[Tally], Open] = together) -> Outcome:
    """A replay without fees, by arrays unless another way is named."""
    tally = Tally(path, levels, FREE)
    return tally.outcome(way(tally))


def compiled(path: Path, levels: Levels) -> Outcome:
    """The same by the loops that numba compiles."""
    return replay(path, levels, lambda tally: tally.replay(loops))


def same(one: Outcome, other: Outcome) -> bool:
    """Whether all numbers are the same to the last bit."""
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(Outcome))


def least(*actions: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Least processor time of each action, in turns."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(rounds):
        for action, taken in zip(actions, times, strict=True):
            began = process_time()
            action()
            taken.append(process_time() - began)
    return [min(taken) for taken in times]


def against_c(name: str, candles: Candles, run: Callable[[Path, Levels], Outcome], rounds: int) -> dict[str, Any]:
    """One row: how many ladders a second, beside the kernel."""
    path, levels = Path(candles), ladders()
    outcome, ways = replay(path, levels), (replay, compiled, run)
    assert all(same(outcome, way(path, levels)) for way in ways)
    arrays, numba, kernel_s = least(*(partial(way, path, levels) for way in ways), rounds=rounds)
    return {
        "candles": name,
        "deals a ladder": float(outcome.deals.mean()),
        "ladders a second": LADDERS / arrays,
        "with numba": LADDERS / numba,
        "kernel in C": LADDERS / kernel_s,
        "times the kernel's time": arrays / kernel_s,
        "with numba, times the kernel's time": numba / kernel_s,
    }


def by_events(hours: Candles, minutes: Candles) -> list[dict[str, Any]]:
    """What a candle costs, and what a deal costs: sixty times the candles, and more or fewer deals."""
    rows = []
    for name, candles in (("a year of hours", hours), ("a year of minutes", minutes)):
        path = Path(candles)
        replay(path, ladders())
        for take_profit in (8.0, 4.0, 2.0, 1.0):
            levels = ladders(take_profit_pct=take_profit)
            (taken,) = least(lambda path=path, levels=levels: replay(path, levels), rounds=4)  # type: ignore[misc]
            outcome = replay(path, levels)
            rows.append(
                {
                    "candles": name,
                    "take-profit %": take_profit,
                    "deals": int(outcome.deals.sum()),
                    "s": taken,
                    "ns a deal": taken / int(outcome.deals.sum()) * 1e9,
                    "ns a candle and ladder": taken / len(path) / LADDERS * 1e9,
                }
            )
    return rows


def five_years() -> None:
    """Print what five years of minutes take with all ladders, for a process of its own."""
    path = Path(prices(5 * YEAR * 60, step_s=60))
    began = process_time()
    outcome = replay(path, ladders())
    taken, peak = process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ladders a second": LADDERS / taken, "deals": int(outcome.deals.sum()), "peak MB": round(peak)}))


def two_processes() -> float:
    """How much more two processes do than one in the same time."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(_a_year, range(2), chunksize=1)
        began = perf_counter()
        pool.map(_a_year, range(1))
        alone = perf_counter() - began
        began = perf_counter()
        pool.map(_a_year, range(2), chunksize=1)
        return 2.0 * alone / (perf_counter() - began)


def _a_year(_: int) -> None:
    path, levels = Path(prices(YEAR)), ladders()
    for _round in range(10):
        replay(path, levels)


def cases() -> list[tuple[str, Path, Levels]]:
    """One ladder a case: the one that is timed, made prices with random ladders, and Microsoft."""
    growing = 1.2 ** np.arange(ORDERS)[:, None]
    timed = Levels.of(np.linspace(0, 20, ORDERS)[:, None], growing, ExitRule(take_profit_pct=1))
    wide = Levels.of(np.linspace(0, 40, 15)[:, None], np.ones((15, 1)), ExitRule(take_profit_pct=10))
    found = [
        ("a year of hours", Path(prices(YEAR)), timed),
        ("Microsoft", Path(msft()), wide),
    ]
    for seed in range(8):
        random = np.random.default_rng(seed)
        indent = np.append(0.0, np.cumsum(random.uniform(0.3, 4.0, ORDERS - 1)))[:, None]
        rule = ExitRule(take_profit_pct=float(random.uniform(0.3, 5.0)))
        path = Path(made(YEAR, seed=seed))
        found.append((f"made, seed {seed}", path, Levels.of(indent, random.uniform(0.5, 3.0, (ORDERS, 1)), rule)))
    return found


def told_by(*command: str | File) -> dict[str, Any]:
    """The JSON object that a program prints."""
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # noqa: S603
    return answer


def peers(interpreter: str, more: str | None, folder: File) -> dict[str, Any]:
    """Deals of other engines, those of vectorbt checked against ours, and times."""
    chosen, parts = cases(), {}
    for number, (_, path, levels) in enumerate(chosen):
        share = np.diff(levels.money[:, 0], prepend=0.0)
        columns = {"points": path.points, "down": levels.below[:, 0], "up": levels.exit[:, 0], "share": share}
        parts |= {f"{number}_{name}": column for name, column in columns.items()}
    np.savez(folder / "cases.npz", **parts)
    told = told_by(interpreter, KERNEL.with_name("replay_peers.py"), folder / "cases.npz")
    for peer in ("nautilus", "freqtrade") if more else ():
        told |= told_by(str(more), KERNEL.with_name(f"replay_{peer}.py"), folder / "cases.npz")
    for (name, path, levels), theirs in zip(chosen, told.pop("deals"), strict=True):
        ours = walked(path, levels, 0)
        assert ours == noted(loops, path, levels, 0), name
        ended = [(len(deal.fills), deal.end, deal.exit) for deal in ours if deal.end is not None]
        assert ended == [tuple(deal) for deal in theirs], name
    _, path, timed = chosen[0]
    ways = (
        partial(walked, path, timed, 0),
        partial(replay, path, timed, one_by_one),
        partial(noted, loops, path, timed, 0),
        partial(compiled, path, timed),
    )
    alone, whole, alone_compiled, whole_compiled = least(*ways, rounds=1_500)
    outcome = replay(path, timed)
    return {
        **told,
        "agree deal for deal": len(chosen),
        "deals_s": alone,
        "replay_s": whole,
        "deals_compiled_s": alone_compiled,
        "replay_compiled_s": whole_compiled,
        "deals": int(outcome.deals[0]),
        "realised %": float(outcome.realised_pct[0]),
        "vectorbt over one alone": told["vectorbt_s"] / alone,
        "vectorbt over one alone with numba": told["vectorbt_s"] / alone_compiled,
        "vectorbt with numbers over one with all its numbers": told["vectorbt_with_numbers_s"] / whole,
    }


def environment(folder: File) -> str:
    """An interpreter that has the peers."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", "3.11", folder / "peers"], check=True)  # noqa: S603
    interpreter = str(folder / "peers" / "bin" / "python")
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", interpreter, *PEERS], check=True)  # noqa: S603
    return interpreter


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="interpreter that has vectorbt and backtesting.py")
    parser.add_argument("--more-peers", help="interpreter that has nautilus_trader and freqtrade")
    parser.add_argument("--five-years", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.five_years:
        five_years()
        return
    if not ready():
        sys.exit("numba is needed, too: .venv/bin/python -m pip install --editable '.[compiled]'")
    with TemporaryDirectory() as name:
        folder = File(name)
        run, hours, minutes = kernel(folder), prices(YEAR), prices(YEAR * 60, step_s=60)
        rows = [
            against_c("a year of hours", hours, run, ROUNDS),
            against_c("five years of hours", prices(5 * YEAR), run, 4),
            against_c("a year of minutes", minutes, run, 4),
        ]
        show(f"{LADDERS:,} ladders of {ORDERS} orders, take-profit 1 %", rows)
        events = by_events(hours, minutes)
        show("What it costs", events)
        long = told_by(sys.executable, "-m", "benchmarks.replay", "--five-years")
        show("Five years of minutes", [long])
        others = peers(chosen.peers or environment(folder), chosen.more_peers, folder)
    for peer in ("vectorbt", "vectorbt_with_numbers", "vectorbt_column", "backtesting"):
        others[f"{peer} over one of many"] = others[f"{peer}_s"] * rows[0]["ladders a second"]
        others[f"{peer} over one of many with numba"] = others[f"{peer}_s"] * rows[0]["with numba"]
    others["two processes do"] = two_processes()
    show("Others", [{"what": key, "value": str(value)} for key, value in others.items()])
    save("replay", {"rows": rows, "events": events, "five_years": long, "others": others})


if __name__ == "__main__":
    main()
