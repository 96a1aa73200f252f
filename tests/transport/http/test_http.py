"""The pooled HTTP transport, against a real server."""

from __future__ import annotations

import json
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
import requests

from flowthings_like import (
    API,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsNotFound,
    FlowThingsUnavailable,
    InvalidResponse,
    Token,
)

from ...services.support import Answer, Seen, envelope, serving

SECRET = "s3cret-token"
CREDS = Token("acc", SECRET)


def api_for(address: str, **options: Any) -> API:
    return API(CREDS, host=address, **{"secure": False, "timeout": 10, **options})


def test_what_a_request_carries() -> None:
    with serving() as server, api_for(server.address) as api:
        assert api.drop("/acc/ü x").create({"elems": {"a": 1}}, hints=False, sort=["a", "b"]) == {"id": "f1"}
        assert api.flow.read_many(["a", "b"]) == {"id": "f1"}
        assert api.flow.delete("f1") == {"id": "f1"}
    create, read_many, delete = server.seen
    assert (create.method, create.target) == (
        "POST",
        "/v4.0/acc/drop/%2Facc%2F%C3%BC%20x?hints=False&sort=a&sort=b",
    )
    assert json.loads(create.body) == {"elems": {"a": 1}}
    assert create.headers["x-auth-token"] == SECRET
    assert create.headers["x-auth-account"] == "acc"
    assert create.headers["content-type"] == "application/json"
    assert create.headers["accept"] == "*/*"
    assert (read_many.method, json.loads(read_many.body)) == ("MGET", ["a", "b"])
    assert (delete.method, delete.body) == ("DELETE", b"")


def test_ids_arrive_as_one_segment() -> None:
    with serving() as server, api_for(server.address) as api:
        api.flow.read("../token/x")
        api.flow.read("a?b#c%2F")
        api.flow.read("...")
    assert [seen.target for seen in server.seen] == [
        "/v4.0/acc/flow/..%2Ftoken%2Fx",
        "/v4.0/acc/flow/a%3Fb%23c%252F",
        "/v4.0/acc/flow/...",
    ]


def test_one_connection_serves_many_requests() -> None:
    with serving() as server, api_for(server.address) as api:
        for _ in range(20):
            api.flow.read("f1")
    assert len(server.seen) == 20
    assert len(server.connections) == 1


def test_parallel_calls_get_their_own_answers_and_share_connections() -> None:
    def answer(seen: Seen) -> Answer:
        return Answer(body=json.dumps(envelope(seen.target)).encode())

    with serving(answer) as server, api_for(server.address) as api:
        found: dict[int, list[str]] = {}

        def work(number: int) -> None:
            found[number] = [api.flow.read(f"{number}-{turn}") for turn in range(10)]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {n: [f"/v4.0/acc/flow/{n}-{turn}" for turn in range(10)] for n in range(8)}
    assert len(server.connections) <= 8


def test_nothing_is_made_before_the_first_call() -> None:
    api = API(CREDS)
    assert api._connection._http is None
    api.close()
    with serving() as server, api_for(server.address) as later:
        assert later._connection._http is None
        later.flow.read("f1")
        assert later.session is later.session


def test_closing_closes_connections_once_and_for_all() -> None:
    with serving() as server:
        api = api_for(server.address)
        api.flow.read("f1")
        session = api.session
        api.close()
        api.close()
        with pytest.raises(ConfigurationError, match="closed"):
            api.flow.read("f1")
        assert not session.get_adapter("http://").poolmanager.pools  # type: ignore[attr-defined]


def test_a_session_of_ones_own() -> None:
    heard: list[int] = []
    with requests.Session() as session, serving() as server:
        session.headers["X-Mine"] = "yes"
        session.hooks["response"].append(lambda response, **options: heard.append(response.status_code))
        with api_for(server.address, session=session) as api:
            assert api.session is session
            api.flow.read("f1")
        assert server.seen[0].headers["x-mine"] == "yes"
        assert heard == [200]
        assert session.get(f"http://{server.address}/", timeout=10).ok


def test_a_slow_answer_meets_the_deadline() -> None:
    release = threading.Event()

    def answer(seen: Seen) -> Answer:
        release.wait(20)
        return Answer()

    with serving(answer) as server, api_for(server.address, timeout=(5, 0.05)) as api:
        try:
            with pytest.raises(DeadlineExceeded, match="waiting for the answer") as caught:
                api.flow.read("f1")
            assert caught.value.retryable
            with pytest.raises(DeadlineExceeded):
                api_for(server.address).flow.read("f1", timeout=0.05)
        finally:
            release.set()
        server.answer = lambda seen: Answer()
        assert api.flow.read("f2") == {"id": "f1"}


def test_the_default_timeout_is_finite() -> None:
    connect, read, total, _ = API(CREDS)._connection.timeout
    assert total is None
    assert connect is not None
    assert read is not None
    assert 0 < connect <= read <= 120


def test_a_refused_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with (
        api_for(address) as api,
        pytest.raises(ConnectionFailed, match=f"GET /v4.0/acc/flow/f1 at {address}"),
    ):
        api.flow.read("f1")


def test_a_connection_that_breaks() -> None:
    def answer(seen: Seen) -> Answer:
        raise ConnectionAbortedError

    with (
        serving(answer) as server,
        api_for(server.address) as api,
        pytest.raises(ConnectionFailed) as caught,
    ):
        api.flow.read("f1")
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.retryable


def test_redirects_are_not_followed() -> None:
    with serving() as elsewhere:
        target = f"http://user:pw@{elsewhere.address}/v4.0/acc/flow/f1"
        with (
            serving(lambda seen: Answer(302, b"", {"Location": target})) as server,
            api_for(server.address) as api,
            pytest.raises(InvalidResponse, match=f"redirect to {elsewhere.address}") as caught,
        ):
            api.flow.read("f1")
        assert "pw" not in str(caught.value)
        assert elsewhere.seen == []


def test_html_answers_of_gateways() -> None:
    page = Answer(200, b"<html>please log in</html>", {"Content-Type": "text/html"})
    with serving(lambda seen: page) as server, api_for(server.address) as api:
        with pytest.raises(InvalidResponse, match="text/html"):
            api.flow.read("f1")
        page.status = 502
        with pytest.raises(FlowThingsUnavailable):
            api.flow.read("f1")


def test_a_body_that_cannot_be_unpacked() -> None:
    broken = Answer(200, b"no gzip", {"Content-Encoding": "gzip"})
    with (
        serving(lambda seen: broken) as server,
        api_for(server.address) as api,
        pytest.raises(InvalidResponse, match="unpacked"),
    ):
        api.flow.read("f1")


@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_no_token_in_logs_and_exceptions(transport: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reply = Answer(404, json.dumps(envelope({}, 404, errors=["no"])).encode())
    with serving(lambda seen: reply) as server, api_for(server.address, transport=transport) as api:
        with pytest.raises(FlowThingsNotFound) as refused:
            api.flow.create({"secret": "in-the-body"})
        server.answer = lambda seen: 1 / 0  # type: ignore[assignment, return-value]
        with pytest.raises(ConnectionFailed) as broken:
            api.flow.read("f1")
        shown = [repr(api), repr(api._connection), caplog.text]
        for error in (refused.value, broken.value):
            shown += ["".join(traceback.format_exception(error)), repr(vars(error))]
            shown.append(repr(pickle.dumps(error)))
        cause = broken.value.__cause__
        shown.append(repr(vars(cause)))
        assert isinstance(cause, requests.RequestException) == (transport == "requests")
        assert getattr(cause, "request", None) is None
    assert not [text for text in shown if SECRET in text]
    assert "in-the-body" not in caplog.text
    ours = [record for record in caplog.records if record.name == "flowthings_like"]
    assert {record.levelname for record in ours} == {"DEBUG"}
    assert ours[0].getMessage().startswith("POST /flow 404 ")
    assert ours[1].getMessage().startswith("GET http://127.0.0.1:")
    assert "ConnectionFailed, attempt 1 of 5; again in " in ours[1].getMessage()


def test_errors_survive_pickling() -> None:
    error = pickle.loads(
        pickle.dumps(FlowThingsNotFound(["gone"], status=404, method="GET", path="/flow/f1"))
    )
    assert (error.errors, error.status, error.method, error.path) == (["gone"], 404, "GET", "/flow/f1")


def test_certificates_are_verified(certificate: tuple[Path, Path]) -> None:
    with serving(tls=certificate) as server:
        with (
            api_for(server.address, secure=True) as api,
            pytest.raises(ConnectionFailed, match="TLS") as caught,
        ):
            api.flow.read("f1")
        assert not caught.value.retryable
        assert server.seen == []
        with api_for(server.address, secure=True, verify_ssl=str(certificate[0])) as api:
            assert api.flow.read("f1") == {"id": "f1"}


def test_verification_can_be_switched_off(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0].parent / "none.pem"))
    with (
        serving(tls=certificate) as server,
        api_for(server.address, secure=True, verify_ssl=False) as api,
        pytest.warns(Warning, match="Unverified HTTPS"),
    ):
        assert api.flow.read("f1") == {"id": "f1"}


def test_the_bundle_of_the_environment_counts(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with serving(tls=certificate) as server, api_for(server.address, secure=True) as api:
        assert api.flow.read("f1") == {"id": "f1"}


def test_proxies_of_the_environment_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with api_for("flows.invalid") as api:
            assert api.flow.read("f1") == {"id": "f1"}
    assert proxy.seen[0].target == "http://flows.invalid/v4.0/acc/flow/f1"


FORKING = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # the server's thread does not matter to the child
from tests.services.support import serving
from tests.transport.http.test_http import api_for

with serving() as server, api_for(server.address) as api:
    api.flow.read("parent")
    child = os.fork()
    if child == 0:
        ok = all(api.flow.read("child") == {"id": "f1"} for _ in range(3))
        os._exit(0 if ok else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    api.flow.read("parent")
    users = {seen.target.rpartition("/")[2]: set() for seen in server.seen}
    for seen in server.seen:
        users[seen.target.rpartition("/")[2]].add(seen.connection)
    print(status, {name: len(used) for name, used in users.items()}, len(users["parent"] & users["child"]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_parent_and_child_have_a_connection_each() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", FORKING], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stderr, done.stdout) == ("", "0 {'parent': 1, 'child': 1} 0\n")


def test_another_process_id_means_another_session(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server, api_for(server.address) as api:
        api.flow.read("parent")
        mine = api.session
        sender, child = api._connection.http, os.getpid() + 1
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: child)
            theirs = api.session
            assert theirs is not mine
            assert list(sender._own) == [child]
            api.flow.read("child")
            sender.close()
        mine.close()
    assert len(server.connections) == 2
