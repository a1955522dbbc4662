"""Whether what is stored belongs together: nothing is built upon a damaged file, no best score reported from one."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mlab.core.errors import StoreError
from mlab.store import runs
from mlab.store.schema import CellRow, ExperimentRow, ProofRow, ReplayRow, ResultRow, TrialRow

REMEDY = "restore a copy, or begin a new run"


def check_file(session: Session) -> None:
    """Check the file's pages and indexes, and that no row points nowhere; StoreError names the first fault."""
    fault = session.scalar(text("PRAGMA integrity_check(1)"))
    if fault != "ok":
        raise StoreError(f"damaged: {' '.join(str(fault).split())}; {REMEDY}")
    lost = session.execute(text("PRAGMA foreign_key_check")).first()
    if lost is not None:
        raise StoreError(f"damaged: row {lost[1]} of {lost[0]} belongs to no row of {lost[2]}; {REMEDY}")


def check_run(session: Session, exp_id: int) -> None:
    """Check each row of a run against its checksum, which loading does, and all against each other.

    StoreError names the first fault. The rows are found without an index: a damaged one would hide some.
    """
    experiment = runs.by_id(session, exp_id)
    for fault in _faults(session, experiment):
        raise StoreError(f"run {experiment.run_id} is damaged: {fault}; {REMEDY}")


def _faults(session: Session, experiment: ExperimentRow) -> Iterator[str]:
    exp_id = experiment.id
    cells = session.scalars(select(CellRow).where(CellRow.experiment_id + 0 == exp_id)).all()
    trials, results = defaultdict(list), defaultdict(list)
    for trial in session.scalars(select(TrialRow).where(TrialRow.experiment_id + 0 == exp_id)):
        trials[trial.cell_index].append(trial)
    for result in session.scalars(select(ResultRow).where(ResultRow.experiment_id + 0 == exp_id)):
        results[result.cell_index].append(result)
        if not result.candidate_id.startswith(f"{experiment.run_id}-c{result.cell_index:03d}-"):
            yield f"result {result.candidate_id} belongs to another cell"
    for index in sorted({cell.cell_index for cell in cells} | set(trials) | set(results)):
        for fault in _cell_faults(trials[index], results[index]):
            yield f"cell {index}: {fault}"
    for proof in session.scalars(select(ProofRow).where(ProofRow.experiment_id + 0 == exp_id)):
        if proof.lower > min((one.score for one in results[proof.cell_index]), default=-math.inf):
            yield f"cell {proof.cell_index}: its best score is below what was proved to be the least"
    yield from _replay_faults(session, experiment, results)
    if experiment.best_score != min((one.score for kept in results.values() for one in kept), default=None):
        yield "its best score is not the least of its results"
    if experiment.eval_count != sum(trial.evaluations for asked in trials.values() for trial in asked):
        yield "the ladders of its trials do not add up"


def _replay_faults(
    session: Session, experiment: ExperimentRow, results: Mapping[int, Sequence[ResultRow]]
) -> Iterator[str]:
    """Each cell has under each rule, on each of the prices, the best of its ladders, and the same classical ones."""
    found = session.scalars(select(ReplayRow).where(ReplayRow.experiment_id + 0 == experiment.id)).all()
    top = (orjson.loads(experiment.config_json).get("replay") or {}).get("top", 0)
    beside = {row.candidate_id for row in found if row.kind == "classical"}
    for prices, rule in {(row.prices, row.rule_json): None for row in found}:
        for index, kept in results.items():
            best = sorted(kept, key=lambda row: (row.score, row.candidate_id))[:top]
            wanted = {("ladder", row.candidate_id) for row in best} | {("classical", name) for name in beside}
            here = [row for row in found if (row.cell_index, row.prices, row.rule_json) == (index, prices, rule)]
            if {(row.kind, row.candidate_id) for row in here} != wanted:
                yield f"cell {index}: replays on prices {prices} are missing, or of other ladders"


def _cell_faults(trials: Sequence[TrialRow], results: Sequence[ResultRow]) -> Iterator[str]:
    if sorted(trial.number for trial in trials) != list(range(len(trials))):
        yield "trials are missing"
    finished = [trial.score for trial in trials if trial.outcome == "COMPLETE" and trial.score is not None]
    if min((result.score for result in results), default=None) != min(finished, default=None):
        yield "the best result is not the best of the trials"
    ladders = [result.ladder for result in results]
    if len(set(ladders)) < len(ladders):
        yield "two results are the same ladder"
    found = Counter(trial.ladder for trial in trials)
    if any(found[result.ladder] != result.found for result in results):
        yield "a ladder is not counted as often as the trials found it"
