"""The last step of a run whose config names prices: its winners are replayed on them, and what they did is kept.

It is done beside the search: what goes wrong is told, and the run completes all the same. It is done anew where a
run was cut within it, and then comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from time import perf_counter

from mlab.config.replay import ReplayRules
from mlab.core.errors import LabError, RunBusy, StoreError
from mlab.core.events import emit
from mlab.core.records import Candidate, Json, Kind, StoredReplay
from mlab.model.exits import Fees
from mlab.replay import Beside, Path, Plan, Replayed, beside, curve, levels_of
from mlab.replay.plain import as_json
from mlab.search.engine import Execution, write_snapshot
from mlab.search.watcher import Watcher


def replay(run: Execution, watcher: Watcher) -> None:
    """Replay the winners of each cell as the config says, beside the classical ladders, and keep what they did."""
    begun = perf_counter()
    try:
        _replay(run, watcher)
    except (StoreError, RunBusy):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the search is done
        if not isinstance(error, LabError):
            write_snapshot(run, error)
        line = (
            f"the winners were not replayed: {error}; .venv/bin/mlab replay {run.experiment.run_id} does it at any time"
        )
        emit("EVAL.ERROR", line, level="warning")
    finally:
        run.aside.append(perf_counter() - begun)


def _replay(run: Execution, watcher: Watcher) -> None:
    rules, exp_id, begun = run.config.replay, run.experiment.exp_id, perf_counter()
    found = run.store.results(exp_id)
    of_cell = [[one for one in found if one.cell == cell] for cell in run.config.cells()]
    winners = [one for ladders in of_cell for one in ladders[: rules.top if rules else 0]]
    if rules is None or not winners:
        return
    emit("EVAL.CALL", f"{len(winners)} winners are replayed on {rules.prices}", prices=rules.prices)
    run.store.save_replays(exp_id, list(_replays(run, rules, winners, watcher)))
    took = round((perf_counter() - begun) * 1000.0, 1)
    emit("EVAL.RETURN", f"{len(winners)} winners replayed", duration_ms=took)


def _replays(run: Execution, rules: ReplayRules, winners: list[Candidate], watcher: Watcher) -> Iterator[StoredReplay]:
    """What they did, stretch by stretch, cell by cell."""
    cells = {one.candidate_id: one.cell.index for one in winners}
    plans = [Plan.of(one, run.config.ladder.sizing) for one in winners]
    asked = [(plan, rule) for plan in plans for rule in rules.exits(run.config.score.take_profit_pct)]
    told = {"fees": rules.fees.model_dump(), "bootstrap": rules.bootstrap}
    for name, candles in rules.stretches():
        tell = partial(watcher.replaying, f"replay {name}".strip())
        path, prices = Path(candles), candles.to_dict()
        for group in beside(candles, asked, rules.fees, rules.bootstrap, tell):
            content = told | {"part": name, "prices": prices, "doubts": list(group.doubts)}
            yield from _rows(cells[group.ladders[0].plan.name], group, path, rules.fees, content)


def _rows(cell_index: int, group: Beside, path: Path, fees: Fees, content: Json) -> Iterator[StoredReplay]:
    """The rows of one cell under one rule; those of its own ladders have their equity on the way."""
    levels = levels_of([one.plan for one in group.ladders], group.rule)
    ladders = [replace(one, curve=curve(path, levels, fees, ladder)) for ladder, one in enumerate(group.ladders)]
    kinds: list[tuple[Kind, Replayed]] = [("ladder", one) for one in ladders]
    kinds += [("classical", one) for one in group.classical]
    for kind, one in kinds:
        whole = content | {"replayed": as_json(one)}
        yield StoredReplay(cell_index, kind, one.plan.name, content["prices"]["hash"], group.rule.model_dump(), whole)
