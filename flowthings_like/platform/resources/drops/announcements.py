"""Announces drops that were created, once they are on disk, to the followers of their flows in this process.

The writer announces each create in the order of the commits. Other processes are only told that something has
changed, over the bus: they read the drops from the database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...bus.shared_version import SharedTime
from .passing import KEPT

if TYPE_CHECKING:
    from pathlib import Path

    from ...bus.bus import Bus
    from .arrival import Arrival
    from .flow_cache import Flow

__all__ = ["Announcement", "Announcements"]

_NEWS = "drops"
_FOLLOWING_FILE = "following.mark"


@dataclass(frozen=True, slots=True)
class Announcement:
    """Drops that arrived in one flow together.

    Attributes:
        flow: the flow.
        before: the number of the arrival before these. A flow of capacity 0 has numbers only while somebody
            follows flows.
        last: the number of the last of these; 0 if they have none.
        arrivals: the new drops, in their order. A number that none of them has belongs to a drop that was
            replaced.
    """

    flow: Flow
    before: int
    last: int
    arrivals: list[Arrival]


class Announcements:
    """The announcements of one store.

    Args:
        bus: between the processes that use the database.
        folder: which they share; None if they share a database server.

    Attributes:
        listener: called after each commit with drops in it; None while nobody follows a flow here. It must
            neither wait nor raise.
        news: of every commit of any process that has drops in it.
    """

    def __init__(self, bus: Bus, folder: Path | None) -> None:
        self.listener: Callable[[], object] | None = None
        self.news = bus.news(_NEWS)
        self.news.on_change = self._wake
        self._following = SharedTime(folder, _FOLLOWING_FILE)
        self._waiting: deque[Announcement] = deque()

    def follow(self, now: int) -> None:
        """Note that somebody follows a flow, for every process."""
        self._following.set(now)

    def is_followed(self, now: int) -> bool:
        """Whether somebody has followed a flow within the last minute, in any process."""
        return self._following.is_within(KEPT, now)

    def publish(self, announcements: list[Announcement]) -> None:
        """Announce what was committed. Called in the writer's thread."""
        if not announcements:  # a repetition of an earlier write
            return
        listener = self.listener
        if listener is not None:
            self._waiting.extend(announcements)
        self.news.change()
        if listener is not None:
            listener()

    def _wake(self) -> None:
        """Another process has committed drops."""
        listener = self.listener
        if listener is not None:
            listener()

    def take(self) -> list[Announcement]:
        """Remove and return what was announced since the last call, in its order."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(len(waiting))]
