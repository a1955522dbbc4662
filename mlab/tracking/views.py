"""What MLflow's page of the experiment shows first, runs or cells: saved views, such as a person saves there, too."""

from __future__ import annotations

import orjson

from mlab.core.records import Json

RUNS = {
    "tags.`status`": 110, "metrics.`best_score`": 100, "metrics.`eval_count`": 100, "metrics.`elapsed_s`": 95,
    "metrics.`cells`": 70, "params.`score.need`": 100, "params.`overlap_pct`": 100, "params.`num_orders`": 100,
    "metrics.`max_need`": 100, "metrics.`max_need_path`": 125, "params.`ladder.overlap_pct`": 140,
    "params.`ladder.num_orders`": 140,
}  # fmt: skip
CELLS = {
    "params.`overlap_pct`": 100, "params.`num_orders`": 100, "metrics.`max_need`": 95, "metrics.`max_need_path`": 125,
    "metrics.`score`": 90, "metrics.`proved_within_pct`": 140, "metrics.`var_need`": 90, "metrics.`tail`": 80,
    "metrics.`chance_all_filled_pct`": 160, "metrics.`evaluations`": 100,
    "params.`score.need`": 100, "metrics.`diagnostics/wci`": 125, "tags.`candidate_id`": 300,
}  # fmt: skip
"""The columns that matter, in order, and how many pixels wide they are."""

NAME = {"attributes.`Run Name`": 270}

FRONT: Json = {  # what covering more costs
    "type": "SCATTER",
    "runsCountToCompare": 100,
    "xaxis": {"key": "overlap_pct", "type": "PARAM"},
    "yaxis": {"key": "max_need", "type": "METRIC"},
}
COORDINATES: Json = {
    "type": "PARALLEL",
    "showAllRuns": True,
    "selectedParams": ["overlap_pct", "num_orders"],
    "selectedMetrics": ["tail", "var_need", "max_need", "max_need_path"],
}
SECTION = "Cells"
METRICS = "Model metrics"
"""Where those two charts stand, and what MLflow calls the section of metrics whose names have no slash."""


def tags() -> dict[str, str]:
    """The views as tags of the experiment; their keys are those of the addresses in :class:`mlab.core.urls.Pages`."""
    newest = {"orderByKey": "attributes.start_time", "orderByAsc": False, "searchFilter": ""}
    by_cell = {"orderByKey": "tags.`cell`", "orderByAsc": True, "searchFilter": "tags.cell LIKE '%'"}
    drawn = [{**chart, "uuid": chart["type"], "metricSectionId": SECTION} for chart in (FRONT, COORDINATES)]
    return _tag("runs", RUNS, newest, []) | _tag("cells", CELLS, by_cell, drawn)


def _tag(key: str, columns: dict[str, int], order: Json, charts: list[Json]) -> dict[str, str]:
    """One view: its columns, the order of its rows, and the charts of the first section, before those of metrics."""
    names = [SECTION, METRICS] if charts else [METRICS]
    state = {
        "selectedColumns": list(columns),
        "columnOrder": [*NAME, *columns],
        "columnWidths": NAME | columns,
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": name, "name": name, "display": True, "isReordered": False, "columns": 2, "cardHeight": 400}
            for name in names
        ],
        "isAccordionReordered": True,  # keeps that order
        "runsHiddenMode": "FIRST_20_RUNS",
        **order,
    }
    view = {"name": key.capitalize(), "createdAt": 0, "updatedAt": 0, "state": orjson.dumps(state).decode()}
    return {f"mlflow.sharedViewState.{key}": orjson.dumps(view).decode()}
