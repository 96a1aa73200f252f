"""The lock between the writer of a database file and a program that copies the file.

DuckDB's file and its log fit each other only as long as nothing is committed. So each transaction of the
writer holds this lock, and so does a copy. It is two locked files: who waits holds the turnstile, so that a
copy gets the lock after the transaction under way, however fast the next one comes. The system releases both
when a process ends.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LOCKS", "CopyLock"]

LOCKS = ("copy.turn", "copy.lock")
"""The files, beside the database."""


class CopyLock:
    """The lock of one database file. Its methods wait, so they are called in native threads.

    Args:
        folder: where the database is. The lock's files are made there.

    Raises:
        ConfigurationError: they cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._files: list[int] = []
        try:
            for name in LOCKS:
                self._files.append(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            self.close()
            raise ConfigurationError(f"{str(folder)!r} cannot be locked: {error.strerror}") from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block in which nobody else commits or copies."""
        from fcntl import LOCK_EX, LOCK_UN, flock  # where there is none, no database is opened

        if not self._files:  # in a forked child, which cannot use the database
            yield
            return
        turnstile, lock = self._files
        flock(turnstile, LOCK_EX)
        try:
            flock(lock, LOCK_EX)
        finally:
            flock(turnstile, LOCK_UN)
        try:
            yield
        finally:
            flock(lock, LOCK_UN)

    def close(self) -> None:
        """Close the files. More calls do nothing."""
        files, self._files = self._files, []
        for file in files:
            os.close(file)
