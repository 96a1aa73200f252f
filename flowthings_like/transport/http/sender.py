"""Sends an API's requests, and chooses the transport for each: the native one, or requests.

The choice falls before anything is sent. A request goes through requests as soon as something is asked for
that the native transport does not do: by the settings of `api.session`, by the environment (proxies,
~/.netrc), by a test double in the place of a part of requests, or by `transport="requests"`.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.utils import get_environ_proxies, get_netrc_auth, select_proxy
from urllib3.connectionpool import HTTPConnectionPool

from ...errors import FlowThingsError, InvalidInput
from ...green.findings import warn_once
from ...wire.http import Answer, UnsafeRequestError, header_lines
from ...wire.rest import AUTH_ACCOUNT, AUTH_TOKEN
from ..after_fork import forked_call, session_after_fork
from ..retry import Timeout, as_timeout
from . import requests_transport
from .embedded import WSGIAdapter, call
from .failures import redirected
from .native_transport import ORIGIN, POOL_SIZE, NativeTransport

if TYPE_CHECKING:
    from ..connection_pool import Pool

__all__ = ["HTTPSender", "is_replaced"]

_CACHE_SIZE = 256
# These headers decide over the body or the connection, which only requests knows how to follow.
_ONLY_REQUESTS_SENDS = frozenset(
    (
        "content-length", "expect", "host", "proxy-authorization", "te", "trailer", "transfer-encoding",
        "upgrade",
    )
)  # fmt: skip
_CODINGS = frozenset(("gzip", "deflate", "identity"))
_NO_HOOKS: dict[str, Any] = {"response": []}


class HTTPSender:
    """Sends requests. Calling it is the built-in `request` function of an API.

    A session holds locks and pools, so it is made at the first call: a program may import this package, and
    construct its APIs, before it patches the interpreter. A forked child gets a session of its own.

    Args:
        session: a session to use as it is, its hooks, adapters, proxies and cookies included; it stays the
            caller's to close, and after a fork the caller's to replace. None for one of our own.
        verify_ssl: True (the session's own setting, and REQUESTS_CA_BUNDLE), False, or a bundle's path.
        mounted: WSGI applications to call in this process instead of a host, by URL prefix.
        transport: "auto", or "requests" to send everything through requests.
        max_response_bytes: bytes that an answer may have, as it comes and unpacked; None for any number. What
            is called in this process has no such bound.
    """

    def __init__(
        self,
        session: requests.Session | None = None,
        *,
        verify_ssl: bool | str = True,
        mounted: Mapping[str, Any] | None = None,
        transport: str = "auto",
        max_response_bytes: int | None = None,
    ) -> None:
        self._given = session
        self._given_used_in: int | None = None  # the process that has used it
        self._own: dict[int, _OwnSession] = {}  # by process
        self._keeps_cookies = True
        self._native = NativeTransport()
        self._transport = transport
        self._max_bytes = max_response_bytes
        self._verify = None if verify_ssl is True else verify_ssl
        self._mounted = dict(mounted or {})
        if session is not None:
            for prefix, adapter in self._adapters().items():
                session.mount(prefix, adapter)
        # requests reads the environment twice for each call, which takes a quarter of its time.
        self._environment = lru_cache(_CACHE_SIZE)(read_environment)
        self._header_lines = lru_cache(_CACHE_SIZE)(_native_header_lines)

    @property
    def session(self) -> requests.Session:
        """The session in use in this process."""
        if self._given is not None:
            self._warn_after_fork()
            return self._given
        return self._own_session().session

    @property
    def pools(self) -> list[Pool[Any]]:
        """The native transport's pools, one for each origin that was sent to."""
        return self._native.pools

    def keep_no_cookies(self) -> None:
        """From now on, forget the cookies of answers: several accounts send through this sender.

        A session that was given is left as it is.
        """
        if self._keeps_cookies:
            self._keeps_cookies = False
            for own in list(self._own.values()):
                own.keep_no_cookies()

    def close(self) -> None:
        """Close our own connections; a session that was given stays open."""
        self._native.close()
        own = self._own.pop(os.getpid(), None)
        if own is not None:
            own.session.close()

    def __call__(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        creds: Any = None,
        timeout: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[bytes, Mapping[str, str], int]:
        """Send one request and read the whole answer.

        Args:
            method: the HTTP verb.
            url: where to, percent-encoded, without a query.
            params: the query.
            data: the body, bytes or str.
            creds: whose account and token go into the headers.
            timeout: Timeout, or (seconds to connect, between two reads); None in it waits for ever.
            headers: more headers.

        Returns:
            (body, headers, status).

        Raises:
            ConnectionFailed: no connection, a broken one, or a certificate that does not verify.
            DeadlineExceeded: the time ran out.
            InvalidResponse: a redirect, which is never followed: the token would travel along.
            ResponseTooLarge: the answer has more bytes than it may have.
            ConfigurationError: a proxy that makes no sense.
        """
        process = os.getpid()
        named: tuple[tuple[str, str], ...] = (("Accept", "*/*"), ("Content-Type", "application/json"))
        if creds is not None:
            named += ((AUTH_TOKEN, creds.token), (AUTH_ACCOUNT, creds.account))
        body = data.encode() if isinstance(data, str) else data
        try:
            answer = self._send(method.upper(), url, params, body, named, headers or {}, as_timeout(timeout))
        except UnsafeRequestError as error:
            raise InvalidInput(f"{method} {urlsplit(url).path}: {error}") from None
        except FlowThingsError:
            if process != os.getpid():
                raise forked_call(f"{method} {urlsplit(url).path}", process) from None
            raise
        if process != os.getpid():
            raise forked_call(f"{method} {urlsplit(url).path}", process)
        if 300 <= answer.status < 400:
            raise redirected(answer.status, answer.headers, method, url)
        return answer.body, answer.headers, answer.status

    def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        body: bytes | None,
        named: tuple[tuple[str, str], ...],
        more: Mapping[str, str],
        timeout: Timeout,
    ) -> Answer:
        """Send through the transport that the settings ask for."""
        complete = f"{url}?{urlencode(params, doseq=True)}" if params else url
        settings: dict[str, Any] | None = None
        if self._given is None:
            application = self._application(url) if self._mounted else None
            if application is not None:
                own = self._own.get(os.getpid())
                own_headers = {} if own is None else own.session.headers
                return call(application, method, complete, {**own_headers, **dict(named), **more}, body)
            own = self._own_session()
            session = own.session
            environment = self._environment(_origin(url), session.trust_env)
            verify = self._chosen_verify(session, environment)
            if self._transport == "auto" and environment.is_native and own.is_plain() and not is_replaced():
                lines = self._lines(session, named, more)
                if lines is not None:
                    return self._native.handle(
                        method,
                        complete,
                        lines,
                        body,
                        timeout=timeout,
                        verify=verify,
                        max_bytes=self._max_bytes,
                    )
            proxies = {**session.proxies, **environment.proxies}
            settings = {"proxies": proxies, "verify": verify, "cert": session.cert}
        headers = {**dict(named), **more}
        request = requests.Request(method, url, headers=headers, data=body, params=dict(params or {}))
        return requests_transport.send(
            self.session,
            request,
            timeout=timeout,
            settings=settings,
            verify=self._verify,
            max_bytes=self._max_bytes,
        )

    def _lines(
        self, session: requests.Session, named: tuple[tuple[str, str], ...], more: Mapping[str, str]
    ) -> bytes | None:
        """All headers as the native transport sends them; None if one of them takes requests to do."""
        try:
            lines = self._header_lines((*session.headers.items(), *named))
        except TypeError:  # a value that cannot be hashed, and so is no text; requests says so
            return None
        return lines if lines is None or not more else lines + header_lines(more)

    def _application(self, url: str) -> Any:
        """The application that stands for a URL's host, unless something set takes requests to do."""
        own = self._own.get(os.getpid())
        if own is None or own.is_plain():
            for prefix, application in self._mounted.items():
                if url.startswith(prefix):
                    return application
        return None

    def _chosen_verify(self, session: requests.Session, environment: Environment) -> bool | str:
        if environment.bundle and self._verify is None:
            return environment.bundle
        return session.verify if self._verify is None else self._verify  # type: ignore[return-value]

    def _own_session(self) -> _OwnSession:
        pid = os.getpid()
        found = self._own.get(pid)
        if found is None:
            # setdefault is atomic: two threads that get here at once use the same session, without a lock.
            found = self._own.setdefault(pid, _OwnSession(self._adapters()))
            if not self._keeps_cookies:
                found.keep_no_cookies()
            for parent in [other for other in self._own if other != pid]:
                self._own.pop(parent, None)
        return found

    def _adapters(self) -> dict[str, BaseAdapter]:
        return {prefix: WSGIAdapter(application) for prefix, application in self._mounted.items()}

    def _warn_after_fork(self) -> None:
        pid = os.getpid()
        if self._given_used_in != pid:
            forked, self._given_used_in = self._given_used_in is not None, pid
            if forked:
                warn_once(session_after_fork())


class _NoCookiesOfAnswers(DefaultCookiePolicy):
    """Keeps no cookie that a server sets. It sends those that the program has set."""

    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False


class _OwnSession:
    """A session of our own, and whether anything was set in it since.

    Args:
        mounted: adapters to mount, by URL prefix.
    """

    __slots__ = ("_adapters", "session")

    def __init__(self, mounted: Mapping[str, BaseAdapter]) -> None:
        self.session = session = requests.Session()
        if mounted:
            # Nothing travels, so nothing is worth compressing.
            session.headers.pop("Accept-Encoding", None)
        else:
            session.headers["Accept-Encoding"] = "gzip, deflate"
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=POOL_SIZE))
        for prefix, adapter in mounted.items():
            session.mount(prefix, adapter)
        self._adapters = dict(session.adapters)

    def keep_no_cookies(self) -> None:
        """Keep only the cookies that the program sets, and none that an answer sets."""
        self.session.cookies.set_policy(_NoCookiesOfAnswers())

    def is_plain(self) -> bool:
        """Whether nothing is set that only requests does. Headers are looked at elsewhere."""
        session = self.session
        jar: Any = session.cookies
        return session.adapters == self._adapters and not (
            session.auth
            or session.params
            or session.proxies
            or session.cert
            or session.stream
            or session.hooks != _NO_HOOKS
            # What a jar has, or the jar itself if it is of another kind.
            or getattr(jar, "_cookies", jar)
        )


@dataclass(frozen=True)
class Environment:
    """What the environment says about one origin.

    Attributes:
        is_native: whether the native transport can go there: no proxy, no password in ~/.netrc.
        proxies: as requests takes them.
        bundle: the authorities to trust instead of the usual ones.
    """

    is_native: bool
    proxies: Mapping[str, str]
    bundle: str | None


def read_environment(origin: str, trusted: bool) -> Environment:
    """Read what the environment says about an origin.

    Args:
        origin: a URL up to its path.
        trusted: whether the environment counts at all.
    """
    is_native = ORIGIN.fullmatch(origin) is not None
    if not trusted:
        return Environment(is_native, {}, None)
    url = origin + "/"
    proxies = get_environ_proxies(url, no_proxy=None)
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    is_native = is_native and not select_proxy(url, proxies) and get_netrc_auth(url) is None
    return Environment(is_native, proxies, bundle or None)


def is_replaced() -> bool:
    """Whether a test double stands in the place of a part of requests, urllib3 or http.client now.

    `responses` replaces HTTPAdapter.send, requests_mock Session.get_adapter or send, vcrpy the connection
    classes. Each names another module as its home than what it stands in for.
    """
    return (
        HTTPAdapter.send.__module__ != "requests.adapters"
        or requests.Session.get_adapter.__module__ != "requests.sessions"
        or requests.Session.send.__module__ != "requests.sessions"
        or http.client.HTTPConnection.__module__ != "http.client"
        or HTTPConnectionPool.ConnectionCls.__module__ != "urllib3.connection"
    )


def _origin(url: str) -> str:
    """A URL up to its path."""
    slash = url.find("/", 8)
    return url if slash < 0 else url[:slash]


def _native_header_lines(headers: tuple[tuple[str, Any], ...]) -> bytes | None:
    """Headers as the native transport sends them; None if one of them takes requests to do.

    Args:
        headers: of a name that comes twice, whatever its case, the last one counts. None leaves one out.
    """
    merged: dict[str, tuple[str, Any]] = {}
    for name, value in headers:
        lower = name.lower() if isinstance(name, str) else name.decode("latin-1").lower()
        merged[lower] = name, value
    if not _ONLY_REQUESTS_SENDS.isdisjoint(merged) or not _is_decodable(
        merged.get("accept-encoding", ("", ""))[1]
    ):
        return None
    return header_lines({name: value for name, value in merged.values() if value is not None})


def _is_decodable(accepted: Any) -> bool:
    """Whether an Accept-Encoding asks for nothing that the native transport cannot unpack."""
    text = accepted.decode("latin-1") if isinstance(accepted, bytes) else accepted or ""
    return all(part.partition(";")[0].strip().lower() in _CODINGS for part in text.split(",") if part.strip())
