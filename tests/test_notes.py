"""Notes are free text: kept as they are, and nowhere taken for anything else."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlab.config import load
from mlab.identity import State
from mlab.report import markdown, summary, terminal
from mlab.store import Store
from mlab.tracking import delivery
from tests import runs

PIECES = [
    "../../etc/passwd", "'; DROP TABLE experiments; --", "<script>alert(1)</script>", "[red]x[/]", "[/]", "**b** | x |",
    "[x](javascript:alert(1))", "\x1b[31m", "\x1b]0;title\x07", "=1+1", "@SUM(A1)", "\u202e", "{0} %s ${HOME}", "\r\n",
]  # fmt: skip
NOTES = "=" + " ".join(PIECES)


@pytest.mark.integration
def test_hostile_notes_are_stored_as_given_and_harm_no_view(tmp_path: Path) -> None:
    state = State(tmp_path)
    with Store.open(state.database) as store:
        run_id = runs.searched(state, store, f"notes={json.dumps(NOTES)}")
        delivery.follow(state, run_id)
        run = runs.stored(store, run_id)
        cells, results = store.cells(run.exp_id), store.results(run.exp_id)

    assert run.status == "COMPLETED"
    assert run.notes == run.config["notes"] == NOTES
    client = MlflowClient(f"sqlite:///{state.mlflow_database}")
    mlflow_run = client.get_run(str(run.mlflow_run_id))
    assert mlflow_run.data.params["notes"] == NOTES  # a value of its own, which MLflow's page escapes
    file = Path(client.download_artifacts(mlflow_run.info.run_id, "config.yaml"))
    assert load(file).notes == NOTES
    assert all(line.isprintable() for line in file.read_text().splitlines())

    screen = io.StringIO()
    terminal.final(terminal.console(screen), run, cells, state.root)
    shown = [
        *(screen.getvalue(), markdown.run_note(run, cells), markdown.front_note(cells, b"")),
        *(text for tag, text in mlflow_run.data.tags.items() if tag.startswith("mlflow.note")),
        *(mlflow_run.info.run_name, summary.as_csv(summary.rows(results)), str(summary.run_json(run, cells))),
    ]
    assert len(shown) == 7
    assert [piece for piece in PIECES for text in shown if piece in text] == []  # notes are shown in none of these
