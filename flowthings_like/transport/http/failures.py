"""Translates the exceptions of requests, and answers that are redirects, into this library's errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import NewConnectionError, ReadTimeoutError

from ...errors import (
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    FlowThingsError,
    InvalidInput,
    InvalidResponse,
    ResponseTooLarge,
)

__all__ = ["AnswerTooLargeError", "BadRedirectError", "redirected", "translated", "without_request"]


class AnswerTooLargeError(requests.RequestException):
    """An answer of more bytes than it may have."""


class BadRedirectError(requests.RequestException):
    """A redirect to what is no URL."""


def translated(
    error: requests.RequestException, method: str, url: str, proxy: str | None = None
) -> FlowThingsError:
    """The error of this library for one of requests.

    Args:
        proxy: the URL, without its password, of the proxy that the request went through.
    """
    parts = urlsplit(url)
    asked = f"{method} {parts.path} at {parts.netloc}"
    if isinstance(error, AnswerTooLargeError):
        return ResponseTooLarge(f"{asked}: {error}")
    if isinstance(error, BadRedirectError):
        return InvalidResponse(f"{asked}: {error}")
    if isinstance(error, requests.exceptions.ProxyError):
        dead = ConnectionFailed(f"{asked}: the proxy {proxy} cannot be used: {_reason(error)}")
        dead.sent = False
        return dead
    if proxy:
        asked += f" by the proxy {proxy}"
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
    if isinstance(error, requests.exceptions.InvalidSchema) and proxy:
        return ConfigurationError(f"{asked}: {_reason(error)}; for SOCKS run: pip install 'requests[socks]'")
    if isinstance(error, ValueError):
        return InvalidInput(f"{asked}: {_reason(error)}")
    broken = ConnectionFailed(f"{asked}: {_reason(error)}")
    broken.sent = not isinstance(_innermost(error), NewConnectionError)
    return broken


def _is_read_timeout(error: requests.RequestException) -> bool:
    """Whether a ConnectionError is a time-out: requests raises one in the middle of a body, or of sending."""
    inner = _innermost(error)
    # One with an errno is the kernel's, and came before the time-out.
    late = isinstance(inner, TimeoutError) and inner.errno is None
    return late or any(isinstance(part, ReadTimeoutError) for part in error.args)


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


def without_request(error: requests.RequestException) -> requests.RequestException:
    """The same error without its request, whose headers hold the token."""
    error.request = error.response = None
    return error


def redirected(status: int, headers: Mapping[str, str], method: str, url: str) -> InvalidResponse:
    """The error for an answer that is a redirect. None is followed: the token would travel along."""
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
