"""responses, requests_mock and vcrpy: calls go through one while it is active, and only then."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import requests_mock
import responses
import vcr

from flowthings_like import API, ConnectionFailed, DeadlineExceeded, ResponseTooLarge, Token
from flowthings_like.transport.http.sender import is_replaced
from tests.services.support import Seen, Server, serving

ANSWER = {"head": {"ok": True, "status": 200}, "body": "from the double"}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def api_for(server: Server, **options: Any) -> API:
    return API(Token("acc", "tok"), **{"host": server.address, "secure": False, "retry": False, **options})


def url(server: Server) -> str:
    return f"http://{server.address}/v4.0/acc/flow/f1"


def test_nothing_is_replaced_by_itself() -> None:
    assert not is_replaced()


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("transport", ["auto", "requests"])
def test_responses(server: Server, transport: str, warm: bool) -> None:
    with api_for(server, transport=transport) as api:
        if warm:
            api.flow.read("f1")
        before = len(server.seen)
        with responses.RequestsMock() as mock:
            mock.get(url(server), json=ANSWER)
            mock.post(f"http://{server.address}/v4.0/acc/flow", json=ANSWER)
            assert api.flow.read("f1", timeout=5) == "from the double"
            assert api.flow.create({"path": "/acc/a"}) == "from the double"
            assert api.lazy().flow.read("f1") == "from the double"
            assert api.session.get(url(server)).json() == ANSWER
            assert mock.calls[0].request.headers["X-Auth-Token"] == "tok"
            assert mock.calls[1].request.body == b'{"path":"/acc/a"}'
        assert len(server.seen) == before
        assert api.flow.read("f1") == {"id": "f1"}
        assert len(server.seen) == before + 1


def test_responses_that_fail(server: Server) -> None:
    with api_for(server, max_response_bytes=1000) as api, responses.RequestsMock() as mock:
        mock.get(url(server), body=requests.ConnectTimeout("late"))
        with pytest.raises(DeadlineExceeded):
            api.flow.read("f1")
        mock.get(url(server), body=requests.ConnectionError("broken"))
        with pytest.raises(ConnectionFailed):
            api.flow.read("f1")
        mock.get(url(server), body=b" " * 1001)
        with pytest.raises(ResponseTooLarge):
            api.flow.read("f1")


@pytest.mark.parametrize("warm", [False, True])
def test_requests_mock(server: Server, warm: bool) -> None:
    with api_for(server) as api:
        if warm:
            api.flow.read("f1")
        before = len(server.seen)
        with requests_mock.Mocker() as mock:
            mock.get(url(server), json=ANSWER)
            assert api.flow.read("f1", timeout=5) == "from the double"
            with pytest.raises(requests_mock.NoMockAddress):  # its own complaint, as it is
                api.flow.read("f2")
            mock.get(url(server), exc=requests.ConnectionError)
            with pytest.raises(ConnectionFailed):
                api.flow.read("f1")
            assert mock.call_count == 3
        assert len(server.seen) == before
        assert api.flow.read("f1") == {"id": "f1"}


@pytest.mark.parametrize("warm", [False, True])
def test_vcrpy(server: Server, tmp_path: Path, warm: bool) -> None:
    cassette = str(tmp_path / "calls.yaml")
    with warnings.catch_warnings(), api_for(server) as api:
        # vcrpy and what it stands in for have deprecations of their own.
        warnings.simplefilter("ignore")
        if warm:
            api.flow.read("f1")
        before = len(server.seen)
        with vcr.use_cassette(cassette, filter_headers=["X-Auth-Token"]):
            assert api.flow.read("f1") == {"id": "f1"}
        assert len(server.seen) == before + 1
        assert "tok" not in Path(cassette).read_text().replace("X-Auth-Token", "")
        with vcr.use_cassette(cassette, filter_headers=["X-Auth-Token"]) as played:
            assert api.flow.read("f1") == {"id": "f1"}
            assert played.all_played
        assert len(server.seen) == before + 1
        assert api.flow.read("f1") == {"id": "f1"}
        assert len(server.seen) == before + 2


def test_a_session_of_ones_own_and_an_embedded_platform(server: Server, tmp_path: Path) -> None:
    with requests.Session() as session, responses.RequestsMock() as mock:
        mock.get(url(server), json=ANSWER)
        with api_for(server, session=session) as api:
            assert api.flow.read("f1") == "from the double"
        with API.embedded(tmp_path) as embedded:
            embedded.flow.create({"path": "/acme/a"})
            assert len(embedded.flow.find()) == 1
    seen: list[Seen] = server.seen
    assert seen == []
