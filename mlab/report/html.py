"""The report of one run: a single HTML file that needs no network, can be sorted, filtered and printed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

import mlab
from mlab import config as configs
from mlab.core.records import Candidate, CellResult, Experiment, Json, StoredReplay
from mlab.core.urls import Pages
from mlab.model.front import MEANING
from mlab.model.ranking import ranked_by_cell
from mlab.report import calculator, columns, placed, plots, words
from mlab.report.numbers import duration, moment, significant

FRONT = "front"
NONE_DRAWN: Mapping[str, bytes] = {}
"""Pictures as SVG: of winners by candidate, of their replays, and that of the front."""

EVENTS = 5000
"""Events shown of a run, the last ones; a browser is slow with many more."""

LADDERS = (columns.CELL, *columns.RANKED, *columns.EXPECTED)
"""The ladders of all cells."""

templates = Environment(loader=PackageLoader("mlab.report", "."), autoescape=True, undefined=StrictUndefined)
templates.filters["heights"] = lambda needs: [need / max(*needs, 1e-9) for need in needs]
templates.globals.update(columns=columns, words=words, LADDERS=LADDERS, MEANING=MEANING, version=mlab.__version__)
templates.globals.update(calculator=calculator, placed=placed, ORDERS=placed.COLUMNS)


def html(
    run: Experiment,
    cells: Sequence[CellResult],
    results: Iterable[Candidate],
    events: Sequence[Json],
    pages: Pages,
    drawn: Mapping[str, bytes] = NONE_DRAWN,
    replays: Sequence[StoredReplay] = (),
) -> str:
    """The report as HTML; whatever comes from outside is escaped.

    Args:
        run: the run.
        cells: its cells.
        results: every candidate that was kept.
        events: the events of its log, in order.
        pages: where the run is to be seen in MLflow and Prefect.
        drawn: pictures that exist; what is missing is drawn here, which takes 0.1 s each.
        replays: what the winners did on prices, as it is stored.
    """
    trace, rows = events[-EVENTS:], columns.cell_rows(cells)
    config = configs.config_of(run)
    kept = [ladder for cell in ranked_by_cell(results) for ladder in cell]
    return templates.get_template("page.html.j2").render(
        run=run,
        facts=_facts(run, cells),
        pages=pages,
        front_image=_image(drawn.get(FRONT) or plots.svg(plots.front_plot(cells))) if kept else "",
        cells=rows,
        shown=columns.shown(columns.CELLS, rows),
        ladders=kept,
        winners=[_winner(result, result.best, drawn) for result in cells if result.best is not None],
        replays=_replays(replays, drawn),
        trace=trace,
        left_out=len(events) - len(trace),
        event_names=sorted({str(event.get("event")) for event in trace}),
        config=config,
        config_text=configs.dump(config),
    )


def _replays(stored: Sequence[StoredReplay], drawn: Mapping[str, bytes]) -> Json:
    """What the page says of replays; empty where there are none."""
    if not stored:
        return {}
    from mlab.report import replayed  # noqa: PLC0415 - late, for most runs have none
    from mlab.report import replays as of_run  # noqa: PLC0415 - as above

    parts = of_run.parts(stored)
    keys = {of_run.picture_key(name, group) for name, _, groups in parts for group in groups}
    pictures = drawn if keys <= set(drawn) else dict(of_run.pictures(stored))
    images = {key: _image(pictures[key]) for key in keys}
    terms = of_run.terms(stored, [group for _, _, groups in parts for group in groups])
    return {"parts": parts, "images": images, "terms": terms, "of_run": of_run, "told": replayed}


def _facts(run: Experiment, cells: Sequence[CellResult]) -> dict[str, str]:
    return {
        "Begun": f"{moment(run.started_at)} UTC",
        "Search": duration(run.elapsed_s),
        "Ladders scored": f"{run.eval_count:,}",
        "Cells finished": f"{sum(result.finished for result in cells)} of {len(cells)}",
        "Trials": f"{sum(result.trials for result in cells):,}",
        "Need counted": run.config["score"]["need"],
        "Seed": str(run.config["seed"]),
        "Experiment": str(run.exp_id),
        "Searched on": "; ".join(run.machines) or "unknown",
    }


def _winner(result: CellResult, best: Candidate, drawn: Mapping[str, bytes]) -> Json:
    numbered = {**best.contract["penalties"], **best.contract["diagnostics"]}
    numbered |= {key: best.contract[key] for key in ("var_need", "tail")}
    return {
        "row": columns.CellRow(result),
        "image": _image(drawn.get(best.candidate_id) or plots.svg(plots.ladder_plot(best))),
        "numbers": {key: significant(value, 4) for key, value in numbered.items()},
    }


def _image(picture: bytes) -> str:
    """An SVG as the address of an image that is part of the page."""
    return f"data:image/svg+xml;base64,{b64encode(picture).decode()}"
