"""Health, metrics and the log of `flowthings-like serve`, as an operator sees them."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.servers.platform_store import STORE

from ...platform.rest.served import PATIENCE, Served

pytestmark = pytest.mark.once

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    options = ("--metrics-port", "0", "--log", "--log-format", "json", "--workers", "2")
    with Served(tmp_path_factory.mktemp("served"), *options) as running:
        yield running


def get(served: Served, path: str, method: str = "GET", **headers: str) -> requests.Response:
    return requests.request(method, f"{served.url}{path}", headers=headers, timeout=PATIENCE)


def metrics_url(served: Served) -> str:
    (line,) = [line for line in served.printed if line.startswith("metrics: ")]
    return line.removeprefix("metrics: ")


def metrics(served: Served) -> dict[str, float]:
    text = requests.get(f"{metrics_url(served)}/metrics", timeout=PATIENCE).text
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in rows}


def wait_for_line(served: Served, **members: Any) -> dict[str, Any]:
    """The first line of the log with these members."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for line in [json.loads(line) for line in list(served.errors)]:
            if members.items() <= line.items():
                found: dict[str, Any] = line
                return found
        time.sleep(0.01)
    raise AssertionError(served.errors)


def test_a_server_says_that_it_is_healthy_and_ready(served: Served) -> None:
    for path in ("/healthz", "/readyz"):
        answer = get(served, path)
        assert (answer.status_code, answer.json()["head"]["ok"]) == (200, True)
        assert get(served, path, "POST").status_code == 405
        assert requests.get(f"{metrics_url(served)}{path}", timeout=PATIENCE).status_code == 200
    head = get(served, "/healthz", "HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_metrics_are_at_their_own_port_alone(served: Served) -> None:
    assert get(served, "/metrics").status_code == 404
    assert get(served, "/metrics", Host=metrics_url(served).removeprefix("http://")).status_code == 404
    elsewhere = requests.get(f"{metrics_url(served)}/v4.0/acme/flow", timeout=PATIENCE)
    assert elsewhere.status_code == 404
    assert "flowthings_" not in elsewhere.text


def test_metrics_of_all_workers_are_added_up(served: Served) -> None:
    name = 'flowthings_requests_total{method="GET",resource="flow",status="200"}'
    before = metrics(served).get(name, 0.0)
    token = {"X-Auth-Token": served.token}
    for _ in range(20):  # each over a connection of its own, so that both workers get some
        assert get(served, "/v4.0/acme/flow", **token).status_code == 200
    found = metrics(served)
    assert found[name] == before + 20
    assert found['flowthings_request_seconds_count{method="GET",resource="flow"}'] >= 20
    assert found["flowthings_workers"] == 2
    assert (found['flowthings_store_bytes{part="drops"}'] > 0) == (STORE == "sqlite")
    assert found["flowthings_disk_free_bytes"] > 0


def test_what_strangers_ask_for_makes_no_new_series(served: Served) -> None:
    before = len(metrics(served))
    for number in range(30):
        get(served, f"/v4.0/acme/thing{number}/{number}", f"VERB{number}")
        get(served, f"/{number}")
    after = metrics(served)
    assert len(after) < before + 50
    assert not [name for name in after if "thing1" in name or "VERB1" in name]


def test_a_request_has_an_id_in_the_answer_and_in_the_log(served: Served) -> None:
    answer = get(
        served,
        "/v4.0/acme/flow?filter=secret-filter",
        **{"X-Auth-Token": served.token, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
    )
    id = answer.headers["X-Request-Id"]
    line = wait_for_line(served, request_id=id)
    assert line["trace_id"] == TRACE
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v4.0/acme/flow", answer.status_code)
    assert line["ms"] >= 0
    assert line["level"] == "info"
    log = "".join(served.errors)
    assert served.token not in log
    assert "secret-filter" not in log


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/1.1\r\nX-Auth-Token a-secret\r\n", 400),
        ("GET /v4.0/acme/flow?filter=a-secret nonsense\r\n", 400),
        ("X-Auth-Token: a-secret\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nExpect: a-secret\r\n", 417),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: a-secret\r\n", 501),
    ],
)
def test_nothing_of_a_request_that_cannot_be_read_is_in_the_log(
    head: str, status: int, served: Served
) -> None:
    before = len(served.errors)
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as client:
        client.sendall(f"{head}\r\n".encode())
        answer = client.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["head"]["status"] == status
    deadline = time.monotonic() + PATIENCE
    while len(served.errors) == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "cannot be read" in "".join(served.errors[before:])
    assert "a-secret" not in "".join(served.errors) + answer.decode()


@pytest.mark.parametrize("given", ["x" * 65, "a b", 'a"b', "a\tb"])
def test_an_id_that_is_long_or_strange_is_replaced(given: str, served: Served) -> None:
    assert get(served, "/healthz", **{"X-Request-Id": given}).headers["X-Request-Id"] != given
    assert (
        get(served, "/healthz", **{"X-Request-Id": "from-proxy.1"}).headers["X-Request-Id"] == "from-proxy.1"
    )


def test_files_of_metrics_go_with_the_server_or_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    for number in range(2):
        with Served(tmp_path / "data", "--metrics-port", "0") as served:
            assert len(list((tmp_path / "tmp").glob("flowthings-metrics-*"))) == 1
            if number:
                assert served.stop() == 0
            else:
                served.kill()
    assert not list((tmp_path / "tmp").glob("flowthings-metrics-*"))


def test_counts_outlive_a_worker_and_gauges_do_not(tmp_path: Path) -> None:
    with Served(tmp_path, "--metrics-port", "0") as served:
        for _ in range(3):
            get(served, "/v4.0/acme/flow")
        name = 'flowthings_requests_total{method="GET",resource="flow",status="401"}'
        assert metrics(served)[name] == 3
        path = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children")
        (old,) = path.read_text().split()
        served.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE
        while old in path.read_text().split():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        while (found := metrics(served))["flowthings_workers"] != 1:
            assert time.monotonic() < deadline
        assert found[name] == 3
        with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE):
            while metrics(served).get('flowthings_connections{phase="waiting"}', 0) < 1:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert served.stop() == 0
