"""The lines of a file of text, and at which byte the next one begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from ...errors import InvalidInput

__all__ = ["Lines"]

_BOM = "\ufeff"


class Lines:
    """Iterates over the lines of UTF-8. A byte order mark is left out.

    Attributes:
        end: the byte after the last line.

    Raises:
        InvalidInput: a line is not UTF-8.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.end = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            begin, self.end = self.end, self.end + len(line)
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
