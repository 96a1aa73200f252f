"""Parses the URL of a TStorage server: tstorage://host:port, or tstorages://host:port for one behind TLS."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import urlsplit

from ...errors import ConfigurationError
from ...transport.outgoing_values import resolve

__all__ = ["DEFAULT_PORT", "Endpoint", "parse_endpoint"]

DEFAULT_PORT = 2025
"""The port of a server whose URL has none."""

_FORMS = "give tstorage://host:port, or tstorages://host:port for a server behind TLS"
_NOT_IN_A_HOST = frozenset("@/?#[] \t\n")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server.

    Attributes:
        host: a name or an address; IPv6 without brackets.
        port: 1 to 65535.
        is_encrypted: whether it is behind TLS.
    """

    host: str
    port: int
    is_encrypted: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tstorages' if self.is_encrypted else 'tstorage'}://{host}:{self.port}"


def parse_endpoint(url: Any) -> Endpoint:
    """Parse a URL.

    Raises:
        ConfigurationError: it has none of the two forms. The message shows no part that could be a secret.
    """
    url = resolve(url)
    if not isinstance(url, str):
        raise ConfigurationError(
            f"the address of a TStorage server is a URL, not {type(url).__name__}; {_FORMS}"
        )
    scheme, found, rest = url.strip().partition("://")
    if not found or scheme.lower() not in ("tstorage", "tstorages"):
        raise _bad("its scheme is another one, or missing")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad("its host or its port cannot be read") from None
    if "@" in rest:
        raise _bad("TStorage has no user and no password")
    if (
        not host
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or port == 0
        or not _is_host(host, "[" in rest)
    ):
        raise _bad("it has no host, or more than a host and a port")
    return Endpoint(host, DEFAULT_PORT if port is None else port, scheme.lower() == "tstorages")


def _is_host(host: str, is_bracketed: bool) -> bool:
    if ":" in host or is_bracketed:
        try:
            return bool(IPv6Address(host))
        except ValueError:
            return False
    return _NOT_IN_A_HOST.isdisjoint(host) and host.isprintable()


def _bad(what: str) -> ConfigurationError:
    return ConfigurationError(f"the URL of a TStorage server is of no use: {what}; {_FORMS}")
