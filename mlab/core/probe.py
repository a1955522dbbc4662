"""Whether a server answers, and waiting for it. Nothing on this machine's own addresses is asked through a proxy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

ANSWER_S = 5.0
"""Longest wait for an answer to a small question."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def answers(url: str, timeout_s: float = ANSWER_S) -> bool:
    """Whether a page is there: status 200."""
    try:
        fetch(url, timeout_s)
    except (OSError, ValueError):
        return False
    return True


def fetch(
    url: str, timeout_s: float = ANSWER_S, question: bytes | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """What a page holds, or the answer to a question that is posted to it.

    Raises:
        OSError: nobody answers, or with an error.
        ValueError: that is no address of a page.
    """
    from http.client import HTTPException  # noqa: PLC0415 - slow to load, and most who wait ask no server
    from urllib.request import ProxyHandler, Request, build_opener  # noqa: PLC0415

    direct = [ProxyHandler({})] if urlsplit(url).hostname in LOOPBACK else []
    try:
        asked = Request(url, question, dict(headers or {}))  # noqa: S310 - an address that people have given
        with build_opener(*direct).open(asked, timeout=timeout_s) as answer:
            content: bytes = answer.read()
    except HTTPException as error:
        raise OSError(f"no page: {error!r}") from error
    return content


def bypass_proxies() -> None:
    """Keep this process, and those that it starts, from asking this machine's own servers through a proxy."""
    names = {name for proxy in PROXIES for name in (proxy, proxy.upper())}
    if names & os.environ.keys():  # where none is set, the system's own settings stay as they are
        for name in ("no_proxy", "NO_PROXY"):
            known = [host for host in os.environ.get(name, "").split(",") if host]
            os.environ[name] = ",".join([*known, *(host for host in LOOPBACK if host not in known)])


def wait_until(happened: Callable[[], bool], timeout_s: float, every_s: float = 0.1) -> bool:
    """Wait until something has happened; whether it did in time. It is asked once at least."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True
