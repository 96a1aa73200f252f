"""The lines of a file of text, and at which byte the next one begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

__all__ = ["Lines"]

_BOM = b"\xef\xbb\xbf"


class Lines:
    """Iterates over the lines of UTF-8. A byte order mark is left out.

    Attributes:
        end: the byte after the last line.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.end = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            if not self.end and line.startswith(_BOM):
                self.end = len(line)
                yield line[3:].decode()
                continue
            self.end += len(line)
            yield line.decode()

    def go_to(self, end: int) -> None:
        """Go on at a byte at which a line begins."""
        self._file.seek(end)
        self.end = end
