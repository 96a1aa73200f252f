"""What sends an API's requests: directly where that will do, through requests where it takes more.

There is one session for each API, made at the first call: a session holds locks and pools, and a program may
import this package, and construct its APIs, before it patches the interpreter. A forked child gets a session
of its own; it never uses its parent's sockets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from ...diagnostics.checks.findings import warn_once
from ...diagnostics.checks.seen_running import session_after_fork
from ...errors import InvalidResponse
from ..forks import forked_call
from ..retry import as_limits
from .doubles import is_replaced
from .embedded import WSGIAdapter, call
from .exchange import DirectSession
from .failures import translated, without_request
from .requests_transport import exchange

if TYPE_CHECKING:
    from ...wire.http import Answer

__all__ = ["HTTPSender"]


class HTTPSender:
    """Sends requests through a session. Calling it is the built-in `request` function.

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
        self._most = max_response_bytes
        self._used_in: int | None = None
        self._transport = transport
        self._own: dict[int, DirectSession] = {}
        self._verify = None if verify_ssl is True else verify_ssl
        self._mounted = dict(mounted or {})
        if session is not None:
            for prefix, adapter in self._adapters().items():
                session.mount(prefix, adapter)

    @property
    def session(self) -> requests.Session:
        """The session in use in this process."""
        if self._given is not None:
            self._look_for_fork()
            return self._given
        pid = os.getpid()
        found = self._own.get(pid)
        if found is None:
            # setdefault is atomic: two threads that get here at once use the same session, without a lock.
            found = self._own.setdefault(pid, self._make())
            for parent in [other for other in self._own if other != pid]:
                self._own.pop(parent, None)
        return found

    def _look_for_fork(self) -> None:
        pid = os.getpid()
        if self._used_in != pid:
            forked, self._used_in = self._used_in is not None, pid
            if forked:
                warn_once(session_after_fork())

    def close(self) -> None:
        """Close our own session's connections; one that was given stays open."""
        own = self._own.pop(os.getpid(), None)
        if own is not None:
            own.close()

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
            timeout: Limits, or (seconds to connect, between two reads); None in it waits for ever.
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
        named = {"Accept": "*/*", "Content-Type": "application/json"}
        if creds is not None:
            named["X-Auth-Token"] = creds.token
            named["X-Auth-Account"] = creds.account
        body = data.encode() if isinstance(data, str) else data
        complete = f"{url}?{urlencode(params, doseq=True)}" if params else url
        found: Mapping[str, str]
        try:
            answer = self._directly(method.upper(), complete, named, body, timeout, headers)
            if answer is not None:
                status, _, found, content = answer
            else:
                named.update(headers or {})
                status, found, content = self._by_requests(
                    method, url, dict(params or {}), body, named, timeout
                )
        except requests.RequestException as error:
            if process != os.getpid():
                raise forked_call(f"{method} {urlsplit(url).path}", process) from None
            raise translated(error, method, url) from without_request(error)
        if process != os.getpid():
            raise forked_call(f"{method} {urlsplit(url).path}", process)
        if 300 <= status < 400:
            raise _redirected(status, found, method, url)
        return content, found, status

    def _directly(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        timeout: Any,
        more: Mapping[str, str] | None,
    ) -> Answer | None:
        """The answer, if nothing is asked for that takes requests to do."""
        session = self._given
        if session is None and self._mounted:
            session = self._own.get(os.getpid())
            if session is None or session.is_plain():
                for prefix, application in self._mounted.items():
                    if url.startswith(prefix):
                        own = session.headers if session is not None else {}
                        return call(application, method, url, {**own, **headers, **(more or {})}, body)
        if session is None:
            session = self.session
        if not isinstance(session, DirectSession) or not session.is_plain() or is_replaced():
            return None
        return session.exchange(method, url, headers, body, timeout, self._verify, more, self._most)

    def _by_requests(
        self,
        method: str,
        url: str,
        params: dict[str, Any],
        body: bytes | None,
        headers: dict[str, str],
        timeout: Any,
    ) -> tuple[int, Mapping[str, str], bytes]:
        session = self.session
        return exchange(
            session, method, url, params, body, headers, as_limits(timeout),
            verify=self._verify, simple=self._is_simple(session, url), most=self._most,
        )  # fmt: skip

    def _is_simple(self, session: requests.Session, url: str) -> bool:
        """Whether requests' own preparation would add nothing."""
        if isinstance(session, DirectSession):
            return session.is_simple(url)
        return (
            bool(self._mounted)
            and not (session.auth or session.params or session.cookies)
            and isinstance(session.get_adapter(url), WSGIAdapter)
        )

    def _make(self) -> DirectSession:
        session = DirectSession(self._transport, self._adapters(), self._most)
        if self._mounted:
            # Nothing travels, so nothing is worth compressing.
            session.headers.pop("Accept-Encoding", None)
        return session

    def _adapters(self) -> dict[str, WSGIAdapter]:
        return {prefix: WSGIAdapter(application) for prefix, application in self._mounted.items()}


def _redirected(status: int, headers: Mapping[str, str], method: str, url: str) -> InvalidResponse:
    parts = urlsplit(url)
    asked = f"{method} {parts.path} at {parts.netloc}: {status}"
    try:
        target = urlsplit(urljoin(url, headers.get("Location", "")))
        place = target.netloc.rpartition("@")[2]
    except ValueError:
        return InvalidResponse(f"{asked}, a redirect to what is no URL")
    if place != parts.netloc:
        return InvalidResponse(
            f"{asked}, a redirect to {place}, which is not followed: the token would travel along. "
            "Give the final host as host="
        )
    if target.scheme != parts.scheme:
        return InvalidResponse(
            f"{asked}, a redirect to {target.scheme} on the same host, which is not followed. "
            f"Give secure={target.scheme == 'https'}"
        )
    return InvalidResponse(
        f"{asked}, a redirect to {target.path[:200]} on the same host, which is not followed: the platform "
        "has no redirects. Is something else in front of it, or version= not the right one?"
    )
