"""Compresses and decompresses files: gzip, and Zstandard, which needs a package."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import ConfigurationError, InvalidInput
from .formats import compression_of

__all__ = ["compressing", "decompressing"]

_PART = 1 << 17  # bytes of a compressed file that are read at once


def decompressing(file: IO[bytes], path: Path) -> IO[bytes]:
    """The content of an open file, as the suffix of its name says: `.gz`, `.zst`, or as it is.

    Raises:
        ConfigurationError: zstandard is not installed.
    """
    kind = compression_of(path)
    if kind == ".gz":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if kind == ".zst":
        return io.BufferedReader(_Frames(file, _zstandard()), _PART)
    return file


@contextmanager
def compressing(file: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """A file, for the block, that compresses what is written into `file`, as the suffix of `path` says.

    Raises:
        ConfigurationError: zstandard is not installed.
    """
    kind = compression_of(path)
    if kind == ".gz":
        with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as compressed:
            yield compressed  # type: ignore[misc]
    elif kind == ".zst":
        with _zstandard().ZstdCompressor().stream_writer(file, closefd=False) as compressed:
            yield compressed
    else:
        yield file


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError:
        raise ConfigurationError("files *.zst need zstandard: pip install zstandard") from None
    return zstandard


class _Frames(io.RawIOBase):
    """The content of the frames of a file. zstandard's own reader takes a file without its end for whole.

    Raises:
        EOFError: the end of the file is missing.
        InvalidInput: it is not Zstandard, or it is damaged.
    """

    def __init__(self, file: IO[bytes], zstandard: Any) -> None:
        self._file = file
        self._zstandard = zstandard
        self._frame: Any = None
        self._read = b""  # what was read, and is not decompressed yet
        self._content = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._content:
            if not self._advance():
                return 0
        size = min(len(buffer), len(self._content))
        buffer[:size] = self._content[:size]
        self._content = self._content[size:]
        return size

    def _advance(self) -> bool:
        """Decompress more. Returns whether there was more."""
        data = self._read or self._file.read(_PART)
        if not data:
            if self._frame is not None:
                raise EOFError("the end of the file is missing")
            return False
        frame = self._frame or self._zstandard.ZstdDecompressor().decompressobj()
        try:
            self._content = memoryview(frame.decompress(data))
        except self._zstandard.ZstdError as error:
            raise InvalidInput(f"this is not Zstandard, or it is damaged: {error}") from None
        self._frame, self._read = (None, frame.unused_data) if frame.eof else (frame, b"")
        return True
