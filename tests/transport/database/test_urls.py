"""Database URLs: what each driver is given, what SQLAlchemy reads in them, and that no password gets out."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import ssl
import sys
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.errors import ConfigurationError, FlowThingsError, InvalidInput
from flowthings_like.transport.database import connect_arguments
from flowthings_like.transport.database.urls import DatabaseURL, hide_password, parse_url


@pytest.fixture(autouse=True)
def all_drivers(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The drivers that are installed, as far as the parser can see."""
    there = {"sqlite3", "duckdb", "psycopg", "psycopg2", "pg8000", "pymysql", "MySQLdb", "mysql", "oracledb"}
    monkeypatch.setattr(
        connect_arguments, "find_spec", lambda name: object() if name in there | {"json", "http"} else None
    )
    return there


@pytest.mark.parametrize(
    ("url", "path", "kwargs"),
    [
        ("sqlite://", ":memory:", {}),
        ("sqlite:///:memory:", ":memory:", {}),
        ("sqlite:///relative.db", "{cwd}/relative.db", {}),
        ("sqlite:////var/lib/abs%20olute.db", "/var/lib/abs olute.db", {}),
        ("sqlite+pysqlite:///a@b#c.db?timeout=2.5", "{cwd}/a@b#c.db", {"timeout": 2.5}),
        (
            "sqlite:///file:x.db?mode=ro&uri=true&timeout=1",
            "file:x.db?mode=ro",
            {"uri": True, "timeout": 1.0},
        ),
        ("sqlite:///x?isolation_level=IMMEDIATE", "{cwd}/x", {"isolation_level": "IMMEDIATE"}),
        ("duckdb://", ":memory:", {}),
        ("duckdb:///:memory:", ":memory:", {}),
        ("duckdb:///a.duckdb?read_only=true", "{cwd}/a.duckdb", {"read_only": True}),
        (
            "duckdb:///a?threads=4&memory_limit=1GB",
            "{cwd}/a",
            {"config": {"threads": "4", "memory_limit": "1GB"}},
        ),
        ("duckdb:///md:sales?motherduck_token=x", "md:sales", {"config": {"motherduck_token": "x"}}),
    ],
)
def test_files(url: str, path: str, kwargs: dict[str, Any]) -> None:
    read = parse_url(url)
    assert read.driver == ("duckdb" if url.startswith("duckdb") else "sqlite3")
    assert read.args == (path.replace("{cwd}", str(Path.cwd())),)
    assert read.kwargs == kwargs
    assert read.options == {}


LOGIN = {"host": "h", "port": 5433, "user": "u", "password": "p"}


@pytest.mark.parametrize(
    ("url", "driver", "kwargs"),
    [
        ("postgresql://u:p@h:5433/d", "psycopg", {**LOGIN, "dbname": "d"}),
        ("postgres://u:p@h:5433/d", "psycopg", {**LOGIN, "dbname": "d"}),
        ("POSTGRESQL+PSYCOPG2://u:p@h:5433/d", "psycopg2", {**LOGIN, "dbname": "d"}),
        ("postgresql+pg8000://u:p@h:5433/d", "pg8000.dbapi", {**LOGIN, "database": "d"}),
        ("mysql://u:p@h:5433/d", "pymysql", {**LOGIN, "database": "d"}),
        ("mariadb+mysqldb://u:p@h:5433/d", "MySQLdb", {**LOGIN, "database": "d"}),
        ("mysql+mysqlconnector://u:p@h:5433/d", "mysql.connector", {**LOGIN, "database": "d"}),
        ("oracle+oracledb://u:p@h:5433/d?x=1", "oracledb", {**LOGIN, "database": "d", "x": "1"}),
        ("oracledb://u:p@h:5433/d", "oracledb", {**LOGIN, "database": "d"}),
    ],
)
def test_networks(url: str, driver: str, kwargs: dict[str, Any]) -> None:
    read = parse_url(url)
    assert (read.driver, read.args, read.kwargs) == (driver, (), kwargs)


@pytest.mark.parametrize(
    ("url", "kwargs"),
    [
        ("postgresql://", {}),
        ("postgresql:///d", {"dbname": "d"}),
        ("postgresql://h", {"host": "h"}),
        ("postgresql://u@h/", {"user": "u", "host": "h"}),
        ("postgresql://u:@h", {"user": "u", "host": "h"}),
        ("postgresql://:p@h", {"password": "p", "host": "h"}),
        ("postgresql://[::1]:5/d", {"host": "::1", "port": 5, "dbname": "d"}),
        ("postgresql://[fe80::1%25eth0]", {"host": "fe80::1%eth0"}),
        ("postgresql://%2Fvar%2Frun/d", {"host": "/var/run", "dbname": "d"}),
        ("postgresql:///d?host=/var/run", {"host": "/var/run", "dbname": "d"}),
        ("postgresql://:5433/d?host=/var/run", {"host": "/var/run", "port": 5433, "dbname": "d"}),
        ("postgresql://?host=/a@b", {"host": "/a@b"}),
        ("postgresql://h/d?host=g", {"host": "g", "dbname": "d"}),
        ("postgresql://a:1,b,c:3/d", {"host": "a,b,c", "port": "1,,3", "dbname": "d"}),
        ("postgresql:///d?host=a:1&host=b:2", {"host": "a,b", "port": "1,2", "dbname": "d"}),
        ("postgresql://h/a%2Fb%3F", {"host": "h", "dbname": "a/b?"}),
        (
            "postgresql://h/d?sslmode=require&connect_timeout=5&options=-c%20x%3D1",
            {"host": "h", "dbname": "d", "sslmode": "require", "connect_timeout": "5", "options": "-c x=1"},
        ),
        (
            "postgresql://h?autocommit=on&prepare_threshold=0",
            {"host": "h", "autocommit": True, "prepare_threshold": 0},
        ),
        ("postgresql://u%40x:%3A%2F%40@h", {"user": "u@x", "password": ":/@", "host": "h"}),
        ("postgresql://user@server:p@h", {"user": "user@server", "password": "p", "host": "h"}),
        ("postgresql://u:p@ss@h", {"user": "u", "password": "p@ss", "host": "h"}),
        ("postgresql://u:a?b#c:d@h", {"user": "u", "password": "a?b#c:d", "host": "h"}),
        ("postgresql://u:a/b@h/d", {"user": "u", "password": "a/b", "host": "h", "dbname": "d"}),
        (
            "postgresql://h:5432/d?application_name=a@b",
            {"host": "h", "port": 5432, "dbname": "d", "application_name": "a@b"},
        ),
        ("postgresql://h?application_name=a@b", {"host": "h", "application_name": "a@b"}),
    ],
)
def test_forms_of_a_url(url: str, kwargs: dict[str, Any]) -> None:
    assert parse_url(url).kwargs == kwargs


def test_parameters_of_pg8000() -> None:
    def kwargs(rest: str) -> dict[str, Any]:
        return parse_url(f"postgresql+pg8000://u@{rest}").kwargs

    assert kwargs("/d?host=/run") == {"user": "u", "database": "d", "unix_sock": "/run/.s.PGSQL.5432"}
    assert kwargs(":99/?host=/run&dbname=d") == {
        "user": "u",
        "database": "d",
        "unix_sock": "/run/.s.PGSQL.99",
    }
    assert kwargs("h?timeout=5&tcp_keepalive=no") == {
        "user": "u",
        "host": "h",
        "timeout": 5.0,
        "tcp_keepalive": False,
    }
    assert kwargs("h?sslmode=prefer") == {"user": "u", "host": "h"}
    assert kwargs("h?sslmode=disable")["ssl_context"] is False
    for mode, verify, check in (
        ("require", ssl.CERT_NONE, False),
        ("verify-ca", ssl.CERT_REQUIRED, False),
        ("verify-full", ssl.CERT_REQUIRED, True),
    ):
        context = kwargs(f"h?sslmode={mode}")["ssl_context"]
        assert (context.verify_mode, context.check_hostname) == (verify, check)
    with pytest.raises(ConfigurationError, match="/missing cannot be read"):
        kwargs("h?sslmode=require&sslrootcert=/missing")
    with pytest.raises(InvalidInput, match="sslmode is one of"):
        kwargs("h?sslmode=yes")
    with pytest.raises(InvalidInput, match="no connect_timeout"):
        kwargs("h?connect_timeout=5")
    with pytest.raises(InvalidInput, match="several hosts need psycopg"):
        kwargs("a,b")
    with pytest.raises(InvalidInput, match="pg8000 needs a user name"):
        parse_url("postgresql+pg8000://h/d")


def test_parameters_of_mysql() -> None:
    def kwargs(query: str, driver: str = "pymysql") -> dict[str, Any]:
        return {**parse_url(f"mysql+{driver}://h/d?{query}").kwargs}

    common = {"host": "h", "database": "d"}
    assert kwargs("charset=utf8mb4&connect_timeout=5&local_infile=1&unix_socket=/s") == {
        **common,
        "charset": "utf8mb4",
        "connect_timeout": 5,
        "local_infile": True,
        "unix_socket": "/s",
    }
    assert kwargs("ssl_ca=/ca&ssl_verify_identity=true") == {
        **common,
        "ssl_ca": "/ca",
        "ssl_verify_identity": True,
    }
    assert kwargs("ssl-mode=disabled") == {**common, "ssl_disabled": True}
    assert kwargs("ssl-mode=PREFERRED") == common
    for mode, verify, check in (
        ("REQUIRED", ssl.CERT_NONE, False),
        ("VERIFY_CA", ssl.CERT_REQUIRED, False),
        ("VERIFY_IDENTITY", ssl.CERT_REQUIRED, True),
    ):
        context = kwargs(f"ssl-mode={mode}")["ssl"]
        assert (context.verify_mode, context.check_hostname) == (verify, check)
    assert kwargs("ssl_ca=/ca&ssl-mode=REQUIRED", "mysqldb") == {
        **common,
        "ssl": {"ca": "/ca"},
        "ssl_mode": "REQUIRED",
    }
    with pytest.raises(InvalidInput, match="ssl-mode is one of"):
        kwargs("ssl-mode=no")
    with pytest.raises(InvalidInput, match=r"pymysql has no parameter 'cursorclass'.* it has host"):
        kwargs("cursorclass=DictCursor")


def test_options_of_the_pool_are_apart() -> None:
    read = parse_url(
        "sqlite:///a?cp_min=2&cp_max=9&cp_noisy=no&cp_reconnect=1&cp_name=x&cp_good_sql=select+1&timeout=1"
    )
    assert read.kwargs == {"timeout": 1.0}
    assert read.options == {
        "cp_min": 2,
        "cp_max": 9,
        "cp_noisy": False,
        "cp_reconnect": True,
        "cp_name": "x",
        "cp_good_sql": "select 1",
    }
    other = parse_url(
        "sqlite://?cp_timeout=5&cp_idle=0.5&cp_lifetime=none&cp_native=off&cp_placeholders=y"
    ).options
    assert other == {
        "cp_timeout": 5.0,
        "cp_idle": 0.5,
        "cp_lifetime": None,
        "cp_native": False,
        "cp_placeholders": True,
    }


def test_the_first_driver_that_is_installed(all_drivers: set[str]) -> None:
    assert parse_url("postgresql://u@h").driver == "psycopg"
    all_drivers.remove("psycopg")
    assert parse_url("postgresql://u@h").driver == "psycopg2"
    all_drivers.remove("psycopg2")
    assert parse_url("postgresql://u@h").driver == "pg8000.dbapi"
    all_drivers.remove("pg8000")
    with pytest.raises(ConfigurationError, match=r"python -m pip install 'psycopg\[binary\]'"):
        parse_url("postgresql://u@h")
    with pytest.raises(ConfigurationError, match="python -m pip install 'psycopg2-binary'"):
        parse_url("postgresql+psycopg2://u@h")
    all_drivers.remove("oracledb")
    with pytest.raises(ConfigurationError, match="names the module oracledb, which is not installed"):
        parse_url("oracle+oracledb://u@h")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "begins with a scheme"),
        (None, "begins with a scheme"),
        ("relative.db", "begins with a scheme"),
        ("sqlite:relative.db", "begins with a scheme"),
        ("nothing://h/d", "no database has URLs that begin with nothing://; there are sqlite://, duckdb://"),
        ("http://h/d", "no database has URLs that begin with http://"),
        ("postgresql+asyncpg://h/d", r"asyncpg needs an event loop, .* leave out \+asyncpg"),
        ("sqlite://relative.db", "three slashes before a relative path"),
        ("sqlite:///x?mode=ro", "no parameter 'mode'; it has timeout, .*&uri=true"),
        ("sqlite:///x?timeout=a", "timeout in the database URL is not a number"),
        ("sqlite:///x?uri=perhaps", "uri in the database URL is neither true nor false"),
        ("sqlite:///x?timeout=1&timeout=2", "timeout stands twice"),
        ("sqlite:///x?cp_max=1&cp_max=2", "cp_max stands twice"),
        ("sqlite:///x?cp_max=many", "cp_max in the database URL is not a whole number"),
        ("sqlite:///x?cp_openfun=f", "no option 'cp_openfun'; it may have cp_min, cp_max"),
        ("sqlite:///%ff", "the database name in the database URL is not percent-encoded UTF-8"),
        ("sqlite:///x?a=%ff", "is not percent-encoded UTF-8"),
        ("sqlite:///x?timeout", "not written as name=value"),
        ("postgresql://u:?/b@h", "not written as name=value"),
        ("sqlite:///x?" + "&".join(["a=1"] * 101), "more than 100 parameters"),
        ("postgresql://h:x", "no valid host and port"),
        ("postgresql://h:0", "port .* 1 to 65535"),
        ("postgresql://h:65536", "port .* 1 to 65535"),
        ("postgresql://h:99999999999", "port .* 1 to 65535"),
        ("postgresql://h:٣", "no valid host and port"),
        ("postgresql://::1/d", "write host:5432, or"),
        ("postgresql://[::1/d", "no valid host and port"),
        ("postgresql://u:1/p@h/d", "an @ in a wrong place"),
    ],
)
def test_errors_say_what_is_wrong(url: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_url(url)


SECRET = "hunter2"
BAD = [
    *(
        "postgresql://u:{}@h:x/d",
        "postgresql://u:{}@h:99999/d",
        "postgresql://u:{}@[::1/d",
        "postgresql://u:{}%ff@h",
    ),
    *(
        "postgresql://u:1/{}@h/d",
        "nothing://u:{}@h",
        "postgresql+asyncpg://u:{}@h",
        "postgresql://u:{}@a:1:2/d",
    ),
    *("postgresql://u:{}", "postgresql://u:{}/@h:y", "sqlite://u:{}@h/x", "u:{}@h/d", "mysql://u:{}@h?x=1"),
    *("mysql://u:{}@h?connect_timeout={}", "postgresql://h?password={}&a=%ff", "postgresql+oh-no://u:{}@h"),
    *(
        "postgresql://u:{}@h?cp_max={}",
        "postgresql+pg8000://:{}@h",
        "mysql://u:{}@a,b",
        "postgresql:///u:{}@h",
    ),
]


@pytest.mark.parametrize("form", BAD)
def test_no_error_contains_the_password(form: str) -> None:
    url = form.replace("{}", SECRET)
    with pytest.raises(FlowThingsError) as raised:
        parse_url(url)
    error: BaseException | None = raised.value
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    while error is not None:
        assert SECRET not in f"{error!r} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert SECRET not in hide_password(url) or form.endswith("={}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:5/d?sslmode=require", "postgresql://u:***@h:5/d?sslmode=require"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p@ss@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:a/b@h/d", "postgresql://u:***@h/d"),
        ("postgresql://:p@h", "postgresql://:***@h"),
        (
            "postgresql:///d?user=u&password=p&sslpassword=q",
            "postgresql:///d?user=u&password=***&sslpassword=***",
        ),
        ("postgresql://?pass%77ord=p", "postgresql://?pass%77ord=***"),
        ("mysql://u:p@h?passwd=p", "mysql://u:***@h?passwd=***"),
        ("duckdb:///md:x?motherduck_token=p", "duckdb:///md:x?motherduck_token=***"),
        ("sqlite:////a@b:c.db", "sqlite:////a@b:c.db"),
        ("postgresql://u:p@h:x/d", "postgresql://***"),
        ("u:p@h", "***"),
    ],
)
def test_the_password_is_hidden(url: str, shown: str) -> None:
    assert hide_password(url) == shown


def test_repr_hides_the_password() -> None:
    read = parse_url(f"postgresql://u:{SECRET}@h/d?sslpassword={SECRET}")
    assert repr(read) == str(read) == "<DatabaseURL postgresql://u:***@h/d?sslpassword=***, driver psycopg>"
    assert repr(DatabaseURL("x", (), {"password": SECRET})).count(SECRET) == 0


parts = st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable())


@given(
    user=parts, password=parts, database=parts, host=st.sampled_from(["h", "127.0.0.1", "[::1]"]), value=parts
)
def test_quoted_parts_are_read_back(user: str, password: str, database: str, host: str, value: str) -> None:
    url = f"postgresql://{quote(user, '')}:{quote(password, '')}@{host}:5/{quote(database, '')}"
    read = parse_url(f"{url}?application_name={quote(value, '')}")
    assert read.kwargs == {
        "user": user,
        "password": password,
        "host": host.strip("[]"),
        "port": 5,
        "dbname": database,
        "application_name": value,
    }
    assert f":{quote(password, '')}@" not in read.shown or quote(password, "") == "***"


pieces = [
    "u",
    ":",
    "/",
    "@",
    "?",
    "#",
    "h",
    "5",
    "[",
    "]",
    "%",
    "%40",
    "=",
    "&",
    ",",
    "password",
    "sqlite",
    ".",
    "%ff",
]
odd_urls = st.lists(st.sampled_from(pieces), max_size=12).map("".join) | st.text(max_size=12)


@given(
    scheme=st.sampled_from(["postgresql", "mysql", "sqlite", "duckdb", "postgresql+pg8000", "x"]),
    rest=odd_urls,
)
def test_any_text_is_read_or_refused(scheme: str, rest: str) -> None:
    url = f"{scheme}://{rest}"
    hide_password(url)
    handled = sys.exc_info()[1]  # by whoever runs this test
    try:
        read = parse_url(url)
    except FlowThingsError as error:
        context = error.__context__
        assert context is handled
    else:
        assert isinstance(read, DatabaseURL)


@given(rest=odd_urls)
def test_whatever_is_read_as_the_password_is_hidden(rest: str) -> None:
    url = f"postgresql://u:{SECRET}{rest}"
    try:
        read = parse_url(url)
    except FlowThingsError:
        assert SECRET not in hide_password(url)
    else:
        if SECRET in read.kwargs.get("password", ""):
            assert SECRET not in read.shown
            assert SECRET not in hide_password(url)


quoted = st.text("ab1-_.~ é:/@?#%&=+", max_size=6).map(lambda text: quote(text, ""))


@given(user=quoted, password=quoted | st.text("ab/?#:", max_size=5), database=quoted, query=quoted)
def test_sqlalchemy_reads_the_same(user: str, password: str, database: str, query: str) -> None:
    engine = pytest.importorskip("sqlalchemy.engine")
    url = f"postgresql://{user}:{password}@h:5/{database}?application_name={query}"
    try:
        read = parse_url(url)
    except InvalidInput:  # more than one way to read it
        return
    other = engine.make_url(url)
    kwargs = {**other.translate_connect_args(username="user", database="dbname"), **other.query}
    if "dbname" in kwargs and importlib.metadata.version("sqlalchemy") < "2.1":  # which leaves it as it is
        kwargs["dbname"] = unquote(kwargs["dbname"])
    assert {name: value for name, value in read.kwargs.items() if value} == kwargs


@pytest.mark.once
@pytest.mark.skipif(importlib.util.find_spec("psycopg") is None, reason="psycopg is not installed")
def test_libpq_reads_the_same() -> None:
    conninfo = pytest.importorskip("psycopg.conninfo")
    for url in (
        "postgresql://u:p%40@h:5/d?sslmode=require",
        "postgresql://a:1,b:2/d",
        "postgresql:///d?host=/run",
        "postgresql://%2Frun/d",
        "postgresql://[::1]/",
    ):
        kwargs = {name: str(value) for name, value in parse_url(url).kwargs.items()}
        assert kwargs == conninfo.conninfo_to_dict(url)
