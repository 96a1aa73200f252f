"""The lock that decides which process serves a folder: the leader holds it on a file in the folder.

The leader writes its address and a secret password into the file. Only the folder's owner may read it. The
system releases the lock when the process ends. The address is useless from then on, because the next leader
makes a new secret.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import ConfigurationError
from .after_fork import abandon_in_children

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LeaderAddress", "LeaderLock"]


class LeaderAddress(NamedTuple):
    """What the file says: where the leader listens, and a password that every account can log in with."""

    host: str
    port: int
    secret: str

    def __repr__(self) -> str:
        return f"LeaderAddress({self.host}:{self.port})"


class LeaderLock:
    """The lock on one folder.

    Args:
        folder: where the file is; it must exist.
        name: the file's name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._file = -1

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file >= 0

    def acquire(self) -> bool:
        """Try to take the lock, without waiting. Returns whether this object holds it.

        Raises:
            ConfigurationError: the file cannot be created, or the system has no such locks.
        """
        if self.held:
            return True
        try:
            import fcntl
        except ImportError as error:
            raise ConfigurationError(
                "rooms, queries, streams and records of an embedded folder need a POSIX system"
            ) from error
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{str(self._path)!r} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(file, 0o600)  # the file may be older, or the umask may have removed bits
            os.ftruncate(file, 0)  # what the previous leader wrote
        except BlockingIOError:
            os.close(file)
            return False
        except BaseException:
            os.close(file)
            raise
        self._file = file
        abandon_in_children(self)  # the lock belongs to every process that inherits the file
        return True

    def publish(self, address: LeaderAddress) -> None:
        """Write the leader's address into the file. The lock must be held."""
        text = json.dumps(address._asdict()).encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text, 0)

    def published(self) -> LeaderAddress | None:
        """Return the address that the leader has published, None if it has published none."""
        try:
            found: dict[str, Any] = json.loads(self._path.read_bytes())
            return LeaderAddress(found["host"], found["port"], found["secret"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def withdraw(self) -> None:
        """Remove the address from the file but keep the lock. More calls do nothing."""
        if self._file >= 0:
            with suppress(OSError):
                os.ftruncate(self._file, 0)

    def release(self) -> None:
        """Remove the address and release the lock. More calls do nothing."""
        self.withdraw()
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def abandon(self) -> None:
        """In a forked child: close the inherited file without releasing the parent's lock."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
