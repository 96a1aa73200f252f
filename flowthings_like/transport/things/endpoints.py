"""Parses the URL of a ThingsDB node into its address and credentials. There are five forms:

    things://user:password@host:9200      TCP; the port may be left out
    things+tls://TOKEN@host:9400          TCP through something that ends TLS in front of the node
    ws://user:password@host:9270/path     WebSocket, which a node offers on a port of its own
    wss://host                            the same over TLS
    unix:///run/thingsdb.sock             a UNIX socket of this machine

Before the @ stands user:password or a token, percent-encoded. It may be missing: a client can be given
credentials in other ways.

ThingsDB's tokens may contain a /. It needs no encoding: tokens are recognised by their 22 characters. In a
password it needs none in the first two forms and the last. In ws:// and wss:// it is written %2F, because a
path may contain both / and @.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import unquote, urlsplit

from ...errors import ConfigurationError
from ...wire.things.tokens import TOKEN_LENGTH

__all__ = ["DEFAULT_PORT", "Endpoint", "parse_endpoint"]

DEFAULT_PORT = 9200
"""The port on which a node listens by default."""

_FORMS = (
    "give things://user:password@host:9200, things+tls://…, ws://…, wss://… or unix:///path; "
    "a token stands alone before the @, and what of a password could be mistaken for another part of a URL "
    "is written as %2F (/), %3F (?), %23 (#), %40 (@) or %25 (%)"
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_TOKEN = re.compile(rf"[A-Za-z0-9+/]{{{TOKEN_LENGTH}}}(?=@)")
_NOT_IN_A_HOST = frozenset("@/?#[] \t\n")
_SCHEMES = {"things": "tcp", "things+tls": "tls", "ws": "ws", "wss": "wss", "unix": "unix"}
_PORTS = {"tcp": DEFAULT_PORT, "tls": DEFAULT_PORT, "ws": 80, "wss": 443}
_URL_SCHEMES = {ours: written for written, ours in _SCHEMES.items()}


@dataclass(frozen=True)
class Endpoint:
    """A node's address, and the credentials to use there.

    Attributes:
        scheme: "tcp", "tls", "ws", "wss" or "unix".
        host: a name or an address; IPv6 without brackets; "" for a UNIX socket.
        port: 0 for a UNIX socket.
        path: of the UNIX socket, or of the WebSocket's URL, with its query.
        user, password: None if the URL has none.
        token: None if the URL has none.

    `str` and `repr` show neither password nor token.

    Raises:
        ConfigurationError: the host is neither a name nor an address, because it contains a port or a user,
            say.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.scheme != "unix" and not _is_host(self.host):
            raise _bad("its host is neither a name nor an address")

    @property
    def address(self) -> str:
        """host:port, or the path of a UNIX socket."""
        if self.scheme == "unix":
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_websocket(self) -> bool:
        """Whether packages are sent as WebSocket messages."""
        return self.scheme in ("ws", "wss")

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is used."""
        return self.scheme in ("tls", "wss")

    @property
    def auth(self) -> tuple[str, ...]:
        """The credentials: (token,), (user, password) or ()."""
        if self.token is not None:
            return (self.token,)
        return () if self.user is None else (self.user, self.password or "")

    def __str__(self) -> str:
        path = self.path if self.is_websocket else ""
        return f"{_URL_SCHEMES[self.scheme]}://{self.address}{path}"


def parse_endpoint(url: Any) -> Endpoint:
    """Parse a URL.

    Raises:
        ConfigurationError: it has none of the five forms. The message contains no part of the URL that could
            be a secret.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"an endpoint is a URL, not {type(url).__name__}; {_FORMS}")
    written, found, rest = url.partition("://")
    scheme = _SCHEMES.get(written.lower())
    if not found or scheme is None:
        is_one = found and _SCHEME.fullmatch(written)  # if not, it may be a secret, and is not shown
        raise _bad(f"its scheme is {written!r}" if is_one else "it has no scheme")
    before, rest = _split(scheme, rest)
    try:
        parts = urlsplit(f"{written}://{rest}")
        port = parts.port
    except ValueError:  # its message would show what stands in the port's place
        raise _bad("its host or its port cannot be read") from None
    if parts.fragment:
        raise _bad("it has a # in it; write %23")
    user, password, token = _credentials(before)
    if scheme == "unix":
        if parts.hostname or port is not None or parts.query or not parts.path:
            raise _bad("a UNIX socket has a path, and neither host nor port")
        return Endpoint(scheme, "", 0, unquote(parts.path), user, password, token)
    if not parts.hostname:
        raise _bad("it has no host")
    if port == 0:
        raise _bad("its port is 0")
    path = ""
    if scheme in ("ws", "wss"):
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    elif parts.path.strip("/") or parts.query:
        raise _bad("only ws:// and wss:// have a path after the host")
    return Endpoint(scheme, parts.hostname, port or _PORTS[scheme], path, user, password, token)


def _split(scheme: str, rest: str) -> tuple[str | None, str]:
    """Split a URL at the @ before its host: what stands before it, None if there is none; and the rest."""
    token = _TOKEN.match(rest)
    if scheme == "unix":
        if token is None and rest.startswith("/"):
            return None, rest
        end = token.end() if token else rest.find("@/")
    elif scheme in ("ws", "wss"):
        end = token.end() if token else re.split("[/?#]", rest, maxsplit=1)[0].rfind("@")
    else:
        end = rest.rfind("@")
    return (None, rest) if end < 0 else (rest[:end], rest[end + 1 :])


def _credentials(before: str | None) -> tuple[str | None, str | None, str | None]:
    """Parse what stands before the @ into user, password and token."""
    if before is None:
        return None, None, None
    name, colon, rest = before.partition(":")
    if not name:
        raise _bad("nothing stands before the @")
    if colon:
        return unquote(name), unquote(rest), None
    return None, None, unquote(name)


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return bool(IPv6Address(host))
        except ValueError:
            return False
    try:
        return bool(host.encode("idna")) and _NOT_IN_A_HOST.isdisjoint(host)
    except UnicodeError:  # a label of it is empty, or too long
        return False


def _bad(what: str) -> ConfigurationError:
    return ConfigurationError(f"the node's address is of no use: {what}; {_FORMS}")
