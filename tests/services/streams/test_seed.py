"""The names, arguments and defaults of the AsyncClient of version 6, and the examples of its page."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from flowthings_like import API
from flowthings_like.services.streams import endpoints
from flowthings_like.streams import AsyncClient, AsyncStream, AsyncStreamSet, Client

# Of each method, the arguments with their defaults. A default of {} is None here: the same to a caller, and
# nobody can change it.
METHODS: dict[str, dict[str, Any]] = {
    "connect": {"profile": None, "endpoint": None, "apikey": None, "concurrency_limit": None},
    "create": {"uuid": ..., "collection": ..., "tags": None, "annotations": None},
    "get_collection_properties": {"collection": ...},
    "get_device": {"device_id": ...},
    "get_unit": {"unit_id": ...},
    "info": {},
    "list_collections": {"prefix": None},
    "list_devices": {},
    "list_units": {},
    "set_collection_retention": {"collection": ..., "override_per_stream": False, "remove_older_than": None},
    "sql_query": {"query": ..., "params": None},
    "stream_from_uuid": {"uuid": ...},
    "streams_in_collection": {
        "collection": "",
        "is_collection_prefix": True,
        "tags": None,
        "annotations": None,
    },
    "streamset_from_uuids": {"uuids": ..., "fetch_metadata": True},
}


@pytest.mark.once
@pytest.mark.parametrize("name", METHODS)
def test_arguments_and_defaults(name: str) -> None:
    parameters = inspect.signature(getattr(AsyncClient, name)).parameters.values()
    found = {
        each.name: ... if each.default is each.empty else each.default
        for each in parameters
        if each.name != "self" and each.kind is each.POSITIONAL_OR_KEYWORD
    }
    assert found == METHODS[name]
    assert list(found) == list(METHODS[name])


@pytest.fixture
def conn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """What `conn` is on the page: a client that was connected by a profile."""
    for name in ("BTRDB_ENDPOINTS", "BTRDB_API_KEY", "BTRDB_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials.yaml"
    monkeypatch.setattr(endpoints, "CREDENTIALS", file)
    with API.embedded(tmp_path / "data") as api:
        host, port, key = api.stream.address()
        file.write_text(f"my_server:\n  btrdb:\n    endpoints: '{host}:{port}'\n    api_key: '{key}'\n")
        with AsyncClient.connect(profile="my_server") as client:
            yield client


def test_connecting_in_each_way(conn: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    host, port, key = conn.address()
    assert key is not None
    my_key, my_endpoint = key, f"{host}:{port}"
    AsyncClient.connect(apikey=my_key, endpoint=my_endpoint).close()
    monkeypatch.setenv("BTRDB_ENDPOINTS", my_endpoint)
    monkeypatch.setenv("BTRDB_API_KEY", my_key)
    with AsyncClient.connect() as client:
        assert client.info() == conn.info()
    assert {"major_version", "minor_version", "build", "proxy"} <= set(conn.info())


def test_collections(conn: Client) -> None:
    for collection in ("foo", "bar", "foo/bar", "bar/baz"):
        conn.create(uuid4(), collection, tags={}, annotations={})
    found = conn.list_collections()
    found.sort()
    assert found == ["bar", "bar/baz", "foo", "foo/bar"]
    assert conn.list_collections(prefix="foo") == ["foo", "foo/bar"]
    assert conn.list_collections(prefix="moo") == []
    conn.set_collection_retention("bar", False, timedelta(days=7))
    expected = {"retention": {"remove_older_than": timedelta(days=7)}}
    assert conn.get_collection_properties("bar") == expected


def test_streams(conn: Client) -> None:
    stream = conn.create(uuid4(), "foo", {"name": "a"})
    assert isinstance(stream, AsyncStream)
    streams = conn.streams_in_collection("foo", tags={"name": "a"})
    assert isinstance(streams, AsyncStreamSet)
    assert list(conn.streamset_from_uuids([str(stream.uuid)])) == list(streams) == [stream]
    assert conn.stream_from_uuid(stream.uuid).name == "a"
    rows = conn.sql_query("select * from streams where name = $1 or name = $2", ["a", "b"])
    assert [row["uuid"] for row in rows] == [str(stream.uuid)]
    assert {"collection", "name", "unit", "ingress", "property_version", "annotations"} <= set(rows[0])
    assert conn.list_devices() == conn.list_units() == []
    conn.concurrency_limit = 4
    assert conn.concurrency_limit == 4
    with pytest.raises(TypeError):
        conn.stream_from_uuid("not-a-uuid")
