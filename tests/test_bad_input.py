"""Whatever is wrong with a config: one line that names file and field, exit status 2, nothing written, at once."""

from __future__ import annotations

import copy
import io
import json
import os
import signal
import string
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import run
from mlab.config import Config, from_tree, load
from mlab.config.wording import fields
from mlab.core.errors import ConfigError, EvaluationError

SECONDS = 1.0
"""Longest that a refusal may take, beyond the imports."""

GRID = ["market.price", "market.tick", "market.step", "market.lowest_share", "market.contract_size"]
RULES = [*GRID, "market.least_quantity", "market.most_quantity", "market.least_money"]
NUMBERS = [
    "ladder.base_price", "ladder.limits.min_indent_step_pct", "ladder.limits.max_gap_ratio",
    "ladder.limits.first_volume_min_pct", "ladder.limits.tail_cap_pct", "score.alpha", "score.beta", "score.gamma",
    "score.lambda_penalty", "score.wave.strong_pct", "score.wave.weak_pct", "score.take_profit_pct",
    "search.prune_factor", "search.max_time_s", "search.max_failed_share", "search.batch_timeout_s", "market.budget",
    "search.prove_within_pct",
    "replay.stop_pct", "replay.fee_maker_pct", "replay.fee_taker_pct", *RULES,
]  # fmt: skip
WHOLE = ["seed", "market.most_orders", "search.batch_size", "search.max_batches", "search.patience", "search.top_k"]
WHOLE += ["replay.top", "replay.bootstrap"]
NAMES = [*(f"market.{name}" for name in ("file", "symbol", "base", "quote", "origin", "as_of")), "replay.split"]
NULLABLE = [
    "ladder.limits.max_gap_ratio", "search.max_time_s", "search.prove_within_pct", "market", "market.most_orders",
    "market.inverse", "replay", "replay.take_profit_pct", "replay.stop_pct", *RULES, *NAMES,
]  # fmt: skip
CHOICES = {
    "ladder.sizing": "'quote' or 'base'",
    "score.need": "'fill' or 'path'",
    "search.sampler": "'tpe', 'random', 'cmaes' or 'qmc'",
    "search.pruner": "'median', 'hyperband' or 'none'",
    "search.on_error": "'fail' or 'skip'",
}
KINDS = [
    (["ladder", "score", "search", "market", "replay", "ladder.limits", "score.wave"], "a mapping of fields",
     {"5": "5", "1.5": "1.5", "null": "null", "true": "true", "text": "'text'", "[]": "[]", "[1, 2]": "[1, 2]"}),
    (["name", "notes", "replay.prices", *NAMES], "text",
     {"5": "5", "null": "null", "true": "true", "[a]": "a list", "{a: b}": "a mapping"}),
    (NUMBERS, "a number", {"null": "null", "true": "true", "'1'": "'1'", "[1]": "[1]", "{a: 1}": "a mapping"}),
    (NUMBERS, "a finite number", {".nan": "nan", ".inf": "inf", "-.INF": "-inf", "1e999": "inf"}),
    (WHOLE, "a whole number",
     {"null": "null", "true": "true", "'1'": "'1'", "1.0": "1.0", ".inf": "inf", ".nan": "nan", "[]": "[]"}),
    *[([one], words, {"null": "null", "1": "1", "Tpe": "'Tpe'", "[fill]": "a list"}) for one, words in CHOICES.items()],
    (["score.wave.enabled", "market.inverse"], "true or false", {"null": "null", "1": "1", "yes": "'yes'"}),
]  # fmt: skip
"""Fields, what they must be, and by value of another kind how it is told."""

BOUNDS = {
    "seed": {"-1": "at least 0", "4294967296": "at most 4294967295"},
    "ladder.base_price": {
        "0": "at least 0.000000000001",
        "1e-13": "at least 0.000000000001",
        "1e13": "at most 1000000000000",
    },
    "ladder.overlap_pct": {
        "-5": "at least 0.01; ladders of sells above the price are not searched",
        "0": "at least 0.01",
        "95.5": "at most 95",
    },
    "ladder.num_orders": {"1": "at least 2", "201": "at most 200"},
    "ladder.limits.min_indent_step_pct": {"-1": "at least 0", "96": "at most 95"},
    "ladder.limits.max_gap_ratio": {"1": "at least 1.01", "1001": "at most 1000"},
    "ladder.limits.first_volume_min_pct": {"0": "above 0", "101": "at most 100"},
    "ladder.limits.tail_cap_pct": {"101": "at most 100", "0": "above 0"},
    "score.alpha": {"-0.1": "at least 0"},
    "score.gamma": {"1e300": "at most 1000000"},
    "search.batch_size": {"0": "at least 1", "257": "at most 256"},
    "search.max_batches": {"0": "at least 1", "10001": "at most 10000"},
    "search.patience": {"0": "at least 1", "10001": "at most 10000"},
    "search.miss_chance": {"-0.1": "at least 0", "1": "below 1"},
    "search.prune_factor": {"0.9": "at least 1", "1e7": "at most 1000000"},
    "search.top_k": {"0": "at least 1", "10001": "at most 10000"},
    "search.prove_within_pct": {"0": "above 0", "100": "below 100"},
    "search.max_time_s": {"0": "above 0", "-1": "above 0", "1e9": "at most 31536000"},
    "search.max_failed_share": {"1.5": "at most 1", "-0.1": "at least 0"},
    "search.batch_timeout_s": {"0": "above 0", "90000": "at most 86400"},
    "score.beta": {"-1": "at least 0"},
    "score.lambda_penalty": {"-0.1": "at least 0", "1000001": "at most 1000000"},
    "score.wave.strong_pct": {"1001": "at most 1000"},
    "score.wave.weak_pct": {"-1": "at least 0"},
    "score.take_profit_pct": {"0": "at least 0.01", "1001": "at most 1000"},
    "market.budget": {"0": "above 0", "1e13": "at most 1000000000000"},
    "market.tick": {"-0.1": "at least 0", "1e19": "at most 1000000000000000000"},
    "market.lowest_share": {"1": "at most 0.99"},
    "market.contract_size": {"0": "above 0"},
    "replay.top": {"0": "at least 1", "101": "at most 100"},
    "replay.take_profit_pct": {"0": "at least 0.01", "1001": "at most 1000"},
    "replay.stop_pct": {"0.009": "at least 0.01", "100": "below 100"},
    "replay.fee_maker_pct": {"-1": "at least 0", "10": "below 10"},
    "replay.bootstrap": {"-1": "at least 0", "10001": "at most 10000"},
}
"""Fields, and what lies beyond their bounds."""


def nested(field: str, value: str) -> str:
    """The YAML of one field."""
    first, _, rest = field.partition(".")
    return f"{first}: {{{nested(rest, value)}}}" if rest else f"{first}: {value}"


WRONG = [
    *[
        (nested(field, value), f"{field}: must be {words}{' or null' * (field in NULLABLE)}, was ")
        for field, values in BOUNDS.items()
        for value, words in values.items()
    ],
    *[
        (nested(field, value), f"{field}: must be {words}{' or null' * (field in NULLABLE)}, was {told}")
        for names, words, values in KINDS
        for field in names
        for value, told in values.items()
        if not (value == "null" and field in NULLABLE)
    ],
    # unknown fields
    ("sed: 1", "sed: unknown field, did you mean 'seed'?"),
    ("ladder: {overlap: 10}", "ladder.overlap: unknown field, did you mean 'overlap_pct'?"),
    ("ladder: {overlap_pct: x, base_prize: 1}", "ladder.base_prize: unknown field, did you mean 'base_price'?"),
    ("num_orders: 5", "num_orders: unknown field, did you mean 'ladder.num_orders'?"),
    ("ladder.num_orders: 5", "ladder.num_orders: fields must be nested, not written with dots"),
    ("ladder: {seed: 1}", "ladder.seed: unknown field, did you mean 'seed'?"),
    ("zzz: 1", "zzz: unknown field"),
    ("fees: 1", "fees: unknown field"),
    ("overlap: 5", "overlap: unknown field, did you mean 'ladder.overlap_pct'?"),
    ("order: 5", "order: unknown field, did you mean 'ladder.num_orders'?"),
    ("price: 5", "price: unknown field, did you mean 'market.price'?"),
    ("gap: 5", "gap: unknown field, did you mean 'ladder.limits.max_gap_ratio'?"),
    ("search: {overlap: 5}", "search.overlap: unknown field, did you mean 'ladder.overlap_pct'?"),
    ("ladder: {limits: {<<: {}}}", "ladder.limits.<<: unknown field"),
    ('"a\\nb": 1', "a\\nb: unknown field"),
    # name, seed, notes
    ("name: " + "a" * 65, "name: must match ^[a-z0-9][a-z0-9_-]{0,63}$, was 'aaa"),
    ("seed: 1e3", "seed: must be a whole number, was 1000.0"),
    ("seed: 1_000", "seed: must be a whole number, was '1_000'"),
    ("seed: " + "1" * 60, "seed: must be at most 4294967295, was a number of more than 30 digits"),
    ("notes: " + "x" * 2001, "notes: must have at most 2000 characters, was 'xxx"),
    # ladder
    ("ladder: {base_price: 1:30}", "ladder.base_price: must be a number, was '1:30'"),
    ("ladder: {base_price: yes}", "ladder.base_price: must be a number, was 'yes'"),
    ("ladder: {base_price: 2020-01-01}", "ladder.base_price: must be a number, was '2020-01-01'"),
    # overlap_pct, num_orders
    ("ladder: {overlap_pct: x}", "overlap_pct: must be a number, a list of numbers or {min, max, step}, was 'x'"),
    ("ladder: {overlap_pct: null}", "overlap_pct: must be a number, a list of numbers or {min, max, step}, was null"),
    ("ladder: {overlap_pct: true}", "ladder.overlap_pct: must be a number, was true"),
    ("ladder: {overlap_pct: []}", "ladder.overlap_pct: must not be empty, was []"),
    ("ladder: {overlap_pct: [10, '20']}", "ladder.overlap_pct.1: must be a number, was '20'"),
    ("ladder: {overlap_pct: [10, 120]}", "ladder.overlap_pct.1: must be at most 95, was 120"),
    ("ladder: {overlap_pct: [[10]]}", "ladder.overlap_pct.0: must be a number, was [10]"),
    ("ladder: {overlap_pct: [10, 20, 10.0]}", "overlap_pct: must not name the same value twice, was [10, 20, 10.0]"),
    ("ladder: {overlap_pct: [10, 10.000001]}", "ladder.overlap_pct: must not name the same value twice"),
    ("ladder: {overlap_pct: {min: 1, max: 5}}", "ladder.overlap_pct: step must be given"),
    ("ladder: {overlap_pct: {min: 1, max: 5, stp: 1}}", "ladder.overlap_pct.stp: unknown field, did you mean 'step'?"),
    ("ladder: {overlap_pct: {min: 5, max: 1, step: 1}}", "ladder.overlap_pct: min must not exceed max"),
    ("ladder: {overlap_pct: {min: 1, max: 5, step: 0}}", "ladder.overlap_pct.step: must be at least 0.001, was 0"),
    ("ladder: {overlap_pct: {min: 1, max: 95, step: 0.001}}", "ladder: overlap_pct and num_orders make 282003 cells"),
    ("ladder: {num_orders: 5.0}", "ladder.num_orders: must be a whole number, was 5.0"),
    ("ladder: {num_orders: [5, 5]}", "ladder.num_orders: must not name the same value twice, was [5, 5]"),
    ("ladder: {num_orders: [5, 1.5]}", "ladder.num_orders.1: must be a whole number, was 1.5"),
    ("ladder: {num_orders: {min: 2, max: 9, step: 0}}", "ladder.num_orders.step: must be at least 1, was 0"),
    ("ladder: {num_orders: {min: 2, max: 9, step: 1, max_: 3}}", "ladder.num_orders.max_: unknown field, did you mean"),
    ("ladder: {num_orders: x}", "num_orders: must be a whole number, a list of them or {min, max, step}, was 'x'"),
    # limits
    ("ladder: {limits: {max_gap_ratio: off}}", "ladder.limits.max_gap_ratio: must be a number or null, was 'off'"),
    ("ladder: {limits: {martingale_pct: 5}}", "ladder.limits.martingale_pct: must be [least, largest], was 5"),
    ("ladder: {limits: {martingale_pct: [5]}}", "ladder.limits.martingale_pct: must be [least, largest], was [5]"),
    ("ladder: {limits: {martingale_pct: [1, 2, 3]}}", "limits.martingale_pct: must be [least, largest], was [1, 2, 3]"),
    ("ladder: {limits: {martingale_pct: [9, 3]}}", "pct: must be [least, largest], the least first, was [9, 3]"),
    ("ladder: {limits: {martingale_pct: [1, 1001]}}", "ladder.limits.martingale_pct.1: must be at most 1000, was 1001"),
    ("ladder: {limits: {martingale_pct: [-1, 10]}}", "ladder.limits.martingale_pct.0: must be at least 0, was -1"),
    # score
    ("score: {alpha: 0, beta: 0, gamma: 0, lambda_penalty: 0}", "score: one of alpha, beta, gamma and lambda_penalty"),
    ("score: {wave: {enabled: yes}}", "score.wave.enabled: must be true or false, was 'yes'"),
    ("score: {wave: {weak_pct: 50}}", "score.wave: weak_pct must be below strong_pct 50, was 50"),
    # search
    ("search: {max_failed_share: half}", "search.max_failed_share: must be a number, was 'half'"),
    # markets that no file or ladder goes with
    ("market: {budget: 5, file: none.yaml}", "market: file none.yaml: no such file"),
    ("market: {budget: 1, most_quantity: 5, step: 6}", "must not be below least_quantity and step, was '5'"),
    ("market: {budget: 1234567.25, price: 100, least_money: 500000}", "market.budget 1234567.25 is too small, 8"),
    (
        "ladder: {overlap_pct: 20.1234567}\nmarket: {budget: 5, price: 100, lowest_share: 0.9}",
        "overlap_pct 20.1234567 is below",
    ),
    # replays
    ("replay: {prices: none.csv}", "replay.prices: must be candles that can be read, a file, msft or made: none.csv: "),
    ("replay: {prices: ''}", "replay.prices: must be candles that can be read, a file, msft or made: prices must be "),
    ("replay: {prices: .}", "replay.prices: must be candles that can be read, a file, msft or made: .: Is a directory"),
    ("replay: {take_profit_pct: x}", "replay.take_profit_pct: must be a number or a list of numbers, or null, was 'x'"),
    ("replay: {take_profit_pct: []}", "replay.take_profit_pct: must not be empty, was []"),
    ("replay: {take_profit_pct: [1, '2']}", "replay.take_profit_pct.1: must be a number, was '2'"),
    ("replay: {take_profit_pct: [1, 2, 1.0]}", "profit_pct: must not name the same value twice, was [1, 2, 1.0]"),
    ("replay: {split: soon}", "replay.split: must be a date, such as 2010-01-01, was 'soon'"),
    ("replay: {split: 1999-01-01}", "replay.split: must leave at least 2 candles on each side: msft: 1999-01-01T"),
    ("replay: {take_profit: 1}", "replay.take_profit: unknown field, did you mean 'take_profit_pct'?"),
    # limits that no ladder keeps
    ("ladder: {num_orders: 3, limits: {tail_cap_pct: 0.00001}}", "keeps limits.tail_cap_pct 0.00001: at limits."),
    ("ladder: {num_orders: 30, limits: {martingale_pct: [20, 50]}}", "ladder: no ladder with num_orders 30 keeps"),
    ("ladder: {num_orders: 2}", "ladder: no ladder with num_orders 2 keeps limits.tail_cap_pct 40: at limits"),
    (
        "ladder: {overlap_pct: [20, 1], num_orders: 12, limits: {min_indent_step_pct: 0.1}}",
        "ladder: no ladder with overlap_pct 1 and num_orders 12 keeps limits.min_indent_step_pct 0.1",
    ),
    ("seed: 0b1", "seed: must be a whole number, was '0b1'"),
    ("ladder: {overlap_pct: .nan}", "ladder.overlap_pct: must be a finite number, was nan"),
    ("ladder: {overlap_pct: [10, .inf]}", "ladder.overlap_pct.1: must be a finite number, was inf"),
    ("ladder: {overlap_pct: [10, null]}", "ladder.overlap_pct.1: must be a number, was null"),
    ("ladder: {overlap_pct: {min: .nan, max: 5, step: 1}}", "ladder.overlap_pct.min: must be a finite number, was nan"),
    ("ladder: {overlap_pct: {min: 1, max: 96, step: 1}}", "ladder.overlap_pct.max: must be at most 95, was 96"),
    ("ladder: {overlap_pct: {min: '1', max: 5, step: 1}}", "ladder.overlap_pct.min: must be a number, was '1'"),
    ("ladder: {overlap_pct: {min: 1, max: 5, step: -1}}", "ladder.overlap_pct.step: must be at least 0.001, was -1"),
    ("ladder: {overlap_pct: {}}", "ladder.overlap_pct: min must be given"),
    ("ladder: {num_orders: null}", "ladder.num_orders: must be a whole number, a list of them or {min, max, step}"),
    ("ladder: {num_orders: true}", "ladder.num_orders: must be a whole number, was true"),
    ("ladder: {num_orders: .inf}", "ladder.num_orders: must be a whole number, was inf"),
    ("ladder: {num_orders: []}", "ladder.num_orders: must not be empty, was []"),
    ("ladder: {num_orders: [0]}", "ladder.num_orders.0: must be at least 2, was 0"),
    ("ladder: {num_orders: [5, 201]}", "ladder.num_orders.1: must be at most 200, was 201"),
    ("ladder: {num_orders: {min: 9, max: 2, step: 1}}", "ladder.num_orders: min must not exceed max"),
    ("ladder: {num_orders: {min: 2, max: 201, step: 1}}", "ladder.num_orders.max: must be at most 200, was 201"),
    ("ladder: {num_orders: {min: 1, max: 5, step: 1}}", "ladder.num_orders.min: must be at least 2, was 1"),
    ("ladder: {num_orders: {max: 5, step: 1}}", "ladder.num_orders: min must be given"),
    ("ladder: {limits: {martingale_pct: null}}", "ladder.limits.martingale_pct: must be [least, largest], was null"),
    ("ladder: {limits: {martingale_pct: []}}", "ladder.limits.martingale_pct: must be [least, largest], was []"),
    ("ladder: {limits: {martingale_pct: [.nan, 5]}}", "ladder.limits.martingale_pct.0: must be a finite number"),
    ("ladder: {limits: {martingale_pct: {min: 1, max: 5}}}", "ladder.limits.martingale_pct: must be [least, largest]"),
    ("score: {lambda: 1}", "score.lambda: unknown field, did you mean 'lambda_penalty'?"),
    ("score: {wave: {strong_pct: 5}}", "score.wave: weak_pct must be below strong_pct 5, was 10"),
    ("search: {pruner: off}", "search.pruner: must be 'median', 'hyperband' or 'none', was 'off'"),
    # names that would be paths, statements, pages, styles, links or commands somewhere else
    *[
        (f"name: {json.dumps(name)}", f"name: must match ^[a-z0-9][a-z0-9_-]{{0,63}}$, was {name!r}")
        for name in (
            "", "Upper", "-a", "ü", "a\n", "../x", "../../etc/passwd", "/etc/passwd",
            "a/b", "a\\b", "c:", ".", "..", ".hidden", "~", "a b", "a.b", "a\0b",
            "x'; DROP TABLE runs; --", '" OR 1=1', "%s%n", "${HOME}", "$(reboot)", "`reboot`", "a;b", "a|b", "a&b",
            "<script>alert(1)</script>",
            "&lt;b&gt;", "[red]x[/]", "[/]", "**bold**", "[x](http://y)", "| a | b |",
            "=1+1", "+1", "@SUM(A1)", "\x1b[31m", "\x1b]0;title\x07", "a\nb", "a\rb", "a\tb", "\u202eabc", "\u0430",
            "\uff11", "{0}",
        )
    ],
    # and where a field is named so
    ('"../x": 1', "../x: unknown field"),
    ('"\\e[31m": 1', "\\x1b[31m: unknown field"),
    ('"[red]": 1', "[red]: unknown field"),
    ('"\\u202e": 1', "\\u202e: unknown field"),
    ('"": 1', ": unknown field"),
    ('ladder: {"": 1}', "ladder.: unknown field"),
]  # fmt: skip

BROKEN = [
    ("", "is empty"),
    ("# only a comment\n", "is empty"),
    ("---\n", "is empty"),
    ("- 1\n- 2\n", "must be a mapping of fields, was [1, 2]"),
    ("hello", "must be a mapping of fields, was 'hello'"),
    ("seed: 1\n---\nseed: 2\n", "line 2: not valid YAML: expected a single document"),
    ("seed: 1\nseed: 2\n", "seed: must appear once, is there again on line 2"),
    ("ladder:\n  num_orders: 5\n  'num_orders': 6\n", "ladder.num_orders: must appear once, is there again on line 3"),
    ("seed: &a 1\n", "line 1: anchors and aliases"),
    ("name: x\nnotes: *a\n", "line 2: anchors and aliases"),
    ("&a seed: 1\n", "line 1: anchors and aliases"),
    ("seed: !!int '1'\n", "line 1: tags (!) are not allowed"),
    ("notes: ! x\n", "line 1: tags (!) are not allowed"),
    ("x: !!python/object/apply:os.system [ls]\n", "line 1: tags (!) are not allowed"),
    ("!!map {seed: 1}\n", "line 1: tags (!) are not allowed"),
    ("1: 2\n", "keys must be text, another kind is on line 1"),
    ("ladder: {null: 2}\n", "ladder: keys must be text"),
    ("? [a]\n: 1\n", "keys must be text"),
    ("? {a: 1}\n: 1\n", "keys must be text"),
    ("a: " + "[" * 60_000, "line 1: must be nested at most 16 deep"),
    ("a: " + "{a: " * 15_000, "line 1: must be nested at most 16 deep"),
    ("\n".join(" " * depth + "a:" for depth in range(300)), "must be nested at most 16 deep"),
    ("seed: 1\n\tname: x\n", "line 2: not valid YAML"),
    ("seed: [1\n", "line 2: not valid YAML"),
    ("seed: 1\nname\n", "not valid YAML"),
    ("notes: 'open\n", "not valid YAML"),
    ("notes: a\n\x01\n", "line 2: holds a character that YAML does not allow"),
    ('notes: "\\UFFFFFFFF"\n', "not valid YAML"),
    ('notes: "\\uD800"\n', "notes: must be text that UTF-8 can hold"),
    ('"\\uD800": 1\n', "must be text that UTF-8 can hold"),
    ("%YAML 1." + "9" * 5000 + "\n---\nseed: 1\n", "line 1: not valid YAML"),
    ("seed: " + "9" * 5000, "seed: numbers must have at most 100 characters"),
    ("seed: 0x" + "f" * 5000, "seed: numbers must have at most 100 characters"),
    (b"seed: 1\nnotes: \xff\n", "line 2: must be text in UTF-8"),
    ("seed: 1\n".encode("utf-16"), "line 1: must be text in UTF-8"),
    ("seed: 1\n#" + "x" * 64 * 1024, "must be at most 64 KB"),
    # what would take long to read
    ("a: [" + "1," * 30_000 + "]", "line 1: must hold at most 2000 keys and values"),
    ("a: {" + "b," * 30_000 + "}", "line 1: must hold at most 2000 keys and values"),
    ("- 1\n" * 15_000, "must hold at most 2000 keys and values"),
    ("seed: 1\n" * 8_000, "must hold at most 2000 keys and values"),
    ("".join(f"k{number}: 1\n" for number in range(5_000)), "must hold at most 2000 keys and values"),
    ("%a\n" * 20_000, "not valid YAML"),
    ("\n" * 65_000, "is empty"),
    ("#\n" * 32_000, "is empty"),
    ("notes: '" + "x\n" * 32_000 + "'", "notes: must have at most 2000 characters"),
    ("notes: " + "x " * 32_000, "notes: must have at most 2000 characters"),
    ('notes: "' + "\\x41" * 16_000 + '"', "notes: must have at most 2000 characters"),
    ("a" * 65_000 + ": 1", "not valid YAML"),
    ("&a [*a, *a]", "line 1: anchors and aliases"),
    ("a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "line 1: anchors and aliases"),
    # other encodings, and what is no text
    ("seed: 1\n".encode("utf-32"), "line 1: must be text in UTF-8"),
    ("notes: ü\n".encode("latin-1"), "line 1: must be text in UTF-8"),
    (b"\x89PNG\r\n\x1a\n\x00\x00", "line 1: must be text in UTF-8"),
    (b"\x1f\x8b\x08\x00", "line 1: must be text in UTF-8"),
    (b"seed: 1\n\x00\x00", "line 2: holds a character that YAML does not allow"),
    (b"notes: \x1b[31m\n", "line 1: holds a character that YAML does not allow"),
    (b"seed: 1\n" + b"\xed\xa0\x80", "line 2: must be text in UTF-8"),
    ('{"seed": 1, "seed": 2}', "seed: must appear once"),
    ("[seed]\nseed = 1\n", "not valid YAML"),
    ("seed = 1\n", "must be a mapping of fields, was 'seed = 1'"),
    ("<config/>", "must be a mapping of fields, was '<config/>'"),
    ("null", "is empty"),
    ("42", "must be a mapping of fields, was 42"),
    ("true", "must be a mapping of fields, was True"),
]

OVERRIDES = [
    (["seed"], "--set: must be FIELD=VALUE such as ladder.num_orders=12, was 'seed'"),
    (["=1"], "--set: must be FIELD=VALUE"),
    (["ladder..x=1"], "--set: must be FIELD=VALUE"),
    ([""], "--set: must be FIELD=VALUE"),
    (["seed=x"], "--set: seed: must be a whole number, was 'x'"),
    (["seed=-1", "name=ok"], "--set: seed: must be at least 0, was -1"),
    (["seed="], "--set: seed: must be a whole number, was null"),
    (["seed=[1"], "--set seed: line 1: not valid YAML"),
    (["seed=&a 1"], "--set seed: line 1: anchors and aliases"),
    (["seed.x=1"], "--set: seed.x: seed must be a mapping of fields, was 7"),
    (["ladder.num_order=5"], "--set: ladder.num_order: unknown field, did you mean 'num_orders'?"),
    (["ladder.overlap_pct.min=5"], "x.yaml with --set: ladder.overlap_pct: max must be given"),
    (["ladder.num_orders=2"], "x.yaml with --set: ladder: no ladder with num_orders 2"),
    (["ladder={num_orders: 2}"], "--set: ladder: no ladder with num_orders 2"),
    (["a\nb=1"], "--set: a\\nb: unknown field"),
    (["x" * 500 + "=1"], "xxx...: unknown field"),
    ([".".join("a" * 50_000) + "=1"], "--set: a: unknown field"),
    (["name=../x"], "--set: name: must match"),
    (["name=[red]"], "--set: name: must be text, was a list"),
    (["notes=" + "x" * 2001], "--set: notes: must have at most 2000 characters"),
    (["ladder.overlap_pct=.nan"], "--set: ladder.overlap_pct: must be a finite number, was nan"),
    (["ladder.overlap_pct=[]"], "--set: ladder.overlap_pct: must not be empty, was []"),
    (["search.batch_size=1e400"], "--set: search.batch_size: must be a whole number, was inf"),
    (["search.max_time_s=" + "9" * 400], "--set search.max_time_s: numbers must have at most 100 characters"),
    (["score={alpha: 0, beta: 0, gamma: 0, lambda_penalty: 0}"], "--set: score: one of alpha, beta, gamma"),
    (["ladder=" + "[" * 1000], "--set ladder: line 1: must be nested at most 16 deep"),
    (["ladder.num_orders=[" + "5," * 5000 + "]"], "--set ladder.num_orders: line 1: must hold at most 2000"),
    (["seed=1\nname: x"], "--set seed: line 2: not valid YAML"),
    (["seed=!!python/name:os.system"], "--set seed: line 1: tags (!) are not allowed"),
    (["seed=1", "seed=2", "seed=x"], "--set: seed: must be a whole number, was 'x'"),
    (["\x1b[31m=1"], "--set: \\x1b[31m: unknown field"),
    (["__class__=1"], "--set: __class__: unknown field"),
    (["ladder.__init__=1"], "--set: ladder.__init__: unknown field"),
]


@pytest.fixture(autouse=True)
def _as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of one's own; and the command line is the master of its process, while the tests' process goes on."""
    monkeypatch.setenv("MLAB_STATE_DIR", str(tmp_path / "state"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The one line with which the command line refuses its arguments; it has touched nothing."""

    def judge(*arguments: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        began = time.process_time()
        status = run.main(arguments)
        seconds = time.process_time() - began
        out, err = capsys.readouterr()
        assert (status, out) == (2, "")
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err[:-1].isprintable(), "one line that any terminal can show"
        assert sorted(tmp_path.rglob("*")) == before
        assert seconds < SECONDS
        return err[len("error: ") : -1]

    return judge


def sets(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


def test_bad_values_are_value_errors_too() -> None:
    """So that who calls from Python need not know our own errors."""
    with pytest.raises(ValueError, match="must be at least 2"):
        load(None, ["ladder.num_orders=1"])
    assert issubclass(EvaluationError, ValueError)


def test_hundreds_of_faults_are_known_and_every_field_has_some() -> None:
    assert len(WRONG) + len(BROKEN) + len(OVERRIDES) > 300
    faults = [line for _, line in WRONG]
    assert [
        field for field in fields() if not any(line.startswith((f"{field}: ", f"{field}.")) for line in faults)
    ] == []


@pytest.mark.parametrize(("text", "line"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_field_is_told_in_one_line(
    text: str, line: str, written: Callable[[str], Path], refused: Callable[..., str]
) -> None:
    path = written(text)
    told = refused("--config", str(path))
    assert told.startswith(f"{path}: ")
    assert line in told
    assert not told.endswith(" or null"), "what it must be stands before what it was"


@pytest.mark.parametrize(("content", "line"), BROKEN, ids=range(len(BROKEN)))
def test_a_file_that_is_not_a_plain_yaml_mapping_is_refused(
    content: str | bytes, line: str, written: Callable[[str | bytes], Path], refused: Callable[..., str]
) -> None:
    path = written(content)
    told = refused("--config", str(path))
    assert told.startswith(f"{path}: ")
    assert line in told


@pytest.mark.parametrize(("overrides", "line"), OVERRIDES, ids=range(len(OVERRIDES)))
def test_a_wrong_override_is_told_in_one_line(
    overrides: list[str], line: str, written: Callable[[str], Path], refused: Callable[..., str]
) -> None:
    told = refused("--config", str(written("seed: 7")), *sets(*overrides))
    assert line in told
    assert "--set" in told


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "huge").open("wb").truncate(2**33)
    assert refused("--config", str(tmp_path / "none.yaml")).endswith("none.yaml: no such file")
    assert refused("--config", str(tmp_path)).endswith("must be a file, is a folder")
    assert "cannot be read" in refused("--config", "a\0b")
    assert "cannot be read: File name too long" in refused("--config", "x" * 5000)
    assert refused("--config", str(tmp_path / "two\nlines")).endswith("two\\nlines: no such file")
    assert refused("--config", str(tmp_path / "\x1b[31m")).endswith("\\x1b[31m: no such file")
    assert refused("--config", str(tmp_path / "huge")).endswith("must be at most 64 KB")
    assert refused("--config", "/dev/zero") == "/dev/zero: must be at most 64 KB"
    assert refused("--config", "/dev/null").startswith("/dev/null: is empty")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(written: Callable[[str], Path], refused: Callable[..., str]) -> None:
    path = written("seed: 1")
    path.chmod(0)
    assert "cannot be read: Permission denied" in refused("--config", str(path))


# Whatever else: junk

NAMES = sorted({part for field in fields() for part in field.split(".")})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["tpe", "quote", "fill", "default", 0, 1, 5, 10, 0.5, 30.0])
)
KEYS = st.sampled_from(NAMES) | st.text(max_size=5)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)


SYNTAX = [
    *[": ", "\n", "\n  ", "- ", "[", "]", "{", "}", ", ", "1", "'", '"'],
    *["&a ", "*a", "!!int ", "? ", "> ", "| ", "---\n", "%YAML 1.1\n"],
]
YAML_JUNK = (
    st.text(max_size=60)
    | st.text(alphabet=string.ascii_letters[:4] + ":-?[]{}#&*!|>'\"%@`,. \n\t0x\\u~<=", max_size=60)
    | TREES.map(lambda tree: yaml.safe_dump(tree, allow_unicode=True))
    | st.lists(st.sampled_from([*NAMES, *SYNTAX]), max_size=30).map("".join)
)

generated = pytest.mark.parametrize("examples", [200, pytest.param(2_000, marks=pytest.mark.soak)])
"""How many cases are made up: enough to notice something, or to find nearly all."""


def verdict(judge: Callable[[], Config]) -> Config | str:
    """The config, or the line that refuses it; any other exception is a failure."""
    try:
        return judge()
    except ConfigError as error:
        line = str(error)
    assert line.isprintable(), "one line that any terminal can show"
    return line


def said(path: Path, *overrides: str) -> Config | str:
    """The verdict on a file or overrides; the command line tells a refusal in the same words."""
    line = verdict(lambda: load(path, overrides))
    if isinstance(line, str):
        with redirect_stderr(io.StringIO()) as err:
            assert run.main(["--config", str(path), *(f"--set={text}" for text in overrides)]) == 2
        assert err.getvalue() == f"error: {line}\n"
    return line


@generated
def test_any_tree_is_a_config_or_one_line(examples: int) -> None:
    @given(TREES)
    @settings(max_examples=examples)
    def holds(tree: Any) -> None:
        judged = verdict(lambda: from_tree(tree, "junk"))
        assert isinstance(judged, Config) or judged.startswith("junk: ")

    holds()


@generated
def test_any_value_at_any_field_is_a_config_or_one_line(examples: int) -> None:
    @given(st.sampled_from(fields()), TREES)
    @settings(max_examples=examples)
    def holds(field: str, value: Any) -> None:
        tree: dict[str, Any] = Config().model_dump(mode="json")
        inner = tree
        *sections, name = field.split(".")
        for section in sections:
            inner[section] = copy.copy(inner[section]) if isinstance(inner[section], dict) else {}
            inner = inner[section]
        inner[name] = value
        judged = verdict(lambda: from_tree(tree, "junk"))
        if isinstance(judged, Config):
            stored = json.dumps(judged.model_dump(mode="json"), allow_nan=False)
            assert from_tree(json.loads(stored), "again") == judged
        else:
            assert judged.startswith("junk: ")

    holds()


@generated
def test_any_text_is_a_config_or_one_line(examples: int, tmp_path: Path) -> None:
    path = tmp_path / "junk.yaml"

    @given(YAML_JUNK)
    @settings(max_examples=examples)
    def holds(text: str) -> None:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        judged = said(path)
        assert isinstance(judged, Config) or judged.startswith(f"{path}: ")

    holds()


@generated
def test_any_bytes_are_one_line(examples: int, tmp_path: Path) -> None:
    path = tmp_path / "junk.yaml"

    @given(st.binary(max_size=80))
    @settings(max_examples=examples)
    def holds(content: bytes) -> None:
        path.write_bytes(content)
        judged = said(path)
        assert isinstance(judged, str)
        assert judged.startswith(f"{path}: ")

    holds()


@generated
def test_any_override_is_a_config_or_one_line(examples: int) -> None:
    @given(st.text(max_size=40) | st.tuples(st.sampled_from(fields()), YAML_JUNK).map("=".join))
    @settings(max_examples=examples)
    def holds(text: str) -> None:
        judged = said(run.DEFAULT, text)
        assert isinstance(judged, Config) or "--set" in judged

    holds()
