"""The contract of byte streams: what a plain socket, TLS on top of it, and a WebSocket have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CHUNK", "ByteStream"]

CHUNK = 65_536
"""Bytes that one read takes, at most."""


class ByteStream(Protocol):
    """A two-way connection that carries bytes, or messages of bytes.

    One thread reads from it and one at a time writes to it. `offer` never waits: what the socket does not
    take at once stays in the stream, whole, until `flush`. So a caller that is interrupted can never leave
    half of what it sent on the wire.

    Attributes:
        peer: the other end's address, for messages.
        is_websocket: whether each item of `offer` travels as one WebSocket message.
        owes: whether something is to be sent that nobody gave to `offer`, such as the answer to a ping.
        last_heard: the `time.monotonic()` at which something last came, whole or in part.
    """

    peer: str
    is_websocket: bool

    @property
    def owes(self) -> bool: ...

    @property
    def last_heard(self) -> float: ...

    def limit(self, until: float | None, each: float | None = None) -> None:
        """Bound what waits from now on, `receive` and `flush`.

        Args:
            until: the `time.monotonic()` by which all must be done, in however many steps; None for no bound.
            each: seconds that one step may take; None for any number.
        """

    def offer(self, items: Sequence[bytes | memoryview]) -> bool:
        """Take what is to be sent, and send what goes out without waiting.

        Returns:
            Whether all of it was sent; else `flush` must send the rest.

        Raises:
            OSError: the connection is broken; nothing of these items was sent.
        """

    def flush(self) -> None:
        """Wait until all that was taken is sent.

        Raises:
            OSError: the connection is broken. TimeoutError: not within the limit.
        """

    def receive(self) -> bytes | None:
        """Wait for bytes: some of a byte stream, whole messages of a WebSocket; b"" at the end.

        None if nothing came but what the stream itself has to answer; see `owes`.

        Raises:
            OSError: the connection is broken, or what came breaks the rules of TLS or WebSocket.
                TimeoutError: not within the limit.
        """

    def receive_now(self) -> bytes | None:
        """Like `receive`, and None if that would have to wait, be it for the rest of a message."""

    def watch(self, callback: Callable[[], object]) -> bool:
        """Have the hub call `callback()` whenever there is something for `receive_now`, until `unwatch`; see
        `Backend.watch`. False if there is no hub."""

    def unwatch(self) -> None:
        """Watch no more."""

    def acknowledge(self) -> None:
        """Have the kernel acknowledge at once what was read by `receive_now`, if nothing was sent since. Only
        streams that were made for it do so."""

    def delivery(self) -> tuple[int, int]:
        """How many bytes the other end's system has acknowledged, and how many it has not."""

    def close(self) -> None:
        """End both directions, and whoever waits in `receive` or `flush`. Closing again does nothing."""

    def forget(self) -> None:
        """In a forked child: let go of the descriptor, and leave the connection to the parent."""
