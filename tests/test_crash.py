from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlab.core import crash
from mlab.core.errors import EvaluationError, LabError
from mlab.core.events import bound, emit, recorder
from mlab.core.redaction import HIDDEN
from mlab.core.state import State
from mlab.store import Store
from tests import runs
from tests.runs import Watch

pytestmark = pytest.mark.usefixtures("quick")

RUN = "20260102-030405-abcdef"
FIELDS = {
    "snapshot_id", "run_id", "exp_id", "timestamp", "error_context", "system_stats", "application_state",
    "recent_logs", "configuration",
}  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> State:
    tmp_path.joinpath("state").mkdir()
    return State(tmp_path / "state")


def caught(error: Exception) -> Exception:
    """The same error as it looks where it was raised and caught."""
    with pytest.raises(type(error)) as raised:
        throw(error)
    return raised.value


def throw(error: Exception) -> None:
    raise error


def crashed(state: State, error: Exception, run_id: str = RUN, config: dict[str, Any] | None = None) -> dict[str, Any]:
    path = crash.write(state, error, run_id, 7, {"elapsed_s": 1.5}, config or {"seed": 42})
    content: dict[str, Any] = json.loads(path.read_text())
    assert path == state.crashes / f"{content['snapshot_id']}.json"
    return content


def test_a_snapshot_has_all_that_is_needed_to_understand_a_failure(state: State) -> None:
    with bound(run_id=RUN):
        emit("ORCH.BATCH", "the last thing that happened")
    content = crashed(state, caught(ValueError("the gaps are negative")))

    assert set(content) == FIELDS
    assert re.fullmatch(r"crash_\d{8}_\d{6}_[0-9a-f]{4}", content["snapshot_id"])
    assert (content["run_id"], content["exp_id"]) == (RUN, 7)
    assert (content["application_state"], content["configuration"]) == ({"elapsed_s": 1.5}, {"seed": 42})
    assert content["recent_logs"][-1]["msg"] == "the last thing that happened"
    context = content["error_context"]
    assert (context["type"], context["message"]) == ("ValueError", "the gaps are negative")
    assert "in throw" in "".join(context["traceback"])
    assert content["system_stats"]["cpu_count"] >= 1
    assert content["system_stats"]["memory_total_mb"] > content["system_stats"]["process_memory_mb"] > 0
    assert content["system_stats"]["disk_free_mb"] >= 0


def test_a_snapshot_holds_no_secrets(state: State) -> None:
    emit("ORCH.BATCH", "to http://me:hunter2@host/api", api_key="hunter2", nested={"password": "hunter2"})
    content = crashed(
        state,
        caught(RuntimeError("cannot log in at postgresql://me:hunter2@host/db")),
        config={"notes": "see https://me:hunter2@host", "token": "hunter2"},
    )

    assert "hunter2" not in json.dumps(content)
    assert content["configuration"]["token"] == HIDDEN
    assert f"postgresql://me:{HIDDEN}@host/db" in content["error_context"]["message"]


def test_a_recurring_crash_is_recognised_whatever_its_message(state: State) -> None:
    contexts = [crashed(state, caught(ValueError(f"batch {batch}")))["error_context"] for batch in range(3)]
    other = crashed(state, caught(KeyError("batch 1")))["error_context"]

    assert len({context["fingerprint"] for context in contexts}) == 1
    assert [context["seen_before"] for context in contexts] == [0, 1, 2]
    assert other["fingerprint"] != contexts[0]["fingerprint"]
    assert other["seen_before"] == 0


def test_the_same_kind_of_error_at_another_place_is_another_crash() -> None:
    with pytest.raises(ValueError, match="x") as elsewhere:
        throw(ValueError("x"))

    assert crash.fingerprint(elsewhere.value) != crash.fingerprint(caught(ValueError("x")))


def test_the_oldest_snapshots_beyond_a_number_and_those_of_long_ago_are_deleted(state: State) -> None:
    state.crashes.mkdir()
    today, long_ago = datetime.now(UTC), datetime.now(UTC) - timedelta(days=crash.KEPT_DAYS + 1)
    old = [state.crashes / f"crash_{long_ago:%Y%m%d}_0000{second:02d}_abcd.json" for second in range(5)]
    new = [state.crashes / f"crash_{today:%Y%m%d}_0000{second:02d}_abcd.json" for second in range(55)]
    for path in (*old, *new):
        path.write_text("{}")
    mine = state.crashes / "notes.txt"
    mine.write_text("not a snapshot")

    content = crashed(state, caught(ValueError("x")))

    left = sorted(state.crashes.glob("*.json"))
    assert left == sorted([*new[-(crash.KEPT - 1) :], state.crashes / f"{content['snapshot_id']}.json"])
    assert mine.exists()

    for path in new:
        path.unlink(missing_ok=True)
    old[-1].write_text("{}")
    assert crash.prune(state) == 1
    assert [path.stem for path in state.crashes.glob("*.json")] == [content["snapshot_id"]]


def test_a_failure_is_recognised_by_what_raised_it_first(state: State) -> None:
    def wrapped(error: Exception) -> Exception:
        outer = EvaluationError("batch 3")
        outer.__cause__ = caught(error)
        return caught(outer)

    assert crash.fingerprint(wrapped(ValueError("a"))) == crash.fingerprint(wrapped(ValueError("b")))
    assert crash.fingerprint(wrapped(ValueError("a"))) != crash.fingerprint(wrapped(KeyError("a")))


def test_the_snapshots_of_a_run_are_its_own_and_damaged_ones_count_as_none(state: State) -> None:
    assert crash.of_run(state, RUN) == []
    content = crashed(state, caught(ValueError("x")))
    crashed(state, caught(ValueError("x")), run_id="20260102-030405-ffffff")
    (state.crashes / "crash_20250101_000000_dead.json").write_bytes(b'{"run_id": "2026')
    (state.crashes / "crash_20250101_000000_beef.json").write_text("[]")

    assert crash.of_run(state, RUN) == [state.crashes / f"{content['snapshot_id']}.json"]


def test_what_json_cannot_hold_is_spelt_out(state: State) -> None:
    content = crashed(state, caught(ValueError("x")), config={"path": Path("/a"), "need": float("inf")})

    assert content["configuration"] == {"path": "/a", "need": None}


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("error", [Unspeakable(), ValueError("half a character: \ud800"), ValueError(2**70)])
def test_no_error_is_too_odd_for_a_snapshot(state: State, error: Exception) -> None:
    context = crashed(state, caught(error))["error_context"]
    assert context["type"] == type(error).__name__
    assert "in throw" in "".join(context["traceback"])


def test_half_a_snapshot_is_not_left_on_a_full_disk(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        crashed(state, caught(ValueError("x")))
    assert list(state.crashes.iterdir()) == []


# What the engine leaves behind when it fails


def fail() -> None:
    raise EvaluationError("the score is nan")


def failed(state: State, store: Store) -> str:
    """A run whose second batch is followed by a failure."""
    with pytest.raises(LabError, match="the score is nan"):
        runs.searched(state, store, watch=Watch(2, fail))
    return store.experiments()[0].run_id


def test_a_failed_run_leaves_a_snapshot_that_its_last_event_names(state: State) -> None:
    with Store.open(state.database) as store:
        run_id = failed(state, store)
        experiment = runs.stored(store, run_id)

    (path,) = crash.of_run(state, run_id)
    content = json.loads(path.read_text())
    assert experiment.status == "FAILED"
    assert content["configuration"] == experiment.config
    assert content["exp_id"] == experiment.exp_id
    assert content["error_context"]["type"] == "EvaluationError"
    log = [json.loads(line) for line in state.events(run_id).read_text().splitlines()]
    (error,) = [event for event in log if event["event"] == "ORCH.ERROR"]
    assert error["snapshot"] == str(path)
    assert "EvaluationError: the score is nan" in error["traceback"]


def test_a_failed_run_goes_on_where_it_was_left(state: State) -> None:
    with Store.open(state.database) as store:
        run_id = failed(state, store)
        kept = [candidate.candidate_id for candidate in store.results(1)]
        assert kept
        runs.resumed(state, store, run_id)

        assert runs.stored(store, run_id).status == "COMPLETED"
        assert set(kept) < {candidate.candidate_id for candidate in store.results(1)}


def test_a_snapshot_that_cannot_be_written_does_not_hide_the_failure(state: State) -> None:
    state.crashes.write_text("in the way")
    with Store.open(state.database) as store:
        run_id = failed(state, store)

        assert runs.stored(store, run_id).status == "FAILED"
    assert [event["msg"] for event in recorder.recent if event["event"] == "ORCH.ERROR"][-1].endswith("score is nan")
