"""A call made through requests, under the same deadline and bounds as a direct one."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.cookies import RequestsCookieJar
from requests.exceptions import ContentDecodingError, InvalidHeader, ReadTimeout
from requests.structures import CaseInsensitiveDict
from requests.utils import select_proxy
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError, SSLError
from urllib3.response import HTTPResponse

from ...green.backends.turnstile import LARGE, turn
from ...wire.content_encoding import BodyTooLargeError, PackingError, Unpacker
from ...wire.http import UnsafeRequestError, header_lines
from ..byte_stream import CHUNK
from .connection import LARGE_PACKED
from .native_transport import AnswerTooLargeError, BadRedirectError, too_large
from .proxies import check_proxy, without_password
from .requests_deadlines import Seconds, drop_idle, keep_deadlines

if TYPE_CHECKING:
    from ..retry import Limits

__all__ = ["exchange"]

_UNPACKED_HERE = ("", "gzip", "x-gzip", "deflate", "identity")


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    params: dict[str, Any],
    body: bytes | None,
    headers: dict[str, str],
    limits: Limits,
    *,
    verify: bool | str | None,
    simple: bool,
    most: int | None,
) -> tuple[int, Mapping[str, str], bytes]:
    """Send one request through a session, and read the whole answer.

    Args:
        session: whatever is set in it counts.
        method, url, params, body, headers: what to send.
        limits: how long it may take.
        verify: what the caller asked for, which comes before REQUESTS_CA_BUNDLE; None for the session's.
        simple: whether requests' own preparation would add nothing to the request.
        most: bytes that the answer's body may have, as it comes and unpacked; None for any number.

    Returns:
        (status, headers, body).

    Raises:
        requests.RequestException: as requests does; AnswerTooLargeError among them.
        ConfigurationError: a proxy that makes no sense.
    """
    try:
        header_lines(headers)
    except UnsafeRequestError as error:
        # requests would say the same, but show the value, which may be the token.
        raise InvalidHeader(str(error)) from None
    if simple:
        prepared = _prepared(session, method, url, params, body, headers)
    else:
        request = requests.Request(method, url, headers=headers, data=body, params=params)
        prepared = session.prepare_request(request)
    prepared.hooks["response"].append(_check_location)
    target = prepared.url or url
    settings = session.merge_environment_settings(target, {}, False, verify, None)
    if verify is not None:
        # requests lets REQUESTS_CA_BUNDLE overrule what the caller asked for.
        settings["verify"] = verify
    settings["stream"] = True
    proxy = select_proxy(target, settings["proxies"])
    if proxy:
        proxy = check_proxy(proxy)
    adapter = session.get_adapter(target)
    try:
        timeout = _timeout(limits)
        keep_deadlines(adapter, proxy or None)
        answer = session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
        return answer.status_code, answer.headers, _read(answer, most)
    except requests.RequestException as error:
        if isinstance(error, requests.Timeout):
            drop_idle(adapter)
        if proxy:
            error.proxy = without_password(proxy)  # type: ignore[attr-defined]
        raise


def _check_location(answer: requests.Response, *args: Any, **options: Any) -> None:
    """requests looks at where a redirect leads although it is not to follow it."""
    if answer.is_redirect:
        try:
            urlsplit(urljoin(answer.url or "", answer.headers.get("Location", "")))
        except ValueError:
            answer.close()
            raise BadRedirectError(f"{answer.status_code}, a redirect to what is no URL") from None


def _timeout(limits: Limits) -> tuple[float | None, float | None] | None:
    """A time-out as requests takes it, with the deadline within."""
    if limits.total is None and limits.reused is None:
        return None if limits.connect is None and limits.read is None else (limits.connect, limits.read)
    now = monotonic()
    until = now + (1e9 if limits.total is None else limits.total)
    first_by = None if limits.reused is None else now + limits.reused
    return Seconds.of(limits.connect, until, first_by), Seconds.of(limits.read, until, first_by)


def _read(answer: requests.Response, most: int | None) -> bytes:
    """The body, within its bound. Where it is large, reading and unpacking it takes turns."""
    try:
        return _collected(_parts(answer, most), answer, most)
    except BodyTooLargeError as error:
        raise AnswerTooLargeError(too_large(error)) from error
    except PackingError as error:
        raise ContentDecodingError(str(error)) from error
    finally:
        # Whatever of it was not read is still in its connection; if all was, this does nothing.
        answer.close()


def _collected(parts: Iterator[bytes], answer: requests.Response, most: int | None) -> bytes:
    # What this buffer grows to it hands out without a copy.
    found = io.BytesIO()
    total, due = 0, LARGE
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:18]) >= LARGE_PACKED:
        turn()
    for part in parts:
        total += found.write(part)
        if most is not None and total > most:
            raise BodyTooLargeError(most)
        if total >= due:
            turn()
            due = total + LARGE
    return found.getvalue()


def _parts(answer: requests.Response, most: int | None) -> Iterator[bytes]:
    """What comes, unpacked."""
    packing = answer.headers.get("Content-Encoding") or ""
    codings = [part.strip().lower() for part in packing.split(",")]
    if not (
        isinstance(answer.raw, HTTPResponse)
        and not answer._content_consumed  # type: ignore[attr-defined]
        and all(coding in _UNPACKED_HERE for coding in codings)
    ):
        # Read already, by a hook; or made by a test double; or packed in a way that only urllib3 knows.
        yield from answer.iter_content(CHUNK)
        return
    unpacker, received = Unpacker(packing, most), 0
    for part in _raw_parts(answer):
        received += len(part)
        if most is not None and received > most:
            raise BodyTooLargeError(most)
        yield from unpacker.feed(part)
    unpacker.finish()


def _raw_parts(answer: requests.Response) -> Iterator[bytes]:
    """What comes, as it comes; failures as requests has them."""
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
