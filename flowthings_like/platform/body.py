"""Request bodies: read and unpacked within a bound, parsed as JSON whatever their Content-Type."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from . import whole_numbers
from .problems import BadRequest, RequestTimeout, TooLarge

LIMIT = 32 * 1024 * 1024
"""Most bytes of a body, packed or unpacked."""

_STEP = 256 * 1024
_DRAIN = 512 * 1024 * 1024


def read(environ: Mapping[str, Any], limit: int = LIMIT) -> Any:
    """The request's body as a JSON value.

    Args:
        environ: the WSGI environment. A gzip Content-Encoding is unpacked.
        limit: most bytes, before and after unpacking.

    Raises:
        BadRequest: no body, one that is not JSON (saying where), or an unknown Content-Encoding.
        TooLarge: more than `limit`. What the client is still sending has then been read and thrown away,
            within a bound, so that it gets to read the answer.
    """
    return parse(receive(environ, limit))


def receive(environ: Mapping[str, Any], limit: int = LIMIT) -> bytes:
    """The request's body as text, unpacked. Raises as `read` does, but for what the text says."""
    raw = _receive(environ, limit)
    coding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding in ("gzip", "x-gzip"):
        raw = _unpack(raw, limit)
    elif coding not in ("", "identity"):
        raise BadRequest(f"Content-Encoding {coding!r} is not understood: send gzip, or none")
    return raw


def parse(raw: bytes) -> Any:
    """The JSON value that a body's text is. Raises BadRequest, saying where it is wrong."""
    if not raw:
        raise BadRequest("the request needs a body, and it must be JSON")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"the body is not JSON: {error.msg.split(':')[0]} at {where}") from None
    whole_numbers.check(raw)
    return value


def too_large(limit: int) -> TooLarge:
    """The refusal of a body beyond `limit` bytes."""
    return TooLarge(f"the body is too large: the limit is {limit} bytes ({limit // 2**20} MiB)")


def _receive(environ: Mapping[str, Any], limit: int) -> bytes:
    stream = environ["wsgi.input"]
    declared = environ.get("CONTENT_LENGTH")
    if declared:
        try:
            length = int(declared)
        except ValueError:
            raise BadRequest(f"Content-Length must be a number, not {declared!r}") from None
        if length > limit:
            _drain(stream, length)
            raise too_large(limit)
        raw = _take(stream, length)
        if len(raw) < length:
            raise BadRequest(f"the body ended after {len(raw)} of {length} bytes")
        return raw
    if not environ.get("wsgi.input_terminated"):
        return b""
    chunks, size = [], 0
    while chunk := _take(stream, _STEP):
        size += len(chunk)
        if size > limit:
            _drain(stream, _DRAIN)
            raise too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _drain(stream: Any, length: int) -> None:
    """Read on, so that a client in the middle of sending gets to the answer; one without end is cut off."""
    left = min(length, _DRAIN)
    while left > 0 and (chunk := _take(stream, min(left, _STEP))):
        left -= len(chunk)


def _take(stream: Any, size: int) -> bytes:
    try:
        taken: bytes = stream.read(size)
    except TimeoutError as error:
        raise RequestTimeout("the body did not come in time: the connection is closed") from error
    except Exception as error:  # each server has its own errors for a broken body
        raise BadRequest(f"the body could not be read to its end ({type(error).__name__})") from error
    return taken


def _unpack(packed: bytes, limit: int) -> bytes:
    member = zlib.decompressobj(wbits=31)
    try:
        unpacked = member.decompress(packed, limit + 1)
    except zlib.error as error:
        raise BadRequest(f"the body is not gzip: {error}") from None
    if len(unpacked) > limit:
        raise too_large(limit)
    if not member.eof or member.unused_data:
        raise BadRequest("the body is not one whole gzip member")
    return unpacked
