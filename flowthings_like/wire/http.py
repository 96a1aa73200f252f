"""HTTP/1.1 as a client speaks it: requests to bytes, bytes to answers, no sockets.

What would end a line early, and so smuggle in a header or a second request, is refused. What comes back is
read by llhttp in its strict mode, and what an answer may hold besides its body is bounded.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httptools

__all__ = [
    "Answer",
    "Headers",
    "PackingError",
    "ProtocolError",
    "ResponseParser",
    "UnsafeRequestError",
    "header_lines",
    "request_head",
    "unpack",
]

MAX_HEAD = 65_536
"""Bytes that one answer may spend on anything but its body: status line, headers, trailers, chunk sizes, and
the interim answers before it."""

MAX_HEADERS = 256
"""Headers and trailers of one answer."""

MAX_UNPACKED = 1 << 30
"""Bytes that a packed body may grow to."""

_METHOD = re.compile(r"[A-Z]+")
_TARGET = re.compile(r"[!-~]+")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(r"[\r\n\0]|^[ \t]|[ \t]$")


class ProtocolError(Exception):
    """What came is not HTTP, or more of it than one answer may hold."""


class PackingError(ProtocolError):
    """A body that cannot be unpacked."""


class UnsafeRequestError(ValueError):
    """A request that cannot be written without becoming another one."""


class Headers(Mapping[str, str]):
    """The headers of an answer, whatever their case. One that came several times is joined by commas.

    Attributes:
        raw: names and values as they came.
    """

    __slots__ = ("_found", "raw")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self.raw = raw
        self._found: dict[str, tuple[str, str]] | None = None

    def has(self, name: bytes) -> bool:
        """Whether a header came; its name in lower case."""
        size = len(name)
        return bool([key for key, _ in self.raw if len(key) == size and key.lower() == name])

    def _table(self) -> dict[str, tuple[str, str]]:
        found = self._found
        if found is None:
            found = {}
            for raw, value in self.raw:
                name, text = raw.decode("latin-1"), value.decode("latin-1")
                before = found.get(name.lower())
                found[name.lower()] = (name, text) if before is None else (name, f"{before[1]}, {text}")
            self._found = found
        return found

    def __getitem__(self, name: str) -> str:
        return self._table()[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._table().values()])

    def __len__(self) -> int:
        return len(self._table())

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class Answer(NamedTuple):
    """A complete answer: its body is unpacked."""

    status: int
    reason: str
    headers: Headers
    body: bytes


def header_lines(headers: Mapping[str, str | bytes]) -> bytes:
    """Headers as they go on the wire, each with its line end.

    Raises:
        UnsafeRequestError: a name that is no token, or a value with a line break, a NUL or a blank at an end.
    """
    lines = []
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UnsafeRequestError(f"{name!r} cannot be a header's name")
        if not isinstance(text, str) or _BAD_VALUE.search(text):
            # The value may be a secret.
            raise UnsafeRequestError(
                f"the value of header {name} is no text of one line without blanks around"
            )
        lines.append(f"{name}: {text}\r\n")
    try:
        return "".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        raise UnsafeRequestError("a header's value holds characters beyond Latin-1") from None


def request_head(method: str, target: str, lines: bytes, length: int | None) -> bytes:
    """A request up to its body.

    Args:
        method: the verb, in capitals.
        target: path and query, percent-encoded.
        lines: the headers, from `header_lines`; Host among them, Content-Length not.
        length: bytes of the body; None if the request has none.

    Raises:
        UnsafeRequestError: a method that is no word, or a target with anything but visible ASCII in it.
    """
    if not _METHOD.fullmatch(method):
        raise UnsafeRequestError(f"{method!r} cannot be a method")
    if not _TARGET.fullmatch(target):
        raise UnsafeRequestError("a request's target is visible ASCII, and the rest percent-encoded")
    start = f"{method} {target} HTTP/1.1\r\n".encode()
    if length is None:
        return b"%b%b\r\n" % (start, lines)
    return b"%b%bContent-Length: %d\r\n\r\n" % (start, lines, length)


class ResponseParser:
    """Reads the answers of one connection, one after the other.

    Call `begin` for each request, then `feed` until it says that the answer is complete, then `answer`. The
    methods called `on_…` are for the parser in C.

    Attributes:
        started: whether anything of the answer has come.
        complete: whether all of it has.
        reusable: once it is complete, whether the connection can serve another request.
    """

    def __init__(self) -> None:
        # The parser appends to this list without a detour through Python; it is emptied for each answer.
        self._body: list[bytes] = []
        self.on_body = self._body.append
        self._parser: Any = httptools.HttpResponseParser(self)
        self._spent = False
        self.begin("")

    def begin(self, method: str) -> None:
        """Expect the answer to a request with this method."""
        if self._spent:
            # The parser cannot be told that no body follows, so after a HEAD it still waits for one.
            self._parser = httptools.HttpResponseParser(self)
            self._spent = False
        self._bodiless = method == "HEAD"
        self._body.clear()
        self._headers: list[tuple[bytes, bytes]] = []
        self._reason = self._tail = b""
        self._status = 0
        self._in_headers = True
        self._trailers = 0
        self._overhead = 0
        self.started = self.complete = self.reusable = False

    def feed(self, data: bytes) -> bool:
        """Take in what has come; returns `complete`.

        Raises:
            ProtocolError: it is no HTTP.
        """
        self.started = True
        parts = len(self._body)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(cause, _Surplus):
                # An interrupt, or a complaint of one of our own methods: C code wraps even that.
                raise (cause or error) from None
            if not self.complete:
                raise ProtocolError(f"what came is not HTTP: {error}") from None
            self.reusable = False
        if len(self._body) == parts:
            self._overhead += len(data)
            if self._overhead > MAX_HEAD:
                raise ProtocolError(f"the answer has headers of more than {MAX_HEAD} bytes")
        if self._bodiless:
            self._after_head(data)
        return self.complete

    def _after_head(self, data: bytes) -> None:
        """The answer to a HEAD must end with its headers."""
        self._tail = (self._tail + data)[-4:]
        if self.complete:
            self._spent = True
            if self._body or self._tail != b"\r\n\r\n":
                self.reusable = False
                self._body.clear()

    def finish(self) -> bool:
        """The other end has closed the connection; returns `complete`, for that is how some answers end."""
        if not self.complete and not self._in_headers and self._ends_with_connection():
            self.complete = True
        self.reusable = False
        return self.complete

    def release(self) -> None:
        """Let go of the parser in C, which holds on to this one. Nothing can be fed after that."""
        self._parser = None

    def answer(self) -> Answer:
        """The complete answer.

        Raises:
            PackingError: its body cannot be unpacked.
        """
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if body and (packing := self.packing):
            body = unpack(body, packing)
        return Answer(self._status, self._reason.decode("latin-1"), Headers(self._headers), body)

    @property
    def packing(self) -> str:
        """The Content-Encoding of the body, "" if there is none."""
        return self._header(b"content-encoding").decode("latin-1")

    def _header(self, wanted: bytes) -> bytes:
        size = len(wanted)
        return b",".join(
            [value for name, value in self._headers if len(name) == size and name.lower() == wanted]
        )

    def _ends_with_connection(self) -> bool:
        if self._header(b"content-length"):
            return False
        return not self._header(b"transfer-encoding").lower().endswith(b"chunked")

    def on_message_begin(self) -> None:
        if self.complete:
            raise _Surplus

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_headers:
            self._headers.append((name, value))
        else:
            self._trailers += 1
        if len(self._headers) + self._trailers > MAX_HEADERS:
            raise ProtocolError(f"the answer has more than {MAX_HEADERS} headers")

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._status = status = self._parser.get_status_code()
        if self._bodiless and status >= 200:
            self.complete = True
            self.reusable = self._parser.should_keep_alive() and not self._header(b"transfer-encoding")

    def on_message_complete(self) -> None:
        if self._status < 200:
            # An interim answer; the real one follows.
            self._headers.clear()
            self._reason = b""
            self._in_headers = True
        elif not self.complete:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()


class _Surplus(Exception):
    """Something follows a complete answer."""


def unpack(body: bytes, packing: str) -> bytes:
    """A body without its Content-Encoding; one that is not known is left on, as HTTP libraries do.

    Raises:
        PackingError: it is broken or incomplete, or would be larger than MAX_UNPACKED.
    """
    for coding in reversed([part.strip().lower() for part in packing.split(",")]):
        try:
            if coding in ("gzip", "x-gzip"):
                body = _gunzipped(body)
            elif coding == "deflate":
                # Half of the world leaves the zlib header out.
                wrapped = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
                body = _inflated(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, MAX_UNPACKED)[0]
        except zlib.error as error:
            raise PackingError(f"the body is no {coding}: {error}") from None
    return body


def _gunzipped(body: bytes) -> bytes:
    parts: list[bytes] = []
    left = MAX_UNPACKED
    while body:
        try:
            part, body = _inflated(body, 16 + zlib.MAX_WBITS, left)
        except zlib.error:
            if not parts:
                raise
            break  # what follows the last member is padding
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _inflated(body: bytes, window: int, limit: int) -> tuple[bytes, bytes]:
    decoder = zlib.decompressobj(window)
    found = decoder.decompress(body, limit + 1)
    if len(found) > limit:
        raise PackingError(f"the body would unpack to more than {MAX_UNPACKED} bytes")
    if not decoder.eof:
        raise PackingError("the packed body is incomplete")
    return found, decoder.unused_data
