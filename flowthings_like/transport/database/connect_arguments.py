"""The arguments of each driver's `connect` for the parts of a database URL.

The names of the parameters are the driver's own. Besides these, the names that are usual for the database are
understood: libpq's for pg8000 (dbname, sslmode, sslrootcert), and ssl-mode for PyMySQL.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import ConfigurationError, InvalidInput
from .url_values import Convert, as_bool, as_float, as_int, as_text

__all__ = ["Address", "arguments_of", "find_connector", "is_file"]


@dataclass(repr=False)
class Address:
    """The parts of a database URL, decoded. None is a part that is not there.

    Attributes:
        hosts: the hosts and their ports. Only libpq takes more than one.
        query: the values of each parameter.
    """

    hosts: list[tuple[str, int | None]]
    user: str | None
    password: str | None
    database: str | None
    query: dict[str, list[str]]


@dataclass(frozen=True)
class Connector:
    """How one driver is connected.

    Attributes:
        module: the name of the DB-API module.
        package: what `pip install` installs; None if that is not known.
        arguments: makes the keyword arguments of `connect`. A file's path is `database`.
    """

    module: str
    package: str | None
    arguments: Callable[[Address, str], dict[str, Any]]


# -- PostgreSQL

_PSYCOPG3: dict[str, Convert] = {"autocommit": as_bool, "prepare_threshold": as_int}


def _libpq(address: Address, driver: str) -> dict[str, Any]:
    """psycopg and psycopg2, which hand libpq's parameters through as they are."""
    query = dict(address.query)
    named = [_split_port(host) for host in query.pop("host", ())]
    hosts = [host for host, _ in named or address.hosts]
    ports = [port for _, port in (named if any(port for _, port in named) else address.hosts)]
    found = _login(address, database="dbname")
    if any(hosts):
        found["host"] = ",".join(hosts)
    if any(ports):
        found["port"] = ports[0] if len(ports) == 1 else ",".join(str(port or "") for port in ports)
    return found | _converted(query, _PSYCOPG3 if driver == "psycopg" else {}, None, driver)


def _split_port(host: str) -> tuple[str, int | None]:
    """SQLAlchemy writes several hosts as ?host=a:1&host=b:2."""
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and not host.startswith("/") and ":" not in name:
        return name, as_int(port, "host")
    return host, None


_PG8000: dict[str, Convert] = {
    **dict.fromkeys(("host", "user", "password", "database"), as_text),
    "port": as_int,
    "application_name": as_text,
    "timeout": as_float,
    "tcp_keepalive": as_bool,
    "replication": as_text,
    "unix_sock": as_text,
}


def _pg8000(address: Address, driver: str) -> dict[str, Any]:
    query = dict(address.query)
    renamed = {new: query.pop(old) for old, new in (("dbname", "database"),) if old in query}
    sslmode, root = query.pop("sslmode", ["prefer"])[-1], query.pop("sslrootcert", [None])[-1]
    if "connect_timeout" in query:
        raise InvalidInput(
            "pg8000 has no connect_timeout; its timeout=30 bounds the wait for each answer of the server, too"
        )
    found = _one_host(address, driver) | _converted(query | renamed, _PG8000, _PG8000, driver)
    host = found.get("host", "")
    if host.startswith("/"):  # libpq's way to name a folder with a Unix socket
        del found["host"]
        found["unix_sock"] = f"{host}/.s.PGSQL.{found.pop('port', 5432)}"
    if not found.get("user"):
        raise InvalidInput("pg8000 needs a user name, as in postgresql+pg8000://user@host/name")
    if sslmode in ("allow", "prefer"):  # the driver's default
        return found
    if sslmode == "disable":
        return {**found, "ssl_context": False}
    if sslmode not in ("require", "verify-ca", "verify-full"):
        raise InvalidInput("sslmode is one of disable, allow, prefer, require, verify-ca and verify-full")
    verify = sslmode != "require" or root is not None  # libpq verifies whenever it has a root certificate
    authorities = None if root == "system" else root
    return {**found, "ssl_context": _tls_context(verify, sslmode == "verify-full", authorities)}


def _tls_context(verify: bool, check_hostname: bool, authorities: str | None) -> ssl.SSLContext:
    """Made here, as PyMySQL does not check the name of the host if it is given no authorities."""
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise ConfigurationError(f"the certificates in {authorities} cannot be read: {error}") from error
    context.check_hostname = check_hostname
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    return context


# -- MySQL

_MYSQL: dict[str, Convert] = {
    **dict.fromkeys(("host", "user", "password", "database"), as_text),
    **dict.fromkeys(("port", "client_flag", "max_allowed_packet"), as_int),
    **dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), as_int),
    **dict.fromkeys(("autocommit", "use_unicode", "local_infile"), as_bool),
    **dict.fromkeys(("charset", "collation", "init_command", "sql_mode", "unix_socket"), as_text),
    **dict.fromkeys(("read_default_file", "read_default_group", "program_name"), as_text),
}
_PYMYSQL: dict[str, Convert] = {
    **_MYSQL,
    **dict.fromkeys(("binary_prefix", "ssl_disabled", "ssl_verify_cert", "ssl_verify_identity"), as_bool),
    **dict.fromkeys(("bind_address", "ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password"), as_text),
}
_MYSQLDB_TLS: dict[str, Convert] = {
    f"ssl_{name}": as_text for name in ("ca", "capath", "cert", "key", "cipher")
}
_MYSQLDB: dict[str, Convert] = {**_MYSQL, **_MYSQLDB_TLS, "compress": as_bool, "ssl_mode": as_text}
_TLS_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")


def _mysql_query(address: Address) -> dict[str, list[str]]:
    """The query, with one spelling for the names that people copy from consoles of cloud databases."""
    return {
        {"ssl-mode": "ssl_mode", "db": "database"}.get(name, name): values
        for name, values in address.query.items()
    }


def _pymysql(address: Address, driver: str) -> dict[str, Any]:
    query = _mysql_query(address)
    mode = query.pop("ssl_mode", ["PREFERRED"])[-1].upper()
    if mode not in _TLS_MODES:
        raise InvalidInput(f"ssl-mode is one of {', '.join(_TLS_MODES)}")
    found = _one_host(address, driver) | _converted(query, _PYMYSQL, _PYMYSQL, driver)
    if mode == "DISABLED":
        return {**found, "ssl_disabled": True}
    if mode == "PREFERRED":  # the driver's default
        return found
    context = _tls_context(mode != "REQUIRED", mode == "VERIFY_IDENTITY", found.pop("ssl_ca", None))
    certificate, key, password = (found.pop(f"ssl_{name}", None) for name in ("cert", "key", "key_password"))
    if certificate:
        context.load_cert_chain(certificate, key, password or "")  # None would ask on the terminal
    return {**found, "ssl": context}


def _mysqldb(address: Address, driver: str) -> dict[str, Any]:
    found = _one_host(address, driver) | _converted(_mysql_query(address), _MYSQLDB, _MYSQLDB, driver)
    files = {name.removeprefix("ssl_"): found.pop(name) for name in _MYSQLDB_TLS if name in found}
    return {**found, "ssl": files} if files else found


# -- files

_SQLITE: dict[str, Convert] = {
    "timeout": as_float,
    "isolation_level": as_text,
    "detect_types": as_int,
    "check_same_thread": as_bool,
    "cached_statements": as_int,
    "autocommit": as_bool,
}


def _sqlite(address: Address, driver: str) -> dict[str, Any]:
    query = dict(address.query)
    if not as_bool(query.pop("uri", ["false"])[-1], "uri"):
        unknown = [name for name in query if name not in _SQLITE]
        if unknown:
            raise InvalidInput(
                f"sqlite3 has no parameter {unknown[0]!r}; it has {', '.join(_SQLITE)}, and SQLite's own "
                "in a URI: sqlite:///file:x.db?mode=ro&uri=true"
            )
        options = _converted(query, _SQLITE, None, driver)
        return {"database": _absolute(address.database, ()), **options}
    options = _converted({name: query.pop(name) for name in _SQLITE if name in query}, _SQLITE, None, driver)
    rest = "&".join(f"{name}={values[-1]}" for name, values in query.items())
    return {"database": f"{address.database or ''}{'?' if rest else ''}{rest}", "uri": True, **options}


def _duckdb(address: Address, driver: str) -> dict[str, Any]:
    found = _converted(address.query, {"read_only": as_bool}, None, driver)
    kwargs = {"read_only": found.pop("read_only")} if "read_only" in found else {}
    database = _absolute(address.database, (":memory:", "md:", "motherduck:"))
    return {"database": database, **kwargs, **({"config": found} if found else {})}


def _absolute(path: str | None, schemes: tuple[str, ...]) -> str:
    if not path or path == ":memory:":
        return ":memory:"
    return path if path.startswith(schemes) else str(Path.cwd() / path)


# -- any other


def _any(address: Address, driver: str) -> dict[str, Any]:
    return _one_host(address, driver) | _converted(address.query, {}, None, driver)


def _one_host(address: Address, driver: str) -> dict[str, Any]:
    if len(address.hosts) > 1:
        raise InvalidInput(f"{driver} connects to one host; several hosts need psycopg or psycopg2")
    found = _login(address, database="database")
    for host, port in address.hosts:
        found |= {"host": host} if host else {}
        found |= {} if port is None else {"port": port}
    return found


def _login(address: Address, database: str) -> dict[str, Any]:
    named = {"user": address.user, "password": address.password, database: address.database}
    return {name: value for name, value in named.items() if value is not None and value != ""}


def _converted(
    query: Mapping[str, list[str]], types: Mapping[str, Convert], known: Iterable[str] | None, driver: str
) -> dict[str, Any]:
    """The query's parameters, converted. `known` are all that there may be; None for any."""
    found = {}
    for name, values in query.items():
        if known is not None and name not in known:
            raise InvalidInput(
                f"{driver} has no parameter {name!r} for a database URL; it has {', '.join(known)}"
            )
        if len(values) > 1:
            raise InvalidInput(f"{name} stands twice in the database URL")
        found[name] = types.get(name, as_text)(values[0], name)
    return found


# -- the drivers

_SQLITE3 = Connector("sqlite3", None, _sqlite)
_DUCKDB_ = Connector("duckdb", "duckdb", _duckdb)
_PSYCOPG = Connector("psycopg", "psycopg[binary]", _libpq)
_PSYCOPG2 = Connector("psycopg2", "psycopg2-binary", _libpq)
_PG8000_ = Connector("pg8000.dbapi", "pg8000", _pg8000)
_PYMYSQL_ = Connector("pymysql", "pymysql", _pymysql)
_MYSQLDB_ = Connector("MySQLdb", "mysqlclient", _mysqldb)

_FILES = ("sqlite", "duckdb")
_BY_SCHEME: dict[str, tuple[Connector, ...]] = {
    "sqlite": (_SQLITE3,),
    "duckdb": (_DUCKDB_,),
    "postgresql": (_PSYCOPG, _PSYCOPG2, _PG8000_),
    "postgres": (_PSYCOPG, _PSYCOPG2, _PG8000_),
    "mysql": (_PYMYSQL_, _MYSQLDB_),
    "mariadb": (_PYMYSQL_, _MYSQLDB_),
}
_BY_DRIVER: dict[str, Connector] = {
    "sqlite3": _SQLITE3,
    "pysqlite": _SQLITE3,
    "duckdb": _DUCKDB_,
    "psycopg": _PSYCOPG,
    "psycopg2": _PSYCOPG2,
    "pg8000": _PG8000_,
    "pymysql": _PYMYSQL_,
    "mysqldb": _MYSQLDB_,
    "mysqlconnector": Connector("mysql.connector", "mysql-connector-python", _any),
    "mariadbconnector": Connector("mariadb", "mariadb", _any),
}
_ASYNCIO = {"asyncpg", "aiomysql", "asyncmy", "aiosqlite", "aiopg", "aioodbc", "psycopg_async"}


def is_file(scheme: str) -> bool:
    """Whether the URLs of a scheme name a file, and no host."""
    return scheme.lower().partition("+")[0] in _FILES


def find_connector(scheme: str) -> Connector:
    """The driver for a URL's scheme.

    Raises:
        InvalidInput: the scheme is not known.
        ConfigurationError: its driver is not installed.
    """
    database, _, module = scheme.partition("+")
    if module.lower() in _ASYNCIO:
        raise InvalidInput(f"{module} needs an event loop, and calls block here; leave out +{module}")
    if module:
        candidates: tuple[Connector, ...] = (_BY_DRIVER.get(module.lower(), Connector(module, None, _any)),)
    else:
        candidates = _BY_SCHEME.get(database.lower(), ()) or _module_named(database)
    for connector in candidates:
        if _is_installed(connector.module):
            return connector
    package = candidates[0].package
    if package is None:  # not the module's name: a misspelt one may be a package of somebody else's
        raise ConfigurationError(
            f"{scheme}:// names the module {module}, which is not installed; check its name, or install it"
        )
    raise ConfigurationError(
        f"no driver for {scheme}:// is installed; install one with: python -m pip install '{package}'"
    )


def _module_named(scheme: str) -> tuple[Connector, ...]:
    """The scheme as the name of a DB-API module that is installed."""
    if _is_installed(scheme) and scheme.partition(".")[0] not in sys.stdlib_module_names:
        return (Connector(scheme, None, _any),)
    known = ", ".join(f"{name}://" for name in _BY_SCHEME)
    raise InvalidInput(
        f"no database has URLs that begin with {scheme}://; there are {known}, and scheme+module:// with the "
        "name of any DB-API module that is installed"
    )


def _is_installed(module: str) -> bool:
    """Whether there is such a module. Only its package is looked for, because that imports nothing."""
    top = module.partition(".")[0]
    if not top.isidentifier():
        return False
    try:
        return find_spec(top) is not None
    except ValueError:  # a module in sys.modules that has no spec
        return top in sys.modules


def arguments_of(connector: Connector, address: Address) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and the keyword arguments of the driver's `connect`."""
    kwargs = connector.arguments(address, connector.module)
    if connector.module in _FILES or connector.module == "sqlite3":
        return (kwargs.pop("database"),), kwargs
    return (), kwargs
