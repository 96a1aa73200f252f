"""A version that all processes on one folder share, so that each knows when its cache is outdated. A time.

A process that changes what others have cached changes the version. Reading it is reading eight bytes of
memory, which is cheap enough to be done at every request.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from ...errors import ConfigurationError

_SIZE = 8


class SharedVersion:
    """The version of one cache, in a file of the folder.

    Args:
        folder: where its file is, made if missing; None if the processes share no folder. Then no two
            readings are equal, and nothing can be cached.
        name: the file's.

    Raises:
        ConfigurationError: the file cannot be made or written to.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._bytes = None if folder is None else _mapped(folder / name)

    def read(self) -> bytes:
        """The version now: equal to an earlier reading if nobody has changed it since."""
        return os.urandom(_SIZE) if self._bytes is None else self._bytes[:]

    def change(self) -> None:
        """Replace it, for every process."""
        # Random instead of a counter: if two processes counted at once, one change would be lost.
        if self._bytes is not None:
            self._bytes[:] = os.urandom(_SIZE)


class SharedTime:
    """The time at which something was last done by any process of the folder.

    Args:
        folder: as for SharedVersion. Without one it was done just now.
        name: the file's.

    Raises:
        ConfigurationError: the file cannot be made or written to.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._bytes = None if folder is None else _mapped(folder / name)

    def set(self, now: int) -> None:
        """It is done now, in ms since the epoch."""
        if self._bytes is not None:
            self._bytes[:] = now.to_bytes(_SIZE, "little")

    def is_within(self, milliseconds: int, now: int) -> bool:
        """Whether it was done within so many ms before `now`."""
        return self._bytes is None or abs(now - int.from_bytes(self._bytes[:], "little")) <= milliseconds


def _mapped(path: Path) -> mmap.mmap:
    try:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if hasattr(os, "fchmod") and os.fstat(opened).st_uid == os.geteuid():
                os.fchmod(opened, 0o600)  # whatever the umask
            if os.fstat(opened).st_size != _SIZE:
                os.ftruncate(opened, _SIZE)
            return mmap.mmap(opened, _SIZE)
        finally:
            os.close(opened)
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be used: {error.strerror}") from error
