"""Reads database URLs such as postgresql://user:password@host:5432/name?sslmode=require.

    sqlite:///relative.db    sqlite:////absolute.db    sqlite://    sqlite:///:memory:
    duckdb:///relative.db    duckdb:////absolute.db    duckdb://    duckdb:///md:name
    postgresql://…           postgres://…              with psycopg, psycopg2 or pg8000, as installed
    postgresql+pg8000://…    mysql+mysqldb://…         with the driver after the +
    mysql://…                mariadb://…               with PyMySQL
    scheme+module://…        module://…                with any other DB-API module

These are SQLAlchemy's URLs, and libpq's. Every part may be percent-encoded. The characters @ / ? : % in a
user name or a password must be. A password in which / or @ stands plainly is read where there is one reading.
The query has the driver's own parameters, and options of the pool, such as cp_max=20.

No error and no `repr` contains the password. What Python's own functions would say of a bad URL contains it,
so their exceptions are not even kept as the context of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from ...errors import InvalidInput
from .connect_arguments import Address, arguments_of, find_connector, is_file
from .url_values import as_bool, as_int, as_limit, as_text

__all__ = ["DatabaseURL", "hide_password", "parse_url"]

_WHOLE = re.compile(r"([A-Za-z][A-Za-z0-9_.+-]*)://(.*)", re.DOTALL)
_HOST = re.compile(r"(\[[^\[\]/?@]+\]|[^\[\]:/?@,]*)(?::([0-9]*))?")
_PASSWORD_WITH_SLASH = re.compile(r"([^:/?@]*):([^@]*)@([^@]*)", re.DOTALL)
_QUERY = re.compile(r"(?:[A-Za-z0-9_.%+-]+=[^&]*(?:&+|\Z))*")
_SECRET = re.compile(r"pass|pwd|secret|token|credential", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(r"([?&])([^=&]*)=([^&]*)")
_OPTIONS = {
    "cp_min": as_int,
    "cp_max": as_int,
    "cp_reconnect": as_bool,
    "cp_noisy": as_bool,
    "cp_good_sql": as_text,
    "cp_name": as_text,
    "cp_timeout": as_limit,
    "cp_idle": as_limit,
    "cp_lifetime": as_limit,
    "cp_native": as_bool,
    "cp_placeholders": as_bool,
}


@dataclass(frozen=True, repr=False)
class DatabaseURL:
    """A database URL, read: `import_module(driver).connect(*args, **kwargs)` opens a connection.

    Attributes:
        driver: the name of the DB-API module.
        args, kwargs: the arguments of its `connect`. They contain the password.
        options: the pool's own options in the URL's query, such as `{"cp_max": 20}`.
        shown: the URL without its secrets.
    """

    driver: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    shown: str = ""

    def __repr__(self) -> str:
        return f"<DatabaseURL {self.shown}, driver {self.driver}>"


def parse_url(url: str) -> DatabaseURL:
    """Read a database URL. Nothing is imported or opened.

    The path of a file is made absolute here, so that all connections of a pool open the same file.

    Raises:
        InvalidInput: the URL is not valid, or its scheme is not known.
        ConfigurationError: the driver is not installed. The message has the command that installs it.
    """
    whole = _WHOLE.fullmatch(url) if isinstance(url, str) else None
    if whole is None:
        raise InvalidInput(
            "a database URL begins with a scheme and ://, such as postgresql://user@host/name or "
            "sqlite:///file.db"
        )
    connector = find_connector(whole[1])
    parts = _split_file(whole[2]) if is_file(whole[1]) else _split_network(whole[2])
    query, options = _split_query(parts.query)
    address = Address(
        hosts=[(_decode(host, "host"), port) for host, port in parts.hosts],
        user=_decode(parts.user, "user name"),
        password=_decode(parts.password, "password"),
        database=_decode(parts.database, "database name"),
        query=query,
    )
    args, kwargs = arguments_of(connector, address)
    return DatabaseURL(connector.module, args, kwargs, options, hide_password(url))


def hide_password(url: str) -> str:
    """The URL with *** for its password, and for parameters that are named like a secret. Never raises.

    If the URL is not valid, all behind its scheme is hidden.
    """
    whole = _WHOLE.fullmatch(url) if isinstance(url, str) else None
    if whole is None:
        return "***"
    scheme, rest = whole[1], whole[2]
    try:
        parts = _split_file(rest) if is_file(scheme) else _split_network(rest)
    except InvalidInput:
        return f"{scheme}://***"
    if parts.password is not None:
        user = parts.user or ""
        rest = f"{user}:***{rest[len(user) + 1 + len(parts.password) :]}"
    path, mark, query = rest.partition("?")
    return f"{scheme}://{path}{_SECRET_PARAMETER.sub(_hide_secret, mark + query)}"


def _hide_secret(found: re.Match[str]) -> str:
    mark, name, value = found.groups()
    return f"{mark}{name}={'***' if _SECRET.search(unquote(name)) else value}"


@dataclass(repr=False)
class _Parts:
    """The parts of a URL behind its scheme, as they stand there. None is a part that is not there."""

    user: str | None = None
    password: str | None = None
    hosts: list[tuple[str, int | None]] = field(default_factory=list)
    database: str | None = None
    query: str = ""


def _split_file(rest: str) -> _Parts:
    path, _, query = rest.partition("?")
    if path and not path.startswith("/"):
        raise InvalidInput(
            "the URL of a file has three slashes before a relative path, as sqlite:///file.db, and four "
            "before an absolute one, as sqlite:////var/lib/file.db"
        )
    return _Parts(database=path[1:] or None, query=_check_query(query))


def _split_network(rest: str) -> _Parts:
    parts = _Parts()
    authority = rest.partition("/")[0]
    if "@" in authority and "?" not in authority.partition("@")[0].partition(":")[0]:
        user, _, _ = authority.rpartition("@")
        parts.user, parts.password = _split_user(user)
        rest = rest[len(user) + 1 :]
    else:
        found = _PASSWORD_WITH_SLASH.fullmatch(rest)
        if found and not re.match(r"[0-9]*(?:[/?]|$)", found[2]):
            parts.user, parts.password, rest = found.groups()
    address, _, parts.query = rest.partition("?")
    location, slash, database = address.partition("/")
    if "@" in address:
        raise InvalidInput(
            "the database URL has an @ in a wrong place; in a user name, a password or a database name "
            "write %40 for @, %2F for / and %3F for ?"
        )
    parts.hosts = [_split_host(host) for host in location.split(",")] if location else []
    parts.database = database if slash and database else None
    _check_query(parts.query)
    return parts


def _check_query(query: str) -> str:
    if _QUERY.fullmatch(query):
        return query
    # It may be the rest of a password with a plain ? in it.
    raise InvalidInput("the query of the database URL has a parameter that is not written as name=value")


def _split_user(text: str) -> tuple[str, str | None]:
    user, colon, password = text.partition(":")
    return user, password if colon else None


def _split_host(text: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(text)
    if found is None:
        raise InvalidInput(
            "the database URL has no valid host and port: write host:5432, or [::1]:5432 for an IPv6 address"
        )
    host, digits = found[1], found[2]
    if not digits:
        return host.strip("[]"), None
    if len(digits) > 5 or not 0 < int(digits) < 65536:
        raise InvalidInput("the port in the database URL is not a number from 1 to 65535")
    return host.strip("[]"), int(digits)


def _split_query(text: str) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """The driver's parameters, and the pool's options."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        pairs = None
    if pairs is None:
        raise InvalidInput(
            "the query of the database URL is not percent-encoded UTF-8, or has more than 100 parameters"
        )
    query: dict[str, list[str]] = {}
    options: dict[str, Any] = {}
    for name, value in pairs:
        if not name.startswith("cp_"):
            query.setdefault(name, []).append(value)
        elif name in options:
            raise InvalidInput(f"{name} stands twice in the database URL")
        elif name in _OPTIONS:
            options[name] = _OPTIONS[name](value, name)
        else:
            raise InvalidInput(f"a database URL has no option {name!r}; it may have {', '.join(_OPTIONS)}")
    return query, options


def _decode(text: str | None, part: str) -> Any:
    if text is None:
        return None
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        pass  # it contains the text, so nothing is raised while it is handled
    raise InvalidInput(f"the {part} in the database URL is not percent-encoded UTF-8")
