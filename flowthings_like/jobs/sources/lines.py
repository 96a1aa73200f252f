"""The lines of a file of text, and at which byte the next one begins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import IO

from ...errors import InvalidInput

__all__ = ["Lines"]

LONGEST = 64 << 20
"""Bytes of a line, at most: a file without ends of lines would be in memory as a whole."""

_BOM = "\ufeff"


class Lines:
    """Iterates over the lines of UTF-8. A byte order mark is left out.

    Attributes:
        end: the byte after the last line.

    Raises:
        InvalidInput: a line is not UTF-8, or has more than `LONGEST` bytes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.end = 0

    def __iter__(self) -> Iterator[str]:
        for line in iter(partial(self._file.readline, LONGEST), b""):
            begin, self.end = self.end, self.end + len(line)
            if len(line) == LONGEST and not line.endswith(b"\n"):
                raise InvalidInput(
                    f"after byte {begin:,}: a line has more than {LONGEST:,} bytes; is this text?"
                )
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                where = f"byte {begin + error.start:,} is 0x{line[error.start]:02x}"
                raise InvalidInput(f"the file is not UTF-8: {where}; convert it, as iconv does") from None
            yield text if begin else text.removeprefix(_BOM)

    def go_to(self, end: int) -> None:
        """Go on at a byte at which a line begins."""
        self._file.seek(end)
        self.end = end
