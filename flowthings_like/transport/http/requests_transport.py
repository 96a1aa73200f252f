"""The requests transport: sends through a requests.Session, under the deadline and bounds of the native one.

Whatever is set in the session, or in the environment, counts as it does in any program that uses requests.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import ContentDecodingError, ReadTimeout
from requests.utils import select_proxy
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError, SSLError
from urllib3.response import HTTPResponse

from ...green.backends.fairness import LARGE, fair_yield
from ...wire.content_encoding import BodyTooLargeError, PackingError, Unpacker
from ...wire.http import Answer, header_lines
from ..byte_stream import CHUNK
from .connection import LARGE_PACKED
from .failures import AnswerTooLargeError, BadRedirectError, translated, without_request
from .native_transport import describe_too_large
from .proxies import check_proxy, without_password
from .requests_deadlines import TimeoutWithDeadline, close_idle, install_deadlines

if TYPE_CHECKING:
    from ..retry import Timeout

__all__ = ["send"]

_UNPACKED_HERE = ("", "gzip", "x-gzip", "deflate", "identity")


def send(
    session: requests.Session,
    request: requests.Request,
    *,
    timeout: Timeout,
    settings: dict[str, Any] | None = None,
    verify: bool | str | None = None,
    max_bytes: int | None = None,
) -> Answer:
    """Send one request through a session, and read the whole answer.

    Args:
        session: whatever is set in it counts.
        request: what to send.
        timeout: how long it may take.
        settings: the proxies, verify and cert that count; None to have the session look at the environment.
        verify: what the caller asked for, which comes before REQUESTS_CA_BUNDLE; None for the session's.
        max_bytes: bytes that the answer's body may have, as it comes and unpacked; None for any number.

    Raises:
        FlowThingsError: as the native transport does.
        UnsafeRequestError: a header that would become another one.
        ConfigurationError: a proxy that makes no sense.
    """
    method, url = str(request.method), str(request.url)
    # requests looks for the same, but shows the value, which may be the token.
    header_lines(request.headers)
    proxy = adapter = None
    try:
        prepared = session.prepare_request(request)
        prepared.hooks["response"].append(_check_location)
        target = prepared.url or url
        if settings is None:
            settings = dict(session.merge_environment_settings(target, {}, False, verify, None))
        if verify is not None:
            # requests lets REQUESTS_CA_BUNDLE overrule what the caller asked for.
            settings["verify"] = verify
        settings["stream"] = True
        proxy = select_proxy(target, settings["proxies"])
        if proxy:
            proxy = check_proxy(proxy)
        adapter = session.get_adapter(target)
        allowed = _timeout(timeout)
        install_deadlines(adapter, proxy or None)
        answer = session.send(prepared, timeout=allowed, allow_redirects=False, **settings)
        return Answer(answer.status_code, answer.reason, answer.headers, _read(answer, max_bytes))
    except requests.RequestException as error:
        if isinstance(error, requests.Timeout):
            close_idle(adapter)
        by = without_password(proxy) if proxy else None
        raise translated(error, method, url, by) from without_request(error)


def _check_location(answer: requests.Response, *args: Any, **options: Any) -> None:
    """Check the target of a redirect: requests parses it, although it must not follow it."""
    if answer.is_redirect:
        try:
            urlsplit(urljoin(answer.url or "", answer.headers.get("Location", "")))
        except ValueError:
            answer.close()
            raise BadRedirectError(f"{answer.status_code}, a redirect to what is no URL") from None


def _timeout(limits: Timeout) -> tuple[float | None, float | None] | None:
    """A time-out as requests takes it, with its deadline."""
    if limits.total is None and limits.reused is None:
        return None if limits.connect is None and limits.read is None else (limits.connect, limits.read)
    now = monotonic()
    until = now + (1e9 if limits.total is None else limits.total)
    first_by = None if limits.reused is None else now + limits.reused
    connect = TimeoutWithDeadline.of(limits.connect, until, first_by)
    return connect, TimeoutWithDeadline.of(limits.read, until, first_by)


def _read(answer: requests.Response, max_bytes: int | None) -> bytes:
    """Read the body within its bound. Reading and unpacking a large one waits for turns of the hub."""
    try:
        return _collected(_parts(answer, max_bytes), answer, max_bytes)
    except BodyTooLargeError as error:
        raise AnswerTooLargeError(describe_too_large(error)) from error
    except PackingError as error:
        raise ContentDecodingError(str(error)) from error
    finally:
        # If not all was read, the connection cannot be used again. If all was, this does nothing.
        answer.close()


def _collected(parts: Iterator[bytes], answer: requests.Response, max_bytes: int | None) -> bytes:
    # BytesIO hands out its contents without a copy.
    found = io.BytesIO()
    total, due = 0, LARGE
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:18]) >= LARGE_PACKED:
        fair_yield()
    for part in parts:
        total += found.write(part)
        if max_bytes is not None and total > max_bytes:
            raise BodyTooLargeError(max_bytes)
        if total >= due:
            fair_yield()
            due = total + LARGE
    return found.getvalue()


def _parts(answer: requests.Response, max_bytes: int | None) -> Iterator[bytes]:
    """The body in unpacked parts."""
    packing = answer.headers.get("Content-Encoding") or ""
    codings = [part.strip().lower() for part in packing.split(",")]
    if not (
        isinstance(answer.raw, HTTPResponse)
        and not answer._content_consumed  # type: ignore[attr-defined]
        and all(coding in _UNPACKED_HERE for coding in codings)
    ):
        # It was read by a hook, or made by a test double, or only urllib3 can unpack it.
        yield from answer.iter_content(CHUNK)
        return
    unpacker, received = Unpacker(packing, max_bytes), 0
    for part in _raw_parts(answer):
        received += len(part)
        if max_bytes is not None and received > max_bytes:
            raise BodyTooLargeError(max_bytes)
        yield from unpacker.feed(part)
    unpacker.finish()


def _raw_parts(answer: requests.Response) -> Iterator[bytes]:
    """The body in parts, still packed. Raises the exceptions of requests."""
    try:
        yield from answer.raw.stream(CHUNK, decode_content=False)
    except ReadTimeoutError as error:
        raise ReadTimeout(error) from error
    except DecodeError as error:
        raise ContentDecodingError(error) from error
    except SSLError as error:
        raise requests.exceptions.SSLError(error) from error
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
