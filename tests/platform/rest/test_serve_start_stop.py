"""How `flowthings-like serve` starts, fails to start, and stops."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from flowthings_like import API, Token
from tests.transport.things.scripted_node import wait_until

from .served import PATIENCE, ROOT, SERVE, Served

pytestmark = pytest.mark.once

AT_ONCE = 15  # seconds; with the faults that are looked for it takes 20 or 30


def fails(folder: Path, *arguments: str) -> str:
    """Start a server that cannot start; the one line that it says."""
    ended = subprocess.run(
        [*SERVE, "--data", str(folder), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("flowthings-like: ")
    return line


def shows_a_token(folder: Path) -> bool:
    with Served(folder) as served:
        return any(line.startswith("token: ") for line in served.printed)


def test_a_port_in_use_is_one_line_and_no_token(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in fails(
            tmp_path, "--port", str(port)
        )
        assert f"cannot listen at 127.0.0.1:{port}" in fails(
            tmp_path, "--port", "0", "--things-port", str(port)
        )
    assert shows_a_token(tmp_path)


def test_an_address_of_another_machine_is_one_line(tmp_path: Path) -> None:
    assert "cannot listen at 192.0.2.1:0" in fails(tmp_path, "--host", "192.0.2.1", "--port", "0")
    assert "cannot listen at nobody.invalid:0" in fails(tmp_path, "--host", "nobody.invalid", "--port", "0")


def test_a_certificate_that_cannot_be_used_is_one_line_and_no_token(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    assert "No such file" in fails(tmp_path / "data", "--certfile", missing)
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate\n")
    assert "cannot be used" in fails(tmp_path / "data", "--certfile", str(wrong))
    assert "No such file" in fails(tmp_path / "data", "--certfile", str(wrong), "--keyfile", missing)
    assert shows_a_token(tmp_path / "data")


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be the platform's folder" in fails(tmp_path / "file", "--port", "0")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "platform.db").write_bytes(b"\1" * 9999)
    assert "not a platform's database" in fails(tmp_path / "data", "--port", "0")


@pytest.mark.sqlite("marks the file as that of a later version")
def test_a_worker_that_cannot_start_leaves_the_others_at_work(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "2", "--metrics-port", "0") as served:
        (shown,) = [line for line in served.printed if line.startswith("metrics: ")]
        metrics = f"{shown.removeprefix('metrics: ')}/metrics"
        wait_until(lambda: "flowthings_workers 2.0" in requests.get(metrics, timeout=PATIENCE).text)
        connection = sqlite3.connect(tmp_path / "platform.db")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("PRAGMA user_version=1000")
        first, second = served.workers()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: "later version" in "".join(served.errors))
        assert requests.get(f"{served.url}/healthz", timeout=PATIENCE).status_code == 200
        assert second in served.workers()
        connection.execute(f"PRAGMA user_version={version}")
        connection.close()
        wait_until(lambda: len(set(served.workers()) - {first, second}) == 1)
        assert served.stop() == 0


def test_a_second_server_on_a_folder_says_that_it_joins(tmp_path: Path) -> None:
    with Served(tmp_path, "--things-port", "0") as first, Served(tmp_path, "--things-port", "0") as second:
        joins, listening = second.printed
        assert joins.startswith(f"joins: the server at 127.0.0.1:{first.port}, ")
        assert listening.startswith("listening: ")
        for served in (first, second):
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
            connection.request("GET", "/v4.0/acme/flow", headers={"X-Auth-Token": first.token})
            assert connection.getresponse().status == 200
            connection.close()
        assert first.stop() == 0
        assert second.process.stdout is not None
        assert second.process.stdout.readline().startswith("things: things://")
    with Served(tmp_path) as third:
        assert [line.split(":")[0] for line in third.printed] == ["listening"]


def test_every_port_accepts_once_it_says_so(tmp_path: Path) -> None:
    with Served(tmp_path, "--things-port", "0", "--workers", "2") as served:
        host, port = served.printed[0].removeprefix("things: things://").split(":")
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
        socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_clients_do_not_hold_up_the_end(tmp_path: Path, number: int) -> None:
    with Served(tmp_path, "--things-port", "0") as served:
        idle = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
        idle.request("GET", "/v4.0/acme/flow", headers={"X-Auth-Token": served.token})
        idle.getresponse().read()
        half = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
        half.sendall(b"GET /v4.0/acme/flow HTTP/1.1\r\nHos")
        host, port = served.printed[0].removeprefix("things: things://").split(":")
        rooms = socket.create_connection((host, int(port)), timeout=PATIENCE)
        begun = time.monotonic()
        assert served.stop(number) == 0
        assert time.monotonic() - begun < AT_ONCE
        assert served.errors == []
        assert half.recv(1) == b""
        assert rooms.recv(1) == b""
        for sock in (half, rooms):
            sock.close()
        idle.close()


def test_a_body_that_does_not_come_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        client = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
        head = f"POST /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {served.token}\r\n"
        client.sendall(f"{head}Content-Length: 500\r\nExpect: 100-continue\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")  # so it is under way
        client.sendall(b"{")
        begun = time.monotonic()
        assert served.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begun < AT_ONCE
        client.close()


def test_a_request_under_way_is_answered_first(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        body = json.dumps({"path": "/acme/x"}).encode()
        client = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
        head = (
            f"POST /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {served.token}\r\n"
            f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        )
        client.sendall(head.encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")  # so it is under way
        client.sendall(body[:5])
        served.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while True:  # until nobody listens
            try:
                socket.create_connection(("127.0.0.1", served.port), timeout=1).close()
            except OSError:
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        begun = time.monotonic()
        client.sendall(body[5:])
        reply = http.client.HTTPResponse(client)
        reply.begin()
        assert reply.status == 201
        assert json.loads(reply.read())["body"]["path"] == "/acme/x"
        assert client.recv(1) == b""
        client.close()
        assert served.wait() == 0
        assert time.monotonic() - begun < AT_ONCE
        assert served.errors == []


def test_https_with_clients_that_never_finish_their_handshake(tmp_path: Path) -> None:
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem "
        "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True, timeout=PATIENCE)
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    trusting = ssl.create_default_context(cafile=cert)
    with Served(tmp_path / "data", "--certfile", cert, "--keyfile", key) as served:
        assert served.url.startswith("https://")
        silent = [socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) for _ in range(600)]
        silent[-1].sendall(b"GET / HTTP/1.1\r\n\r\n")  # no TLS at all
        connection = http.client.HTTPSConnection("127.0.0.1", served.port, timeout=PATIENCE, context=trusting)
        headers = {"X-Auth-Token": served.token}
        body = json.dumps({"path": "/acme/x", "metadata": {"m": ["x" * 1000] * 100}})
        for method, sent, status in (("POST", body, 201), ("GET", None, 200), ("GET", None, 200)):
            connection.request(method, "/v4.0/acme/flow", sent, headers)
            reply = connection.getresponse()
            assert reply.status == status
            assert json.loads(reply.read())["head"]["ok"]
        begun = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - begun < AT_ONCE
        connection.close()
        for sock in silent:
            sock.close()
        assert served.errors == []


def test_the_end_has_a_bound_whatever_clients_do(tmp_path: Path) -> None:
    """A request that goes on and on, a live session, a room and a stream's connection."""
    options = ("--stop-seconds", "2", "--things-port", "0", "--streams-port", "0")
    with Served(tmp_path, *options) as served:
        address = f"127.0.0.1:{served.port}"
        with API(Token("acme", served.token), host=address, secure=False) as api:
            flow = api.flow.create({"path": "/acme/a"})
            follower = iter(api.drop(flow["id"]).follow())
            api.drop(flow["id"]).create({"elems": {"a": 1}})
            assert next(follower)["elems"] == {"a": 1}
            (things,) = [
                line.removeprefix("things: things://") for line in served.printed if "things:" in line
            ]
            host, port = things.split(":")
            rooms = socket.create_connection((host, int(port)), timeout=PATIENCE)
            client = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
            head = f"POST /v4.0/acme/flow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {served.token}\r\n"
            client.sendall(f"{head}Content-Length: 500\r\nExpect: 100-continue\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")
            begun = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            while served.process.poll() is None:
                assert time.monotonic() - begun < AT_ONCE
                with suppress(OSError):
                    client.sendall(b" ")  # it is never silent for long
                time.sleep(0.05)
            assert served.wait() == 0
            assert time.monotonic() - begun > 1.5, "it had its two seconds"
            for sock in (rooms, client):
                sock.close()
            follower.close()
        assert served.errors == []
