"""A folder that is filled under another name, and gets its own when it is complete."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from .copying import sync_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["PartialFolder"]


class PartialFolder:
    """A new folder beside `target`, for the length of a `with` block. What is not renamed is removed.

    A process that is killed leaves it behind. The next one that works on the same target removes it: a lock
    on the folder tells that nobody fills it any more.

    Args:
        target: the name that it is for.

    Attributes:
        path: the folder, `.NAME.partial`.

    Raises:
        ConfigurationError: another process fills it now, or it cannot be made.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.parent / f".{target.name}.partial"
        self._lock = -1
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._empty()
        except BlockingIOError as error:
            self._unlock()
            raise ConfigurationError(f"another process makes {str(target)!r} now") from error
        except OSError as error:
            self._unlock()
            raise ConfigurationError(f"{str(target)!r} cannot be made: {error.strerror}") from error

    def rename(self, source: Path, target: Path) -> None:
        """Give the folder, or a file in it, its name, which must not be there. It is on disk afterwards.

        Raises:
            ConfigurationError: there is something of that name now.
        """
        sync_folder(self.path)
        try:
            if source.is_dir():
                source.rename(target)  # which fails if there is a folder that is not empty
            else:
                os.link(source, target)  # unlike a rename it replaces nothing
        except OSError as error:
            raise ConfigurationError(f"{str(target)!r} cannot be made: {error.strerror}") from error
        sync_folder(target.parent)

    def __enter__(self) -> PartialFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # the next one will try again
            if self.path.exists() and os.fstat(self._lock).st_ino == self.path.stat().st_ino:
                shutil.rmtree(self.path)
        self._unlock()

    def _empty(self) -> None:
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _unlock(self) -> None:
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)
