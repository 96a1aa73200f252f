"""One law for all targets of filters: a target finds exactly what the predicate finds.

ADAPTERS has a line for every target. An adapter says which documents its store can hold, and asks the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, ClassVar
from uuid import UUID

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy.pool import StaticPool

from flowthings_like.errors import CannotFilter
from flowthings_like.filters import Filter, mem, nodes, parse, streams
from flowthings_like.filters.arrays import matching
from flowthings_like.filters.keys import plan
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.filters.rows import rows_of
from flowthings_like.filters.sql import register
from flowthings_like.filters.target import TARGETS, split
from flowthings_like.services.streams.dialect import Descriptor
from flowthings_like.services.streams.metadata import document_of

from . import oracle, strategies, test_sql
from .adapter import Adapter, Document
from .hostile import pairs
from .strategies import NOW
from .stream_table import StreamTable
from .table_adapters import DuckDBTable, MariadbTable, PostgresTable, SQLiteTable
from .things_adapter import Things

pytestmark = pytest.mark.once


class Text(Adapter):
    """A filter that was written as text and parsed again."""

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        read = parse(str(node))
        assert read == node
        return [compile_predicate(read)(one, NOW) for one in documents]


class Predicate(Adapter):
    """The predicate itself has to find what the simple and slow implementation finds."""

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        return [oracle.holds(node, one, NOW) for one in documents]


class Sql(Adapter):
    """The platform's SQL, on a database in memory."""

    def __init__(self) -> None:
        self.engine = sa.create_engine("sqlite://", poolclass=StaticPool)
        sa.event.listen(self.engine, "connect", lambda connection, _record: register(connection))
        test_sql.tables.create_all(self.engine)
        self.connection = self.engine.connect()

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        test_sql.store(self.connection, [{**one, "id": str(n)} for n, one in enumerate(documents)])
        return test_sql.answers(self.connection, node)

    def close(self) -> None:
        self.connection.close()
        self.engine.dispose()


class Rows(list[Document]):
    """Rows as documents, with the columns of which they are the rows."""

    def __init__(self, columns: dict[str, NDArray[Any]]) -> None:
        super().__init__(rows_of(columns))
        self.columns = columns


class Arrays(Adapter):
    """Masks over columns of numpy."""

    documents = st.integers(1, 5).flatmap(strategies.columns).map(Rows)
    filters = strategies.flat_filters

    def write(self, node: Filter) -> object:
        return None

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        assert isinstance(documents, Rows)
        found: list[bool] = matching(node, documents.columns, NOW).tolist()
        return found

    def hostile(self, name: str, value: str) -> tuple[list[Document], Filter]:
        texts = [value, value + "'", value + '"']
        return Rows({name: np.array(texts)}), nodes.Compare(nodes.Member((name,)), "==", value.rstrip("\0"))


class Keys(Adapter):
    """Key boxes of records, and the rest on what is in them."""

    fields: ClassVar = {"a": (0, 2**31 - 1), "b": (-(2**63), 2**63 - 1), "temp": (-4, 4)}
    documents = st.lists(
        st.fixed_dictionaries(
            {
                "a": st.integers(0, 4),
                "b": strategies.near.map(int).map(lambda value: max(-(2**63), min(value, 2**63 - 2))),
                "temp": st.integers(-4, 3),
            },
            optional={"value": strategies.numbers, "name": strategies.text},
        ),
        min_size=1,
        max_size=6,
    )
    filters = strategies.flat_filters

    def write(self, node: Filter) -> object:
        return None

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        found = plan(node, self.fields, now=NOW)
        test = (lambda _document, _now: True) if found.rest is None else compile_predicate(found.rest)
        keys = [tuple(one[name] for name in self.fields) for one in documents]
        boxes = [sum(key in box for box in found.boxes) for key in keys]
        assert max(boxes) <= 1
        return [bool(times) and test(one, NOW) for times, one in zip(boxes, documents, strict=True)]

    def hostile(self, name: str, value: str) -> tuple[list[Document], Filter]:
        key, name = {"a": 1, "b": 2, "temp": 3}, f"_{name}"
        documents = [{**key, name: value}, {**key, name: value + "'"}, {**key, "a": 2, name: value}]
        return documents, (mem.a == 1) & nodes.Compare(nodes.Member((name,)), "==", value)


class StreamList(list[Document]):
    """Streams as documents."""

    def __init__(self, streams: list[Descriptor]) -> None:
        super().__init__(map(document_of, streams))
        self.streams = streams


class Streams(Adapter):
    """LookupStreams, or SQL on the embedded platform's table, and the rest on what comes."""

    documents = st.lists(strategies.streams, min_size=1, max_size=5).map(StreamList)
    filters = strategies.stream_filters

    def __init__(self) -> None:
        self.table = StreamTable()

    def write(self, node: Filter) -> object:
        return None

    def find(self, documents: list[Document], node: Filter) -> list[bool]:
        assert isinstance(documents, StreamList)
        if documents.streams is not self.table.streams:
            self.table.store(documents.streams)
        found = streams.plan(node, partial=True)
        said = self.table.find(found.request)
        test = (lambda _document, _now: True) if found.rest is None else compile_predicate(found.rest)
        without_sql = streams.plan(node, partial=True, has_sql=False)
        looked_up = self.table.find(without_sql.request)
        assert {
            one.uuid
            for one, document in zip(documents.streams, documents, strict=True)
            if compile_predicate(node)(document, NOW)
        } <= looked_up
        return [
            one.uuid in said and test(document, NOW)
            for one, document in zip(documents.streams, documents, strict=True)
        ]

    def hostile(self, name: str, value: str) -> tuple[list[Document], Filter]:
        texts = [value, value + "'"]
        tags = [{"name": text, "unit": "F"} for text in texts]
        streams = [Descriptor(UUID(int=n), "c", one, {}) for n, one in enumerate(tags)]
        return StreamList(streams), mem.name == value

    def check_hostile(self, several: Iterable[tuple[str, str]]) -> None:
        # DuckDB takes milliseconds for a query, hence many names and values in one.
        pieces = iter(several)
        while batch := list(islice(pieces, 20)):
            found: list[Descriptor] = []
            rules: list[Filter] = []
            for number, pair in enumerate(batch):
                name, value = (text.replace("\0", "") for text in pair)
                for text in (json.dumps(value), json.dumps(value + "'")):
                    tags = {"name": f"{value}{number}", "unit": "F"}
                    found.append(Descriptor(UUID(int=len(found)), f"{value}/", tags, {f"_{name}": text}))
                annotation = nodes.Compare(nodes.Member(("annotations", f"_{name}")), "==", value)
                rules.append(annotation & (mem.name == f"{value}{number}") & (mem.collection <= f"{value}/"))
            documents = StreamList(found)
            assert self.find(documents, nodes.Or(tuple(rules))) == [True, False] * len(batch), batch

    def close(self) -> None:
        self.table.close()


ADAPTERS: dict[str, type[Adapter]] = {
    "text": Text,
    "predicate": Predicate,
    "sql": Sql,
    "arrays": Arrays,
    "keys": Keys,
    "streams": Streams,
    "dbapi": SQLiteTable,
    "dbapi of DuckDB": DuckDBTable,
    "dbapi of PostgreSQL": PostgresTable,
    "dbapi of MariaDB": MariadbTable,
    "things": Things,
}
"""The adapters by the name of the target, with the name of a store behind it if the target has several."""


@pytest.fixture(scope="module", params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    opened = ADAPTERS[request.param].open(request)
    yield opened
    opened.close()


def test_every_target_is_under_the_law() -> None:
    assert list(dict.fromkeys(name.partition(" ")[0] for name in ADAPTERS)) == list(TARGETS)


def found(adapter: Adapter, documents: list[Document], node: Filter) -> list[bool]:
    """For each document, whether target and rest together find it."""
    parts = split(node, adapter.write)
    test = parts.test()
    said = [True] * len(documents) if parts.said is None else adapter.find(documents, parts.said)
    return [bool(one) and (test is None or test(doc, NOW)) for one, doc in zip(said, documents, strict=True)]


def check(adapter: Adapter, data: st.DataObject) -> None:
    documents = data.draw(adapter.documents)
    node = data.draw(adapter.filters)
    expected = [compile_predicate(node)(one, NOW) for one in documents]
    assert found(adapter, documents, node) == expected, str(node)
    assert found(adapter, documents, ~node) == [not one for one in expected], str(~node)


def test_a_target_finds_what_the_predicate_finds(adapter: Adapter) -> None:
    law = given(st.data())(lambda data: check(adapter, data))
    settings(max_examples=adapter.examples, deadline=None, suppress_health_check=list(HealthCheck))(law)()


@pytest.mark.long
def test_a_target_finds_what_the_predicate_finds_in_many_documents(adapter: Adapter) -> None:
    law = given(st.data())(lambda data: check(adapter, data))
    settings(max_examples=20 * adapter.examples, deadline=None, suppress_health_check=list(HealthCheck))(
        law
    )()


@pytest.mark.parametrize(("pattern", "flags"), [("^xa$", "i"), ("^x.a$", "is"), ("^a$", "im"), ("a$", "m")])
@pytest.mark.parametrize("value", ["Xa", "x\na", "X\nA", "xa"])
def test_a_pattern_has_its_flags(adapter: Adapter, value: str, pattern: str, flags: str) -> None:
    documents, equal = adapter.hostile("note", value)
    (compared,) = [one for one in members_of(equal) if one.value == value]
    matches = compile_predicate(mem.elems.note.re(pattern, flags))
    expected = [matches({"elems": {"note": text}}, NOW) for text in (value, value + "'")]
    node = nodes.Regex(compared.left, pattern, flags)
    with suppress(CannotFilter):  # then the predicate tests it
        adapter.write(node)
        assert adapter.find(documents, node)[:2] == expected


def members_of(node: Filter) -> list[nodes.Compare]:
    """The comparisons of a conjunction."""
    if isinstance(node, nodes.And):
        return [found for one in node.filters for found in members_of(one)]
    assert isinstance(node, nodes.Compare)
    return [node]


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_no_name_and_no_value_leaves_its_quotes(adapter: Adapter, count: int) -> None:
    adapter.check_hostile(pairs(count, seed=count))
