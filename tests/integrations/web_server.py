"""Starts the example's application with one of four servers, as its README does."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.platform.rest.served import ROOT, Served

__all__ = ["SERVERS", "WebServer"]

EXAMPLE = ROOT / "examples" / "webapp"
APPLICATION = "tests.integrations.served_app:application"
PATIENCE = 60  # seconds, for a machine that is busy with other things


@dataclass(frozen=True)
class Kind:
    """A kind of server.

    Attributes:
        command: starts it with the application of the tests. PORT stands for a free port, for a server that
            would choose another one when it is reloaded.
        listening: finds the port in its log.
        stopping, reloading: is in its log when it has begun to stop, or to reload.
        backend: on which the calls are parallel.
        concurrency: requests that it handles at once.
    """

    command: list[str]
    listening: str
    stopping: str
    reloading: str
    backend: str
    concurrency: int = 200


def _gunicorn(settings: str) -> list[str]:
    program = [sys.executable, "-m", "gunicorn", "-c", str(EXAMPLE / settings), "--bind", "127.0.0.1:0"]
    return [*program, APPLICATION]


SERVERS = {
    "gunicorn-gevent": Kind(
        _gunicorn("gunicorn_gevent.py"), r"Listening at: http://127.0.0.1:(\d+)", "Handling signal: term",
        "Handling signal: hup", "gevent",
    ),
    "gunicorn-gthread": Kind(
        _gunicorn("gunicorn_gthread.py"), r"Listening at: http://127.0.0.1:(\d+)", "Handling signal: term",
        "Handling signal: hup", "threads", 16,
    ),
    "eventlet": Kind(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("eventlet_app.py"))],
        r"listening at port (\d+)", "signal 15: answering", "signal 1: answering", "eventlet",
    ),
    "uwsgi": Kind(
        [
            str(Path(sys.executable).with_name("pyuwsgi")), "--ini", str(EXAMPLE / "uwsgi.ini"),
            "--binary-path", sys.executable, "--module", APPLICATION, "--http-socket", "127.0.0.1:PORT",
        ],
        r"bound to TCP address 127.0.0.1:(\d+)", "gracefully", "gracefully", "gevent",
    ),
}  # fmt: skip


class WebServer:
    """A server process with the example's application. Used as a context manager."""

    def __init__(self, name: str, platform: Served, folder: Path) -> None:
        self.kind = SERVERS[name]
        self._log = folder / f"{name}.log"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(EXAMPLE)]),
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
            "FLOWTHINGS_ACCOUNT": "acme",
            "FLOWTHINGS_TOKEN": "none",
            "FLOWTHINGS_HOST": f"127.0.0.1:{platform.port}",
            "FLOWTHINGS_SECURE": "false",
        }
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        command = [part.replace("PORT", port) for part in self.kind.command]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            self.port = int(self.wait_for(self.kind.listening)[1])
            self.until(lambda: self.get("/generation"))
        except BaseException:
            self.kill()
            raise

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def get(self, target: str, token: str = "none", **options: Any) -> tuple[int, Any]:
        """The status and the body of an answer, decoded if it is JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            headers = {"X-Auth-Account": "acme", "X-Auth-Token": token, **options}
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(body) if answer.headers[
            "Content-Type"
        ] == "application/json" else body

    def inside(self) -> dict[str, Any]:
        """What the process says of itself."""
        status, said = self.get("/process")
        assert status == 200, said
        return said  # type: ignore[no-any-return]

    def generation(self) -> bytes:
        """Which process answers, another one after each reload."""
        status, said = self.get("/generation")
        assert status == 200, said
        return said  # type: ignore[no-any-return]

    def until(self, condition: Callable[[], Any]) -> Any:
        """Ask until something is true. Connections that fail count as false."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                if found := condition():
                    return found
            except OSError:
                pass
            assert self.process.poll() is None, f"it ended:\n{self.log}"
            assert time.monotonic() < ends, self.log
            time.sleep(0.02)

    def wait_for(self, text: str) -> re.Match[str]:
        """Wait until a pattern is in the log."""
        found: re.Match[str] = self.until(lambda: re.search(text, self.log))
        return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it and its workers at once."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = children.read_text().split() if children.exists() else []
        self.process.kill()
        self.process.wait()
        for pid in pids:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue

    def __enter__(self) -> WebServer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
