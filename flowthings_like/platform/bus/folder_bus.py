"""The bus of processes on one machine: files in the folder that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ..leader.leader_lock import LeaderLock
from .bus import Bus, Lease, News, Version
from .shared_version import SharedVersion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["FolderBus"]


class FolderBus(Bus):
    """Versions, news and leases in a folder.

    Args:
        folder: which all processes share; None if they share only a database server. Then nothing can be
            cached, and followers look into the store again and again.
        files: where the locks for leases are; None for nowhere: then no process can lead.
    """

    def __init__(self, folder: Path | None, files: Path | None) -> None:
        self._folder = folder
        self._files = files

    def version(self, name: str) -> Version:
        return SharedVersion(self._folder, f"{name}.mark")

    def news(self, name: str) -> News:
        return _FolderNews(self._folder, f"{name}.mark")

    def lease(self, name: str) -> Lease:
        if self._files is None:
            raise ConfigurationError(
                f"the processes of this platform share no folder, so they cannot agree on which of them runs "
                f"its {name}: give them a bus, --bus redis://HOST/0"
            )
        return LeaderLock(self._files, f"{name}.lock")

    def __repr__(self) -> str:
        return f"<FolderBus {self._folder}>"


class _FolderNews(SharedVersion):
    """A version that followers look at again and again: a reading is eight bytes of memory."""

    def __init__(self, folder: Path | None, name: str) -> None:
        super().__init__(folder, name)
        self.is_exact = folder is not None
        self.on_change: Callable[[], object] | None = None
