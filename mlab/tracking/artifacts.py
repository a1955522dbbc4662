"""The files and texts that MLflow shows of a run and of the winner of each cell."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import orjson

from mlab import config
from mlab.core import crash, event_log
from mlab.core.records import Candidate, CellResult, Experiment, StoredReplay
from mlab.core.state import State
from mlab.core.urls import Pages
from mlab.placing import PlacementError
from mlab.report import columns, html, placed, plots, summary, words


def write_run(
    folder: Path,
    state: State,
    run: Experiment,
    cells: Sequence[CellResult],
    results: Sequence[Candidate],
    drawn: Mapping[str, bytes],
    replays: Sequence[StoredReplay] = (),
) -> None:
    """Report, config, results ranked within each cell, front, cells, event log, and crash snapshots of the run if any.

    What has been drawn of winners, by candidate, becomes part of the report: the end of a run waits for this.
    """
    pictures = {**drawn, html.FRONT: plots.svg(plots.front_plot(cells))}
    log = state.events(run.run_id)
    events = list(event_log.EventLog(log).news())
    report = html.html(run, cells, results, events, Pages.of(state), pictures, replays)
    (folder / "report.html").write_text(report, encoding="utf-8")
    dumped = config.dump(config.config_of(run))
    (folder / "config.yaml").write_text(dumped, encoding="utf-8")
    (folder / "results.csv").write_text(summary.as_csv(summary.rows(results)), encoding="utf-8")
    top = summary.top(results)
    table = {"columns": list(top[0]) if top else [], "data": [list(row.values()) for row in top]}
    (folder / "top.json").write_bytes(orjson.dumps(table))  # the layout of MLflow's tables
    (folder / "cells.svg").write_bytes(plots.svg(plots.cells_plot(cells)))
    (folder / "front.csv").write_text(summary.as_csv(summary.front_rows(cells)), encoding="utf-8")
    (folder / "front.svg").write_bytes(pictures[html.FRONT])
    with suppress(FileNotFoundError):
        (folder / "events.jsonl").write_bytes(event_log.read(log))
    for file in crash.of_run(state, run.run_id):
        shutil.copy(file, folder / file.name)


def write_winner(folder: Path, best: Candidate, run: Experiment) -> bytes:
    """The ladder of a cell: as JSON, as bullets, as a table of orders, and as a picture, which is returned.

    Of a run that was told of its market also the orders that are placed, as CSV and JSON.
    """
    content = {"candidate_id": best.candidate_id, **best.contract, "risk": best.risk}
    (folder / "ladder.json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    (folder / "ladder.txt").write_text("\n".join(words.bullets(best.contract["schedule"])) + "\n", encoding="utf-8")
    (folder / "orders.csv").write_text(summary.as_csv(columns.order_rows(best)), encoding="utf-8")
    told = config.config_of(run)
    if placing := placed.by_config(told):
        with suppress(PlacementError):  # the end screen says why
            placement, profit = placing(best), Decimal(repr(told.score.take_profit_pct))
            (folder / "placed.csv").write_text(summary.as_csv(placed.rows(placement, profit)), encoding="utf-8")
            (folder / "placed.json").write_bytes(orjson.dumps(placement.to_dict(), option=orjson.OPT_INDENT_2))
    picture = plots.svg(plots.ladder_plot(best))
    (folder / "needpct.svg").write_bytes(picture)
    return picture


def write_replays(folder: Path, stored: Sequence[StoredReplay]) -> tuple[dict[str, float], dict[str, bytes]]:
    """What the ladders of one cell did on prices: as JSON, and a picture of the winner for each exit rule.

    The numbers of the winner are returned, and the pictures by their names in the report.
    """
    from mlab.report import replayed, replays  # noqa: PLC0415 - late, for most runs have none

    parts, drawn = replays.parts(stored), dict(replays.pictures(stored))
    told = {"prices": [prices for _, prices, _ in parts], "replays": replayed.records(parts)}
    (folder / "replays.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    for key, picture in drawn.items():
        (folder / f"{key.split()[-1]}.svg").write_bytes(picture)
    return replays.metrics(stored), drawn


def winner_metrics(result: CellResult) -> dict[str, float]:
    """The numbers by which the winners of cells are compared; penalties and diagnostics as sections of their own."""
    best = result.best
    values: dict[str, float] = {"evaluations": result.evaluations, "trials": result.trials}
    values |= {"trials_pruned": result.pruned} | result.proved
    if best is not None:
        values |= {key: best.contract[key] for key in ("score", "max_need", "var_need", "tail")}
        values |= {"max_need_path": best.risk["max_need_path"]}
        values |= {one.key: best.risk[one.key] for one in columns.EXPECTED if one.key in best.risk}
        for part in ("penalties", "diagnostics"):
            values |= {f"{part}/{key}": value for key, value in best.contract[part].items()}
    return {key: float(value) for key, value in values.items()}
