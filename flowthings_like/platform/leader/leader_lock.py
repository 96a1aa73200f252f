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
from ...files.file_lock import FileLock

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
        self._lock = FileLock(self._path, 0o600)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock.held

    def acquire(self) -> bool:
        """Try to take the lock, without waiting. Returns whether this object holds it.

        Raises:
            ConfigurationError: the file cannot be created, or the system has no such locks.
        """
        if self.held:
            return True
        try:
            if not self._lock.acquire():
                return False
        except ImportError as error:
            raise ConfigurationError(
                "rooms, queries, streams and records of an embedded folder need a POSIX system"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"{str(self._path)!r} cannot be opened: {error.strerror}") from error
        try:
            file = self._lock.fileno()
            os.fchmod(file, 0o600)  # the file may be older, or the umask may have removed bits
            os.ftruncate(file, 0)  # what the previous leader wrote
        except BaseException:
            self._lock.release()
            raise
        return True

    def publish(self, address: LeaderAddress) -> None:
        """Write the leader's address into the file. The lock must be held."""
        text = json.dumps(address._asdict()).encode()
        file = self._lock.fileno()
        os.ftruncate(file, 0)
        os.pwrite(file, text, 0)

    def published(self) -> LeaderAddress | None:
        """Return the address that the leader has published, None if it has published none."""
        try:
            found: dict[str, Any] = json.loads(self._path.read_bytes())
            return LeaderAddress(found["host"], found["port"], found["secret"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def withdraw(self) -> None:
        """Remove the address from the file but keep the lock. More calls do nothing."""
        if self.held:
            with suppress(OSError):
                os.ftruncate(self._lock.fileno(), 0)

    def release(self) -> None:
        """Remove the address and release the lock. More calls do nothing."""
        self.withdraw()
        self._lock.release()
