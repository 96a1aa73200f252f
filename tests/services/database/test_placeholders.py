"""Statements with ? and :name in the paramstyles of all drivers, and what the drivers make of them."""

from __future__ import annotations

import random
import re
import sqlite3
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowthings_like.errors import InvalidInput
from flowthings_like.services.database import placeholders
from flowthings_like.services.database.placeholders import translate, translate_many
from flowthings_like.services.database.sql_lexer import dialect_of, tokens

STYLES = ("qmark", "numeric", "named", "format", "pyformat")


@pytest.mark.parametrize(
    ("style", "text", "params"),
    [
        ("qmark", "select ? , ?", ("a", "b")),
        ("numeric", "select :1 , :2", ("a", "b")),
        ("named", "select :p1 , :p2", {"p1": "a", "p2": "b"}),
        ("format", "select %s , %s", ("a", "b")),
        ("pyformat", "select %(p1)s , %(p2)s", {"p1": "a", "p2": "b"}),
    ],
)
def test_question_marks_in_every_style(style: str, text: str, params: Any) -> None:
    assert translate("select ? , ?", ["a", "b"], style) == (text, params)


@pytest.mark.parametrize(
    ("style", "text", "params"),
    [
        ("qmark", "select ?, ?, ?", (1, 2, 1)),
        ("numeric", "select :1, :2, :1", (1, 2)),
        ("named", "select :a, :b, :a", {"a": 1, "b": 2}),
        ("format", "select %s, %s, %s", (1, 2, 1)),
        ("pyformat", "select %(a)s, %(b)s, %(a)s", {"a": 1, "b": 2}),
    ],
)
def test_names_in_every_style(style: str, text: str, params: Any) -> None:
    assert translate("select :a, :b, :a", {"b": 2, "a": 1}, style) == (text, params)


SKIPPED = [
    ("", "'?' '' 'it''s :a ?'"),
    ("", '"?" "a""?:a"'),
    ("", "-- ? :a ' \n"),
    ("", "/* ? :a ' */"),
    ("psycopg", "E'it\\'s ? :a' e'\\\\' 'a\\' E'?''?'"),
    ("psycopg", "E'a' -- one literal\n  'it\\'s ?'"),
    ("psycopg", "'a\\'\n'b\\'"),
    ("psycopg", "U&'\\0061?' N'?' b'0' type'a\\'"),
    ("psycopg", "$$ ? ' :a $$ $tag$ ? $$ $other$ :a $tag$ a$b$c"),
    ("psycopg", "/* ? /* ? */ ' */"),
    ("psycopg", "a ?| b ?& c @? d"),
    ("psycopg", "a::int, b :: text, a[1:2], x := 5"),
    ("pymysql", "'it\\'s ?' \"it\\\"s ? :a\" 'it''s' `?``?`"),
    ("pymysql", "# ? :a '\n -- ' ?\n --\n"),
    ("pymysql", "@x:=1"),
    ("sqlite3", '[?] `?` "?" -- ? :a\r ?\n'),
    ("duckdb", "E'\\'?' $$ ? $$ /* /* ? */ ? */"),
]


@pytest.mark.parametrize(("driver", "text"), SKIPPED)
@pytest.mark.parametrize("style", ["qmark", "format"])
def test_what_is_no_placeholder(driver: str, text: str, style: str) -> None:
    if style == "qmark" and "?|" in text:
        return
    mark = {"qmark": "?", "format": "%s"}[style]
    for sql, params in ((f"select {text} ? ", (1,)), (f"select {text} :a ", {"a": 1})):
        assert translate(sql, params, style, driver) == (f"select {text} {mark} ", (1,))


@pytest.mark.parametrize(
    ("driver", "text", "count"),
    [
        ("", "a ?| b", 1),
        ("psycopg", "?||'x'", 1),
        ("psycopg", "? && b", 1),
        ("psycopg", "?&&b", 1),
        ("psycopg", "?::int", 1),
        ("psycopg", "'a\\' ? 'b'", 1),
        ("psycopg", "a$b ? $b", 1),
        ("psycopg", "name'a' ? e", 1),
        ("pymysql", "5--?", 1),
        ("pymysql", "--\n?", 1),
        ("pymysql", "/* /* */ ?", 1),
        ("sqlite3", "/* /* */ ? /* not closed", 1),
        ("sqlite3", "'a\\' ?", 1),
        ("duckdb", "E'a'\n'\\' ? ''", 1),
        ("psycopg", "a[?:?]", 2),
        ("psycopg", "(?,?)", 2),
    ],
)
def test_what_is_a_placeholder(driver: str, text: str, count: int) -> None:
    sql, params = translate(text, range(count), "format", driver)
    assert sql == text.replace("?", "%s").replace("%s|", "?|" if driver and "||" not in text else "%s|")
    assert params == tuple(range(count))


def test_a_doubled_question_mark_is_one() -> None:
    assert translate("a ?? 'b' and c = ?", (1,), "format", "psycopg")[0] == "a ? 'b' and c = %s"
    assert translate("a ?? 'b' and c = :c", {"c": 1}, "format", "psycopg")[0] == "a ? 'b' and c = %s"
    assert translate("a ? 'b' and c = :c", {"c": 1}, "pyformat", "psycopg")[0] == "a ? 'b' and c = %(c)s"
    assert translate("a ??| b", None, "format", "psycopg") == ("a ?| b", None)
    with pytest.raises(InvalidInput, match="write it as a function"):
        translate("a ?? 'b' and c = ?", (1,), "qmark", "odbc")


def test_percent_signs_are_doubled_where_the_driver_wants_it() -> None:
    sql = "select '%', \"%\", 5 % 2 /* % */ where a like ?"
    assert translate(sql, ("x",), "format", "MySQLdb")[0] == sql.replace("%", "%%").replace("?", "%s")
    assert translate(sql, ("x",), "pyformat", "psycopg")[0] == sql.replace("%", "%%").replace("?", "%(p1)s")
    assert translate(sql, ("x",), "pyformat", "mysql.connector")[0] == sql.replace("?", "%(p1)s")
    assert translate(sql, ("x",), "qmark", "sqlite3")[0] == sql
    pg8000 = "select '%', \"%\", 5 %% 2 /* %% */ where a like %s"
    assert translate(sql, ("x",), "format", "pg8000.dbapi")[0] == pg8000


def test_without_placeholders_the_statement_goes_alone() -> None:
    for params in (None, (), [], {}):
        assert translate("select '%?'", params, "format", "psycopg") == ("select '%?'", None)


@pytest.mark.parametrize(
    ("sql", "params", "said"),
    [
        ("select ?, ?", (1,), r"has 2 placeholders \(\?\), and 1 parameters are given"),
        ("select ?", (), r"has 1 placeholders"),
        ("select ?", None, r"has 1 placeholders"),
        ("select '?'", (1,), r"has 0 placeholders"),
        ("select :a", (1,), r"give a dict"),
        ("select ?", {"a": 1}, r"no placeholder for a; its names are none; .* give a tuple"),
        ("select :a, :b, :a", {}, r"needs a parameter a, b"),
        ("select :a", {"a": 1, "x": 2, 5: 6}, r"no placeholder for x, 5; its names are a"),
        ("select ?", "a", r"parameters are a str; give a tuple"),
        ("select ?", {1}, r"parameters are a set"),
        ("select ?1", (1,), r"\?1 is a numbered placeholder"),
        ("select 'a", (), r"opens ' in line 1, column 8"),
        ("select 'a''", (), r"opens ' in line 1, column 8"),
        ("select\n /* a", (), r"opens /\* in line 2, column 2"),
        (b"select 1", (), r"the statement is a bytes"),
    ],
)
def test_errors_say_what_is_wrong(sql: Any, params: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        translate(sql, params, "format")


def test_no_error_quotes_a_value() -> None:
    for params in (("hunter2", "hunter2"), {"a": "hunter2", "b": "hunter2"}, "hunter2"):
        with pytest.raises(InvalidInput) as raised:
            translate("select :a, 'hunter2', ?", params, "format")
        assert "hunter2" not in str(raised.value)


def test_an_escaped_literal_that_is_not_closed_is_no_shorter_one() -> None:
    with pytest.raises(InvalidInput, match="opens E' in line 1, column 8"):
        translate("select E'a''\\' ?", (1,), "format", "psycopg")


def test_a_hint_for_the_operators_of_postgresql() -> None:
    with pytest.raises(InvalidInput, match=r"write \?\? for the operator"):
        translate("select a ? 'b' where c = ?", (1,), "format", "psycopg")


def test_rows_of_parameters() -> None:
    assert translate_many("insert into t values (:a, :a)", ({"a": n} for n in range(2)), "qmark") == (
        "insert into t values (?, ?)",
        [(0, 0), (1, 1)],
    )
    assert translate_many("insert into t values (?)", [], "format") == ("insert into t values (%s)", [])
    with pytest.raises(InvalidInput, match="2 parameters"):
        translate_many("insert into t values (?)", [(1,), (1, 2)], "qmark")
    with pytest.raises(InvalidInput, match="a mapping, and these are a tuple"):
        translate_many("insert into t values (:a)", [{"a": 1}, (1,)], "qmark")
    with pytest.raises(InvalidInput, match="needs a statement with placeholders"):
        translate_many("delete from t", [()], "qmark")


def test_long_statements_are_not_remembered() -> None:
    before = placeholders._prepare.cache_info()
    translate("select ?" + " " * 20_000, (1,), "format")
    assert placeholders._prepare.cache_info() == before
    for number in range(600):
        translate(f"select ?, {number}", (1,), "format")
    assert placeholders._prepare.cache_info().currsize <= 512


# -- laws

PIECES = [
    *("'it''s ?'", "'", '"a?"', '"', "`a?`", "[a?]", "--", "\n", "\r", "/*", "*/", "$$", "$t$", "E'", "\\"),
    *("?", "??", ":a", ":b", "::", ":=", ":1", "?|", "@?", "%", "%s", "a", "E", "e", "1", " ", ",", "#", "$"),
    *("é", "-", "(", ")"),
]
mess = st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=30)
whole = st.sampled_from(
    [
        *(
            "'it''s %?'",
            "'%s'",
            '"a%?"',
            "-- %? '\n",
            "/* %? */",
            "/* it's % */",
            "$$ % $$",
            "$t$ '%? $t$",
            "a",
        ),
        *(
            "E'\\''",
            "E'\\\\'",
            "e'%'",
            "'\\'",
            "5 % 2",
            "%",
            "a ?? b",
            "a::int",
            " ",
            "%(",
            ")s",
            "E",
            ":a",
            "#",
        ),
    ]
)
texts = st.lists(whole, max_size=8).map("".join)
one_placeholder = st.builds("{} ? {}".format, texts, texts) | mess
DRIVERS = ("", "psycopg", "pymysql", "sqlite3", "duckdb")

literals = st.text("a'?:%\\-é", max_size=6).map(lambda text: "'" + text.replace("'", "''") + "'")
names = st.text("a'?:%\\-[é", min_size=1, max_size=6)
expressions = st.one_of(
    literals,
    st.just("?"),
    names.map(lambda name: f'1 as "{name}"'),
    names.map(lambda name: f"1 as [{name}]"),
    names.map(lambda name: f"1 as `{name}`"),
    st.integers(0, 99).map(str),
    st.just("7 % 4"),
    st.just("'a' like '%'"),
)
comments = st.sampled_from(["", " ", "\n", "/* ?:a' */", "-- ? :a '\n", "--\r ?\n", "/* /* ? */"])


@st.composite
def selects(draw: st.DrawFn) -> str:
    columns = [draw(comments) + draw(expressions) + draw(comments) for _ in range(draw(st.integers(1, 5)))]
    return "select " + ", ".join(columns)


@settings(max_examples=300, deadline=None)
@given(sql=selects(), style=st.sampled_from(["qmark", "named"]))
def test_a_translated_statement_gives_the_same_rows(sql: str, style: str) -> None:
    database = sqlite3.connect(":memory:")
    try:
        try:
            database.execute(sql)
            count = 0
        except sqlite3.ProgrammingError as error:
            count = int(re.search(r"statement uses (\d+)", str(error))[1])  # type: ignore[index]
        values = tuple(f"v{number}" for number in range(count))
        expected = database.execute(sql, values).fetchall()
        text, params = translate(sql, values, style, "sqlite3")
        again = database.execute(text, params) if params is not None else database.execute(text)
        assert again.fetchall() == expected
    finally:
        database.close()


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=150, deadline=None)
@given(sql=mess, driver=st.sampled_from(DRIVERS))
def test_any_text_is_translated_or_refused(sql: str, driver: str, style: str) -> None:
    for params in ((), {}, (1, 2), {"a": 1}, {"a": 1, "b": 2}):
        try:
            text, bound = translate(sql, params, style, driver)
        except InvalidInput:
            continue
        if bound is None:
            assert text == sql.replace("??", "?") or "??" in sql
        elif style.endswith("format"):
            assert text % bound


@settings(max_examples=400, deadline=None)
@given(sql=one_placeholder)
@example("E'a''b' ?")
def test_psycopg_sends_the_same_text(sql: str) -> None:
    pytest.importorskip("psycopg")
    from psycopg._queries import _query2pg_nocache

    try:
        text, _ = translate(sql, (1,), "format", "psycopg")
    except InvalidInput:
        return
    sent, _, _, parts = _query2pg_nocache(text.encode(errors="surrogatepass"), "utf-8")
    assert len(parts) == 2
    assert sent.decode(errors="surrogatepass") == with_placeholder(sql, "psycopg", "$1")


@settings(max_examples=400, deadline=None)
@given(sql=one_placeholder)
@example("E'\\' ?")
@example("$$ % $$ ?")
@example("$t$ % $t$ ? %")
@example("/* it's */ ?")
@example("'%' % ?")
def test_pg8000_sends_the_same_text(sql: str) -> None:
    pytest.importorskip("pg8000")
    from pg8000.dbapi import convert_paramstyle

    for style in ("format", "pyformat"):
        try:
            text, params = translate(sql, (1,), style, "pg8000")
        except InvalidInput:
            return
        assert convert_paramstyle(style, text, params) == (with_placeholder(sql, "pg8000", "$1"), (1,))


@settings(max_examples=200, deadline=None)
@given(sql=one_placeholder.filter(lambda sql: "\0" not in sql))
def test_pymysql_sends_the_same_text(sql: str) -> None:
    try:
        text, params = translate(sql, ("\0",), "pyformat", "pymysql")
    except InvalidInput:
        return
    assert text % params == with_placeholder(sql, "pymysql", "\0")  # as PyMySQL does


def with_placeholder(sql: str, driver: str, mark: str) -> str:
    """The statement as the server should get it: `mark` for its only placeholder, and ? for each ??."""
    at = 0
    parts = []
    for token in tokens(sql, dialect_of(driver)):
        form = sql[token.start : token.end]
        parts += [sql[at : token.start], {"?": mark, "??": "?"}.get(form, form)]
        at = token.end
    return "".join([*parts, sql[at:]])


@pytest.mark.once
def test_long_statements_of_any_kind_come_to_an_end() -> None:
    random_pieces = random.Random(9)
    for driver in DRIVERS:
        for _ in range(100):
            piece = "".join(random_pieces.choices(PIECES, k=random_pieces.randint(1, 4)))
            with suppress(InvalidInput):
                translate(piece * 5000, None, "format", driver)
