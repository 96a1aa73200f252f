"""A server in C for clients to be measured against: nginx, on a core of its own, with a canned answer."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._processes import on_last_core

ACCOUNT, TOKEN = "acme", "measured"
SIZE = 476
"""Bytes of the answer, which is the platform's to a `find` of one flow."""

CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{answer}'; }}
    }}
}}
"""


def canned() -> str:
    """The platform's answer to a find."""
    flow = {"id": "f" + "0" * 24, "path": "/acme/weather", "capacity": 100_000, "description": ""}
    head = {"ok": True, "status": 200, "errors": [], "messages": [], "references": {}}
    answer = {"head": head, "body": [flow]}
    flow["description"] = "x" * (SIZE - len(json.dumps(answer)))
    return json.dumps(answer)


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """A running nginx; yields its host and port. It gets the last core this process may use."""
    if shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") is None:
        raise SystemExit("this benchmark needs nginx, which is not installed: apt-get install nginx")
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    written = folder / "nginx.conf"
    written.write_text(CONFIGURATION.format(folder=folder, port=port, answer=canned()))
    command = [str(program), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(written)]
    with on_last_core(command):
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise SystemExit(f"nginx did not start: {(folder / 'error.log').read_text()}")
        yield f"127.0.0.1:{port}"
