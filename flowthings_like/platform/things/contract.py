"""What the parts of the node know of each other: a client, a package to send to it, the node itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .counters import Counters

__all__ = ["Client", "Delivery", "Node", "Recipient"]


class Recipient(Protocol):
    """Whatever packages can be sent to."""

    def send(self, package: bytes) -> None:
        """Send a package, without waiting."""

    def abort(self) -> None:
        """Let the other side know that no answer will come."""


class Client(Recipient, Protocol):
    """A connected client. It may join rooms and make requests.

    Attributes:
        gone: whether the connection has ended.
    """

    gone: bool


class Delivery(NamedTuple):
    """A package on its way, perhaps waiting for a commit."""

    to: Recipient
    package: bytes


class Node(Protocol):
    """The node, as requests see it.

    Attributes:
        id: its number.
        started: when, by the monotonic clock.
        addresses: (host, port) of each port.
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
        """Keep a user's name for an account; False if an account has it, or a user of another account."""
