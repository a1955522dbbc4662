"""What is asked of servers, and how processes take turns."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
import requests

from flows import connection
from mlab.core import lock, pidfiles, probe
from mlab.core.lock import Taken, alone, locked
from mlab.core.state import State
from tests import runs


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(b"well")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def saying(line: bytes) -> Iterator[str]:
    """Something that listens and is no web server."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def answer() -> None:
            visitor, _ = door.accept()
            with visitor:
                visitor.recv(4096)
                visitor.sendall(line)

        Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"


def test_a_page_is_there_or_not(url: str) -> None:
    assert probe.fetch(f"{url}/health") == b"well"
    assert probe.answers(f"{url}/health")
    assert not probe.answers(f"{url}/other"), "an error is no page"
    assert not probe.answers(f"http://127.0.0.1:{runs.free_port()}")
    assert not probe.answers("nonsense")
    assert not probe.answers("http://[::1")


def test_what_is_no_web_server_does_not_answer() -> None:
    with saying(b"220 mail.example.com ready\r\n") as address:
        assert not probe.answers(address)


def test_a_copy_of_a_state_folder_does_not_lead_to_the_prefect_of_the_first(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    state, copy = State(tmp_path / "state"), State(tmp_path / "copy")
    state.prefect.mkdir(parents=True)
    connection.address_file(state).write_text(url)
    assert connection.prefect_api(state) is None, "nobody serves it"
    with lock.taken(pidfiles.record(state, "Prefect")):
        shutil.copytree(state.root, copy.root)
        assert connection.prefect_api(state) == url
        assert connection.prefect_api(copy) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_not_asked_through_a_proxy(url: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{runs.free_port()}")
    assert probe.answers(url.replace("127.0.0.1", host) + "/health")


def test_what_this_process_starts_asks_this_machine_directly_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    probe.bypass_proxies()
    assert "no_proxy" not in os.environ, "the system's own settings stay as they are"

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "intern.example.com,localhost")
    monkeypatch.setenv("NO_PROXY", "")
    probe.bypass_proxies()
    probe.bypass_proxies()
    assert os.environ["no_proxy"] == "intern.example.com,localhost,127.0.0.1,::1"


def test_hosts_that_need_no_proxy_are_kept_however_they_were_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "intern.example.com, 10.0.0.7")
    probe.bypass_proxies()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "intern.example.com,10.0.0.7,127.0.0.1,localhost,::1"


@pytest.mark.parametrize("name", [name for proxy in probe.PROXIES for name in (proxy, proxy.upper())])
@pytest.mark.parametrize("scheme", ["http", "socks", "socks5", "socks5h"])
def test_libraries_ask_this_machine_directly_and_others_through_the_proxy(
    url: str, name: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in [known for known in os.environ if known.lower().endswith("_proxy")]:
        monkeypatch.delenv(known)
    monkeypatch.setenv("no_proxy", "")  # what is set below is undone
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv(name, url.replace("http", scheme))

    connection.ask_directly()

    for host in ("127.0.0.1", "localhost"):
        page = url.replace("127.0.0.1", host) + "/health"  # asked of a proxy it is another, which is not there
        assert httpx.get(page).text == "well"
        assert requests.get(page, timeout=60).text == "well"
    if scheme == "http" and name.lower() != "https_proxy":
        assert httpx.get("http://elsewhere.invalid/").text == "well", "the proxy has answered"
        assert requests.get("http://elsewhere.invalid/", timeout=60).text == "well"


def test_waiting_asks_at_least_once_and_says_whether_it_happened() -> None:
    asked: list[None] = []
    assert probe.wait_until(lambda: asked.append(None) or True, 0.0)
    assert not probe.wait_until(lambda: False, 0.05, 0.01)
    assert probe.wait_until(lambda: asked.append(None) or len(asked) > 3, 60.0, 0.001)


def test_who_is_alone_keeps_other_processes_waiting_until_it_dies(tmp_path: Path) -> None:
    code = f"""if True:
        import time
        from pathlib import Path
        from mlab.core.lock import alone
        with alone(Path({str(tmp_path / "lock")!r}), 7):
            print(flush=True)
            time.sleep(600)"""
    with runs.python("-c", code, state=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(Taken), alone(tmp_path / "lock", 7, 0.3):
            pass
        with alone(tmp_path / "lock", 8, 0.0):
            pass
        process.kill()
        with alone(tmp_path / "lock", 7):
            pass


def test_those_who_share_a_file_keep_out_who_wants_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("ab") as one, path.open("ab") as other:
        assert locked(one, shared=True)
        assert locked(other, shared=True)
        with path.open("ab") as third:
            assert not locked(third, shared=False)
    with path.open("ab") as third:
        assert locked(third, shared=False)
        with path.open("ab") as one:
            assert not locked(one, shared=True)
