#!/usr/bin/env bash
# Where ALL_PROXY names a SOCKS proxy, httpx makes no client at all without its extra, also for hosts that NO_PROXY exempts.
#
# Expected: ALL_PROXY names a SOCKS proxy, as VPN programs set it, and NO_PROXY exempts this machine. A program that only asks
# a server on 127.0.0.1 needs no proxy and no support of SOCKS, and gets its answer, as with urllib, requests and curl.
# Seen (httpx 0.28.1, requests 2.32.5, Python 3.11): httpx builds a transport for every proxy variable when a client is made, before
# it knows whom it will ask, and raises ImportError for the missing socksio. Whatever stands on httpx, such as Prefect's
# client, then cannot reach its own server on this machine. requests, which lacks its SOCKS extra as well, looks at the
# variables when it asks, and reaches the server.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check httpx==0.28.1 requests==2.32.5
cat > "$folder/main.py" <<'PYTHON'
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

os.environ["ALL_PROXY"] = os.environ["all_proxy"] = "socks5://127.0.0.1:9"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import httpx
import requests


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


server = HTTPServer(("127.0.0.1", 0), Hello)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/"
print("requests:", requests.get(address, timeout=10).status_code)
try:
    print("httpx:", httpx.get(address, timeout=10).status_code)
except ImportError as error:
    print("httpx: ImportError,", str(error).split(".")[0])
PYTHON
seen=$("$folder/venv/bin/python" "$folder/main.py")
expected="requests: 200
httpx: ImportError, Using SOCKS proxy, but the 'socksio' package is not installed"
echo "$seen"
[ "$seen" = "$expected" ]
