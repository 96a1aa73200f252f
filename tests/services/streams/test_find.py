"""Finding streams by filters on their metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from flowthings_like import API, CannotFilter, InvalidInput, InvalidResponse, mem
from flowthings_like.filters import EXISTS, NOT, Filter
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.services.streams.metadata import document_of
from flowthings_like.streams import Client, StreamSet
from flowthings_like.wire.btrdb import v5api

from .conftest import connected
from .model import ModelServer, OldServer

STREAMS: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("sensors/jfk", {"name": "temp", "unit": "F"}, {"owner": "ops", "floor": 3}),
    ("sensors/jfk", {"name": "humid", "unit": "%"}, {"owner": "ops", "floor": 2.5}),
    ("sensors/lga", {"name": "temp", "unit": "C"}, {"owner": "it's", "floor": "3"}),
    ("sensors/lga", {"name": "Temp"}, {"tags": ["a", "b"]}),
    ("weather", {"name": "wind", "unit": "m/s", "ingress": "csv"}, {"place": {"lat": 40.6, "lon": -73.8}}),
    ("weather", {"name": "temp", "unit": "F"}, {"owner": '"ops"', "floor": 2**53 + 1}),
]
FILTERS: list[Filter | str] = [
    mem.collection == "sensors/jfk",
    mem.collection.re("^sensors/"),
    mem.tags.unit == "F",
    (mem.collection == "weather") & (mem.name == "temp"),
    mem.name.re("^t"),
    mem.name.re("m"),
    mem.name.IN("temp", "wind"),
    mem.name > "a",
    mem.unit != "F",
    NOT(EXISTS(mem.unit)),
    EXISTS(mem.tags.ingress),
    EXISTS(mem.annotations.floor) & (mem.name == "temp"),
    mem.annotations.owner == "ops",
    mem.annotations.floor > 2,
    mem.annotations.floor == 2**53 + 1,
    mem.annotations.floor == "3",
    mem.annotations.tags.CONTAINS("a"),
    mem.annotations.place.WITHIN(50, "KM", (40.7, -73.9)),
    (mem.name == "temp") | (mem.annotations.owner == "ops"),
    "name == 'temp' && unit == 'C'",
    mem.nowhere == 1,
]


def fill(client: Client) -> None:
    for number, (collection, tags, others) in enumerate(STREAMS):
        client.create(UUID(int=number), collection, tags, others)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[API]:
    with API.embedded(tmp_path_factory.mktemp("data")) as opened:
        fill(opened.stream)
        yield opened


@pytest.fixture
def client(api: API) -> Client:
    client: Client = api.stream
    return client


def numbers(found: Any) -> list[int]:
    return sorted(stream.uuid.int for stream in found)


def expected(client: Client, node: Any) -> list[int]:
    from flowthings_like.filters import parse

    test = compile_predicate(parse(node) if isinstance(node, str) else node)  # type: ignore[arg-type]
    everything = client.streams_in_collection("")
    return numbers(stream for stream in everything if test(document_of(stream._metadata()), 0))


@pytest.mark.parametrize("node", FILTERS, ids=str)
def test_streams_are_those_that_the_predicate_finds(client: Client, node: Any) -> None:
    found = client.find(node)
    assert isinstance(found, StreamSet)
    assert numbers(found) == expected(client, node)
    assert all(
        stream._descriptor == client.find(f"uuid == '{stream.uuid}'")[0]._descriptor for stream in found
    )
    pages = list(client.find_pages(node, page=2))
    assert all(0 < len(page) <= 2 for page in pages)
    assert numbers(stream for page in pages for stream in page) == numbers(found)


def test_several_filters_must_all_match(client: Client) -> None:
    found = client.find(mem.collection == "sensors/jfk", mem.tags.unit == "F", mem.annotations.owner == "ops")
    assert numbers(found) == [0]
    assert len(client.find()) == len(STREAMS)
    assert len(client.find("")) == len(STREAMS)


def test_lookup_where_that_says_it_all_else_sql(client: Client) -> None:
    said = client.find((mem.collection == "a") & (mem.unit == "F") & EXISTS(mem.annotations.x), explain=True)
    assert str(said) == "streams: LookupStreams: a collection, tags ['unit'], annotations ['x']"
    said = client.find(mem.name.re("^t"), mem.annotations.floor > 2, explain=True)
    assert said.requests == (
        "SQLQuery: select uuid, collection, name, unit, ingress, distiller, annotations, property_version "
        "from streams where (left(coalesce(name, ''), 1) = $1 and exist(annotations, $2))",
    )
    assert said.rest == "annotations.floor > 2"
    assert "ops" not in str(client.find(mem.annotations.owner == "ops", explain=True).requests)


def test_what_the_server_cannot_be_asked_for(client: Client) -> None:
    for node in (
        mem.name.re("[ht]"),
        NOT(mem.annotations.floor > 2),
        mem.name == mem.unit,
        (mem.unit == "F") | NOT(mem.annotations.floor > 2),
    ):
        whole = (mem.collection.re("^sensors")) & node
        with pytest.raises(CannotFilter, match=r"SQLQuery cannot test .* with partial=True"):
            client.find(whole)
        found = client.find(whole, partial=True)
        assert numbers(found) == expected(client, whole)
        assert list(client.find(whole, partial=True, limit=1)) == list(found)[:1]
        explained = client.find(whole, partial=True, explain=True)
        assert explained.rest == str(node)


def test_sorting(client: Client) -> None:
    def order(**options: Any) -> list[int]:
        return [stream.uuid.int for stream in client.find(**options)]

    assert order() == [1, 0, 3, 2, 5, 4]
    assert order(order="desc") == [4, 5, 2, 3, 0, 1]
    assert order(limit=2) == [1, 0]
    assert order(limit=0) == []
    assert order(sort="unit") == [1, 2, 0, 5, 4, 3]
    assert order(sort=mem.tags.unit, order="desc") == [4, 0, 5, 2, 1, 3]
    assert order(sort="annotations.floor") == [1, 0, 5, 2, 3, 4]
    assert order(sort="annotations.floor", order="desc", limit=2) == [2, 5]
    assert order(sort="nowhere") == order()
    for node in (mem.name.re("."), mem.name > ""):  # by LookupStreams and here, and by SQL
        for options in ({"sort": "unit"}, {"sort": "name", "order": "desc"}, {"order": "desc"}, {}):
            found = client.find(node, partial=True, **options)  # type: ignore[call-overload]
            assert [stream.uuid.int for stream in found] == order(**options)


@pytest.mark.parametrize(
    "options",
    [{"limit": -1}, {"limit": "3"}, {"limit": True}, {"sort": ""}, {"sort": 5}, {"order": "up"}],
    ids=str,
)
def test_arguments_that_cannot_be_used(client: Client, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        client.find(**options)
    with pytest.raises(InvalidInput):
        client.find_pages(page=0)


def test_behind_lazy_and_async(client: Client) -> None:
    lazy = client.lazy()
    first = lazy.find(mem.collection == "weather", mem.name == "wind")
    found = lazy.find(mem.unit == first[0].unit)
    assert numbers(found) == [4]
    calls = client.async_()
    calls.find(mem.unit == "F")
    calls.find(mem.unit == "C")
    assert [len(each) for each in calls.results()] == [2, 1]


def test_too_many_values_are_an_error(client: Client) -> None:
    names = [f"n{number}" for number in range(600)]
    with pytest.raises(CannotFilter):
        client.find(mem.name.IN(names))
    with pytest.raises(CannotFilter, match="at most 500 values"):
        client.find(mem.name.IN(names[:300]) | mem.unit.IN(names[300:]))
    assert numbers(client.find(mem.name.IN("temp", *names), partial=True)) == [0, 2, 5]


def test_a_server_of_version_4_has_lookups_alone() -> None:
    with connected(OldServer()) as client:
        fill(client)
        assert numbers(client.find(mem.collection.re("^sensors"), mem.unit == "F")) == [0]
        with pytest.raises(CannotFilter, match="LookupStreams cannot test `name > 't'`"):
            client.find(mem.name > "t")
        found = client.find((mem.collection == "weather") & (mem.name > "u"), partial=True)
        assert numbers(found) == [4]


def test_rows_of_another_server() -> None:
    """hstore may come as an object or as text, and what is null is not there."""
    row = {"uuid": str(UUID(int=9)), "collection": "a", "name": None, "annotations": '{"x": "1"}'}

    class Other(ModelServer):
        def SQLQuery(self, body: bytes) -> Iterator[Any]:
            yield v5api.SQLQueryResponse(SQLQueryRow=[json.dumps(row).encode()])

    with connected(Other()) as client:
        found = client.find(mem.name != "t")
        assert found[0].annotations() == ({"x": 1}, 0)
        assert found[0].tags()["name"] == ""
        for wrong in ({"uuid": "x"}, {"collection": None}, {"annotations": '"x"=>"1"'}):
            row |= wrong
            with pytest.raises(InvalidResponse):
                client.find(mem.name != "t")
