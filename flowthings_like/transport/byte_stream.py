"""The interface that a plain socket, TLS on top of it and a WebSocket have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CHUNK", "ByteStream"]

CHUNK = 65_536
"""Bytes that one read takes, at most."""


class ByteStream(Protocol):
    """A two-way connection that carries bytes, or messages of bytes.

    One thread reads from it, and one at a time writes to it. `offer` never waits: it keeps what the socket
    does not take at once, until `flush`. So an interrupted caller never leaves half of what it sent on the
    wire.

    Attributes:
        peer: the other end's address, for messages.
        is_websocket: whether each item of `offer` travels as one WebSocket message.
        owes: whether the stream itself has something to send, such as the answer to a ping. The next `offer`,
            also one of nothing, sends it.
        last_heard: the `time.monotonic()` at which bytes last came.
    """

    peer: str
    is_websocket: bool

    @property
    def owes(self) -> bool: ...

    @property
    def last_heard(self) -> float: ...

    def limit(self, until: float | None, each: float | None = None) -> None:
        """Set time limits for `receive` and `flush` from now on.

        Args:
            until: a `time.monotonic()` after which they raise TimeoutError; None for no deadline.
            each: seconds that a single socket call may take; None for any number.
        """

    def offer(self, items: Sequence[bytes | memoryview]) -> bool:
        """Take items to send, and send as much as is possible without waiting.

        Returns:
            Whether everything was sent. If not, `flush` must send the rest.

        Raises:
            OSError: the connection is broken. Nothing of these items was sent.
        """

    def flush(self) -> None:
        """Wait until everything that `offer` took is sent.

        Raises:
            OSError: the connection is broken. TimeoutError: not within the limit.
        """

    def receive(self) -> bytes | None:
        """Wait for bytes. A WebSocket returns whole messages.

        Returns:
            What came; b"" at the end; None if nothing came but what the stream itself has to answer, see
            `owes`.

        Raises:
            OSError: the connection is broken, or what came violates the protocol of TLS or WebSocket.
            TimeoutError: not within the limit.
        """

    def receive_now(self) -> bytes | None:
        """Like `receive`, but return None instead of waiting, also for the rest of a message."""

    def watch(self, callback: Callable[[], object]) -> bool:
        """Have the hub call `callback()` when `receive_now` has something to read, until `unwatch`.

        Returns:
            Whether there is a hub to do so; see `Backend.watch`.
        """

    def unwatch(self) -> None:
        """End what `watch` began."""

    def acknowledge(self) -> None:
        """Have the kernel acknowledge now what `receive_now` has read. Does nothing unless the stream was
        made with `quick_ack`."""

    def delivery(self) -> tuple[int, int]:
        """How many of the sent bytes the other end's kernel has acknowledged, and how many it has not."""

    def close(self) -> None:
        """Close both directions. Wakes threads that wait in `receive` or `flush`. May be called again."""

    def forget(self) -> None:
        """In a forked child: close the copy of the descriptor. The connection stays the parent's."""
