"""The payload file: long payloads one after the other, in the order in which they were committed.

A record's row in the database says where its payload is. So bytes behind the last committed payload belong
to nothing: the next commit overwrites what one that failed, or that a kill has ended, has left there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FILE", "PayloadFile"]

FILE = "records/payloads"
"""The file in the platform's folder."""


class PayloadFile:
    """The open file. Its methods are called in native threads: `read` in any, the others in the writer's.

    Args:
        path: the file, which is made if it is missing.
        end: behind the last committed payload.

    Raises:
        ConfigurationError: the file cannot be opened, or payloads are missing.
    """

    def __init__(self, path: Path, end: int) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{str(path)!r} cannot be opened: {error.strerror}") from error
        try:
            os.fchmod(self._file, 0o600)
            size = os.fstat(self._file).st_size
            if size < end:
                raise ConfigurationError(
                    f"{str(path)!r} has {size:,} bytes, but the records beside it need {end:,}: "
                    "copy the folder's files together"
                )
            _sync_folder(path.parent)
        except BaseException:
            os.close(self._file)
            raise
        self._end = end
        self._written = end

    def append(self, data: NDArray[np.uint8]) -> int:
        """Write payloads behind the last ones. Returns where they begin."""
        position = self._written
        left = data.data
        while left:
            count = os.pwrite(self._file, left, self._written)
            left = left[count:]
            self._written += count
        return position

    def sync(self) -> None:
        """Return once everything that was appended is on disk."""
        if self._written > self._end:
            os.fdatasync(self._file)

    def commit(self) -> None:
        """The rows of what was appended are committed."""
        self._end = self._written

    def rollback(self, end: int) -> None:
        """Forget what was appended behind the last committed payload, which ends there."""
        self._written = self._end = end

    def read(self, position: int, into: memoryview) -> None:
        """Fill `into` with the bytes from a position.

        Raises:
            OSError: the file is shorter.
        """
        while into:
            count = os.preadv(self._file, [into], position)
            if not count:
                raise OSError("the payload file is shorter than its records say")
            into, position = into[count:], position + count

    def close(self) -> None:
        """Close the file. More calls do nothing."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _sync_folder(path: Path) -> None:
    """Have a new file's name on disk."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
