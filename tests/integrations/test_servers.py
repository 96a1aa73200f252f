"""The example's application under real servers, with load from a second process.

There is one platform for all of these tests, with 200 users. Each has a token that opens one flow, its own.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, Token
from tests.platform.rest.served import Served

from .web_server import SERVERS, WebServer

pytestmark = pytest.mark.once

USERS = 200
HOURS = 20
LOAD = Path(__file__).with_name("load.py")
IN_FLIGHT = 8


class Service:
    """A platform with its users.

    Attributes:
        users: the path and the token of each.
    """

    def __init__(self, platform: Served) -> None:
        self.platform = platform
        with API(Token("acme", platform.token), host=f"127.0.0.1:{platform.port}", secure=False) as api:
            paths = [f"/acme/user{number}" for number in range(USERS)]
            calls = api.async_(8)
            for path in paths:
                calls.flow.create({"path": path, "capacity": 100})
            flows = calls.results()
            for flow in flows:
                drops = [
                    {"elems": {"hour": hour, "of": flow["path"], "temp": 60.25}} for hour in range(HOURS)
                ]
                calls.drop(flow["id"]).create_many(drops)
                rights = {flow["path"]: {"dropRead": True, "read": True}}
                calls.token.create({"paths": rights})
            tokens = [made["tokenString"] for made in calls.results()[1::2]]
        self.users = list(zip(paths, tokens, strict=True))

    def load(self, server: WebServer, requests: int, concurrency: int) -> dict[str, Any]:
        """Make requests from a second process. What they were answered."""
        done = subprocess.run(
            [sys.executable, str(LOAD), str(server.port), str(requests), str(concurrency)],
            input=json.dumps(self.users),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Served(tmp_path_factory.mktemp("platform")) as platform:
        yield Service(platform)


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebServer]:
    with WebServer(request.param, service.platform, tmp_path_factory.mktemp(request.param)) as server:
        yield server


def test_the_process_is_in_order(server: WebServer) -> None:
    """The settings of the example, with preload, patch in time."""
    said = server.inside()
    assert said["backend"] == server.kind.backend
    assert said["findings"] == []


def test_200_requests_at_once_get_what_their_own_tokens_open(server: WebServer, service: Service) -> None:
    summary = service.load(server, requests=USERS, concurrency=USERS)
    assert summary["outcomes"] == {"right": USERS}, server.log
    (path, _), (_, other) = service.users[:2]
    status, said = server.get(f"/hours?path={path}", other)
    assert status in (403, 404), said
    assert server.get(f"/hours?path={path}", "nobody's")[0] in (401, 403)
    assert server.get(f"/hours?path={path}", "no token")[0] == 401


def test_a_page_with_thunks(server: WebServer, service: Service) -> None:
    path, token = service.users[0]
    status, page = server.get(f"/page?path={path}", token)
    assert status == 200, server.log
    assert page.count(b"<li>60.2</li>") == HOURS
    assert b"no description" in page


@pytest.mark.parametrize("requests", [150, pytest.param(10_000, marks=pytest.mark.long)])
def test_requests_leave_nothing_behind(server: WebServer, service: Service, requests: int) -> None:
    service.load(server, requests=100, concurrency=50)
    before = server.inside()
    summary = service.load(server, requests, concurrency=50)
    assert summary["outcomes"] == {"right": requests}, server.log
    after = server.until(lambda: server.inside())
    for kind, count in after["ours"].items():
        assert count <= before["ours"][kind] + 2, (before, after)
    # eventlet's hub keeps the timers of sockets until they are due, also those that were cancelled.
    assert after["objects"] < before["objects"] + 2000, (before, after)
    assert after["files"] <= before["files"] + 10, (before, after)
    assert after["memory"] < before["memory"] + (16 << 20), (before, after)


def test_calls_end_when_the_client_goes(server: WebServer, tmp_path: Path) -> None:
    """The handler waits for a call that never ends. On OS threads nothing can be interrupted."""
    if server.kind.backend == "threads":
        pytest.skip("a call in an OS thread cannot be interrupted")
    client = socket.create_connection(("127.0.0.1", server.port))
    headers = "Host: here\r\nX-Auth-Account: acme\r\nX-Auth-Token: none\r\n"
    client.sendall(f"GET /abandoned?folder={tmp_path} HTTP/1.1\r\n{headers}\r\n".encode())
    server.until((tmp_path / "began").exists)
    client.close()
    server.until((tmp_path / "ended").exists)
    server.until(lambda: (tmp_path / "ended").read_text() == "CallCancelled")


class InFlight:
    """Requests that have begun and do not end before they are let go."""

    def __init__(self, server: WebServer, service: Service, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.answers: list[Any] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(server, number, *service.users[number]))
            for number in range(IN_FLIGHT)
        ]
        for thread in self._threads:
            thread.start()
        server.until(lambda: len(list(folder.glob("began-*"))) == IN_FLIGHT)

    def _ask(self, server: WebServer, number: int, path: str, token: str) -> None:
        try:
            status, said = server.get(f"/slow?folder={self._folder}&number={number}&path={path}", token)
            right = status == 200 and {hour[0]["elems"]["of"] for hour in said["hours"]} == {path}
            self.answers.append("right" if right else (status, said))
        except Exception as error:
            self.answers.append(error)

    def let_go(self) -> None:
        """Let them end, and wait for their answers."""
        (self._folder / "go").touch()
        for thread in self._threads:
            thread.join(60)


@pytest.mark.parametrize("name", SERVERS)
def test_reload_and_stop_answer_what_is_in_flight(name: str, service: Service, tmp_path: Path) -> None:
    with WebServer(name, service.platform, tmp_path) as server:
        before = server.generation()
        in_flight = InFlight(server, service, tmp_path / "reload")
        server.signal(signal.SIGHUP)
        server.wait_for(server.kind.reloading)
        during = Background(service, server)
        in_flight.let_go()
        assert in_flight.answers == ["right"] * IN_FLIGHT, server.log
        server.until(lambda: server.generation() != before)
        assert during.stop() == {"right"}, server.log
        # A worker that is about to end still accepts for a moment. gunicorn waits for what it has accepted
        # before it looks at the next signal.
        server.until(lambda: has_taken_over(before, server.generation()))
        assert server.inside()["findings"] == []

        in_flight = InFlight(server, service, tmp_path / "stop")
        server.signal(signal.SIGTERM)
        server.wait_for(server.kind.stopping)
        in_flight.let_go()
        assert in_flight.answers == ["right"] * IN_FLIGHT, server.log
        assert server.wait() == 0, server.log


def has_taken_over(before: bytes, now: bytes) -> bool:
    """Whether another process answers than before, and that one is gone."""
    old, new = before.split()[0], now.split()[0]
    return now != before and (old == new or not Path(f"/proc/{old.decode()}").exists())


class Background:
    """One request after the other, until it is stopped."""

    def __init__(self, service: Service, server: WebServer) -> None:
        self._outcomes: set[str] = set()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, args=(server, *service.users[-1]), daemon=True)
        self._thread.start()

    def _run(self, server: WebServer, path: str, token: str) -> None:
        while not self._is_over:
            try:
                status, said = server.get(f"/hours?path={path}", token)
                self._outcomes.add("right" if status == 200 else f"{status} {said}")
            except Exception as error:
                self._outcomes.add(repr(error))

    def stop(self) -> set[str]:
        """How the requests ended."""
        self._is_over = True
        self._thread.join(60)
        return self._outcomes
