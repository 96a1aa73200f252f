"""`flowthings-like serve`, as another process sees it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from .served import PATIENCE, ROOT, SERVE, Served


def call(served: Served, token: str | None, method: str, path: str, body: Any = None, **extra: str) -> Any:
    headers = {**({} if token is None else {"X-Auth-Token": token}), **extra}
    url = f"{served.url}/v4.0/acme{path}"
    return requests.request(method, url, json=body, headers=headers, timeout=PATIENCE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served"), "--log") as running:
        yield running


def test_the_first_start_prints_account_and_token(served: Served) -> None:
    account, token, listening = served.printed[-3:]  # before them where the store is, if that is a server
    assert account == "account: acme"
    assert re.fullmatch("token: [A-Za-z0-9]{32}", token)
    assert re.fullmatch(r"listening: http://127\.0\.0\.1:[1-9][0-9]*", listening)


def test_a_deleted_token_is_refused_by_every_worker(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "3") as running:
        for _ in range(8):
            made = call(running, running.token, "POST", "/token", {"paths": {"/acme": {"dropRead": True}}})
            token = made.json()["body"]["tokenString"]
            for _ in range(8):  # each over a connection of its own, so that all workers come to know it
                assert call(running, token, "GET", "/flow").status_code == 200
            deleted = call(running, running.token, "DELETE", f"/token/{made.json()['body']['id']}")
            assert deleted.status_code == 200
            assert [call(running, token, "GET", "/flow").status_code for _ in range(8)] == [403] * 8


def test_the_operator_sets_the_largest_capacity(tmp_path: Path) -> None:
    with Served(tmp_path, "--max-capacity", "5000", "--workers", "2") as running:
        assert (
            call(running, running.token, "POST", "/flow", {"path": "/acme/a"}).json()["body"]["capacity"]
            == 1000
        )
        for _ in range(4):  # whichever worker answers
            refused = call(running, running.token, "POST", "/flow", {"path": "/acme/b", "capacity": 5001})
            assert refused.status_code == 400
            assert "at most 5000" in refused.json()["head"]["errors"][0]
        assert (
            call(running, running.token, "POST", "/flow", {"path": "/acme/b", "capacity": 5000}).status_code
            == 201
        )
    wrong = subprocess.run(
        [*SERVE, "--data", str(tmp_path), "--max-capacity", "-1"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert wrong.returncode == 2
    assert "a capacity is a whole number" in wrong.stderr


def test_a_token_is_required(served: Served) -> None:
    assert call(served, None, "GET", "/flow").status_code == 401
    assert call(served, "wrong", "GET", "/flow").status_code == 403
    reply = call(served, served.token, "GET", "/flow", **{"X-Auth-Account": "acme"})
    assert reply.status_code == 200
    assert reply.json()["head"]["ok"] is True


def test_the_unusual_methods_get_through(served: Served) -> None:
    flow = call(served, served.token, "POST", "/flow", {"path": "/acme/verbs"}).json()["body"]
    found = call(served, served.token, "MGET", "/flow", [flow["id"]])
    assert found.json()["body"] == {flow["id"]: flow}
    changed = call(served, served.token, "MPUT", "/flow", {flow["id"]: {"capacity": 5}})
    assert changed.json()["body"][flow["id"]]["capacity"] == 5
    encoded = call(served, served.token, "POST", "/drop/%2Facme%2Fverbs", {"elems": {"a": 1}})
    assert encoded.status_code == 201
    assert call(served, served.token, "DELETE", f"/flow/{flow['id']}").json()["body"] == {}


def test_doubled_slashes_and_long_filters_get_through(served: Served) -> None:
    call(served, served.token, "POST", "/flow", {"path": "/acme/slashes"})
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    connection.request("GET", "/v4.0/acme/drop//acme/slashes", headers={"X-Auth-Token": served.token})
    assert json.load(connection.getresponse())["body"] == []
    connection.close()
    text = " || ".join(f"elems.a == {n}" for n in range(1500))
    assert call(served, served.token, "GET", f"/drop?path=/acme/slashes&filter={text}").status_code == 200


def test_large_replies_are_packed(served: Served) -> None:
    call(served, served.token, "POST", "/flow", {"path": "/acme/packed"})
    call(served, served.token, "POST", "/drop/%2Facme%2Fpacked", [{"elems": {"n": n}} for n in range(100)])
    reply = call(served, served.token, "GET", "/drop?path=/acme/packed&limit=100")
    assert reply.headers["Content-Encoding"] == "gzip"
    assert len(reply.json()["body"]) == 100


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_100_mb_is_refused_in_a_way_that_its_sender_can_read(served: Served, chunked: bool) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1024 * 1024

    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    headers = (
        {"X-Auth-Token": served.token}
        if chunked
        else {
            "X-Auth-Token": served.token,
            "Content-Length": str(100 * 1024 * 1024),
        }
    )
    connection.request("POST", "/v4.0/acme/flow", body=pieces(), headers=headers, encode_chunked=chunked)
    reply = connection.getresponse()
    envelope = json.load(reply)
    assert reply.status == envelope["head"]["status"] == 413
    assert "too large" in envelope["head"]["errors"][0]
    connection.request("GET", "/v4.0/acme/track", headers={"X-Auth-Token": served.token})  # and goes on
    assert json.load(connection.getresponse())["body"] == []
    connection.close()


def test_the_log_tells_of_requests_and_not_of_tokens(served: Served) -> None:
    call(served, served.token, "GET", "/track/t000000000000000000000000?only=hush")
    deadline = time.monotonic() + PATIENCE  # the line comes through a pipe of its own
    while not any("GET /v4.0/acme/track/t000000000000000000000000 404" in line for line in served.errors):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not any(served.token in line or "hush" in line for line in served.errors)


def test_a_reload_serves_on(served: Served) -> None:
    call(served, served.token, "POST", "/flow", {"path": "/acme/reloaded"}).raise_for_status()
    worker, deadline = _worker(served), time.monotonic() + PATIENCE
    served.process.send_signal(signal.SIGHUP)
    while _worker(served) in (worker, None):
        assert served.process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    found = call(served, served.token, "GET", "/flow?limit=1").json()["body"]
    assert found[0]["path"] == "/acme/reloaded"


@pytest.mark.sqlite("is about the folder that holds the database")
def test_it_stops_cleanly_nothing_is_lost_and_the_token_is_shown_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Served(folder) as first:
        token = first.token
        call(first, token, "POST", "/flow", {"path": "/acme/x"}).raise_for_status()
        drop = call(first, token, "POST", "/drop", {"path": "/acme/x", "elems": {"a": 1}}).json()["body"]
        assert first.stop(signal.SIGTERM) == 0
        assert first.errors == []
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert token.encode() not in stored
    assert not (folder / "platform.db-wal").exists(), "a clean stop leaves no log behind"
    with Served(folder) as second:
        assert [line.split(":")[0] for line in second.printed] == ["listening"]
        assert call(second, token, "GET", "/drop?path=/acme/x").json()["body"] == [drop]
        assert second.stop(signal.SIGINT) == 0
        assert second.errors == []
    with Served(folder, "--new-token", "--workers", "2") as third:
        assert third.token != token
        assert call(third, token, "GET", "/flow").status_code == 403
        for _ in range(6):  # whichever worker answers
            assert call(third, third.token, "GET", "/flow").status_code == 200


def _worker(served: Served) -> str | None:
    """The youngest child of the server's process."""
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    return max(children, key=int, default=None)


def test_nothing_that_patching_would_miss_is_imported_before_it() -> None:
    code = (
        "import sys; import flowthings_like.cli.main, flowthings_like.cli.serve; "
        "print(sorted({'ssl', 'socket', 'requests', 'urllib3'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, check=True
    )
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["--port", "x"], 2, "a port is a number"),
        (["--port", "70000"], 2, "a port is a number"),
        (["--workers", "0"], 2, "workers must be"),
        (["--account", "Not A Name"], 1, "lower-case"),
        (["--keyfile", "k.pem"], 2, "--keyfile needs --certfile"),
    ],
)
def test_wrong_usage_is_explained(tmp_path: Path, arguments: list[str], status: int, reason: str) -> None:
    command = [*SERVE, "--data", str(tmp_path / "d"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, check=False)
    assert ended.returncode == status
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['gunicorn'] = None; "
        "from flowthings_like.cli.main import main; sys.exit(main(['serve', '--data', sys.argv[1]]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=ROOT,
        check=False,
    )
    assert ended.returncode == 1
    assert "pip install 'flowthings_like[serve]'" in ended.stderr
    assert "Traceback" not in ended.stderr
