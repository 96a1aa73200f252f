"""A requests.Session that does the ordinary on connections of its own, at a tenth of the cost.

Which way a request takes is settled before anything is sent. The direct way is for plain requests: anything
that only requests does (proxies, adapters, hooks, cookies, authentication, streams, client certificates,
files, URLs that need repair) goes through requests itself.
"""

from __future__ import annotations

import json as json_module
import re
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from weakref import finalize

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.exceptions import ConnectTimeout, InvalidHeader, InvalidJSONError
from requests.structures import CaseInsensitiveDict

from ...errors import DeadlineExceeded
from ...wire.http import UnsafeRequestError, header_lines
from ..retry import Limits
from .doubles import is_replaced
from .environment import PREFIX, Surroundings, explore
from .native_transport import POOL_SIZE, Origin
from .response import DirectResponse
from .urls import check_transport

if TYPE_CHECKING:
    from ...wire.http import Answer

__all__ = ["DirectSession"]

MOST_ORIGINS = 64
"""Places that one session keeps connections to; what goes to others goes through requests."""

# Escapes that every HTTP library would rewrite are not in here, nor are segments that it would resolve.
_ESCAPE = r"%(?!2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)[0-9A-F]{2}"
_TARGET = re.compile(
    rf"(?:/(?!\.\.?(?:[/?]|$))(?:[\w.~!$&'()*+,;=:@-]|{_ESCAPE})*)+"
    rf"(?:\?(?:[\w.~!$&'()*+,;=:@/?-]|{_ESCAPE})*)?",
    re.ASCII,
)
# These decide over the body or the connection, which is requests' business then.
_UNUSUAL = frozenset(
    ("content-length", "transfer-encoding", "expect", "upgrade", "te", "trailer", "proxy-authorization")
)
_CODINGS = frozenset(("gzip", "deflate", "identity"))
_NO_HOOKS: dict[str, Any] = {"response": []}
_REMEMBERED = 256
_UNLIMITED = Limits(None, None, None)
_NUMBERS = (int, float)
_LONGEST = 1e9  # seconds; what is much longer no socket takes


class DirectSession(requests.Session):
    """A session that is one of requests' in everything but the way that plain requests take.

    Args:
        transport: "auto" for that, "requests" to send everything through requests.
        adapters: more adapters to mount, by URL prefix; what is sent there goes through requests.

        max_response_bytes: bytes that an answer may have, as it comes and unpacked; None for any number.

    Attributes:
        transport, max_response_bytes: the same, to look at and to set.
    """

    transport: str
    max_response_bytes: int | None

    def __init__(
        self,
        transport: str = "auto",
        adapters: Mapping[str, BaseAdapter] | None = None,
        max_response_bytes: int | None = None,
    ) -> None:
        super().__init__()
        self.max_response_bytes = max_response_bytes
        self.transport = check_transport(transport)
        self.headers = _Headers(self.headers)
        self.headers["Accept-Encoding"] = "gzip, deflate"
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(pool_maxsize=POOL_SIZE))
        for prefix, adapter in (adapters or {}).items():
            self.mount(prefix, adapter)
        self._begin()

    def _begin(self) -> None:
        self._usual_adapters = dict(self.adapters)
        self._surroundings: dict[str, Surroundings] = {}
        self._origins: dict[tuple[str, bool | str], Origin] = {}
        self._blocks: dict[Any, bytes | None] = {}
        finalize(self, _close, self._origins).atexit = False

    def __getstate__(self) -> dict[str, Any]:
        own = {"transport": self.transport, "max_response_bytes": self.max_response_bytes}
        return {**super().__getstate__(), **own}  # type: ignore[misc]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        self._begin()

    def close(self) -> None:
        """Close the connections of both ways. The session may be used again."""
        _close(self._origins)
        super().close()

    @property
    def origins(self) -> list[Origin]:
        """The places this session has talked to directly; each has a `pool` with `statistics()`."""
        return list(self._origins.values())

    def is_plain(self) -> bool:
        """Whether nothing is set that only requests does."""
        jar: Any = self.cookies
        return self.adapters == self._usual_adapters and not (
            self.auth
            or self.params
            or self.proxies
            or self.cert
            or self.stream
            or self.hooks != _NO_HOOKS
            # What a jar has, or the jar itself if it is of another kind.
            or getattr(jar, "_cookies", jar)
        )

    def is_simple(self, url: str) -> bool:
        """Whether requests would add nothing to a request for this URL but the session's headers."""
        return self.is_plain() and not self._look_around(_split(url)[0]).netrc

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, Any] | None,
        body: bytes | None,
        timeout: Any = None,
        verify: bool | str | None = None,
        more: Mapping[str, str] | None = None,
        most: int | None = None,
    ) -> Answer | None:
        """Make a request directly, without a Response.

        Returns None, with nothing sent, if it has to go through requests. Whether the session `is_plain` is
        for the caller to ask.

        Args:
            method: the verb, in capitals.
            url: complete, with its query, and percent-encoded.
            headers: for this request, added to the session's.
            body: None for none.
            timeout: as for `request`, or (to connect, between two reads, for everything).
            verify: as for `request`.
            more: further headers, which change with every request.
            most: bytes that the answer may have, as it comes and unpacked; None for `max_response_bytes`.

        Raises:
            requests.RequestException: as `request` does.
            DeadlineExceeded: no connection was free in time.
        """
        prefix, target = _split(url)
        origin = self._origin(prefix, verify)
        limits = _limits(timeout)
        if origin is None or limits is None:
            return None
        lines = self._lines(headers, origin)
        if lines is None:
            return None
        if more:
            lines += _checked(more)
        most = self.max_response_bytes if most is None else most
        return origin.exchange(method, target, lines, body, limits, most)

    def request(
        self,
        method: Any,
        url: Any,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        cookies: Any = None,
        files: Any = None,
        auth: Any = None,
        timeout: Any = None,
        allow_redirects: bool = True,
        proxies: Any = None,
        hooks: Any = None,
        stream: bool | None = None,
        verify: Any = None,
        cert: Any = None,
        json: Any = None,
    ) -> requests.Response:
        """As `requests.Session.request`, whose arguments and exceptions these are."""
        unusual = cookies or files or auth or proxies or hooks or stream or cert
        plain = None if unusual else self._plain(method, url, params, data, json, headers, timeout, verify)
        if plain is None:
            return super().request(
                method, url, params, data, headers, cookies, files, auth, timeout,
                allow_redirects, proxies, hooks, stream, verify, cert, json,
            )  # fmt: skip
        origin, verb, complete, target, lines, body, limits = plain
        started = perf_counter()
        try:
            answer = origin.exchange(verb, target, lines, body, limits, self.max_response_bytes)
        except DeadlineExceeded as error:
            raise ConnectTimeout(str(error)) from error
        # As requests has it, where Host is none of the headers of a request.
        asked = verb, complete, lines.removeprefix(origin.host_line), body
        adapter = self.get_adapter(complete)
        response = DirectResponse(answer, asked, perf_counter() - started, adapter)
        if answer.headers.has(b"set-cookie"):
            response.keep_cookies(self.cookies)
        if 300 <= answer.status < 400 and response.is_redirect:
            return self._redirected(response, allow_redirects, timeout, verify)
        return response

    def _redirected(
        self, response: DirectResponse, follow: bool, timeout: Any, verify: Any
    ) -> requests.Response:
        """Where a redirect leads to is for requests to see to, with all its precautions."""
        request = response.request
        settings = self.merge_environment_settings(request.url or "", {}, None, verify, None)
        onwards = self.resolve_redirects(
            response, request, timeout=timeout, yield_requests=not follow, **settings
        )
        if not follow:
            response._next = next(onwards, None)
            return response
        found: list[requests.Response] = [response, *onwards]
        found[-1].history = found[:-1]
        return found[-1]

    def _plain(
        self,
        method: Any,
        url: Any,
        params: Any,
        data: Any,
        json: Any,
        headers: Any,
        timeout: Any,
        verify: Any,
    ) -> tuple[Origin, str, str, str, bytes, bytes | None, Limits] | None:
        """All there is to send, if it can go directly."""
        if type(url) is not str or type(method) is not str:
            return None
        if data is not None and not isinstance(data, str | bytes):
            return None
        if params:
            if not isinstance(params, dict) or None in params.values() or "?" in url or "#" in url:
                return None
            url = f"{url}?{urlencode(params, doseq=True)}"
        prefix, target = _split(url)
        limits = _limits(timeout)
        if limits is None or not _TARGET.fullmatch(target) or not self.is_plain() or is_replaced():
            return None
        origin = self._origin(prefix, verify)
        if origin is None:
            return None
        body = data.encode() if isinstance(data, str) else data
        if not body and json is not None:
            body = _json(json)
            if not headers or "content-type" not in map(str.lower, headers):
                headers = {**(headers or {}), "Content-Type": "application/json"}
        lines = self._lines(headers, origin)
        if lines is None:
            return None
        return origin, method.upper(), prefix.lower() + target, target, lines, body or None, limits

    def merge_environment_settings(  # type: ignore[override]
        self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        """As requests does it, but the environment is read once for each host."""
        if proxies:
            return dict(super().merge_environment_settings(url, proxies, stream, verify, cert))
        around = self._look_around(_split(url)[0])
        return {
            "proxies": {**self.proxies, **around.proxies},
            "stream": self.stream if stream is None else stream,
            "verify": self._verify(verify, around),
            "cert": cert or self.cert,
        }

    def _verify(self, verify: bool | str | None, around: Surroundings) -> bool | str:
        if around.bundle and (verify is None or verify is True):
            return around.bundle
        return self.verify if verify is None else verify  # type: ignore[return-value]

    def _origin(self, prefix: str, verify: bool | str | None) -> Origin | None:
        """What a URL's beginning leads to, if one can go there directly."""
        around = self._look_around(prefix)
        if not around.direct or self.transport != "auto":
            return None
        chosen = self._verify(verify, around)
        found = self._origins.get((prefix, chosen))
        if found is None:
            match = PREFIX.fullmatch(prefix)
            if match is None or len(self._origins) >= MOST_ORIGINS:
                return None
            scheme, name, address, port = match.groups()
            made = Origin(scheme.lower(), (name or address).lower(), int(port) if port else None, chosen)
            # Of two threads that get here at once both must use the same one.
            found = self._origins.setdefault((prefix, chosen), made)
        return found

    def _look_around(self, prefix: str) -> Surroundings:
        around = self._surroundings.get(prefix)
        if around is None or around.trusted is not self.trust_env:
            if len(self._surroundings) >= _REMEMBERED:
                self._surroundings.clear()
            around = self._surroundings[prefix] = explore(self, prefix)
        return around

    def _lines(self, headers: Mapping[str, Any] | None, origin: Origin) -> bytes | None:
        """The header lines of a request but Content-Length; None if one of them needs requests."""
        if headers and not isinstance(headers, Mapping):
            return None
        own: Any = self.headers
        # Users may put any dict there; of ours it is known when it has changed.
        state = own.state if type(own) is _Headers else tuple(own.items())
        key = (origin.host_line, state, *headers.items()) if headers else (origin.host_line, state)
        try:
            return self._blocks[key]
        except KeyError:
            pass
        except TypeError:  # a value that is no text; requests has words for it
            return None
        merged: dict[str, tuple[str, Any]] = {}
        for source in (self.headers, headers or {}):
            for name, value in source.items():
                merged[_lower(name)] = name, value
        wanted = {name: value for name, value in merged.values() if value is not None}
        lines: bytes | None = None
        if _UNUSUAL.isdisjoint(merged) and _decodable(merged.get("accept-encoding", ("", ""))[1]):
            lines = _checked(wanted)
            if "host" not in merged:
                lines = origin.host_line + lines
        if len(self._blocks) >= _REMEMBERED:
            self._blocks.clear()
        self._blocks[key] = lines
        return lines


class _Headers(CaseInsensitiveDict[Any]):
    """Headers of a session; `state` is another object after every change."""

    state: object = None

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self.state = object()

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self.state = object()


def _close(origins: dict[Any, Origin]) -> None:
    for origin in list(origins.values()):
        origin.pool.close()


def _split(url: str) -> tuple[str, str]:
    """Scheme, host and port; path and query."""
    slash = url.find("/", 8)
    return (url, "/") if slash < 0 else (url[:slash], url[slash:])


def _limits(timeout: Any) -> Limits | None:
    """A time-out of requests' as three; None if it is of another kind, or no time at all."""
    if timeout is None:
        return _UNLIMITED
    if isinstance(timeout, Limits):
        return timeout
    if type(timeout) in _NUMBERS:
        return Limits(timeout, timeout, None) if 0 < timeout <= _LONGEST else None
    given: tuple[Any, ...] = timeout if isinstance(timeout, tuple) else ()
    if not 2 <= len(given) <= 3:
        return None
    for seconds in given:
        if seconds is not None and (type(seconds) not in _NUMBERS or not 0 < seconds <= _LONGEST):
            return None
    return Limits(given[0], given[1], given[2] if len(given) == 3 else None)


def _checked(headers: Mapping[str, Any]) -> bytes:
    try:
        return header_lines(headers)
    except UnsafeRequestError as error:
        raise InvalidHeader(str(error)) from None


def _lower(name: Any) -> str:
    return name.lower() if isinstance(name, str) else name.decode("latin-1").lower()


def _decodable(accepted: Any) -> bool:
    """Whether an Accept-Encoding asks for nothing that the direct way cannot unpack."""
    text = accepted.decode("latin-1") if isinstance(accepted, bytes) else accepted or ""
    return all(part.partition(";")[0].strip().lower() in _CODINGS for part in text.split(",") if part.strip())


def _json(value: Any) -> bytes:
    try:
        return json_module.dumps(value, allow_nan=False).encode()
    except ValueError as error:
        raise InvalidJSONError(error) from error
