"""Translated statements on real servers: they give the same rows as with the values written into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flowthings_like.errors import InvalidInput
from flowthings_like.services.database.placeholders import translate

from ...servers.mariadb import MariadbServer
from ...servers.postgres import PostgresServer
from .support import plain_args

# The servers decide what a literal is. The drivers' waiting is tested elsewhere.
pytestmark = pytest.mark.needs("threads", "pure but for the servers, so one backend is enough")

HERE = "\0"
"""Stands for a placeholder in a generated statement, whatever is around it."""
VALUE = "it's %s \\ ?"
Run = Callable[[str, Any], Sequence[Any]]

some_text = st.text("a?:%\\-$é /*\n#\"`'", max_size=8)
blanks = st.sampled_from(["", " ", "\n", "/* ? ' :a %s */", "-- ? :a ' $$ /* %\n", "/* % */"])


def selects(*columns: st.SearchStrategy[str], blanks: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Statements with a few of these columns, and with comments between them."""
    column = st.tuples(blanks, st.one_of(*columns), blanks).map("".join)
    return st.lists(column, min_size=1, max_size=5).map(lambda found: "select " + ",".join(found))


def escaped(text: str, quote: str) -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, f"\\{quote}") + f"?\\\\{quote}"


for_postgresql = selects(
    st.just(f"{HERE}::text"),
    some_text.map(lambda text: "'" + text.replace("'", "''") + "'"),
    some_text.map(lambda text: "E" + escaped(text, "'")),
    some_text.map(lambda text: f"$${text.replace('$', '')}'$$"),
    some_text.map(lambda text: f"$é${text.replace('$', '')}' $$ $x$ $é$"),
    some_text.map(lambda text: '1 as "' + text[:4].replace('"', '""') + '?:a"'),
    st.sampled_from(
        ["'a'\n'\\?'", "e'a?\\'' -- c '?\n \t'\\'?'", "U&'\\0061?'", "(array[1,2,3])[1:2]", "7 % 4"]
    ),
    st.sampled_from(["""'{"a": 1}'::jsonb ?? 'a'""", """'{"a": 1}'::jsonb ?| array['a']""", "5::int"]),
    blanks=blanks | st.sampled_from(["/* ? /* ? */ ' -- */", "--\r "]),
)
for_mariadb = selects(
    st.just(f"concat({HERE})"),
    some_text.map(lambda text: escaped(text, "'")),
    some_text.map(lambda text: escaped(text, '"')),
    some_text.map(lambda text: "'" + text.replace("\\", "").replace("'", "''") + "'"),
    some_text.map(lambda text: "1 as `a?" + text[:4].replace("`", "``") + "b`"),
    st.sampled_from(["7 % 4", "5--1", "@x:=1", "N'?'", "_utf8mb4'?'", "x'00'"]),
    blanks=blanks | st.sampled_from(["/* /* ? ' */", "# ? ' :a\n", " -- ' ?\n", " --\n"]),
)
on_a_server = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(
    scope="module", params=["psycopg", "psycopg with client-side parameters", "psycopg2", "pg8000.dbapi"]
)
def postgresql(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[tuple[str, Run]]:
    """The name of a driver, and a function that runs a statement with it."""
    driver, _, on_client = request.param.partition(" with ")
    module = pytest.importorskip(driver)
    connection = module.connect(**plain_args(driver.partition(".")[0], postgres))
    connection.autocommit = True

    def run(sql: str, params: Any) -> list[Any]:
        cursor = module.ClientCursor(connection) if on_client else connection.cursor()
        cursor.execute(*((sql,) if params is None else (sql, params)))
        return [tuple(row) for row in cursor.fetchall()]

    yield driver, run
    connection.close()


@pytest.fixture(scope="module")
def mysql(mariadb: MariadbServer) -> Iterator[Run]:
    pymysql = pytest.importorskip("pymysql")
    connection = pymysql.connect(**plain_args("pymysql", mariadb), autocommit=True)

    def run(sql: str, params: Any) -> Sequence[Any]:
        cursor = connection.cursor()
        cursor.execute(sql, params)
        return cursor.fetchall()

    yield run
    connection.close()


@on_a_server
@given(sql=for_postgresql)
@example(f"select E'a\\'' , {HERE}::text, '%'")
@example(f"select $$it's$$, 5 % 2, {HERE}::text, {HERE}::text")
def test_postgresql(postgresql: tuple[str, Run], sql: str) -> None:
    driver, run = postgresql
    written = sql.replace("::jsonb ??", "::jsonb ?").replace(HERE, "'" + VALUE.replace("'", "''") + "'")
    expected = run(written, None)
    check_both_forms(sql, driver, "format" if driver == "pg8000.dbapi" else "pyformat", run, expected)


@on_a_server
@given(sql=for_mariadb)
@example(f"select 'it\\'s ?', concat({HERE}), '%'")
def test_mariadb(mysql: Run, sql: str) -> None:
    written = sql.replace(HERE, "'" + VALUE.replace("\\", "\\\\").replace("'", "''") + "'")
    check_both_forms(sql, "pymysql", "pyformat", mysql, mysql(written, None))


def check_both_forms(sql: str, driver: str, style: str, run: Run, expected: Sequence[Any]) -> None:
    count = sql.count(HERE)
    forms: list[tuple[str, Any]] = [(sql.replace(HERE, "?"), (VALUE,) * count)]
    if count:
        forms.append((sql.replace(HERE, ":value"), {"value": VALUE}))
    for form, params in forms:
        try:
            text, bound = translate(form, params, style, driver)
        except InvalidInput as error:
            if driver != "pg8000.dbapi" or "pg8000 would not find" not in str(error):
                raise
            continue
        assert run(text, bound) == expected
