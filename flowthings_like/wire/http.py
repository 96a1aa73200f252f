"""HTTP/1.1 for clients, without sockets: writes requests as bytes, and parses bytes as answers.

A value that would end a line early, and so smuggle in a header or a second request, is refused. Answers are
parsed by llhttp in its strict mode. Their headers are bounded here, and their bodies by the caller's limit.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import httptools

from .content_encoding import BodyTooLargeError, PackingError, unpack

__all__ = [
    "Answer",
    "BodyTooLargeError",
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
"""Bytes that one answer may spend on anything but its body: status line, headers, trailers, extensions of
chunks, and the interim answers before it."""

TOO_MUCH_HEAD = f"the answer has headers of more than {MAX_HEAD} bytes"
_LONGEST_LENGTH = 18  # digits
_CHUNK_SIZE = 20  # bytes that say how long a chunk is: 16 digits, two line ends
_METHOD = re.compile(r"[A-Z]+")
_TARGET = re.compile(r"[!-~]+")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BLANK = (b"\r", b"\n")
_STARTS = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_BEGIN, _END = True, None
_BAD_VALUE = re.compile(r"[\r\n\0]|^[ \t]|[ \t]$")


class ProtocolError(Exception):
    """The answer is not HTTP, or its headers are too large."""


class UnsafeRequestError(ValueError):
    """A method, target or header that would turn the request into another one."""


class Headers(Mapping[str, str]):
    """The headers of an answer, by name in any case. One that came several times is joined by commas.

    Args:
        lines: the raw lines, each with its line end; or pairs of names and values.
    """

    __slots__ = ("_lines", "_raw", "_table")

    def __init__(self, lines: bytes | list[tuple[bytes, bytes]]) -> None:
        self._lines = lines if isinstance(lines, bytes) else b""
        self._raw = None if isinstance(lines, bytes) else lines
        self._table: dict[str, tuple[str, str]] | None = None

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """Names and values, not joined."""
        raw = self._raw
        if raw is None:
            split = [line.partition(b":") for line in self._lines.split(b"\r\n")[:-1]]
            raw = self._raw = [(name, value.strip(b" \t")) for name, _, value in split]
        return raw

    def has(self, name: bytes) -> bool:
        """Whether a header came; its name in lower case."""
        if self._raw is None:
            low = self._lines.lower()
            return low.startswith(name + b":") or b"\n" + name + b":" in low
        return any(key.lower() == name for key, _ in self._raw)

    def _by_name(self) -> dict[str, tuple[str, str]]:
        table = self._table
        if table is None:
            table = {}
            for raw, value in self.raw:
                name, text = raw.decode("latin-1"), value.decode("latin-1")
                before = table.get(name.lower())
                table[name.lower()] = (name, text) if before is None else (before[0], f"{before[1]}, {text}")
            self._table = table
        return table

    def __getitem__(self, name: str) -> str:
        return self._by_name()[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._by_name().values()])

    def __len__(self) -> int:
        return len(self._by_name())

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class Answer(NamedTuple):
    """A complete answer: its body is unpacked."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def header_lines(headers: Mapping[str, str | bytes]) -> bytes:
    """Write headers as bytes, each with its line end.

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
    """Write a request up to its body.

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
    """Parses the answers of one connection, one after the other.

    Call `begin` for each request, then `feed` until it says that the answer is complete, then `answer`. The
    body is collected in a buffer that is handed out without a copy.

    llhttp decides what is HTTP and where a body ends. Its callbacks are C functions: it would hide what a
    Python function raises there, for instance a signal handler's exception.

    Attributes:
        started: whether anything of the answer has come.
        complete: whether all of it has.
        reusable: once it is complete, whether the connection can serve another request.
    """

    def __init__(self) -> None:
        # In the order in which they happen: _BEGIN, the parts of a body, _END, for each answer.
        self._events: list[Any] = []
        self.on_message_begin = partial(self._events.append, _BEGIN)
        self.on_body = self._events.append
        self.on_message_complete = partial(self._events.append, _END)
        self._parser: Any = httptools.HttpResponseParser(self)
        self._spent = False
        self.begin("")

    def begin(self, method: str, limit: int | None = None) -> None:
        """Expect the answer to a request with this method.

        Args:
            limit: bytes that its body may have, as it comes and unpacked; None for any number.
        """
        if self._spent:
            # llhttp cannot be told that no body follows: after a HEAD it still waits for one.
            self._parser = httptools.HttpResponseParser(self)
            self._spent = False
        self._bodiless = method == "HEAD"
        self._events.clear()
        self._unread = b""
        self._head = b""
        self._low = b""
        self._interim = 0
        self._overhead = 0
        self._limit = limit
        self._received = 0
        self._collected: io.BytesIO | None = None
        self.started = self.complete = self.reusable = False

    def feed(self, data: bytes) -> bool:
        """Parse what was received; returns `complete`.

        Raises:
            ProtocolError: it is no HTTP. BodyTooLargeError: the body is larger than its limit.
        """
        self.started = True
        events, before, failure = self._events, len(self._events), ""
        rest = 0 if self._head else self._find_head(data)
        try:
            self._parser.feed_data(data[: len(data) - rest] if self._bodiless else data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            failure = str(error) or "an error"
        size = self._count(events[before:], len(data))
        if self._head:
            if self._bodiless and not failure:
                self._spent = True
                self._end(surplus=rest > 0)
                return True
            if _END in events[before:] and (ends := events.count(_END)) > self._interim:
                self._end(surplus=failure != "" or events[-1] is not _END or ends > self._interim + 1)
                return True
        if failure:
            raise ProtocolError(f"what came is not HTTP: {failure}")
        if size:
            self._collect()
        return False

    def _count(self, events: list[Any], fed: int) -> int:
        """Check the bounds; returns how many bytes of a body were received."""
        parts = [len(event) for event in events if type(event) is bytes]
        size = sum(parts)
        self._received += size
        if self._limit is not None and self._received > self._limit:
            raise BodyTooLargeError(self._limit)
        # A chunk's own size is not counted: there are no more chunks than bytes, and these are bounded.
        self._overhead += max(0, fed - size - _CHUNK_SIZE * len(parts))
        if self._overhead > MAX_HEAD:
            raise _too_much()
        return size

    def _collect(self) -> None:
        """Move the parts of an unfinished body out of the events."""
        if self._collected is None:
            self._collected = io.BytesIO()
        self._collected.writelines([event for event in self._events if type(event) is bytes])
        self._events[:] = [event for event in self._events if type(event) is not bytes]

    def _find_head(self, data: bytes) -> int:
        """Look for the end of the headers; returns how many bytes of `data` come after it."""
        text = self._unread + data if self._unread else data
        while True:
            end = text.find(b"\r\n\r\n") + 2
            start = text[:9]
            if start not in _STARTS:
                if start[:1] in _BLANK:
                    text = text.lstrip(b"\r\n")
                    continue
                if end > 1:
                    raise ProtocolError("what came is not HTTP")
            if end == 1:
                self._unread = text
                return 0
            if text[9:10] != b"1":
                self._head = text[:end]
                self._low = self._head.lower()
                if end + 2 > MAX_HEAD:
                    raise _too_much()
                self._check_length()
                return len(text) - end - 2
            # An interim answer; the real one follows.
            self._interim += 1
            text = text[end + 2 :]

    def _check_length(self) -> None:
        """Refuse a body whose Content-Length is over the limit before it is read."""
        if self._limit is None or self._bodiless:
            return
        length = self._value(b"\r\ncontent-length:")
        if length.isdigit() and (len(length) > _LONGEST_LENGTH or int(length) > self._limit):
            raise BodyTooLargeError(self._limit)

    def _end(self, surplus: bool) -> None:
        self.complete = True
        low = self._low
        kept = low.startswith(b"http/1.1") and not (
            b"close" in low and b"close" in self._value(b"\r\nconnection:")
        )
        self.reusable = kept and not surplus

    def _value(self, start: bytes) -> bytes:
        """The value of a header in lower case, of its first line if it has several.

        Args:
            start: a line's end, the header's name in lower case and a colon.
        """
        low = self._low
        at = low.find(start)
        if at < 0:
            return b""
        at += len(start)
        return low[at : low.index(b"\r", at)].strip()

    def finish(self) -> bool:
        """Parse the end of the connection, which ends some answers; returns `complete`."""
        if self._head and not self.complete and not self._value(b"\r\ncontent-length:"):
            self.complete = not self._value(b"\r\ntransfer-encoding:").endswith(b"chunked")
        self.reusable = False
        return self.complete

    def release(self) -> None:
        """Let go of llhttp's parser, which refers to this one. Nothing can be fed after that."""
        self._parser = None

    @property
    def packing(self) -> str:
        """The Content-Encoding of the body, "" if there is none."""
        return self._value(b"\r\ncontent-encoding:").decode("latin-1")

    def answer(self) -> Answer:
        """The complete answer.

        Raises:
            PackingError: its body cannot be unpacked. BodyTooLargeError: it unpacks to more than its limit.
        """
        body = b"" if self._bodiless else self._body()
        if body and (packing := self.packing):
            body = unpack(body, packing, self._limit)
        start, _, lines = self._head.partition(b"\r\n")
        return Answer(int(start[9:12]), start[13:].decode("latin-1"), Headers(lines), body)

    def _body(self) -> bytes:
        events = self._events
        found, self._collected = self._collected, None
        if found is None and len(events) == 3 and events[2] is _END:
            return events[1]  # type: ignore[no-any-return]
        parts, ends = [], 0
        for event in events:
            if event is _END:
                ends += 1
                if ends > self._interim:
                    break
            elif event is not _BEGIN:
                parts.append(event)
        if found is None:
            return b"".join(parts)
        found.writelines(parts)
        events.clear()
        return found.getvalue()


def _too_much() -> ProtocolError:
    return ProtocolError(TOO_MUCH_HEAD)
