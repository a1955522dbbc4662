"""Whether a server answers, and waiting for it. Nothing on this machine's own addresses is asked through a proxy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

ANSWER_S = 5.0
"""Longest wait for an answer to a small question."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
NO_PROXY = ("no_proxy", "NO_PROXY")


def answers(url: str) -> bool:
    """Whether a page is there: status 200."""
    try:
        fetch(url)
    except (OSError, ValueError):
        return False
    return True


def fetch(url: str, question: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
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
        with build_opener(*direct).open(asked, timeout=ANSWER_S) as answer:
            content: bytes = answer.read()
    except HTTPException as error:
        raise OSError(f"no page: {error!r}") from error
    return content


def bypass_proxies() -> None:
    """Keep this process, and those that it starts, from asking this machine's own servers through a proxy."""
    if _proxies():  # where none is set, the system's own settings stay as they are
        known = [host.strip() for name in NO_PROXY for host in os.environ.get(name, "").split(",")]
        hosts = dict.fromkeys(host for host in (*known, *LOOPBACK) if host)
        os.environ.update(dict.fromkeys(NO_PROXY, ",".join(hosts)))  # both, for libraries read one of them


def leave_out_socks() -> None:
    """Take away the proxies that httpx cannot use, in this process and those that it starts.

    With one of them in the environment it asks nobody, not even this machine's own servers.
    """
    usable = ("socks5", "socks5h") if find_spec("socksio") else ()
    for name, address in _proxies().items():
        scheme = urlsplit(address).scheme
        if scheme.startswith("socks") and scheme not in usable:
            del os.environ[name]


def _proxies() -> dict[str, str]:
    names = [name for proxy in PROXIES for name in (proxy, proxy.upper())]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def wait_until(happened: Callable[[], bool], timeout_s: float, every_s: float = 0.1) -> bool:
    """Wait until something has happened; whether it did in time. It is asked once at least."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True
