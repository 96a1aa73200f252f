"""Unpacks bodies (gzip, deflate) piece by piece, up to a limit of unpacked bytes."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable

__all__ = ["BodyTooLargeError", "PackingError", "Unpacker", "unpack"]

_PIECE = 1 << 16
_MOST_CODINGS = 4
_GZIP = ("gzip", "x-gzip")
_KNOWN = (*_GZIP, "deflate")


class PackingError(Exception):
    """A body that cannot be unpacked."""


class BodyTooLargeError(Exception):
    """A body of more bytes than its limit.

    Attributes:
        limit: how many bytes it may have.
        unpacked: whether only the unpacked body is too large.
    """

    def __init__(self, limit: int, unpacked: bool = False) -> None:
        super().__init__(limit, unpacked)
        self.limit = limit
        self.unpacked = unpacked


class Unpacker:
    """Unpacks one body. It leaves codings that it does not know, as HTTP libraries do.

    Args:
        packing: the header Content-Encoding.
        limit: bytes that the unpacked body may have; None for any number.

    Raises:
        PackingError: the header names too many codings.
    """

    def __init__(self, packing: str, limit: int | None) -> None:
        codings = [coding for part in packing.split(",") if (coding := part.strip().lower()) in _KNOWN]
        if len(codings) > _MOST_CODINGS:
            raise PackingError(f"the body is packed {len(codings)} times")
        self._stages = [_Stage(coding, limit) for coding in reversed(codings)]

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Unpack the next piece; returns the result in pieces.

        Raises:
            PackingError: it is broken. BodyTooLargeError: the unpacked body is over the limit.
        """
        pieces: Iterable[bytes] = (data,)
        for stage in self._stages:
            pieces = stage.run(pieces)
        return pieces

    def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            PackingError: it is not.
        """
        if any(stage.is_incomplete for stage in self._stages):
            raise PackingError("the packed body is incomplete")


class _Stage:
    """Unpacks one coding. gzip may have several members, and padding after the last."""

    def __init__(self, coding: str, limit: int | None) -> None:
        self._coding = coding
        self._left = self._limit = limit
        self._start = b""
        self._decoder: zlib._Decompress | None = None
        self._ended = 0

    @property
    def is_incomplete(self) -> bool:
        return self._decoder is not None or (bool(self._start) and not self._ended)

    def run(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        for piece in pieces:
            yield from self._feed(piece)

    def _feed(self, data: bytes) -> Iterable[bytes]:
        more = bool(data)
        while more:
            if self._decoder is None:
                if self._ended and self._coding not in _GZIP:
                    return
                data, self._start = self._start + data, b""
                if len(data) < 2:
                    self._start = data
                    return
                self._decoder = zlib.decompressobj(self._window(data))
            decoder = self._decoder
            try:
                found = decoder.decompress(data, _PIECE)
            except zlib.error as error:
                if self._ended:  # what follows the last member is padding
                    self._decoder, self._coding = None, ""
                    return
                raise PackingError(f"the body is no {self._coding}: {error}") from None
            if found:
                self._count(len(found))
                yield found
            if decoder.eof:
                data, self._decoder = decoder.unused_data, None
                self._ended += 1
                more = bool(data)
            else:
                # After a full piece there may be more in the decoder.
                data = decoder.unconsumed_tail
                more = bool(data) or len(found) == _PIECE

    def _window(self, start: bytes) -> int:
        if self._coding in _GZIP:
            return 16 + zlib.MAX_WBITS
        # Many servers leave the zlib header out.
        wrapped = start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0
        return zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS

    def _count(self, size: int) -> None:
        if self._left is not None and self._limit is not None:
            self._left -= size
            if self._left < 0:
                raise BodyTooLargeError(self._limit, unpacked=True)


def unpack(body: bytes, packing: str, limit: int | None = None) -> bytes:
    """Unpack a whole body.

    Raises:
        PackingError: it is broken or incomplete. BodyTooLargeError: it is larger than `limit`.
    """
    unpacker = Unpacker(packing, limit)
    # BytesIO hands out its contents without a copy.
    found = io.BytesIO()
    for start in range(0, len(body), _PIECE):
        for piece in unpacker.feed(body[start : start + _PIECE]):
            found.write(piece)
    unpacker.finish()
    return found.getvalue()
