"""A mark that all processes on one folder share: whoever has changed what others remember changes it.

Reading it is reading eight bytes of memory, so it can be looked at for every request.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from ...errors import ConfigurationError

_SIZE = 8


class Mark:
    """The mark of a folder.

    Args:
        folder: where its file is, made if missing; None if the processes share no folder. Then no two
            readings are the same, and nothing can be remembered.
        name: the file's.

    Raises:
        ConfigurationError: the file cannot be made or written to.
    """

    def __init__(self, folder: Path | None, name: str) -> None:
        self._bytes = None if folder is None else _mapped(folder / name)

    def read(self) -> bytes:
        """The mark as it is now. Equal to an earlier one if nobody has changed it since."""
        return os.urandom(_SIZE) if self._bytes is None else self._bytes[:]

    def change(self) -> None:
        """Make it another one, for every process."""
        # Random and not counted: of two processes that count at once one would go unnoticed.
        if self._bytes is not None:
            self._bytes[:] = os.urandom(_SIZE)


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
