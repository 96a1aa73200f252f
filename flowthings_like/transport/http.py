"""What sends an API's requests: directly where that will do, through requests where it takes more.

There is one session for each API, made at the first call: a session holds locks and pools, and a program may
import this package, and construct its APIs, before it patches the interpreter. A forked child gets a session
of its own; it never uses its parent's sockets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.cookies import RequestsCookieJar
from requests.exceptions import InvalidHeader
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from ..errors import ConnectionFailed, DeadlineExceeded, FlowThingsError, InvalidInput, InvalidResponse
from ..green.checks.findings import warn_once
from ..green.checks.seen_running import session_after_fork
from ..green.turnstile import LARGE, turn
from ..wire.http import UnsafeRequestError, header_lines
from .direct import DirectSession
from .embedded import WSGIAdapter, call
from .http1 import CHUNK, LARGE_PACKED
from .origin import NotSentError

if TYPE_CHECKING:
    from ..wire.http import Answer

__all__ = ["HTTPSender"]


class HTTPSender:
    """Sends requests through a session. Calling it is the built-in `request` function.

    Args:
        session: a session to use as it is, its hooks, adapters, proxies and cookies included; it stays the
            caller's to close, and after a fork the caller's to replace. None for one of our own.
        verify_ssl: True (the session's own setting, and REQUESTS_CA_BUNDLE), False, or a bundle's path.
        mounted: WSGI applications to call in this process instead of a host, by URL prefix.
        transport: "auto", or "requests" to send everything through requests.
    """

    def __init__(
        self,
        session: requests.Session | None = None,
        *,
        verify_ssl: bool | str = True,
        mounted: Mapping[str, Any] | None = None,
        transport: str = "auto",
    ) -> None:
        self._given = session
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
            timeout: (seconds to connect, between two reads) or (…, …, for everything, which requests knows
                nothing of); None in it waits for ever.
            headers: more headers.

        Returns:
            (body, headers, status).

        Raises:
            ConnectionFailed: no connection, a broken one, or a certificate that does not verify.
            DeadlineExceeded: the time ran out.
            InvalidResponse: a redirect, which is never followed: the token would travel along.
        """
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
            raise _translated(error, method, url) from _without_request(error)
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
        if not isinstance(session, DirectSession) or not session.is_plain():
            return None
        return session.exchange(method, url, headers, body, timeout, self._verify, more)

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
        try:
            header_lines(headers)
        except UnsafeRequestError as error:
            # requests would say the same, but show the value, which may be the token.
            raise InvalidHeader(str(error)) from None
        if self._is_simple(session, url):
            prepared = _prepared(session, method, url, params, body, headers)
        else:
            request = requests.Request(method, url, headers=headers, data=body, params=params)
            prepared = session.prepare_request(request)
        settings = session.merge_environment_settings(prepared.url or url, {}, False, self._verify, None)
        if self._verify is not None:
            # requests lets REQUESTS_CA_BUNDLE overrule what the caller asked for.
            settings["verify"] = self._verify
        settings["stream"] = True
        answer = session.send(prepared, timeout=timeout and timeout[:2], allow_redirects=False, **settings)
        return answer.status_code, answer.headers, _read(answer)

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
        session = DirectSession(self._transport, self._adapters())
        if self._mounted:
            # Nothing travels, so nothing is worth compressing.
            session.headers.pop("Accept-Encoding", None)
        return session

    def _adapters(self) -> dict[str, WSGIAdapter]:
        return {prefix: WSGIAdapter(application) for prefix, application in self._mounted.items()}


def _read(answer: requests.Response) -> bytes:
    """The body. Where it is large, reading and unpacking it takes turns."""
    parts: list[bytes] = []
    total, due = 0, LARGE
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) >= LARGE_PACKED:
        _turn_within(answer)
    for part in answer.iter_content(CHUNK):
        parts.append(part)
        total += len(part)
        if total >= due:
            _turn_within(answer)
            due = total + LARGE
    return b"".join(parts)


def _turn_within(answer: requests.Response) -> None:
    try:
        turn()
    except BaseException:
        answer.close()  # the rest of the body is still in its connection
        raise


def _prepared(
    session: requests.Session,
    method: str,
    url: str,
    params: dict[str, Any],
    body: bytes | None,
    headers: dict[str, str],
) -> requests.PreparedRequest:
    """What `session.prepare_request` makes, for a URL known to be in order, at a tenth of the time."""
    prepared = requests.PreparedRequest()
    prepared.method = method.upper()
    prepared.url = f"{url}?{urlencode(params, doseq=True)}" if params else url
    merged: CaseInsensitiveDict[Any] = CaseInsensitiveDict(session.headers)
    merged.update(headers)
    if body is not None:
        merged["Content-Length"] = str(len(body))
    prepared.headers = merged
    prepared._cookies = RequestsCookieJar()  # type: ignore[attr-defined]
    prepared.body = body
    prepared.hooks = {event: list(hooks) for event, hooks in session.hooks.items()}
    return prepared


def _translated(error: requests.RequestException, method: str, url: str) -> FlowThingsError:
    parts = urlsplit(url)
    asked = f"{method} {parts.path} at {parts.netloc}"
    if isinstance(error, requests.Timeout) or _is_read_timeout(error):
        connecting = isinstance(error, requests.ConnectTimeout)
        doing = "connecting" if connecting else "waiting for the answer"
        late = DeadlineExceeded(f"{asked}: the time ran out while {doing}")
        late.sent = not connecting
        return late
    if isinstance(error, requests.exceptions.SSLError):
        failed = ConnectionFailed(f"{asked}: no trusted TLS connection: {_reason(error)}")
        failed.retryable = False
        return failed
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return InvalidResponse(f"{asked}: the answer cannot be unpacked: {_reason(error)}")
    if isinstance(error, ValueError):
        return InvalidInput(f"{asked}: {_reason(error)}")
    broken = ConnectionFailed(f"{asked}: {_reason(error)}")
    broken.sent = not isinstance(error, NotSentError) and not isinstance(
        _innermost(error), NewConnectionError
    )
    return broken


def _is_read_timeout(error: requests.RequestException) -> bool:
    """requests reports a time-out in the middle of a body as a ConnectionError."""
    return any(isinstance(part, ReadTimeoutError) for part in error.args)


def _reason(error: BaseException) -> str:
    """The innermost cause in one line, without the pool objects and URLs that wrap it."""
    inner = _innermost(error)
    said = str(inner.args[-1]) if inner.args else ""
    return f"{type(inner).__name__}: {said}" if said else type(inner).__name__


def _innermost(error: BaseException) -> BaseException:
    inner: Any = error
    while True:
        deeper = getattr(inner, "reason", None) or next(
            (part for part in inner.args if isinstance(part, BaseException)), None
        )
        if not isinstance(deeper, BaseException):
            return inner  # type: ignore[no-any-return]
        inner = deeper


def _without_request(error: requests.RequestException) -> requests.RequestException:
    """The same error without the request it carries: that one's headers hold the token."""
    error.request = error.response = None
    return error


def _redirected(status: int, headers: Mapping[str, str], method: str, url: str) -> InvalidResponse:
    parts = urlsplit(url)
    target = urlsplit(headers.get("Location", "")).netloc.rpartition("@")[2] or parts.netloc
    return InvalidResponse(
        f"{method} {parts.path} at {parts.netloc}: {status}, a redirect to {target}, "
        "which is not followed: the token would travel along. Give the final host as host="
    )
