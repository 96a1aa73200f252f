"""Request bodies: received and decompressed within a limit, and parsed as JSON whatever their Content-Type.

What a body may become in memory is limited by the number of its values: in `[],[],…` a list is three bytes,
and in memory seventy. They are counted before anything is parsed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson

from ...green.backends.choice import native
from ...wire.gc_paused import parse_with_gc_paused
from ..problems import BadRequest, RequestTimeout, TooLarge
from . import oversized_integers

LIMIT = 32 * 1024 * 1024
"""Most bytes of a body, compressed or not."""

LARGE = 1024 * 1024
"""Bytes, compressed or not, from which a body is a large one."""

MOST_VALUES = 1_000_000
"""Most values in a body: they take up to 100 MB, and less than a tenth of a second to make."""

_STEP = 256 * 1024
_DRAIN = 512 * 1024 * 1024
_PARSED_IN_THREAD_FROM = 128 * 1024  # bytes
_DECOMPRESSED_IN_THREAD_FROM = 4 * 1024  # bytes: these may become a thousand times as many
_PIECE = 64 * 1024
_COLLECTED = 4 * 1024  # bytes: more may hold enough lists to start Python's collector more than once
_MARKS = (b",", b":", b"[", b"{")


def read(environ: Mapping[str, Any], limit: int = LIMIT) -> Any:
    """The request's body as a JSON value.

    Args:
        environ: the WSGI environment. A gzip Content-Encoding is decompressed.
        limit: most bytes, before and after decompression.

    Raises:
        BadRequest: no body, one that is not JSON (saying where), or an unknown Content-Encoding.
        TooLarge: more than `limit`, or more values than MOST_VALUES. What the client still sends has then
            been read and discarded, within a limit, so that the client reads the response.
        RequestTimeout: it did not come in time.
    """
    return parse(receive(environ, limit))


def receive(
    environ: Mapping[str, Any], limit: int = LIMIT, before_large: Callable[[], object] = lambda: None
) -> bytes:
    """The request's body as text, decompressed. Raises as `read` does, except for what is wrong with JSON.

    Args:
        environ, limit: as for `read`.
        before_large: called before more than LARGE bytes are held. It may raise, or wait.
    """
    called: list[bool] = []

    def about_to_hold(size: int) -> None:
        if size > LARGE and not called:
            called.append(True)
            before_large()

    raw = _receive(environ, limit, about_to_hold)
    coding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding in ("gzip", "x-gzip"):
        raw = _unpack(raw, limit, about_to_hold)
    elif coding not in ("", "identity"):
        raise BadRequest(f"Content-Encoding {coding!r} is not understood: send gzip, or none")
    return raw


def parse(raw: bytes) -> Any:
    """The JSON value that a body's text is.

    Raises:
        BadRequest: it is none; the message says where it is wrong.
        TooLarge: it holds more than MOST_VALUES values.
    """
    if not raw:
        raise BadRequest("the request needs a body, and it must be JSON")
    return native(_parse, raw) if len(raw) >= _PARSED_IN_THREAD_FROM else _parse(raw)


def _parse(raw: bytes) -> Any:
    if _holds_more(raw, MOST_VALUES):
        raise TooLarge(f"the body holds more than {MOST_VALUES} values: send it in several requests")
    try:
        value = parse_with_gc_paused(orjson.loads, raw) if len(raw) >= _COLLECTED else orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"the body is not JSON: {error.msg.split(':')[0]} at {where}") from None
    oversized_integers.check(raw)
    return value


def _holds_more(raw: bytes, most: int) -> bool:
    """Whether a JSON text holds more values than `most`: items, members and their names, lists and maps."""
    if len(raw) <= most or sum(map(raw.count, _MARKS)) <= most:
        return False
    found, within, start = 0, False, 0
    while start < len(raw):
        piece = raw[start : start + _PIECE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:  # it ends in the middle of an escape
            piece = raw[start : start + _PIECE + 1]
        start += len(piece)
        # Marks within strings do not count. Once escaped quotes are removed, every other part is a string.
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = b"".join(parts[within::2])
        found += sum(map(outside.count, _MARKS))
        if found > most:
            return True
        within ^= len(parts) % 2 == 0
    return False


def too_large(limit: int) -> TooLarge:
    """The refusal of a body beyond `limit` bytes."""
    in_mib = f" ({limit >> 20} MiB)" if limit % 2**20 == 0 else ""
    return TooLarge(f"the body is too large: the limit is {limit} bytes{in_mib}")


def _receive(environ: Mapping[str, Any], limit: int, about_to_hold: Callable[[int], None]) -> bytes:
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
        about_to_hold(length)
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
        about_to_hold(size)
        chunks.append(chunk)
    return b"".join(chunks)


def _drain(stream: Any, length: int) -> None:
    """Read and discard, up to a limit, because a client reads the response only after it has sent."""
    left = min(length, _DRAIN)
    while left > 0 and (chunk := _take(stream, min(left, _STEP))):
        left -= len(chunk)


def _take(stream: Any, size: int) -> bytes:
    try:
        taken: bytes = stream.read(size)
    except TimeoutError as error:
        raise RequestTimeout("the body did not come in time: the connection is closed") from error
    except Exception as error:  # servers raise errors of their own for a broken body
        raise BadRequest(f"the body could not be read to its end ({type(error).__name__})") from error
    return taken


def _unpack(packed: bytes, limit: int, about_to_hold: Callable[[int], None]) -> bytes:
    unpacked, is_whole = _decompress(packed, min(limit, LARGE))
    if len(unpacked) > LARGE:
        about_to_hold(len(unpacked))
        del unpacked  # decompressed again from the start: joining two parts would need both of them twice
        unpacked, is_whole = _decompress(packed, limit)
    if len(unpacked) > limit:
        raise too_large(limit)
    if not is_whole:
        raise BadRequest("the body is not one whole gzip member")
    return unpacked


def _decompress(packed: bytes, most: int) -> tuple[bytes, bool]:
    """The content of a gzip member, at most `most` + 1 bytes; and whether nothing is missing or behind it."""
    member = zlib.decompressobj(wbits=31)
    decompress = partial(member.decompress, packed, most + 1)
    try:
        unpacked: bytes = native(decompress) if len(packed) >= _DECOMPRESSED_IN_THREAD_FROM else decompress()
    except zlib.error as error:
        raise BadRequest(f"the body is not gzip: {error}") from None
    return unpacked, member.eof and not member.unused_data
