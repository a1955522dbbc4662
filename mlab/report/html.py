"""The report of one run: a single HTML file that needs no network, can be sorted, filtered and printed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

import mlab
from mlab import config as configs
from mlab.core.records import Candidate, CellResult, Experiment, Json
from mlab.core.urls import Pages
from mlab.model.front import MEANING, at_fills, front, on_path
from mlab.model.ranking import Ranked, ranked_by_cell
from mlab.report import plots, risk, schedule, summary
from mlab.report.markdown import RANK
from mlab.report.terminal import duration

FRONT = "front"
NONE_DRAWN: Mapping[str, bytes] = {}
"""Pictures as SVG: of winners by candidate, and that of the front."""

EVENTS = 5000
"""Events shown of a run, the last ones; a browser is slow with many more."""

CELLS = (
    "overlap %", "orders", "score", "need at fills %", "need on path %", "first gap %", "last order %", "evaluations",
    "trials", "pruned", "early stop",
)  # fmt: skip
LADDERS = ("cell", "rank", "score", "need at fills %", "need on path %", "NeedPct", "sanity", "found", "candidate")
TEXT = {"cell", "NeedPct", "sanity", "candidate"}
"""Columns of text; all others hold numbers and stand to the right."""

ORDERS = {
    "order": "d", "price": ".6g", "indent_pct": "z.2f", "price_step_pct": "z.2f", "volume_pct": ".2f",
    "martingale_pct": "z.1f", "needpct": "z.2f", "need_before_fill": "z.2f", "deployed_pct": ".1f",
}  # fmt: skip
"""Columns of an order table, and how their numbers are written."""

templates = Environment(loader=PackageLoader("mlab.report", "."), autoescape=True, undefined=StrictUndefined)


def html(
    run: Experiment,
    cells: Sequence[CellResult],
    results: Iterable[Candidate],
    events: Sequence[Json],
    pages: Pages,
    drawn: Mapping[str, bytes] = NONE_DRAWN,
) -> str:
    """The report as HTML; whatever comes from outside is escaped.

    Args:
        run: the run.
        cells: its cells.
        results: every candidate that was kept, by cell.
        events: the events of its log, in order.
        pages: where the run is to be seen in MLflow and Prefect.
        drawn: pictures that exist; what is missing is drawn here, which takes 0.1 s each.
    """
    kept = [ladder for cell in ranked_by_cell(results) for ladder in cell]
    shown = events[-EVENTS:]
    return templates.get_template("page.html.j2").render(
        run=run,
        name=run.config["name"],
        version=mlab.__version__,
        facts=_facts(run, cells, pages),
        limits=risk.LIMITS,
        meaning=MEANING,
        rank=RANK,
        front_image=_image(drawn.get(FRONT) or plots.svg(plots.front_plot(cells))) if kept else "",
        cell_columns=[(label, "") for label in CELLS],
        cells=_cells(cells),
        ladder_columns=[(label, "text" if label in TEXT else "") for label in LADDERS],
        labels=[result.cell.label for result in cells],
        ladders=[_ladder(ladder) for ladder in kept],
        order_columns=[column.replace("_", " ") for column in ORDERS],
        winners=[_winner(result.best, drawn) for result in cells if result.best is not None],
        trace=[_event(event) for event in shown],
        left_out=len(events) - len(shown),
        event_names=sorted({str(event.get("event")) for event in shown}),
        config=configs.dump(configs.from_tree(run.config, run.run_id)),
    )


def _facts(run: Experiment, cells: Sequence[CellResult], pages: Pages) -> list[tuple[str, str, str]]:
    """Label, value and, where there is more to see, the address of each."""
    mlflow, flow = run.mlflow_run_id, run.flow_run_id
    finished = sum(result.finished for result in cells)
    facts = {
        "Begun": run.started_at[:19].replace("T", " ") + " UTC",
        "Search": duration(run.elapsed_s),
        "Ladders scored": f"{run.eval_count:,}",
        "Cells finished": f"{finished} of {len(cells)}",
        "Trials": f"{sum(result.trials for result in cells):,}",
        "Need counted": run.config["score"]["need"],
        "Seed": str(run.config["seed"]),
        "Experiment": str(run.exp_id),
    }
    return [
        *((label, value, "") for label, value in facts.items()),
        ("MLflow run", mlflow or "none", pages.mlflow_run(mlflow) if mlflow else ""),
        ("Prefect flow run", flow or "none", pages.flow_run(flow) if flow else ""),
    ]


def _cells(cells: Sequence[CellResult]) -> list[Json]:
    fills, path = front(cells, at_fills), front(cells, on_path)
    return [
        {
            "index": result.cell.index,
            "overlap": f"{result.cell.overlap_pct:g}",
            "orders": result.cell.num_orders,
            "evaluations": f"{result.evaluations:,}",
            "trials": result.trials,
            "pruned": result.pruned,
            "early": "yes" if result.stopped_early else "no",
            "best": result.best is not None,
            "star_fills": result.best in fills,
            "star_path": result.best in path,
        }
        | (_measures(result.best) if result.best is not None else {})
        for result in cells
    ]


def _measures(ladder: Candidate) -> Json:
    schedule_ = ladder.contract["schedule"]
    return {
        "label": ladder.cell.label,
        "score": f"{ladder.score:.4f}",
        "need": f"{at_fills(ladder):.2f}",
        "path": f"{on_path(ladder):.2f}",
        "gap": f"{schedule_['price_step_pct'][1]:.2f}",
        "last": f"{schedule_['volume_pct'][-1]:.2f}",
        "sanity": schedule.badges(ladder.contract["sanity"]),
        "needs": _shares(schedule_["needpct"]),
        "candidate_id": ladder.candidate_id,
    }


def _shares(needs: Sequence[float]) -> list[float]:
    """Each need as a share of the largest: the bars of a sparkline."""
    largest = max(*needs, 1e-9)
    return [need / largest for need in needs]


def _ladder(ladder: Ranked) -> Json:
    return _measures(ladder.best) | {"rank": ladder.rank, "found": ladder.found}


def _winner(best: Candidate, drawn: Mapping[str, bytes]) -> Json:
    numbers = {**best.contract["penalties"], **best.contract["diagnostics"]}
    numbers |= {key: best.contract[key] for key in ("var_need", "tail")}
    return _measures(best) | {
        "index": best.cell.index,
        "risk": risk.sentences(best),
        "image": _image(drawn.get(best.candidate_id) or plots.svg(plots.ladder_plot(best))),
        "orders": [[format(row[column], spec) for column, spec in ORDERS.items()] for row in summary.order_rows(best)],
        "bullets": schedule.bullets(best.contract["schedule"]),
        "numbers": {key: f"{value:.4g}" for key, value in numbers.items()},
    }


def _event(event: Json) -> Json:
    return {
        "time": str(event.get("ts", ""))[11:23],
        "level": event.get("lvl", "INFO"),
        "event": event.get("event"),
        "msg": event.get("msg"),
    }


def _image(picture: bytes) -> str:
    """An SVG as the address of an image that is part of the page."""
    return f"data:image/svg+xml;base64,{b64encode(picture).decode()}"
