"""SQL reads an account's metadata, and has nothing else in reach."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flowthings_like.platform.streams import sql as sql_module
from flowthings_like.platform.streams.problems import StreamProblem
from flowthings_like.platform.streams.sql_statement import _FUNCTIONS

from .harness import Direct, Refused


@pytest.fixture
def filled(direct: Direct) -> Direct:
    direct.create("a/b", {"name": "x", "unit": "V"}, {"k": "1", "l": "2"})
    direct.create("a/c", {"name": "y", "unit": "A"}, {"k": "3"})
    Direct(direct.store, "bravo").create("secret", {"name": "of bravo"})
    direct.write_row("CreateDevice", fields=b'{"name": "pmu", "properties": {"hz": 120}}')
    direct.write_row("CreateUnit", fields=b'{"name": "volt", "symbol": "V"}')
    return direct


def test_the_shapes_that_clients_send(filled: Direct) -> None:
    assert filled.sql("select distinct(name) as name from streams where collection like $1", "a%") in (
        [{"name": "x"}, {"name": "y"}],
        [{"name": "y"}, {"name": "x"}],
    )
    keys = filled.sql("select distinct(skeys(annotations)) as annotations from streams")
    assert sorted(row["annotations"] for row in keys) == ["k", "l"]
    assert filled.sql("select count(*) as n from streams where name = $1 or name = $2", "x", "z") == [
        {"n": 1}
    ]


def test_columns(filled: Direct) -> None:
    (row,) = filled.sql("select * from streams where name = 'x'")
    assert row.pop("uuid").count("-") == 4
    assert row.pop("created_at").endswith("+00:00")
    assert row.pop("updated_at").endswith("+00:00")
    assert row == {
        "collection": "a/b",
        "name": "x",
        "unit": "V",
        "ingress": "",
        "distiller": "",
        "annotations": {"k": "1", "l": "2"},
        "property_version": 1,
    }
    (device,) = filled.sql("select id, name, properties from devices")
    assert device == {"id": 1, "name": "pmu", "properties": {"hz": 120}}
    assert filled.sql("select id, symbol from units order by id") == [{"id": 1, "symbol": "V"}]


@pytest.mark.once
@pytest.mark.parametrize(
    "query",
    [
        "select s.name, u.name as unit from streams s join units u on s.unit = u.symbol where u.id = 1",
        "with v as (select * from streams where unit = 'V') select name, unit from v",
        "select name, (select max(unit) from streams) as unit from streams where name in ('x', 'z')",
        "select name, count(*) as unit from streams group by name having count(*) > 0 order by 1 limit 1",
        "select collection || '/' || name as name, annotations->>'k' as unit from streams order by 1 limit 1",
        "select name, unit from streams where annotations->>'k' = '1' and created_at <= now()",
        "select name, unit from streams where name ilike 'X' union select name, unit from streams limit 1",
        "select lower(name) as name, coalesce(unit, '') as unit from (select * from streams limit 1)",
        "select name, case when unit = 'V' then 1 else 0 end as unit from streams limit 1",
        "select name, row_number() over (order by name) as unit from streams order by name limit 1;",
        "select name, unit from streams where cast(property_version as varchar) = '1' and name ~ '^x$'",
    ],
)
def test_queries_that_run(filled: Direct, query: str) -> None:
    (row,) = filled.sql(query)
    assert set(row) == {"name", "unit"}


def test_changes_are_seen_at_once(direct: Direct) -> None:
    assert direct.sql("select name from streams") == []
    direct.create("a", {"name": "x"})
    assert direct.sql("select name from streams") == [{"name": "x"}]
    id = direct.write_row("CreateUnit", fields=b'{"name": "a"}')
    direct.write_row("UpdateUnit", id, b'{"symbol": "A"}')
    assert direct.sql("select name, symbol from units") == [{"name": "a", "symbol": "A"}]
    direct.write_row("DeleteUnit", id)
    assert direct.sql("select name from units") == []


def test_accounts_see_their_own_rows(filled: Direct) -> None:
    other = Direct(filled.store, "bravo")
    assert other.sql("select name from streams") == [{"name": "of bravo"}]
    assert other.sql("select id from devices") == []
    assert "of bravo" not in str(filled.sql("select * from streams"))


HOSTILE = [
    # Writing
    "insert into streams (name) values ('x')",
    "update streams set name = 'x'",
    "delete from streams",
    "drop table streams",
    "create table t as select 1",
    "create view v as select 1",
    "create macro f() as 1",
    "alter table streams add column x int",
    "truncate streams",
    "begin",
    "commit",
    "checkpoint",
    "vacuum",
    # Several statements
    "select 1; drop table streams",
    "select 1; select 2",
    "",
    ";",
    "nonsense",
    # Files
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_json('/etc/passwd')",
    "select * from read_parquet('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from 'streams.duckdb'",
    "select * from glob('/*')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from parquet_metadata('x')",
    "copy streams to '/tmp/stolen.csv'",
    "copy (select 1) to '/tmp/stolen.csv'",
    "copy streams from '/etc/passwd'",
    "export database '/tmp/stolen'",
    "import database '/tmp/stolen'",
    "attach '{file}'",
    "attach '{file}' as other (read_only)",
    "detach memory",
    "use memory",
    # Settings, extensions, secrets
    "pragma database_list",
    "pragma enable_profiling",
    "set memory_limit = '100GB'",
    "set enable_external_access = true",
    "reset lock_configuration",
    "install httpfs",
    "load httpfs",
    "call pragma_version()",
    "create secret (type s3)",
    "select current_setting('memory_limit')",
    "select getenv('HOME')",
    "select getvariable('x')",
    "select * from duckdb_settings()",
    "select * from duckdb_secrets()",
    "select * from duckdb_tables()",
    "select * from pragma_database_list()",
    "select * from information_schema.tables",
    "select * from pg_catalog.pg_tables",
    "select * from sqlite_master",
    "select * from main.duckdb_tables",
    "describe streams",
    "summarize streams",
    "show tables",
    "explain select 1",
    "prepare p as select 1",
    "execute p",
    # Around the check
    "select * from query('select 1')",
    "select * from query_table('streams')",
    "from read_csv('/etc/passwd')",
    "table read_csv",
    "values ((select * from read_text('/etc/passwd')))",
    "select (select content from read_text('/etc/passwd'))",
    "with x as (select * from read_text('/etc/passwd')) select * from x",
    "with streams as (select * from read_text('/etc/passwd')) select * from streams",
    "select * from streams where exists (from glob('/*'))",
    "select * from streams, lateral (select * from read_text(name))",
    "select * from (pivot streams on name)",
    "select * from streams union all select * from read_csv('/etc/passwd')",
    "select 1 order by (select 1 from read_text('/etc/passwd'))",
    "select 1 limit (select count(*) from glob('/*'))",
    "select count(*) filter (where exists (from glob('/*'))) from streams",
    "select sum(1) over (order by (select 1 from glob('/*')))",
    "select case when true then (select 1 from glob('/*')) end",
    "select json_execute_serialized_sql('x')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select * from python_map_function(1)",
    "select * from sys",
    "select * from direct",
    'select * from "/etc/passwd"',
    "select * from memory.main.streams",
    # Too much
    "select repeat('x', 1000000000)",
    "select lpad('x', 1000000000, 'y')",
    "select * from range(1000000000)",
    "select * from generate_series(1, 1000000000)",
    "select range(1000000000)",
    "select unnest(range(1000000000))",
    "select list_resize([1], 1000000000)",
    "select string_agg(name, '') from streams",
    "select array_agg(name) from streams",
    "select printf('%1000000000d', 1)",
    "select format('{:>1000000000}', 1)",
    "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t",
    "select " + " || ".join(["name"] * 20) + " from streams",
    "select 1 from " + ", ".join(f"streams s{n}" for n in range(40)),
    "select " + "abs(" * 3000 + "1" + ")" * 3000,
    "select " + ", ".join(["1"] * 20000),
    "select \ud800",
]


@pytest.mark.once
@pytest.mark.parametrize("query", HOSTILE)
def test_hostile_statements(filled: Direct, query: str, tmp_path: Path) -> None:
    before = sorted(path.name for path in Path("/tmp").glob("stolen*"))
    statement = query.replace("{file}", str(tmp_path / "streams.duckdb"))
    with pytest.raises(StreamProblem, check=lambda problem: problem.code in (441, 426)):
        filled.store.sql("acme", statement, [])  # not through protobuf, which refuses what is no text
    assert sorted(path.name for path in Path("/tmp").glob("stolen*")) == before
    assert len(filled.sql("select * from streams")) == 2


def test_hostile_parameters(filled: Direct) -> None:
    for value in ("'; drop table streams; --", "$1", "\0", "x" * 100_000):
        assert filled.sql("select name from streams where name = $1", value) == []
    for params in ([], ["a", "b"], ["x"] * 2000):
        with pytest.raises(Refused, check=lambda error: error.code == 441):
            filled.sql("select name from streams where name = $1", *params)


def test_a_query_that_takes_too_long(filled: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_module, "SECONDS", 0.2)
    tables = ", ".join(f"streams s{n}" for n in range(32))
    began = time.monotonic()
    with pytest.raises(Refused, match="stopped") as caught:
        filled.sql(f"select sum(s1.property_version * random()) from {tables}")
    assert caught.value.code == 426
    assert time.monotonic() - began < 20
    assert filled.sql("select count(*) as n from streams") == [{"n": 2}]


def test_an_answer_that_is_too_large(filled: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_module, "MOST_BYTES", 1000)
    tables = ", ".join(f"streams s{n}" for n in range(10))
    with pytest.raises(Refused, match="at most 1,000 bytes"):
        filled.sql(f"select s1.name from {tables}")


def test_no_function_that_reads_or_grows_is_allowed() -> None:
    for name in ("repeat", "range", "read_text", "getenv", "current_setting", "query", "list", "array_agg"):
        assert name not in _FUNCTIONS
