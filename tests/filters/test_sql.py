"""The predicate, the SQL on a real SQLite and PostgreSQL, and a third simple implementation agree."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from psycopg.types.string import StrDumperUnknown
from sqlalchemy.pool import StaticPool

from flowthings_like.errors import CannotFilter, ConfigurationError, InvalidInput
from flowthings_like.filters import AGE, EXISTS, NOT, mem, nodes, parse
from flowthings_like.filters.predicate import compile_predicate
from flowthings_like.filters.sql import JSON_MEMBERS, Translation, register, to_sql, translate
from flowthings_like.filters.values import TYPES

from ..servers.postgres import PostgresServer
from . import oracle
from .strategies import NOW, drops, filters, near, numbers, resources
from .test_predicate import DROP, FALSE, TRUE

tables = sa.MetaData()
DROPS = sa.Table(
    "drops",
    tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("flow_id", sa.Text),
    sa.Column("created", sa.BigInteger),
    sa.Column("edited", sa.BigInteger),
    sa.Column("creator", sa.Text),
    sa.Column("fhash", sa.Text),
    sa.Column("path", sa.Text),
    sa.Column("version", sa.Integer),
    sa.Column("location", sa.Text),
    sa.Column("parent", sa.Text),
    sa.Column("elems", sa.Text),
    sa.Column("types", sa.Text),
)
RESOURCES = sa.Table(
    "resources",
    tables,
    sa.Column("id", sa.Text),
    sa.Column("created", sa.BigInteger),
    sa.Column("body", sa.Text),
)
COLUMNS = {
    "id": DROPS.c.id,
    "flowId": DROPS.c.flow_id,
    "path": DROPS.c.path,
    "creationDate": DROPS.c.created,
    "lastEditDate": DROPS.c.edited,
    "creatorId": DROPS.c.creator,
    "fhash": DROPS.c.fhash,
    "version": DROPS.c.version,
    "location": DROPS.c.location,
    "parentDropId": DROPS.c.parent,
    "elems": DROPS.c.elems,
    TYPES: DROPS.c.types,
}


@pytest.fixture(scope="module")
def sqlite_connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    sa.event.listen(engine, "connect", lambda connection, _record: register(connection))
    tables.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


class SpellingDumper(StrDumperUnknown):
    """Writes U+0000, which PostgreSQL's text cannot hold, as the platform's connections do."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\1", "\1\2").replace("\0", "\1\1"))


@pytest.fixture(scope="module")
def postgresql_connection(postgres: PostgresServer) -> Iterator[sa.Connection]:
    database = postgres.new_database()
    engine = sa.create_engine(database.url.replace("postgresql:", "postgresql+psycopg:"))
    tables.create_all(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as opened:
        raw: Any = opened.connection.driver_connection
        raw.adapters.register_dumper(str, SpellingDumper)
        yield opened
    engine.dispose()
    postgres.drop(database)


_POSTGRESQL = pytest.param(
    "postgresql", marks=[pytest.mark.once, pytest.mark.needs("threads", "psycopg waits")]
)


@pytest.fixture(scope="module", params=["sqlite", _POSTGRESQL])
def connection(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_connection")


def of_drops(node: nodes.Filter, now: int = NOW, dialect: str = "sqlite") -> Translation:
    return translate(node, columns=COLUMNS, document=DROPS.c.elems, dialect=dialect, now=now)


def of_resources(node: nodes.Filter, dialect: str) -> Translation:
    columns = {"id": RESOURCES.c.id, "creationDate": RESOURCES.c.created}
    return translate(node, columns=columns, document=RESOURCES.c.body, dialect=dialect, now=NOW)


def text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def store(connection: sa.Connection, documents: list[dict[str, Any]]) -> None:
    connection.execute(DROPS.delete())
    connection.execute(
        DROPS.insert(),
        [
            {
                "id": str(number),
                "flow_id": one.get("flowId"),
                "created": one["creationDate"],
                "edited": one.get("lastEditDate"),
                "creator": one.get("creatorId"),
                "fhash": one.get("fhash"),
                "path": one.get("path"),
                "version": one.get("version"),
                "location": text(one.get("location")),
                "parent": text(one.get("parentDropId")),
                "elems": text(one["elems"]),
                "types": text(one.get(TYPES)),
            }
            for number, one in enumerate(documents)
        ],
    )


def stored(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """The drops as the predicate reads them, by id."""
    found = {}
    for row in connection.execute(sa.select(DROPS)).mappings():
        members = {name: row[column.name] for name, column in COLUMNS.items()}
        found[row["id"]] = {
            name: orjson.loads(value) if name in JSON_MEMBERS else value
            for name, value in members.items()
            if value is not None
        }
    return found


def answers(connection: sa.Connection, node: nodes.Filter, now: int = NOW) -> list[Any]:
    """Whether each drop matches, in order, by the SQL and what it leaves to the predicate.

    The SQL's result must be true or false, and never null.
    """
    found = of_drops(node, now, connection.dialect.name)
    said = dict(map(tuple, connection.execute(sa.select(DROPS.c.id, found.condition))))
    assert all(value is not None for value in said.values())
    if found.rest is not None:
        test = compile_predicate(found.rest)
        for name, document in stored(connection).items():
            said[name] = said[name] and test(document, now)
    return [said[name] for name in sorted(said, key=int)]


@pytest.mark.once
@settings(max_examples=120, deadline=None)
@given(st.lists(drops, min_size=3, max_size=6), st.lists(filters, min_size=4, max_size=8))
def test_predicate_sql_and_the_rules_agree_on_drops(
    connection: sa.Connection, documents: Any, nodes_: Any
) -> None:
    documents = [{**one, "id": str(number)} for number, one in enumerate(documents)]
    if connection.dialect.name == "postgresql":  # its text columns hold no U+0000, so no drop has it there
        documents = [
            {name: value.replace("\0", "") if type(value) is str else value for name, value in one.items()}
            for one in documents
        ]
    store(connection, documents)
    for node in nodes_:
        expected = [oracle.holds(node, one, NOW) for one in documents]
        test = compile_predicate(node)
        assert [test(one, NOW) for one in documents] == expected, str(node)
        said = answers(connection, node)
        assert said == expected, str(node)
        assert answers(connection, ~node) == [not value for value in expected]
        where = connection.execute(
            sa.select(DROPS.c.id).where(of_drops(node, dialect=connection.dialect.name).condition)
        )
        matching = {n for n, value in enumerate(expected) if value}
        assert {int(row.id) for row in where} >= matching, str(node)


@pytest.mark.once
@settings(max_examples=60, deadline=None)
@given(st.lists(resources, min_size=2, max_size=4), st.lists(filters, min_size=2, max_size=5))
def test_predicate_sql_and_the_rules_agree_on_resources(
    connection: sa.Connection, documents: Any, nodes_: Any
) -> None:
    connection.execute(RESOURCES.delete())
    bodies = [{"id": f"f{n}", "created": 10, "body": text(one)} for n, one in enumerate(documents)]
    connection.execute(RESOURCES.insert(), bodies)
    for node in nodes_:
        expected = [oracle.holds(node, one, NOW) for one in documents]
        test = compile_predicate(node)
        assert [test(one, NOW) for one in documents] == expected, str(node)
        found = of_resources(node, connection.dialect.name)
        rows = connection.execute(sa.select(RESOURCES.c.body, found.condition).order_by(RESOURCES.c.id)).all()
        said = [
            row[1] and (found.rest is None or test(one, NOW))
            for row, one in zip(rows, documents, strict=True)
        ]
        assert said == expected, str(node)


@settings(max_examples=200, deadline=None)
@given(numbers, numbers)
def test_numbers_of_any_size_compare_alike(connection: sa.Connection, value: Any, other: Any) -> None:
    store(connection, [{"id": "0", "creationDate": 0, "elems": {"a": value}}])
    for node in (mem.a == other, mem.a < other, mem.a >= other, mem.a.IN(other, "x")):
        assert answers(connection, node) == [oracle.holds(node, {"elems": {"a": value}}, 0)]


@pytest.mark.once
@settings(max_examples=400, deadline=None)
@given(st.lists(near, min_size=2, max_size=4), st.lists(near, min_size=2, max_size=4), near)
@example([1234567890123456789], [1.5, 1234567890123456789], 2)
@example([9007199254740993], [9007199254740992.0, 0], 2.0)
def test_integers_and_reals_compare_exactly(
    connection: sa.Connection, values: Any, items: Any, divisor: Any
) -> None:
    """With every operator, in SQL and in the predicate, for elements and columns."""
    whole = [value for value in values if type(value) is int] or [0]
    documents = [
        {"id": str(number), "creationDate": whole[number % len(whole)], "elems": {"a": value, "b": items[0]}}
        for number, value in enumerate(values)
    ]
    store(connection, documents)
    filters = [
        nodes.Compare(member, op, item)
        for member in (nodes.Member(("a",)), nodes.Member(("creationDate",)))
        for op in (*nodes.EQUALITY, *nodes.ORDER)
        for item in items
    ]
    filters += [mem.a.IN(*items), mem.a.IN("x", *items), mem.creationDate.IN(*items)]
    filters += [mem.a == mem.b, mem.a <= mem.b, mem.a < mem.b]
    if divisor:
        filters += [nodes.Modulo(nodes.Member(("a",)), divisor, "==", item) for item in (0, 1, *items)]
    for node in filters:
        expected = [oracle.holds(node, one, 0) for one in documents]
        assert answers(connection, node) == expected, str(node)
        test = compile_predicate(node)
        assert [test(one, 0) for one in documents] == expected, str(node)
        read = parse(str(node))
        assert read is not None
        assert [compile_predicate(read)(one, 0) for one in documents] == expected, str(node)


def variations() -> list[dict[str, Any]]:
    """Variants of one drop, in which each member is removed or replaced."""
    found = [DROP]
    for name in DROP["elems"]:
        others = {key: value for key, value in DROP["elems"].items() if key != name}
        found.append({**DROP, "elems": others})
        found += [
            {**DROP, "elems": {**others, name: value}}
            for value in (None, True, 0, 10.0, "", "10", [10], {"value": 5})
        ]
    found += [
        {key: value for key, value in DROP.items() if key != name}
        for name in DROP
        if name not in ("elems", "id")
    ]
    return found


def test_every_documented_case_is_the_same_in_sql(connection: sa.Connection) -> None:
    documents = [{"creationDate": 0, **one} for one in variations()]
    store(connection, documents)
    documents = [{**one, "id": str(number)} for number, one in enumerate(documents)]
    for text_ in TRUE + FALSE:
        node = parse(text_)
        assert node is not None
        expected = [oracle.holds(node, one, 1_000_000) for one in documents]
        assert answers(connection, node, 1_000_000) == expected, text_
        test = compile_predicate(node)
        assert [test(one, 1_000_000) for one in documents] == expected, text_


@settings(max_examples=500, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_this_sqlite_reads_doubles_as_they_were_written(value: float) -> None:
    """Equality of reals relies on it. It fails if SQLite was built without a long double."""
    connection = sqlite3.connect(":memory:")
    for written in (orjson.dumps({"a": value}), json.dumps({"a": value})):
        (read,) = connection.execute(
            "SELECT json_extract(?, '$.\"a\"')",
            (str(written, "utf-8") if isinstance(written, bytes) else written,),
        ).fetchone()
        assert read == value
    connection.close()


PLAIN = [
    mem.elems.temp > 90,
    mem.temp == "x",
    (mem.elems.temp > 90) & NOT(EXISTS(mem.elems.wind_gust)),
    mem["odd name"].IN(1, "a", None, True),
    (mem.a == True) | (mem.b == None),  # noqa: E711, E712
    AGE < 500,
    AGE("seen") < 500,
    (mem.path == "/a") & (mem.fhash != "b"),
    mem.location.lat > 5,
]


@pytest.mark.parametrize("node", PLAIN, ids=str)
def test_plain_rules_are_the_databases_own(sqlite_connection: sa.Connection, node: nodes.Filter) -> None:
    connection = sqlite_connection
    assert of_drops(node, dialect="postgresql").rest is None

    def asked(*_arguments: Any) -> bool:
        raise AssertionError("called back into Python")

    store(connection, [{"id": "0", "creationDate": 0, "elems": {"temp": "x", "odd name": 1, "a": True}}])
    raw: Any = connection.connection.driver_connection
    raw.create_function("filter_test", -1, asked)
    try:
        answers(connection, node)
        with pytest.raises(sa.exc.OperationalError):
            answers(connection, mem.temp % 2 == 0)
    finally:
        register(raw)


def test_columns_are_compared_as_columns() -> None:
    said = str(
        of_drops((mem.creationDate > 5) & (mem.path == "/a")).condition.compile(
            compile_kwargs={"literal_binds": True}
        )
    )
    assert "drops.created > 5" in said
    assert "drops.path = '/a'" in said
    assert "json" not in said


def test_an_index_on_a_column_serves_a_filter(sqlite_connection: sa.Connection) -> None:
    condition = of_drops((mem.id == "5") & (mem.temp > 3)).condition
    compiled = (
        sa.select(DROPS.c.elems)
        .where(condition)
        .compile(sqlite_connection, compile_kwargs={"literal_binds": True, "render_postcompile": True})
    )
    plan = sqlite_connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()
    assert "SEARCH" in plan[0][3], plan


def deep(levels: int) -> nodes.Filter:
    node: nodes.Filter = mem.a == 0
    for level in range(levels):
        other = mem.b == level
        node = nodes.And((other, node)) if level % 2 else nodes.Or((other, node))
    return node


@pytest.mark.parametrize(
    "node",
    [
        deep(100),
        deep(60),
        deep(9),
        deep(8),
        nodes.Or(tuple(mem.a == number for number in range(1500))),
        nodes.And(tuple(mem.a != number for number in range(1, 200))),
        mem.a.IN(range(12000)),
        nodes.And(tuple(deep(7) for _ in range(20))),
    ],
    ids=["deepest", "very deep", "deep", "deepest written out", "widest", "wide", "long list", "bushy"],
)
def test_no_filter_is_too_large_for_the_database(connection: sa.Connection, node: nodes.Filter) -> None:
    assert parse(str(node)) == node
    documents = [
        {"id": "0", "creationDate": 0, "elems": {"a": 0}},
        {"id": "1", "creationDate": 0, "elems": {"c": 1}},
    ]
    store(connection, documents)
    expected = [oracle.holds(node, one, NOW) for one in documents]
    assert answers(connection, node) == expected
    assert answers(connection, ~mem.z.IN(1) & ~node if node.depth < 99 else node) is not None


@pytest.mark.once
def test_the_longest_text_is_no_longer_than_the_database_takes(connection: sa.Connection) -> None:
    node = parse("||".join(["a<1"] * 13_000))  # 64 KiB, and twice that when written
    assert node is not None
    store(connection, [{"id": str(n), "creationDate": 0, "elems": {"a": n}} for n in range(2)])
    assert answers(connection, node) == [1, 0]


def test_names_cannot_break_out_of_the_path(connection: sa.Connection) -> None:
    for name in ['a"b', 'a".x', "a') OR 1=1 --", "a]", "[0]", "$", "#-1", 'x" || "', "\\", "'", "a\tb", " "]:
        store(connection, [{"id": "0", "creationDate": 0, "elems": {name: 5, "a": 6, "x": 7}}])
        member = nodes.Member(("elems", name))
        assert answers(connection, nodes.Compare(member, "==", 5)) == [1], name
        assert answers(connection, nodes.Exists(nodes.Member(("elems", name, name)))) == [0], name


def test_a_filter_stands_beside_other_conditions(connection: sa.Connection) -> None:
    store(connection, [{"id": str(n), "creationDate": n, "elems": {"a": n}} for n in range(10)])
    dialect = connection.dialect.name
    either = of_drops((mem.a == 3) | (mem.a == 4), dialect=dialect).condition
    statement = sa.select(DROPS.c.id).where(DROPS.c.created > 3, either)
    assert [row.id for row in connection.execute(statement)] == ["4"]
    high = of_drops(mem.a >= 5, dialect=dialect).condition
    share = connection.execute(
        sa.select(sa.func.avg(sa.case((high, 1), else_=0))).select_from(DROPS)
    ).scalar_one()
    assert float(share) == pytest.approx(0.5)


def test_what_cannot_run_is_refused_before_the_query() -> None:
    with pytest.raises(InvalidInput, match="zip"):
        of_drops(mem.location.WITHIN(5, "KM", zip=99999))
    with pytest.raises(InvalidInput, match="look-around"):
        of_drops(mem.a.re("(?=x)"))
    with pytest.raises(ConfigurationError, match="sqlite, postgresql, not oracle"):
        translate(mem.a == 1, columns={}, document=DROPS.c.elems, dialect="oracle", now=0)
    with pytest.raises(CannotFilter, match="a % 2 == 1"):
        to_sql(mem.a % 2 == 1, columns=COLUMNS, document=DROPS.c.elems, dialect="postgresql", now=0)


def test_every_operator_against_every_kind_of_value(connection: sa.Connection) -> None:
    """All pairs of rules, so that nothing depends on chance."""
    values = [
        None,
        True,
        False,
        0,
        1,
        1.0,
        -1,
        2**53 + 1,
        2.0**53,
        "",
        "1",
        "true",
        "é",
        [],
        [1],
        [True],
        {},
        {"a": 1},
        {"a": None},
    ]
    documents: list[dict[str, Any]] = [{"id": "0", "creationDate": 0, "elems": {"b": 1}}]
    documents += [
        {"id": str(n), "creationDate": 0, "elems": {"a": v, "b": 1}} for n, v in enumerate(values, 1)
    ]
    store(connection, documents)
    for op, value in itertools.product((*nodes.EQUALITY, *nodes.ORDER), values):
        operand = nodes.Json.of(value) if isinstance(value, (list, dict)) else value
        try:
            node = nodes.Compare(nodes.Member(("a",)), op, operand)
        except InvalidInput:
            assert op in nodes.ORDER
            continue
        expected = [oracle.holds(node, one, 0) for one in documents]
        assert answers(connection, node) == expected, str(node)
        test = compile_predicate(node)
        assert [test(one, 0) for one in documents] == expected, str(node)


@settings(max_examples=100, deadline=None)
@given(drops, filters)
def test_a_filter_means_the_same_after_a_trip_through_text(document: Any, node: nodes.Filter) -> None:
    read = parse(str(node))
    assume(read is not None)
    assert compile_predicate(read)(document, NOW) == compile_predicate(node)(document, NOW)
