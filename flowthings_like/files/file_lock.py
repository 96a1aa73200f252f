"""A lock on a file, which the system releases when the process ends, also by `kill -9`."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path

from ..green.backends.children import call_in_children

__all__ = ["FileLock"]


class FileLock:
    """An exclusive lock on a file, between processes and between the threads of one. It never waits.

    A forked child does not have its parent's lock. The file is created when it is missing, and stays.

    Args:
        path: the file, which must not be replaced by another one of its name while it is locked.
        mode: its permissions if it is created, less the umask.
    """

    def __init__(self, path: Path, mode: int = 0o666) -> None:
        self._path = path
        self._mode = mode
        self._file: FileIO | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def acquire(self) -> bool:
        """Try to take the lock. Returns whether this object holds it.

        Raises:
            OSError: the file cannot be opened, or its file system has no locks.
            ImportError: the system has no such locks.
        """
        import fcntl

        if self._file is not None:
            return True
        call_in_children(self.abandon)  # first, because another thread may fork at any moment
        # Not os.open: its number would be lost, and stay open, if a signal's handler raised here.
        file = FileIO(self._path, "a+", opener=partial(os.open, mode=self._mode))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file = file
        except BlockingIOError:
            file.close()
            return False
        except BaseException:
            self._file = None
            file.close()
            raise
        return True

    def fileno(self) -> int:
        """The file, opened for reading and appending, while the lock is held.

        Raises:
            ValueError: it is not held.
        """
        if self._file is None:
            raise ValueError(f"{self._path} is not locked")
        return self._file.fileno()

    def release(self) -> None:
        """Release the lock. More calls do nothing."""
        import fcntl

        if self._file is not None:
            # A process that was forked in the middle of `acquire` may have the file open, too.
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)
        self.abandon()

    def abandon(self) -> None:
        """In a forked child: close the inherited file without releasing the parent's lock."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
