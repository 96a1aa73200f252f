"""The contract of a bus: versions, news and leases that the processes of one platform share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from .reachability import BusState

__all__ = ["Bus", "Lease", "News", "Version"]


class Version(Protocol):
    """The version of what processes have cached. A change is seen by every `read` that begins after it."""

    def read(self) -> bytes:
        """The version now: equal to an earlier reading only if nobody has changed it since."""

    def change(self) -> None:
        """Replace it, for every process."""


class News(Protocol):
    """Tells the processes that something has happened, without saying what.

    Attributes:
        on_change: called when it may have happened in another process, in any thread; None to call nothing.
            It must neither wait nor raise.
    """

    on_change: Callable[[], object] | None

    @property
    def is_exact(self) -> bool:
        """Whether the reading stays the same while nothing happens. If not, look into the store at times."""

    def read(self) -> bytes:
        """A reading that is replaced some moments after something has happened in another process."""

    def change(self) -> None:
        """Tell the other processes. It neither waits nor raises, and may be called in any thread."""


class Lease(Protocol):
    """The right to lead. One process holds it at a time.

    It may be lost without notice: call `acquire` again and again, and stop leading when that returns False.
    What a leader writes must be fenced by the store as well, because between two looks another process may
    have begun to lead.
    """

    def acquire(self) -> bool:
        """Take the lease or keep it. Returns whether this object holds it. It waits for a second at most."""

    def release(self) -> None:
        """Let another process take it. More calls do nothing."""


class Bus(ABC):
    """What the processes of one platform share."""

    @abstractmethod
    def version(self, name: str) -> Version:
        """The version of that name."""

    @abstractmethod
    def news(self, name: str) -> News:
        """The news of that name. Ask once in a process; news that are asked for again replace the former."""

    @abstractmethod
    def lease(self, name: str) -> Lease:
        """The lease of that name.

        Raises:
            ConfigurationError: there is no way to agree on a leader here.
        """

    def state(self) -> BusState | None:
        """Whether it can be reached, and what it has done; None if nothing lies between the processes that
        could be lost."""
        return None

    def close(self) -> None:  # noqa: B027 (not every bus has something to close)
        """Let go of connections. More calls do nothing."""
