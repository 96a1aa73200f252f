"""Where a ThingsDB node is, and who asks: URLs of five forms.

    things://user:password@host:9200      TCP; the port may be left out
    things+tls://TOKEN@host:9400          TCP through something that ends TLS in front of the node
    ws://user:password@host:9270/path     WebSocket, which a node offers on a port of its own
    wss://host                            the same over TLS
    unix:///run/thingsdb.sock             a UNIX socket of this machine

What stands before the @ is percent-decoded: user:password, or a token. It may be missing, as the client can
be told who asks in other ways.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from ..errors import ConfigurationError

__all__ = ["DEFAULT_PORT", "Endpoint", "parse_endpoint"]

DEFAULT_PORT = 9200
"""Where a node listens unless it is told otherwise."""

_FORMS = (
    "give things://user:password@host:9200, things+tls://…, ws://…, wss://… or unix:///path; "
    "a token stands alone before the @"
)
_NOT_IN_A_HOST = frozenset("@/?#[] \t\n")
_SCHEMES = {"things": "tcp", "things+tls": "tls", "ws": "ws", "wss": "wss", "unix": "unix"}
_PORTS = {"tcp": DEFAULT_PORT, "tls": DEFAULT_PORT, "ws": 80, "wss": 443}
_URL_SCHEMES = {ours: written for written, ours in _SCHEMES.items()}


@dataclass(frozen=True)
class Endpoint:
    """One node, and whom to authenticate as there.

    Attributes:
        scheme: "tcp", "tls", "ws", "wss" or "unix".
        host: a name or an address, an IPv6 one without brackets; "" for a UNIX socket.
        port: 0 for a UNIX socket.
        path: of the UNIX socket, or of the WebSocket's URL, with its query.
        user, password: for authentication by name; None if the URL has none.
        token: for authentication by token.

    `str` and `repr` show neither password nor token.

    Raises:
        ConfigurationError: the host is neither a name nor an address: a port is in it, say, or a user.
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
        """Whether packages travel as WebSocket messages there."""
        return self.scheme in ("ws", "wss")

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme in ("tls", "wss")

    @property
    def auth(self) -> tuple[str, ...]:
        """(token,), (user, password), or nothing."""
        if self.token is not None:
            return (self.token,)
        return () if self.user is None else (self.user, self.password or "")

    def __str__(self) -> str:
        path = self.path if self.is_websocket else ""
        return f"{_URL_SCHEMES[self.scheme]}://{self.address}{path}"


def parse_endpoint(url: Any) -> Endpoint:
    """The endpoint that a URL names.

    Raises:
        ConfigurationError: it is none of the five forms. The message repeats no part of the URL that could be
            a secret.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"an endpoint is a URL, not {type(url).__name__}; {_FORMS}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its message repeats what stands where a port should
        raise _bad("its host or its port cannot be read") from None
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or not url[len(parts.scheme) :].startswith("://"):
        raise _bad(f"its scheme is {parts.scheme!r}" if "://" in url else "it has no scheme")
    if parts.fragment:
        raise _bad("it has a # in it; write %23")
    user, password, token = _credentials(parts)
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


def _credentials(parts: SplitResult) -> tuple[str | None, str | None, str | None]:
    """(user, password, token) as they stand before the @."""
    before, at, _ = parts.netloc.rpartition("@")
    if not at:
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
