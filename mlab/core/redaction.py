"""What no file may hold: passwords, keys and tokens, wherever they stand in a text or a JSON value.

Three things are hidden: what lies under the name of a secret, what has the shape of one, and what the environment
of this process names as one.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TextIO
from urllib.parse import quote, unquote

import orjson

HIDDEN = "[hidden]"
SHORTEST = 6
"""Letters that the value of a variable must have: shorter ones would hide parts of ordinary words."""

KEYS = "(?:api|access|account|auth|encryption|private|signing)[_ -]?key"
NAME = re.compile(rf"passw|passphrase|secret|token(?!iz)|credential|authorization|{KEYS}", re.IGNORECASE)
"""The name of a field that holds a secret."""

VARIABLE = re.compile(rf"{NAME.pattern}|(?:^|_)(?:PASS|KEY|PAT)$|_PWD$", re.IGNORECASE)
"""The name of an environment variable that does."""

URL = re.compile(r"(://[^:/@\s]*):([^\s\"<>]{1,256})@")
"""User and password in a URL. Begins with what is rare: a pattern that begins with any letter is slow in long texts."""

VALUE = r"""(?:\[hidden\]|\\"(?:(?!\\").)*(?:\\")?|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[^\s"'&;]+)"""
QUOTED = r"""\\?(?:"[^"\n]+"|'[^'\n]+')"""
PATTERNS = (
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]+KEY-----|\Z)", re.S), HIDDEN),
    (URL, rf"\1:{HIDDEN}@"),
    (  # password=x, "api_key": "x", SECRET_ACCESS_KEY: x, token "x", Authorization: Bearer x
        re.compile(
            rf"((?:(?<!etc/)passw[a-z]*|passphrase|(?<![a-z])pwd|secret|token|credential|authorization|{KEYS})s?(?-i:(?![a-z]))"
            rf"""[\w.-]{{0,60}}\\?["']?(?:[ \t]*(?:=>|:=|[:=])[ \t]*|[ \t]+(?={QUOTED})))"""
            rf"(?:(?:bearer|basic|digest|token)[ \t]+)?{VALUE}",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (  # --password x, and as a list of words
        re.compile(
            rf"""((?<![\w-])--[\w-]{{0,40}}(?:passw|secret|token|{KEYS})[\w-]{{0,40}}(?:["'],)?[ \t]+){VALUE}""",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(bearer|basic)[ \t]+(?=\S{0,200}[\d=])[\w+/.~=-]{12,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (
        re.compile(r"([?&](?:auth|code|key|pass|sig|signature|x-amz-[\w-]{1,40})=)[^&#\s\"']+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (  # keys of AWS, GitHub, GitLab, OpenAI and the like, Stripe, Slack, Google, Prefect; web tokens
        re.compile(
            r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
            r"|glpat-[\w-]{20,}|(?<![\w-])sk-[\w-]{16,}|[rs]k_(?:live|test)_\w{16,}|xox[a-z]-[\w-]{10,}"
            r"|AIza[\w-]{35}|pn[bu]_[A-Za-z0-9]{30,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
        ),
        HIDDEN,
    ),
)
HINTS = (
    *("pass", "pwd", "secret", "token", "cred", "auth", "key", "bearer", "basic", "sig", "amz", "code=", "//"),
    *("akia", "asia", "gh", "github", "glpat", "sk-", "k_live", "k_test", "xox", "aiza", "pn", "eyj"),
)
"""One of these is in every text that a pattern fits, and finding them is thirty times as fast."""

LOWER, UNHINTED = bytes(range(256)).lower(), b'0123456789".,:{}[] '
"""What makes a text short and small before hints are looked for: no letter of theirs is left out."""


def redacted(value: Any, key: str = "") -> Any:
    """A JSON value, which lies under ``key``, with ``[hidden]`` for every secret; itself where there is none."""
    known = _known()
    if not key and _harmless(value, known):
        return value
    return _redacted(value, key, known)


def _harmless(value: Any, known: tuple[str, ...]) -> bool:
    """Whether a value, looked at as a whole, cannot hold a secret: so it is with nearly all events."""
    try:
        line = orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    text = line.decode()
    # What JSON spells otherwise than it is (quotes, control characters) it spells with a backslash.
    if known and ("\\" in text or any(secret in text for secret in known)):
        return False
    return not _hinted(line)


def _hinted(text: bytes) -> bool:
    """Whether a pattern might fit."""
    short = text.translate(LOWER, UNHINTED).decode("latin-1")
    for hint in HINTS:  # noqa: SIM110 - any() takes twice as long
        if hint in short:
            return True
    return False


def _redacted(value: Any, key: str, known: tuple[str, ...]) -> Any:
    if value is not None and NAME.search(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {_clean(str(name), known): _redacted(item, str(name), known) for name, item in value.items()}
    if isinstance(value, list | tuple):
        # What follows --password is one.
        named = (item if isinstance(item, str) and item.startswith("-") else "" for item in ("", *value))
        return [_redacted(item, name, known) for item, name in zip(value, named, strict=False)]
    return _clean(value, known) if isinstance(value, str) else value


def _clean(text: str, known: tuple[str, ...]) -> str:
    for secret in known:
        text = text.replace(secret, HIDDEN)
    if _hinted(text.encode("utf-8", "replace")):
        for pattern, instead in PATTERNS:
            text = pattern.sub(instead, text)
    return text


def _known() -> tuple[str, ...]:
    """The secrets of the environment, found again when it has changed."""
    return _secrets(frozenset(os.environ._data.items()))  # type: ignore[attr-defined]  # noqa: SLF001 - as it is: faster


@lru_cache(maxsize=1)
def _secrets(environment: frozenset[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """Every spelling of them, the longest first, so that none is hidden in part."""
    found = set()
    for name, value in ((os.fsdecode(name), os.fsdecode(value)) for name, value in environment):
        found |= {password for _, password in URL.findall(value)}
        found |= {value.strip()} if VARIABLE.search(name) else set()
    found |= {unquote(secret) for secret in found}
    found |= {quote(secret, safe="") for secret in found if secret.isprintable()}
    found |= {repr(secret)[1:-1] for secret in found}
    return tuple(sorted((secret for secret in found if len(secret) >= SHORTEST), key=len, reverse=True))


class RedactedStream(io.TextIOBase):
    """A text stream that passes whole lines on to another, without secrets."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._line = stream, ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the other stream."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Take some text; the line that it begins waits for its end."""
        lines, newline, rest = (self._line + text).rpartition("\n")
        self._line = rest
        if newline:
            self._stream.write(redacted(lines) + newline)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Nothing waits but a line that has not ended."""
