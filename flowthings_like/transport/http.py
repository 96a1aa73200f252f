"""Requests over HTTP: one pooled `requests.Session` an API, made at the first call.

Made so late because a session holds locks and pools: a program may import this package, and construct its
APIs, before it patches the interpreter. A forked child gets a session of its own; it never uses its parent's
sockets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from ..errors import ConnectionFailed, DeadlineExceeded, FlowThingsError, InvalidInput, InvalidResponse
from .embedded import WSGIAdapter

__all__ = ["HTTPSender"]

# Enough for hundreds of green threads; beyond it calls still work, on connections that are not kept.
POOL_SIZE = 100


class HTTPSender:
    """Sends requests through a session. Calling it is the built-in `request` function.

    Args:
        session: a session to use as it is, its hooks, adapters, proxies and cookies included; it stays the
            caller's to close, and after a fork the caller's to replace. None for one of our own.
        verify_ssl: True (the session's own setting, and REQUESTS_CA_BUNDLE), False, or a bundle's path.
        mounted: WSGI applications to call in this process instead of a host, by URL prefix.
    """

    def __init__(
        self,
        session: requests.Session | None = None,
        *,
        verify_ssl: bool | str = True,
        mounted: Mapping[str, Any] | None = None,
    ) -> None:
        self._given = session
        self._own: dict[int, requests.Session] = {}
        self._verify = None if verify_ssl is True else verify_ssl
        self._mounted = dict(mounted or {})
        if session is not None:
            self._mount(session)

    @property
    def session(self) -> requests.Session:
        """The session in use in this process."""
        if self._given is not None:
            return self._given
        pid = os.getpid()
        found = self._own.get(pid)
        if found is None:
            # setdefault is atomic: two threads that get here at once use the same session, without a lock.
            found = self._own.setdefault(pid, self._make())
            for parent in [other for other in self._own if other != pid]:
                self._own.pop(parent, None)
        return found

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
            timeout: (seconds to connect, seconds between two reads), None in it for ever.
            headers: more headers.

        Returns:
            (body, headers, status).

        Raises:
            ConnectionFailed: no connection, a broken one, or a certificate that does not verify.
            DeadlineExceeded: the time ran out.
            InvalidResponse: a redirect, which is never followed: the token would travel along.
        """
        session = self.session
        named = {"Accept": "*/*", "Content-Type": "application/json", **(headers or {})}
        if creds is not None:
            named["X-Auth-Token"] = creds.token
            named["X-Auth-Account"] = creds.account
        body = data.encode() if isinstance(data, str) else data
        try:
            answer = self._exchange(session, method, url, dict(params or {}), body, named, timeout)
        except requests.RequestException as error:
            raise _translated(error, method, url) from _without_request(error)
        if answer.is_redirect or 300 <= answer.status_code < 400:
            raise _redirected(answer, method, url)
        return answer.content, answer.headers, answer.status_code

    def _exchange(
        self,
        session: requests.Session,
        method: str,
        url: str,
        params: dict[str, Any],
        body: bytes | None,
        headers: dict[str, str],
        timeout: Any,
    ) -> requests.Response:
        if self._in_process(session, url):
            prepared = _prepared(session, method, url, params, body, headers)
            return session.send(prepared, timeout=timeout, allow_redirects=False, proxies={}, verify=True)
        request = requests.Request(method, url, headers=headers, data=body, params=params)
        prepared = session.prepare_request(request)
        settings = session.merge_environment_settings(prepared.url or url, {}, False, self._verify, None)
        if self._verify is not None:
            # requests lets REQUESTS_CA_BUNDLE overrule what the caller asked for.
            settings["verify"] = self._verify
        return session.send(prepared, timeout=timeout, allow_redirects=False, **settings)

    def _in_process(self, session: requests.Session, url: str) -> bool:
        """Whether this goes to a mounted application, with nothing that only requests' preparation adds."""
        return (
            bool(self._mounted)
            and not (session.auth or session.params or session.cookies)
            and isinstance(session.get_adapter(url), WSGIAdapter)
        )

    def _make(self) -> requests.Session:
        session = requests.Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=POOL_SIZE))
        if self._mounted:
            # Nothing travels, so nothing is worth compressing.
            session.headers.pop("Accept-Encoding", None)
        self._mount(session)
        return session

    def _mount(self, session: requests.Session) -> None:
        for prefix, application in self._mounted.items():
            session.mount(prefix, WSGIAdapter(application))


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
    broken.sent = not isinstance(_innermost(error), NewConnectionError)
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


def _redirected(answer: requests.Response, method: str, url: str) -> InvalidResponse:
    parts = urlsplit(url)
    target = urlsplit(answer.headers.get("Location", "")).netloc.rpartition("@")[2] or parts.netloc
    return InvalidResponse(
        f"{method} {parts.path} at {parts.netloc}: {answer.status_code}, a redirect to {target}, "
        "which is not followed: the token would travel along. Give the final host as host="
    )
