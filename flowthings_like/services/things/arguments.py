"""Checks the arguments of a Client's methods, before anything is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ...errors import InvalidInput
from ...transport.outgoing_values import resolve, text
from ...transport.things.endpoints import DEFAULT_PORT, Endpoint, parse_endpoint
from ...wire.things.scopes import is_name, parse_scope

__all__ = [
    "check_auth",
    "check_scope",
    "check_timeout",
    "check_variables",
    "deadline_in",
    "deadline_of",
    "endpoint_at",
    "endpoints_of",
]


_POOLED = '"host" or ("host", port)'


@lru_cache(maxsize=256)
def _known_scope(scope: str) -> str:
    parse_scope(scope)
    return scope


def check_scope(scope: Any) -> str:
    """Check a scope and return it.

    Raises:
        ValueError: it is not one.
    """
    return _known_scope(scope if type(scope) is str else text(scope, "scope"))


def check_variables(variables: Any, more: dict[str, Any]) -> dict[str, Any]:
    """Merge a query's argument `variables` and its keywords, and check their names."""
    if variables:
        variables = resolve(variables)
        if not isinstance(variables, Mapping):
            raise InvalidInput(f"variables is {type(variables).__name__}; give a mapping of names to values")
        more = {**variables, **more}
    for name in more:
        if not isinstance(name, str) or not is_name(name):
            raise InvalidInput(f"a variable is called {name!r}; give a name of letters, digits and _")
    return more


def check_auth(auth: tuple[Any, ...]) -> tuple[str, ...]:
    """Check the arguments of `authenticate` and return (token,) or (user, password)."""
    auth = tuple(map(resolve, auth))
    if len(auth) == 1 and isinstance(auth[0], tuple | list):
        auth = tuple(map(resolve, auth[0]))
        if len(auth) != 2:
            auth = ()
    if len(auth) not in (1, 2) or not all(isinstance(part, str) for part in auth):
        raise InvalidInput('the credentials are not valid; give a token, or ("user", "password")')
    return auth


def endpoint_at(host: Any, port: Any = DEFAULT_PORT, *, encrypted: bool = False) -> Endpoint:
    """The node that the arguments of `connect` name: a host and a port, or a URL."""
    host, port = text(host, "a node's host"), resolve(port)
    if "://" in host:
        node = parse_endpoint(host)
        if not encrypted or node.is_encrypted:
            return node
        if node.scheme == "unix":
            raise InvalidInput(f"ssl is set, and nothing is encrypted at {node}")
        return replace(node, scheme="wss" if node.is_websocket else "tls")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65_536:
        raise InvalidInput(f"port is {port!r}; give a number from 1 to 65535")
    return Endpoint("tls" if encrypted else "tcp", host, port)


def endpoints_of(pool: Any, *, encrypted: bool = False) -> list[Endpoint]:
    """The nodes that the argument `pool` of `connect_pool` names."""
    pool = resolve(pool)
    if isinstance(pool, str) or not isinstance(pool, Iterable):
        raise InvalidInput(f"a pool is a list of nodes, not {type(pool).__name__}; write [{_POOLED}, …]")
    nodes = []
    for node in map(resolve, pool):
        address = (node,) if isinstance(node, str) else node
        if not isinstance(address, tuple | list) or len(address) not in (1, 2):
            raise InvalidInput(f"a node of the pool is {type(node).__name__}; write {_POOLED}")
        nodes.append(endpoint_at(*address, encrypted=encrypted))
    if not nodes:
        raise InvalidInput("the pool is empty; give the address of at least one node")
    return nodes


def check_timeout(timeout: Any, name: str = "timeout") -> float | None:
    """Check a time-out: seconds, 0 or more. None and inf stand for no limit."""
    timeout = resolve(timeout)
    if timeout is None or timeout == math.inf:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise InvalidInput(f"{name} is {timeout!r}; give seconds, 0 or more, or None")
    return timeout


def deadline_in(timeout: Any, name: str = "timeout") -> float | None:
    """The `time.monotonic()` at which a time-out ends; None for no limit."""
    if timeout is None:
        return None
    timeout = check_timeout(timeout, name)
    return None if timeout is None else time.monotonic() + timeout


def deadline_of(name: str, seconds: float | None) -> float:
    """The `time.monotonic()` at which a time-out ends; inf for None."""
    deadline = deadline_in(seconds, name)
    return math.inf if deadline is None else deadline
