"""Secrets are hidden wherever they stand, and nothing else is."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlab.config import Config
from mlab.core import events
from mlab.core.errors import ConfigError
from mlab.core.redaction import HIDDEN, RedactedStream, redacted
from mlab.core.state import State
from mlab.store import Store
from tests import runs

SECRET = "hunter2"  # noqa: S105
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nhunter2\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r"


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ({"password": "hunter2", "user": "ann"}, {"password": HIDDEN, "user": "ann"}),
        (
            {"Api_Key": "k", "apikey": "k", "x-api-key": "k", "AUTHORIZATION": "k"},
            {"Api_Key": HIDDEN, "apikey": HIDDEN, "x-api-key": HIDDEN, "AUTHORIZATION": HIDDEN},
        ),
        ({"secret": {"value": "s"}, "tokens": ["a", "b"]}, {"secret": HIDDEN, "tokens": HIDDEN}),
        ({"token": 1234}, {"token": HIDDEN}),
        ({"password": None}, {"password": None}),
        ({"deep": [{"credential": "x"}]}, {"deep": [{"credential": HIDDEN}]}),
        (["login", "--password", "hunter2", "--user", "ann"], ["login", "--password", HIDDEN, "--user", "ann"]),
        ({"http://a:hunter2@b": 1}, {f"http://a:{HIDDEN}@b": 1}),
        (("http://a:b@c", 1.5, True, None), [f"http://a:{HIDDEN}@c", 1.5, True, None]),
    ],
)
def test_what_lies_under_the_name_of_a_secret_is_hidden(value: Any, clean: Any) -> None:
    assert redacted(value) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        # settings
        ("password=hunter2", "password=[hidden]"),
        ("cannot log in: password = hunter2 is wrong", "cannot log in: password = [hidden] is wrong"),
        ("Password: hunter2", "Password: [hidden]"),
        ("api_key: hunter2", "api_key: [hidden]"),
        ("X-Api-Key: hunter2", "X-Api-Key: [hidden]"),
        ('token "hunter2"', "token [hidden]"),
        ("secret 'hunter 2'", "secret [hidden]"),
        ("AWS_SECRET_ACCESS_KEY=hunter/2+x", "AWS_SECRET_ACCESS_KEY=[hidden]"),
        ("secretKey: hunter2", "secretKey: [hidden]"),
        ("Server=db;Uid=ann;Pwd=hunter2;Port=1", "Server=db;Uid=ann;Pwd=[hidden];Port=1"),
        ('{"password": "hun\\"ter2", "user": "ann"}', '{"password": [hidden], "user": "ann"}'),
        ("{'password': 'hunter2', 'user': 'ann'}", "{'password': [hidden], 'user': 'ann'}"),
        (r'"{\"token\": \"hunter2\", \"n\": 1}"', r'"{\"token\": [hidden], \"n\": 1}"'),
        ("login --db-password hunter2 --user ann", "login --db-password [hidden] --user ann"),
        ("['login', '--password', 'hunter2']", "['login', '--password', [hidden]]"),
        # headers
        ("Authorization: Bearer hunter2", "Authorization: [hidden]"),
        ("Authorization: Basic YW5uOmh1bnRlcjI=", "Authorization: [hidden]"),
        ("{'authorization': 'Bearer hunter2'}", "{'authorization': [hidden]}"),
        ("sent Bearer 0123456789abcdef to it", "sent Bearer [hidden] to it"),
        ("sent Basic YW5uOmh1bnRlcjI= to it", "sent Basic [hidden] to it"),
        # URLs
        ("postgresql+psycopg://ann:hunter2@host/db", "postgresql+psycopg://ann:[hidden]@host/db"),
        ("redis://:hunter2@host", "redis://:[hidden]@host"),
        ("mysql://ann:p@ss@host/db", "mysql://ann:[hidden]@host/db"),
        ("see http://h/x?token=hunter2&y=1#z", "see http://h/x?token=[hidden]&y=1#z"),
        ("http://h/x?y=1&api_key=hunter2", "http://h/x?y=1&api_key=[hidden]"),
        ("http://h/x?sig=hunter2&X-Amz-Signature=abc", "http://h/x?sig=[hidden]&X-Amz-Signature=[hidden]"),
        # shapes
        (f"my key\n{PEM}\nis this", "my key\n[hidden]\nis this"),
        (PEM.partition("-----END")[0], "[hidden]"),
        (repr(PEM), "'[hidden]'"),
        ("id AKIAIOSFODNN7EXAMPLE, yes", "id [hidden], yes"),
        ("ghp_" + "a1" * 18, "[hidden]"),
        ("github_pat_" + "a1_" * 20, "[hidden]"),
        ("glpat-" + "a1" * 10, "[hidden]"),
        ("sk-proj-" + "a1" * 12, "[hidden]"),
        ("sk_live_" + "a1" * 12, "[hidden]"),
        ("xoxb-1234567890-abc", "[hidden]"),
        ("AIza" + "a" * 35, "[hidden]"),
        ("pnu_" + "a1" * 18, "[hidden]"),
        (f"it is {JWT}, yes", "it is [hidden], yes"),
    ],
)
def test_secrets_in_free_text_are_hidden(text: str, clean: str) -> None:
    assert redacted(text) == clean
    assert redacted(clean) == clean
    assert redacted({"msg": text, "list": [1, text]}) == {"msg": clean, "list": [1, clean]}


@pytest.mark.parametrize(
    "text",
    [
        "the password is wrong",
        "cannot read /etc/passwd: no such file",
        "it's the token '",
        "token expired, log in again",
        "secretary: Ann",
        "tokenizer: bpe",
        "basic ladders need more",
        "the bearer of bad news",
        "keys must be text, another kind is on line 1",
        "monkey: 5, keynote: 3",
        "risk-adjusted-need-of-the-last-order",
        "see http://localhost:5000/#/runs",
        "http://127.0.0.1:4200/api did not answer: ann@example.org was told",
        "ssh://git@host/repo",
        "path/to/mlruns/experiments.db",
        "20 % x 10, batch 7: 8 rows",
        "mlab.key = 'overlap20_orders10'",
        "no ladder with num_orders 30 keeps limits.first_volume_min_pct 1",
        "passing: 3, bypass = 4, compass",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redacted(text) == text


# What the environment names


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wJalr/Utn+FEMI", "wJalr/Utn+FEMI"),
        ("MLFLOW_TRACKING_PASSWORD", "hunter22", "hunter22"),
        ("DB_PASS", "hunter22\n", "hunter22"),
        ("STRIPE_KEY", "hunter22", "hunter22"),
        ("DB_PWD", "hunter22", "hunter22"),
        ("DATABASE_URL", "postgresql://ann:hunter22@host/db", "hunter22"),
        ("DATABASE_URL", "postgresql://ann:hunter%2022@host/db", "hunter 22"),
        ("TOKEN_OF_ANN", "quo'te\"d\\x", "quo'te\"d\\x"),
        ("TOKEN_OF_ANN", "quo'te\"d\\x", repr("quo'te\"d\\x")[1:-1]),
        ("MY_SECRET", "a b/c@d", "a%20b%2Fc%40d"),
        ("MY_SECRET", "two\nlines", "two\nlines"),
        ("MY_SECRET", "zwölf€", "zwölf€"),
    ],
    ids=itertools.count(),  # the name of a test is in the environment too
)
def test_secrets_of_the_environment_are_hidden_wherever_they_stand(
    name: str, value: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"before{secret}after"
    assert redacted([text, 1]) == [text, 1]
    monkeypatch.setenv(name, value)
    assert redacted([text, 1]) == ["before[hidden]after", 1]
    monkeypatch.delenv(name)
    assert redacted([text, 1]) == [text, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("MY_TOKEN", "short"), ("PWD", "overlap"), ("TOKENIZERS_PARALLELISM", "overlap"), ("SSH_ASKPASS", "overlap")],
)
def test_short_values_and_other_variables_hide_nothing(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert redacted(f"an {value} of 20") == f"an {value} of 20"


def test_of_two_secrets_one_within_the_other_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter")
    monkeypatch.setenv("B_SECRET", "hunter2hunter2")
    assert redacted("x hunter2hunter2 y") == "x [hidden] y"


# Nothing else is hidden, and it takes no time


def test_the_events_of_a_real_run_pass_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def watched(value: Any, key: str = "") -> Any:
        seen.append(json.loads(json.dumps(value)))
        clean = redacted(value, key)
        assert clean == value
        return clean

    monkeypatch.setattr(events, "redacted", watched)
    state = State(tmp_path)
    with Store.open(state.database) as store:
        run_id = runs.searched(state, store, "notes=nothing to hide here")
    lines = state.events(run_id).read_text().splitlines()
    logged = [event for event in map(json.loads, lines) if event.get("run_id") == run_id]
    assert len(logged) > 20
    assert [event for event in seen if event.get("run_id") == run_id] == logged


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
WORDS = st.sampled_from([*"%x:=,()[]", "of", "in", "by", "at", "is", "needpct", "overlap", "order", "batch", "gap"])


@given(st.lists(NUMBERS.map(str) | NUMBERS.map("{:.4f}".format) | WORDS, max_size=30).map(" ".join))
@settings(max_examples=200)
def test_no_number_of_a_ladder_is_hidden(text: str) -> None:
    assert redacted(text) == text
    assert redacted({"schedule": [text, 1.5]}) == {"schedule": [text, 1.5]}


PIECES = [*"=:'\"\\ -&?\n", "password", "token", "Bearer ", "http://", "a:b@c", "sk-", "eyJ", HIDDEN, PEM, JWT]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join))
@settings(max_examples=300)
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    clean = redacted(text)
    assert redacted(clean) == clean
    assert redacted({"a": [text]})["a"] == [redacted(text)]


def test_thousands_of_events_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        monkeypatch.setenv(f"SERVICE_{number}_TOKEN", f"hunter2-{number}")
    names = [f"20260131-235959-0a1b2c-c004-b0005-i{index:03d}" for index in range(8)]
    ids = {"run_id": "20260131-235959-0a1b2c", "exp_id": 3, "span_id": "batch-0005", "batch_idx": 5}
    event = {"ts": "2026-01-31T23:59:59.123+00:00", "lvl": "INFO", "event": "ORCH.SAVE_OK", "msg": "8 rows saved"}
    event |= ids | {"overlap": 20.0, "orders": 10, "rows": 8, "held": 50, "best_score": 1.234, "candidates": names}
    began = time.process_time()
    for _ in range(5_000):
        redacted(event)
    assert (time.process_time() - began) / 5_000 < 100e-6  # 8 us on an ordinary machine


@pytest.mark.parametrize(
    "text",
    ["token ", "://x:", "basic ", 'token "', "BEGIN PRIVATE KEY-----", "password=a ", "-", "secret_", "eyJ", "\\"],
)
def test_no_text_is_slow(text: str) -> None:
    began = time.process_time()
    redacted(f"key {text * (100_000 // len(text))}")
    assert time.process_time() - began < 2.0


# Other places


def test_a_stream_passes_on_whole_lines_without_secrets() -> None:
    below = io.StringIO()
    stream = RedactedStream(below)
    for piece in ("pass", "word=hun", "ter2\nsecond ", "line"):
        stream.write(piece)
    assert below.getvalue() == "password=[hidden]\n"
    stream.write(f"\n{PEM}\n")
    assert below.getvalue() == "password=[hidden]\nsecond line\n[hidden]\n"


def test_an_exception_that_nobody_catches_is_shown_on_such_a_stream_without_secrets() -> None:
    code = (
        "import sys; from mlab.core.redaction import RedactedStream; sys.stderr = RedactedStream(sys.stderr)\n"
        "try:\n"
        "    raise OSError(111, 'refused at http://ann:hunter2@host')\n"
        "except OSError as cause:\n"
        "    error = KeyError(f'token={\"hunter2\"}')\n"
        "    error.add_note('in a worker: password=hunter2')\n"
        "    raise ExceptionGroup('password=hunter2', [error, ValueError({'api_key': 'hunter2'})]) from cause\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr  # noqa: S603
    assert told.count(HIDDEN) == 5
    assert SECRET not in told


def test_notes_are_stored_without_secrets_and_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINANCE_API_SECRET", "hunter22")
    config = Config(notes="with hunter22 at http://ann:x@host")
    assert config.notes == "with [hidden] at http://ann:[hidden]@host"
    long = Config(notes="pwd=a " * 333)
    assert len(long.notes) == 2000
    assert Config.model_validate(long.model_dump(mode="json")) == long


def test_a_refused_config_shows_no_secret() -> None:
    error = ConfigError("--set", "seed", "must be a whole number", "http://ann:hunter2@host")
    assert str(error) == "--set: seed: must be a whole number, was 'http://ann:[hidden]@host'"
