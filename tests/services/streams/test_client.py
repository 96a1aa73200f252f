"""A client's calls, and what it does with its connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from flowthings_like import API, ConfigurationError, ConnectionFailed, InvalidInput, Token
from flowthings_like.services.streams import client as client_module
from flowthings_like.services.streams.endpoints import Endpoint
from flowthings_like.streams import (
    DEFAULT_CONCURRENCY_LIMIT,
    AsyncClient,
    AsyncStream,
    AsyncStreamSet,
    Client,
    NotSupported,
    Stream,
    StreamSet,
    connect,
    streams_errors,
)

from .conftest import connected
from .model import KEY, ModelServer, OldServer, Wire


@pytest.fixture
def any_client(either: ModelServer) -> Iterator[Client]:
    with connected(either) as client:
        yield client


@pytest.fixture
def nowhere(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> list[Endpoint]:
    """Clients connect to the server in memory. Returns the endpoints to which they would have."""
    asked: list[Endpoint] = []

    def opener(timeout: object, size: object) -> Any:
        def open_channel(endpoint: Endpoint, concurrency: int) -> Wire:
            asked.append(endpoint)
            return Wire(server, endpoint.key, concurrency)

        return open_channel

    monkeypatch.setattr(client_module, "_opener", opener)
    monkeypatch.delenv("PINGTHINGS_CONCURRENCY_LIMIT", raising=False)
    return asked


def test_the_names_of_version_6_are_the_same_classes() -> None:
    assert (AsyncClient, AsyncStream, AsyncStreamSet) == (Client, Stream, StreamSet)


def test_connecting(nowhere: list[Endpoint]) -> None:
    for client in (
        AsyncClient.connect(endpoint="example.com:4411", apikey=KEY),
        connect("example.com:4411", apikey=KEY),
        connect("example.com:4411", KEY, concurrency_limit=7),
    ):
        assert client.info()["build"] == "model"
        assert client.address() == ("example.com", 4411, KEY)
        assert repr(client) == "<Client of BTrDB at grpcs://example.com:4411>"
    assert client.concurrency_limit == 7
    assert [str(endpoint) for endpoint in nowhere] == ["grpcs://example.com:4411"] * 3
    with pytest.raises(streams_errors.PermissionDenied) as caught:
        connect("example.com:4410", "wrong-key")
    assert "wrong-key" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        Client("http://example.com")


def test_a_refusal_names_neither_key_nor_stream(server: ModelServer, client: Client) -> None:
    from flowthings_like.wire.grpc.status import GrpcError

    stream = client.create(uuid4(), "a")
    for code in (7, 16):
        server.wires[0].fail = [GrpcError(code, f"{KEY} may not read {stream.uuid}")]
        with pytest.raises(streams_errors.PermissionDenied) as caught:
            stream.values(0, 1)
        assert KEY not in str(caught.value)
        assert str(stream.uuid) not in str(caught.value)


def test_what_answers_is_no_btrdb() -> None:
    class Nothing(ModelServer):
        def handlers(self) -> Any:
            return {}

    with connected(Nothing()) as client, pytest.raises(ConnectionError, match="not a BTrDB server"):
        client.info()


def test_the_version_is_asked_for_once(any_client: Client, either: ModelServer) -> None:
    any_client.list_collections()
    any_client.list_collections()
    asked = [name for name, _ in either.calls]
    assert asked.count("Info") == (2 if isinstance(either, OldServer) else 1)
    info = any_client.info()
    assert info["major_version"] == info["majorVersion"] == (4 if isinstance(either, OldServer) else 5)
    assert set(info["proxy"]) == {"proxy_endpoints", "proxyEndpoints"}


def test_the_concurrency_limit(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PINGTHINGS_CONCURRENCY_LIMIT", raising=False)
    client = connected(server)
    assert client.concurrency_limit == DEFAULT_CONCURRENCY_LIMIT
    client.info()
    assert server.wires[0].concurrency == DEFAULT_CONCURRENCY_LIMIT
    client.concurrency_limit = 3
    assert (client.concurrency_limit, server.wires[0].concurrency) == (3, 3)
    monkeypatch.setenv("PINGTHINGS_CONCURRENCY_LIMIT", "5")
    assert connected(server).concurrency_limit == 5
    assert connected(server, concurrency_limit=9).concurrency_limit == 9
    for wrong in (0, -1, "7", True, 1.5):
        with pytest.raises(InvalidInput, match="concurrency_limit"):
            client.concurrency_limit = wrong  # type: ignore[assignment]
    monkeypatch.setenv("PINGTHINGS_CONCURRENCY_LIMIT", "many")
    with pytest.raises(ConfigurationError, match="PINGTHINGS_CONCURRENCY_LIMIT"):
        connected(server)


def test_sets_make_their_calls_at_once_and_within_the_limit(server: ModelServer) -> None:
    from flowthings_like.green import detect

    client = connected(server, concurrency_limit=4)
    streams = client.streamset_from_uuids([client.create(uuid4(), f"a{n}").uuid for n in range(12)])
    running: list[int] = []
    most: list[int] = []

    def pause() -> None:
        running.append(1)
        most.append(len(running))
        detect().sleep(0.02)
        running.pop()

    server.wires[0].pause = pause
    assert streams.count() == 0
    assert 1 < max(most) <= 4


def test_creating(any_client: Client, either: ModelServer) -> None:
    uuid = uuid4()
    stream = any_client.create(uuid, "sensors/jfk", {"name": "temp"}, {"floor": 3, "text": "5"})
    assert (stream.uuid, stream.collection, stream.name) == (uuid, "sensors/jfk", "temp")
    assert stream.annotations() == any_client.stream_from_uuid(uuid).annotations()
    assert either.streams[uuid.bytes].annotations == {"floor": "3", "text": '"5"'}
    assert any_client.create(str(uuid4()), "bare").annotations() == ({}, 1)  # type: ignore[arg-type]
    with pytest.raises(streams_errors.StreamExists):
        any_client.create(uuid, "other")
    with pytest.raises(streams_errors.AmbiguousStream):
        any_client.create(uuid4(), "sensors/jfk", {"name": "temp"})
    sent = len(either.calls)
    for collection in ("", "a" * 256, "a\0b", "\ud800"):
        with pytest.raises(streams_errors.InvalidCollection):
            any_client.create(uuid4(), collection)
    for wrong in (
        (5, "a"),
        ("no-uuid", "a"),
        (uuid4(), 5),
        (uuid4(), "a", {"name": 5}),
        (uuid4(), "a", "tags"),
    ):
        with pytest.raises(TypeError):
            any_client.create(*wrong)  # type: ignore[arg-type]
    assert len(either.calls) == sent


def test_streams_by_uuid(any_client: Client, either: ModelServer) -> None:
    uuid = uuid4()
    for given in (uuid, str(uuid), str(uuid).upper(), uuid.hex, uuid.bytes, str(uuid).encode()):
        assert any_client.stream_from_uuid(given).uuid == uuid  # type: ignore[arg-type]
    assert not either.calls
    for wrong in (None, 5, "jfk", b"jfk", b"\xff" * 20):
        with pytest.raises(TypeError, match="UUID"):
            any_client.stream_from_uuid(wrong)  # type: ignore[arg-type]


def test_searching(any_client: Client) -> None:
    a = any_client.create(uuid4(), "foo", {"name": "a"}, {"kind": "x", "n": 1})
    b = any_client.create(uuid4(), "foo/baz", {"name": "b"}, {"kind": "y"})
    c = any_client.create(uuid4(), "Foo", {"name": "c"})
    search = any_client.streams_in_collection
    assert set(search()) == set(search("")) == {a, b, c}
    assert set(search("foo")) == {a, b}  # upper and lower case differ
    assert list(search("foo", False)) == [a]
    assert list(search("foo", is_collection_prefix=False, tags={"name": "b"})) == []
    assert list(search(tags={"name": "b"})) == [b]
    assert set(search(annotations={"kind": None})) == {a, b}
    assert list(search(annotations={"kind": "x", "n": 1})) == [a]
    assert set(search(["foo", "Foo", "foo/baz"], False)) == {a, b, c}
    assert isinstance(search("nothing"), StreamSet)
    with pytest.raises(TypeError, match="as a list"):
        search("foo", "bar")  # type: ignore[arg-type]
    assert any_client.list_collections() == ["Foo", "foo", "foo/baz"]
    assert (
        any_client.list_collections("foo")
        == any_client.list_collections(starts_with="foo")
        == ["foo", "foo/baz"]
    )
    assert any_client.list_collections(prefix="moo") == []
    assert any_client.collection_metadata("") == ({"name": 3}, {"kind": 2, "n": 1})


def test_streams_by_name(any_client: Client) -> None:
    a = any_client.create(uuid4(), "foo/bar", {"name": "a"})
    b = any_client.create(uuid4(), "foo", {"name": "a"})
    assert list(any_client.streams("foo/bar/a", a.uuid, str(b.uuid).upper())) == [a, a, b]
    assert any_client.streams(a.uuid, b.uuid, versions=[5, 6]).versions() == {a.uuid: 5, b.uuid: 6}
    for missing in ("foo/b", "bar/a"):
        with pytest.raises(streams_errors.StreamNotFoundError, match="no stream"):
            any_client.streams(missing)
    with pytest.raises(streams_errors.StreamNotFoundError, match="2 streams"):
        any_client.streams("foo/a", is_collection_prefix=True)
    with pytest.raises(ValueError, match="neither"):
        any_client.streams("foo")
    with pytest.raises(ValueError, match="1 streams and 2 versions"):
        any_client.streams(a.uuid, versions=[1, 2])
    with pytest.raises(TypeError):
        any_client.streams(a.uuid, versions=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        any_client.streams(5)  # type: ignore[arg-type]


def test_many_collections_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    from flowthings_like.services.streams import v4

    monkeypatch.setattr(v4, "_MOST_COLLECTIONS", 3)
    for count in (0, 1, 3, 4, 7):
        server = OldServer()
        with connected(server) as client:
            for number in range(count):
                client.create(UUID(int=number), f"a{number}")
            assert client.list_collections("a") == [f"a{number}" for number in range(count)]
            if count:
                assert client.list_collections("a0") == ["a0"]


def test_sql(client: Client) -> None:
    client.create(uuid4(), "foo/bar", {"name": "a", "unit": "V"}, {"x": 1})
    client.create(uuid4(), "foo", {"name": "b", "unit": "A"}, {"y": 1})
    assert client.sql_query("select $1", [5]) == client.query("select $1", ["5"])  # type: ignore[list-item]
    assert client.sql_query("select count(*) from streams")[0]["count"] == 2
    assert client.list_unique_names() == ["a", "b"]
    assert client.list_unique_units("foo/") == ["V"]
    assert client.list_unique_annotations("foo") == ["x", "y"]
    with pytest.raises(streams_errors.BadSQLValue):
        client.sql_query("drop table streams")
    with pytest.raises(TypeError):
        client.sql_query("select $1", "a")  # type: ignore[arg-type]


def test_devices_and_units(client: Client) -> None:
    assert client.list_devices() == client.list_units() == []
    device = client.create_device(name="pmu", rate=120)
    assert client.get_device(device) == {"id": device, "name": "pmu", "rate": 120}
    client.update_device(device, name="PMU")
    assert client.list_devices() == [{"id": device, "name": "PMU", "rate": 120}]
    client.delete_device(device)
    with pytest.raises(LookupError, match="devices has no row with the id 1"):
        client.get_device(device)
    unit = client.create_unit(name="volt")
    client.update_unit(unit, symbol="V")
    assert client.get_unit(unit) == {"id": unit, "name": "volt", "symbol": "V"}
    client.delete_unit(unit)
    with pytest.raises(streams_errors.BTrDBError):
        client.delete_unit(unit)
    for wrong in ("1 or 1=1", None, True):
        with pytest.raises(TypeError):
            client.get_device(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fields"):
        client.create_device(name=float("nan"))


def test_version_4_has_neither_sql_nor_what_needs_it() -> None:
    with connected(OldServer()) as client:
        for call in (client.list_devices, client.list_unique_names, lambda: client.create_unit(name="volt")):
            with pytest.raises(NotSupported):
                call()


def test_closing(server: ModelServer) -> None:
    client = connected(server)
    client.info()
    client.close()
    client.close()
    assert server.wires[0].is_closed
    with pytest.raises(ConnectionFailed, match="closed"):
        client.info()
    unused = connected(server)
    unused.close()
    with pytest.raises(ConnectionFailed, match="closed"):
        unused.info()


def test_the_client_of_an_api(nowhere: list[Endpoint], monkeypatch: pytest.MonkeyPatch) -> None:
    api = API(Token("acme", KEY), streams="grpc://example.com:4410")
    assert api.stream is api.stream
    assert api.stream.info()["build"] == "model"
    assert nowhere[-1] == Endpoint("example.com", 4410, False, KEY)  # the account's token
    assert API(Token("a", "t"), streams="example.com:4411", streams_key="k").stream.address()[2] == "k"
    monkeypatch.setenv("FLOWTHINGS_STREAMS", "grpcs://env.example.com")
    monkeypatch.setenv("FLOWTHINGS_STREAMS_KEY", "env-key")
    found = API.connect(account="acme", token="t").stream
    assert found.address() == ("env.example.com", 4411, "env-key")
    with pytest.raises(ConfigurationError, match="streams='grpcs://host:4411'"):
        API(Token("acme", "t")).stream.info()
    with pytest.raises(ConfigurationError, match="scheme"):
        API(Token("acme", "t"), streams="http://example.com").stream.info()
    api.close()
    with pytest.raises(ConnectionFailed, match="closed"):
        api.stream.info()
