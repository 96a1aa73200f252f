"""`api.record`: where it connects to, how often, and what `lazy()` and `async_()` make of it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowthings_like import (
    API,
    ConfigurationError,
    ConnectionFailed,
    GreenThunk,
    Retry,
    Token,
    credentials,
    defaults,
    force,
)
from flowthings_like.green.backends.choice import detect
from flowthings_like.records import (
    BytesPayloadType,
    Disconnected,
    InvalidInput,
    Key,
    NoMemory,
    Record,
    RecordBatch,
    ResponseStatus,
    StructPayloadType,
)
from flowthings_like.services.records.endpoints import Endpoint, parse_endpoint
from tests.transport.records.scripted import Scripted, Session, records_server, reply

from .model import Model

S = ResponseStatus
ALL = Key.min(), Key.max()
ONE = Record(Key(1, 2, 3, 4), b"abc")
CREDS = Token("acme", "secret")


@pytest.fixture
def api(server: Scripted) -> Iterator[API]:
    with API(CREDS, host="unused", records=f"tstorage://{server.host}:{server.port}") as made:
        yield made


def test_it_connects_when_it_is_used(api: API, server: Scripted) -> None:
    channel = api.record(BytesPayloadType())
    assert server.sessions == []
    assert channel.put([ONE])
    assert channel.get(*ALL).data == [ONE._replace(key=ONE.key._replace(acq=100))]
    assert api.record(StructPayloadType("<3s")).get(*ALL).data[0].value == b"abc"  # type: ignore[index]
    assert len(server.sessions) == 1
    assert api.record.address() == (server.host, server.port)
    assert "RecordChannel" in repr(channel)


def test_options_of_a_channel(api: API) -> None:
    api.record(BytesPayloadType()).put([ONE])
    channel = api.record(BytesPayloadType(), memory_limit=10, strict=True, timeout=5)
    with pytest.raises(NoMemory):
        channel.get(*ALL)
    assert channel.put([ONE])
    with pytest.raises(InvalidInput, match="payload type"):
        api.record("<d")  # type: ignore[arg-type]


def test_lazy(api: API, server: Scripted) -> None:
    lazy = api.lazy().record(BytesPayloadType())
    put = lazy.put([ONE] * 3)
    assert type(put) is GreenThunk
    assert put.status == S.OK
    answers = [lazy.get(*ALL) for _ in range(8)]
    acq = lazy.get_acq(*ALL)
    assert [len(answer.data) for answer in answers] == [3] * 8
    assert acq.acq == 101
    assert len(server.sessions) <= 4


def test_lazy_gets_run_side_by_side() -> None:
    waiting = []
    together = threading.Event()

    def answer(session: Session, request: bytes) -> bytes:
        waiting.append(session)
        if len(waiting) == 4:
            together.set()
        assert together.wait(20)
        return reply()

    with (
        records_server(answer) as server,
        API(CREDS, host="unused", records=f"tstorage://{server.host}:{server.port}") as api,
    ):
        lazy = api.record(BytesPayloadType()).lazy()
        assert all(answer.is_ok() for answer in [lazy.get(*ALL) for _ in range(4)])


def test_a_thunk_may_be_put(api: API) -> None:
    lazy = api.lazy()
    records = lazy.call(lambda: [ONE])
    lowest = lazy.call(Key.min)
    assert lazy.record(BytesPayloadType()).put(records).is_ok()
    channel = api.record(BytesPayloadType())
    assert channel.put(records)
    assert len(channel.get(lowest, Key.max()).data) == 2


def test_async(api: API) -> None:
    with api.async_() as calls:
        channel = calls.record(BytesPayloadType())
        channel.put([ONE])
    assert [answer.status for answer in calls.results()] == [S.OK]
    service = api.record(BytesPayloadType()).async_()
    threads = [service.get_acq(*ALL) for _ in range(5)]
    assert [thread.get().acq for thread in threads] == [101] * 5
    assert getattr(api.record(BytesPayloadType()), "async")().get_acq(*ALL).get()


def test_lazy_and_async_of_a_channel(channel: Any) -> None:
    lazy = channel.lazy()
    answers = [lazy.put([ONE]) for _ in range(5)]
    assert all(force(answer) for answer in answers)
    assert len(lazy.get(*ALL).data) == 5
    calls = channel.async_()
    for _ in range(3):
        calls.get_acq(*ALL)
    assert [answer.acq for answer in calls.results()] == [105] * 3
    assert len(list(lazy.get_iter(*ALL))) == 6
    assert lazy.is_connected


def test_a_connection_that_was_closed_meanwhile() -> None:
    model = Model()

    def answer(session: Session, request: bytes) -> bytes | None:
        session.send(model.answer(session, request) or b"")
        return None

    with (
        records_server(answer) as server,
        API(CREDS, host="unused", records=f"tstorage://{server.host}:{server.port}") as api,
    ):
        channel = api.record(BytesPayloadType())
        for _ in range(5):
            assert channel.put([ONE])
            detect().sleep(0.02)
        assert len(server.sessions) == 5


@pytest.mark.parametrize("call", ["get", "get_acq", "put"])
def test_what_is_made_again(call: str) -> None:
    """A read is made again if nothing came; a put that was sent is not."""
    model = Model()

    def answer(session: Session, request: bytes) -> bytes | None:
        return None if session.number < 2 else model.answer(session, request)

    with (
        records_server(answer) as server,
        API(
            CREDS, host="unused", records=f"tstorage://{server.host}:{server.port}", retry=Retry(base=0.001)
        ) as api,
    ):
        channel = api.record(BytesPayloadType())
        answered = channel.put([ONE]) if call == "put" else getattr(channel, call)(*ALL)
        assert answered.status == (S.DISCONNECTED if call == "put" else S.OK)
        assert len(server.sessions) == (1 if call == "put" else 3)
        assert model.stored == []


def test_a_server_that_comes_up_later() -> None:
    """A put is made again as long as there was no connection."""
    model = Model()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    attempts = []

    class Later:
        def records_address(self) -> tuple[str, int]:
            attempts.append(1)
            return ("127.0.0.1", port if len(attempts) < 3 else server.port)

    with (
        records_server(model.answer) as server,
        API(CREDS, host="unused", retry=Retry(base=0.001)) as api,
    ):
        api._platform = type("Platform", (Later,), {"close": lambda self: None})()
        assert api.record(BytesPayloadType()).put([ONE]).status == S.OK
        assert (len(attempts), len(model.stored)) == (3, 1)


def test_nothing_to_connect_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with API(CREDS, host="unused", records=f"tstorage://127.0.0.1:{port}", retry=False) as api:
        answer = api.record(BytesPayloadType()).get_acq(*ALL)
        assert (answer.status, str(port) in answer.reason) == (S.DISCONNECTED, True)
        with pytest.raises(Disconnected):
            api.record(BytesPayloadType(), strict=True).put([ONE])


def test_no_server_is_known() -> None:
    with API(CREDS, host="unused") as api, pytest.raises(ConfigurationError, match="FLOWTHINGS_RECORDS"):
        api.record(BytesPayloadType()).put([ONE])


def test_a_closed_api(server: Scripted) -> None:
    api = API(CREDS, host="unused", records=f"tstorage://{server.host}:{server.port}")
    channel = api.record(BytesPayloadType())
    assert channel.put([ONE])
    api.close()
    with pytest.raises(ConnectionFailed, match="closed"):
        channel.put([ONE])
    with pytest.raises(ConnectionFailed, match="closed"):
        api.record(BytesPayloadType()).get_acq(*ALL)
    api.close()


@pytest.mark.needs("threads", "a hub cannot be used in a forked child")
def test_a_forked_child(api: API, server: Scripted) -> None:
    channel = api.record(BytesPayloadType())
    assert channel.put([ONE])
    child = os.fork()
    if child == 0:
        try:
            code = 0 if channel.put([ONE]) and len(channel.get(*ALL).data) == 2 else 1
        except BaseException:
            code = 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(channel.get(*ALL).data) == 2
    assert len(server.sessions) == 2


# Where the server is


@pytest.mark.once
@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("tstorage://example.com:62025", Endpoint("example.com", 62025)),
        ("tstorage://example.com", Endpoint("example.com", 2025)),
        ("TSTORAGES://[::1]:7/", Endpoint("::1", 7, True)),
    ],
)
def test_urls(url: str, found: Endpoint) -> None:
    assert parse_endpoint(url) == found
    assert parse_endpoint(str(found)) == found


@pytest.mark.once
@pytest.mark.parametrize(
    "url",
    [
        "example.com:2025", "http://example.com", "tstorage://", "tstorage://host:0", "tstorage://host:x",
        "tstorage://user:hush@host", "tstorage://host/path", "tstorage://host?x=1", "tstorage://a b", 5,
        "tstorage://[zz]:1",
    ],
)  # fmt: skip
def test_urls_that_cannot_be(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="tstorage://host:port") as caught:
        parse_endpoint(url)
    assert "hush" not in str(caught.value)
    with API(CREDS, host="unused", records=url) as api, pytest.raises(ConfigurationError):
        api.record  # noqa: B018


@pytest.mark.once
def test_the_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(defaults, "records", "tstorage://by.default:1")
    assert API(CREDS, host="unused").record.address() == ("by.default", 1)
    file = tmp_path / "credentials"
    file.write_text(
        "[default]\naccount = acme\ntoken = secret\nhost = h\nrecords = tstorage://by.profile:2\n"
    )
    file.chmod(0o600)
    monkeypatch.setenv("FLOWTHINGS_CREDENTIALS", str(file))
    assert API.connect().record.address() == ("by.profile", 2)
    monkeypatch.setenv("FLOWTHINGS_RECORDS", "tstorage://by.environment:3")
    assert API.connect().record.address() == ("by.environment", 3)
    assert "records" in credentials._OPTIONS


# The embedded store


def test_the_embedded_store(tmp_path: Path) -> None:
    with API.embedded(tmp_path) as api:
        channel = api.record(StructPayloadType("<d"))
        batch = RecordBatch(1, range(10_000), 2, 3, payload=np.arange(10_000.0))
        assert channel.put(batch)
        found = channel.get(*ALL)
        assert (found.status, found.data["payload"].tolist()) == (S.OK, batch.payload.tolist())  # type: ignore[index]
        assert sum(1 for _ in channel.get_iter(*ALL)) == 10_001
        follower = channel.follow(*ALL, every=0.001)
        assert len(next(iter(follower))) == 10_000
        assert channel.put([Record(Key(1, 5, 6, 7), 1.5)])
        assert [record.value for record in next(iter(follower))] == [1.5]
    with API.embedded(tmp_path) as api:
        assert len(api.record(StructPayloadType("<d")).get(*ALL).data) == 10_001
