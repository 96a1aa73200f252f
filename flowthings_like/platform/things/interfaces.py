"""What the parts of a node know of each other: a client, a package on its way to it, the node itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .counters import Counters

__all__ = ["Client", "Delivery", "Node", "Recipient"]


class Recipient(Protocol):
    """Receives packages."""

    def send(self, package: bytes) -> None:
        """Send a package. Does not block."""

    def abort(self) -> None:
        """Close the connection, so that the other side knows that no answer will come."""


class Client(Recipient, Protocol):
    """A connected client, which joins rooms and makes requests.

    Attributes:
        is_closed: whether the connection has ended.
    """

    is_closed: bool


class Delivery(NamedTuple):
    """A package for a client. It may wait for a commit before it is sent."""

    to: Recipient
    package: bytes


class Node(Protocol):
    """The node, as the handlers of requests see it.

    Attributes:
        id: its number.
        started: when it started, by the monotonic clock.
        addresses: (host, port) of each port it listens on.
        counters: what it has done.
    """

    id: int
    started: float
    addresses: list[tuple[str, int]]
    counters: Counters

    @property
    def connections(self) -> int:
        """How many clients are connected."""

    def reserve(self, name: str, account: str) -> bool:
        """Reserve a user's name for an account. Returns False if the name belongs to another."""
