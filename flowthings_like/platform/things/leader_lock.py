"""Which process serves a folder's rooms: the one that holds the lock on the file `things.lock` in it.

The file says where that process listens, and the secret that opens it. Only the folder's owner may read it. A
process that dies lets go of the lock by itself; what it wrote there is worthless then, as the next one makes
a secret of its own.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ConfigurationError
from .forks import abandon_in_children

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILE", "LeaderAddress", "LeaderLock"]

FILE = "things.lock"


class LeaderAddress(NamedTuple):
    """What the file says: where the folder's node listens, and the password of every account there."""

    host: str
    port: int
    secret: str

    def __repr__(self) -> str:
        return f"LeaderAddress({self.host}:{self.port})"


class LeaderLock:
    """The lock on one folder, held or not.

    Args:
        folder: where the file is; it must exist.
        name: the file's.
    """

    def __init__(self, folder: Path, name: str = FILE) -> None:
        self._path = folder / name
        self._file = -1

    @property
    def held(self) -> bool:
        """Whether this is who serves the folder."""
        return self._file >= 0

    def acquire(self) -> bool:
        """Try to become who serves the folder; says whether it is so.

        Raises:
            ConfigurationError: the file cannot be made, or the system has no such locks.
        """
        if self.held:
            return True
        try:
            import fcntl
        except ImportError as error:
            raise ConfigurationError("rooms and queries of an embedded folder need a POSIX system") from error
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{str(self._path)!r} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(file, 0o600)  # one that was there before, or that a umask took too much from
            os.ftruncate(file, 0)  # what the last one wrote
        except BlockingIOError:
            os.close(file)
            return False
        except BaseException:
            os.close(file)
            raise
        self._file = file
        abandon_in_children(self)  # else a child would hold it after its parent
        return True

    def publish(self, notice: LeaderAddress) -> None:
        """Say where to connect. The lock must be held."""
        text = json.dumps(notice._asdict()).encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text, 0)

    def published(self) -> LeaderAddress | None:
        """What the process that holds the lock has written; None if it has not yet."""
        try:
            found: dict[str, Any] = json.loads(self._path.read_bytes())
            return LeaderAddress(found["host"], found["port"], found["secret"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def withdraw(self) -> None:
        """Say no longer where to connect, but keep the lock. More calls do nothing."""
        if self._file >= 0:
            with suppress(OSError):
                os.ftruncate(self._file, 0)

    def release(self) -> None:
        """Let somebody else serve the folder. More calls do nothing."""
        self.withdraw()
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's lock without taking it from the parent."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
